"""Templates and what they are given. A page needs nothing but itself: no script, no font, no picture."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from airstore import __version__
from airstore.cli.text import duration, human, moment, printable, short_text

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, **facts: Any) -> bytes:
    """A page as UTF-8.

    Args:
        template: ``NAME.html`` below ``templates/``.
        facts: what it is about; texts may come from anywhere and are escaped.
    """
    return _environment().get_template(template).render(**facts, airstore=__version__).encode()


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "human": human,
        "moment": _moment,
        "short": short,
        "marked": _marked,
        "cut": short_text,
        "duration": duration,
    }
    return made


def _moment(seconds: int) -> str:
    """A date in UTC, to the minute."""
    said = moment(seconds)
    return f"{said[:16].replace('T', ' ')} UTC" if "T" in said else said


def short(digest: str) -> str:
    """A digest cut as docker does; whole ones are in the pages' titles."""
    return digest[: len("sha256:") + 12]


def _clean(value: object) -> object:
    """No control character is left, nor one that hides or turns the direction of writing."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


def _marked(patch: str) -> Markup:
    """A diff with its lines marked, those of a kind together; they are escaped here."""
    classes = {"+": "add", "-": "del", "@": "at"}
    shown = []
    for kind, lines in groupby(printable(patch).splitlines(), lambda line: classes.get(line[:1], "")):
        text = "\n".join(lines)
        shown.append(Markup('<span class="{}">{}</span>').format(kind, text) if kind else escape(text))
    return Markup("\n").join(shown)
