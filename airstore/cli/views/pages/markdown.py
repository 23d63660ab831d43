"""The report about a release as Markdown: the same facts, for a ticket or a merge request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airstore.cli.text import duration, human, moment, printable, short_text
from airstore.cli.views.pages.bounds import ShownPackages, shown_files, shown_packages, shown_vulnerabilities
from airstore.ops.review.patches import FilePatch
from airstore.ops.review.report import ImagePackages, Report
from airstore.ops.review.sbom.compare import BomChange

_NONE = "-"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#!&])")


def report_markdown(report: Report) -> bytes:
    """GitHub's Markdown, UTF-8."""
    return ("\n".join(_report(report)).rstrip() + "\n").encode()


def text(value: object) -> str:
    """A text from anywhere as one that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(str(value)).split()))


def code(value: object) -> str:
    """The same as code; a bar would end a cell of a table, a backtick the code."""
    shown = " ".join(printable(str(value)).split()).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else _NONE


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table, and an empty line after it."""
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(cell or _NONE for cell in row)} |"
    yield ""


def _report(report: Report) -> Iterator[str]:
    old, new = report.old, report.new.release
    since = f"{text(old.release.version)} → " if old else ""
    yield from (f"# {text(report.product)} {since}{text(new.version)}", "")
    yield from _sizes(report)
    yield from ("## Who signed", "")
    sides = [each for each in (report.new, old) if each]
    yield from table(
        ("release", "made", "signed by", "key fingerprint"),
        (
            (text(each.release.version), moment(each.when), text(signer.name), code(signer.fingerprint))
            for each in sides
            for signer in each.signers
        ),
    )
    verified = report.new.verified
    yield from (
        f"Sequence {new.sequence}, commit {code(verified.commit)}, release.json {code(verified.digest)}.",
        "",
    )
    yield from _operator(report)
    yield from _applied(report)
    yield from _images(report)
    yield from ("## Packages within the images", "")
    for each in shown_packages(report.packages):
        yield from _packages(each)
    yield from _boms(report)
    yield from ("## Files", "", "Secrets are replaced by digests.", "")
    files, more = shown_files(report.files)
    for file in files:
        yield from _file(file)
    if more:
        yield f"{more} more files differ and are not shown."


def _sizes(report: Report) -> Iterator[str]:
    rows = [("all blobs, as a registry has them", human(report.size))]
    if report.old:
        rows.append(("layers and charts that are new, whole", human(report.new_bytes)))
    rows += [
        (f"{each.kind} media", human(each.size) if each.size is not None else text(each.note))
        for each in report.media
    ]
    yield from table(("what travels", "bytes"), rows)


def _operator(report: Report) -> Iterator[str]:
    yield from ("## For the operator: Helm releases", "")
    yield from table(
        ("Helm release", "namespace", "change", "chart", "what is different"),
        (
            (
                text(row.name),
                text(row.namespace),
                row.change,
                f"{text(row.chart)} {_step(row.old, row.new)}",
                text("; ".join(row.what)),
            )
            for row in report.helm_releases
        ),
    )
    yield from table(
        ("chart", "version", "digest", "what it says of itself"),
        (
            (text(row.name), _step(row.old, row.new), code(row.digest), text(short_text(row.description)))
            for row in report.charts
        ),
    )


def _applied(report: Report) -> Iterator[str]:
    if not report.applied:
        return
    yield from ("## How long it took where it was applied already", "")
    yield from table(
        ("ended", "from", "took", "result"),
        (
            (
                *(moment(each.ended), text(each.previous or "nothing"), duration(each.seconds)),
                "succeeded" if each.succeeded else "failed",
            )
            for each in report.applied
        ),
    )


def _images(report: Report) -> Iterator[str]:
    yield from ("## Images", "")
    yield from table(
        ("image", "change", "tag", "old digest", "new digest", "new bytes", "of"),
        (
            (
                *(text(row.name), row.change, _step(row.old, row.new)),
                *(code(row.old_digest), code(row.new_digest), human(row.new_bytes), human(row.size)),
            )
            for row in report.images
        ),
    )
    signed = [
        f"- {text(row.name)} is signed upstream by {code(each.key)} ({code(each.fingerprint)})"
        for row in report.images
        for each in row.signatures
    ]
    if signed:
        yield from (*signed, "")


def _boms(report: Report) -> Iterator[str]:
    if not report.boms:
        return
    yield from ("## Packages by the images' SBOMs", "")
    yield from ("Their makers' word, which nobody has verified.", "")
    for shown in shown_packages(report.boms):
        yield from _packages(shown, f" ({shown.about.form})" if shown.about.form else "")
    rows, more = shown_vulnerabilities(report.boms)
    if rows:
        yield from table(
            ("vulnerability", "severity", "image", "in", "before", "now"),
            (
                (
                    *(text(each.name), text(each.severity), text(image), code(", ".join(each.packages))),
                    *(text(each.old or "not listed"), text(each.new or "not listed")),
                )
                for image, each in rows
            ),
        )
    if more:
        yield from (f"{more} more are not shown.", "")


def _packages(shown: ShownPackages[ImagePackages] | ShownPackages[BomChange], of: str = "") -> Iterator[str]:
    each = shown.about
    platform = f" {text(each.platform)}" if each.platform else ""
    none = "no package" if of or isinstance(each, BomChange) else "no package database"
    counted = f"{len(each.changes)} of {each.count} packages change" if each.count else none
    yield from (f"### {text(each.image)}{platform}: {counted}{of}", "")
    yield from (f"- {text(note)}" for note in each.notes)
    if shown.rows:
        yield from table(
            ("package", "manager", "change", "from", "to"),
            (
                (
                    text(row.name),
                    text(row.manager),
                    row.change,
                    code(", ".join(row.old)),
                    code(", ".join(row.new)),
                )
                for row in shown.rows
            ),
        )
    if shown.left:
        yield from (f"{shown.left} more are not shown.", "")


def _file(file: FilePatch) -> Iterator[str]:
    yield "<details>"
    yield f"<summary>{file.status} {_html(file.path)} +{file.added} -{file.removed}</summary>"
    yield ""
    if file.text:
        longest = max((len(run) for run in re.findall(r"`+", file.text)), default=0)
        fence = "`" * max(3, longest + 1)
        yield from (f"{fence}diff", printable(file.text).rstrip("\n"), fence)
    if file.note:
        yield from ("", text(file.note))
    yield from ("", "</details>", "")


def _step(old: str, new: str) -> str:
    return f"{text(old)} → {text(new)}" if old and new and old != new else text(new or old)


def _html(value: str) -> str:
    return printable(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
