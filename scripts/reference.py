"""The reference of the command line, made from the commands themselves: Markdown and manual pages.

scripts/reference          write docs/reference/*.md and docs/man/*.1
scripts/reference --check  only say whether they are as the commands are now; exit code 1 if not
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from airstore.cli.main import main

_HELP = "Show this message and exit."  # every command's; said once, in the introduction

_WIDTH = 110
DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True)
class Entry:
    """One command: its words, usage, text in paragraphs, and options with their help."""

    words: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]

    @property
    def summary(self) -> str:
        """The first sentence."""
        return self.paragraphs[0] if self.paragraphs else ""


def entries(command: click.Command, context: click.Context) -> Iterator[Entry]:
    """A command and those below it."""
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    text = inspect.cleandoc(command.help or "")
    yield Entry(
        context.command_path,
        " ".join(command.collect_usage_pieces(context)),
        tuple(" ".join(part.split()) for part in text.split("\n\n") if part),
        tuple(record for record in records if record and record[1] and record[1] != _HELP),
    )
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner and not inner.hidden:
                yield from entries(
                    inner,
                    click.Context(
                        inner, info_name=name, parent=context, terminal_width=_WIDTH, max_content_width=_WIDTH
                    ),
                )


def pages() -> dict[str, list[Entry]]:
    """The entries of each page: one for airstore itself, one for each command with those below it."""
    root = main.make_context(
        "airstore", [], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    own = next(entries(main, root))
    found = {"airstore": [own]}
    for name in main.list_commands(root):
        command = main.get_command(root, name)
        if command:
            context = click.Context(
                command, info_name=name, parent=root, terminal_width=_WIDTH, max_content_width=_WIDTH
            )
            found[f"airstore-{name}"] = list(entries(command, context))
    return found


def markdown(page: list[Entry], others: dict[str, list[Entry]]) -> str:
    """A page for reading."""
    lines = [f"# {page[0].words}", "", "*Made from the commands by `scripts/reference`.*", ""]
    for entry in page:
        if entry is not page[0]:
            lines += [f"## {entry.words}", ""]
        lines += ["```text", f"{entry.words} {entry.usage}".rstrip(), "```", ""]
        for paragraph in entry.paragraphs:
            lines += [paragraph, ""]
        if entry.options:
            lines += ["| option | |", "| --- | --- |"]
            lines += [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in entry.options]
            lines += [""]
    if others:
        lines += ["Every command explains itself with `-h` or `--help`.", ""]
        lines += ["| command | |", "| --- | --- |"]
        lines += [f"| [{other[0].words}]({name}.md) | {other[0].summary} |" for name, other in others.items()]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def manual(name: str, page: list[Entry], others: dict[str, list[Entry]]) -> str:
    """The same for man(1), in the macros of man(7)."""
    lines = [f'.TH {name.upper()} 1 "" "airstore" "airstore manual"', ".SH NAME"]
    lines += [f"{_roff(name)} \\- {_roff(page[0].summary.rstrip('.').rstrip(':'))}", ".SH SYNOPSIS"]
    for entry in page:
        lines += [".PP", f".B {_roff(entry.words)}", _roff(entry.usage)]
    lines += [".SH DESCRIPTION"]
    for entry in page:
        if entry is not page[0]:
            lines += [f'.SS "{_roff(entry.words)}"']
        for paragraph in entry.paragraphs:
            lines += [".PP", _roff(paragraph)]
        for names, text in entry.options:
            lines += [".TP", f".B {_roff(names)}", _roff(text)]
    if others:
        lines += [".SH COMMANDS"]
        for other in others.values():
            lines += [".TP", f".B {_roff(other[0].words)}", _roff(other[0].summary)]
    also = ["airstore", *others] if name == "airstore" else ["airstore"]
    see = ", ".join(f"\\fB{_roff(other)}\\fR(1)" for other in also if other != name)
    return "\n".join([*lines, ".SH SEE ALSO", see]) + "\n"


def files() -> dict[Path, str]:
    """Every file of the reference and its text."""
    found = pages()
    others = {name: page for name, page in found.items() if name != "airstore"}
    made = {}
    for name, page in found.items():
        below = others if name == "airstore" else {}
        made[DOCS / "reference" / f"{name}.md"] = markdown(page, below)
        made[DOCS / "man" / f"{name}.1"] = manual(name, page, below)
    return made


def stale() -> list[Path]:
    """Files that are not as the commands are, missing and left-over ones among them."""
    wanted = files()
    there = {*(DOCS / "reference").glob("*"), *(DOCS / "man").glob("*")}
    return sorted(
        path
        for path in {*wanted, *there}
        if path not in wanted or not path.is_file() or path.read_text() != wanted[path]
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _roff(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def run(arguments: list[str]) -> int:
    """Write the reference, or check it."""
    out_of_date = stale()
    if arguments == ["--check"]:
        for path in out_of_date:
            print(f"{path.relative_to(DOCS.parent)} is not as the commands are: run scripts/reference")
        return 1 if out_of_date else 0
    wanted = files()
    for path in out_of_date:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
    print(f"{len(out_of_date)} of {len(wanted)} files written")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
