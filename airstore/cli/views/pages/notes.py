"""Release notes as Markdown: a beginning that a person goes on with."""

from __future__ import annotations

from collections.abc import Iterator

from airstore.cli.text import moment
from airstore.cli.views.pages.markdown import code, text
from airstore.ops.review.changes import HelmRow, ImageRow
from airstore.ops.review.notes import ChartChange, ChartNotes, Notes

_ORDER = ("security", "added", "changed", "fixed", "deprecated", "removed", "")


def notes_markdown(notes: Notes) -> bytes:
    """UTF-8."""
    return ("\n".join(_notes(notes)).rstrip() + "\n").encode()


def _notes(notes: Notes) -> Iterator[str]:
    yield from (f"# {text(notes.product)} {text(notes.new)}", "")
    since = f"Since {text(notes.old)}; made" if notes.old else "The first release, made"
    yield from (f"{since} {moment(notes.when)[:10]}.", "")
    yield from (
        "<!-- In two or three sentences: what this release is for, and what operators must do. -->",
        "",
    )
    for chart in notes.charts:
        yield from _chart(chart)
    yield from _listed(
        "Helm releases", (_helm(row) for row in notes.helm_releases if row.change != "unchanged")
    )
    yield from _listed("Images", map(_image, notes.images))


def _chart(chart: ChartNotes) -> Iterator[str]:
    yield from (f"## {text(chart.name)} {_step(chart.old, chart.new)}", "")
    if chart.new and chart.app[1] and chart.app[0] != chart.app[1]:
        yield from (f"Application {_step(*chart.app)}.", "")
    if chart.security:
        yield from ("**Contains security updates.**", "")
    yield from (f"<!-- {text(fault).replace('--', '- -')} -->" for fault in chart.faults)
    known = {change.kind.lower() for change in chart.changes}
    for kind in (*_ORDER, *sorted(known - set(_ORDER))):
        lines = [_change(change) for change in chart.changes if change.kind.lower() == kind]
        if lines:
            yield from ([f"### {text(kind.capitalize())}", ""] if kind else [])
            yield from (*lines, "")
    if not chart.changes and chart.new:
        yield from ("<!-- The chart lists no changes (artifacthub.io/changes). -->", "")


def _change(change: ChartChange) -> str:
    links = ", ".join(
        f"[{text(name)}](<{address}>)" for name, address in change.links if _is_address(address)
    )
    return f"- {text(change.description)}" + (f" ({links})" if links else "")


def _is_address(address: str) -> bool:
    """What may be a link: nothing that a viewer runs, and nothing that ends the link early."""
    web = address.startswith(("https://", "http://"))
    return web and address.isprintable() and not set(address) & set("<>\\ ")


def _listed(title: str, lines: Iterator[str]) -> Iterator[str]:
    if found := list(lines):
        yield from (f"## {title}", "", *found, "")


def _helm(row: HelmRow) -> str:
    what = f": {text('; '.join(row.what))}" if row.what else ""
    return f"- {text(row.name)} in namespace {text(row.namespace)} {row.change}{what}"


def _image(row: ImageRow) -> str:
    digest = row.new_digest or row.old_digest
    return f"- {text(row.name)} {_step(row.old, row.new)}, {code(digest)}".replace("  ", " ")


def _step(old: str, new: str) -> str:
    if old and new:
        return f"{text(old)} → {text(new)}" if old != new else text(new)
    return f"{text(new)} (new)" if new else f"{text(old)} (removed)" if old else "(removed)"
