"""Every command explains itself, and wrong usage is answered with exit code 2 and a way out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from airstore import __version__
from airstore.cli.main import main
from tests.support.product.road_parts import airstore, separately

README = Path(__file__).parents[2] / "README.md"


def commands(group: click.Group = main, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands."""
    context = click.Context(group, info_name=" ".join(("airstore", *words)))
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def find(words: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command


ALL = sorted(commands())


@pytest.mark.parametrize("words", [(), *ALL], ids=lambda words: "-".join(words) or "airstore")
def test_help_is_there_and_says_something(words: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        outcome = airstore(*words, option)
        assert (outcome.code, outcome.err) == (0, "")
        usage, *rest = outcome.out.splitlines()
        assert usage.startswith(" ".join(("Usage: airstore", *words)))
        assert len("".join(rest)) > 60
    for parameter in find(words).params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, (words, parameter.name)
            assert parameter.help[-1] in ".)", (words, parameter.help)


def test_the_first_lines_of_the_groups_match_their_own_help() -> None:
    """The main help is written apart from the commands, so that none of them is loaded for it."""
    said = airstore("--help").out
    for words in ALL:
        if len(words) == 1:
            assert re.search(rf"^  {words[0]} +\S", said, re.MULTILINE), words


def test_every_command_of_the_readme_exists() -> None:
    named = re.findall(r"^airstore (?:-C STORE )?((?:[a-z]+ ?)+)", README.read_text(), re.MULTILINE)
    assert len(named) > 10
    for text in named:
        words = tuple(text.split())
        assert any(words[:length] in ALL for length in (1, 2, 3)), text


def test_the_version_is_the_packages() -> None:
    assert airstore("--version").out == f"airstore, version {__version__}\n"
    assert separately("--version").out == f"airstore, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("nonsense",), "nonsense"),
        (("release", "nonsense"), "nonsense"),
        (("--nonsense",), "--nonsense"),
        (("check", "--nonsense"), "--nonsense"),
        (("check", "more"), "more"),
        (("release", "create"), "--version"),
        (("release", "show"), "VERSION"),
        (("media", "import"), "MEDIA"),
        (("media", "create", "out"), "--to"),
        (("check", "-o", "xml"), "xml"),
        (("--log-format", "xml", "check"), "xml"),
        (("registry", "push", "host", "--jobs", "0"), "--jobs"),
        (("init",), "DIRECTORY"),
    ],
)
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...], word: str) -> None:
    outcome = airstore(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert word in outcome.err
    assert "Traceback" not in outcome.err
    if "--log-format" not in words:
        record = json.loads(airstore("--log-format", "json", *words).err)
        assert (record["level"], record["code"]) == ("error", 2)
        assert word in record["message"]


def test_a_group_without_a_command_shows_its_commands() -> None:
    for words in ((), ("release",), ("media",), ("trust", "root")):
        outcome = airstore(*words)
        assert outcome.code in {0, 2}
        assert "Commands:" in outcome.out + outcome.err


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_choice_is_given_as_it_is_shown(words: tuple[str, ...]) -> None:
    for parameter in find(words).params:
        if isinstance(parameter.type, click.Choice):
            context = click.Context(find(words))
            shown = parameter.make_metavar(context).strip("[]{}").split("|")
            assert [parameter.type.convert(choice, parameter, context) for choice in shown] == shown
            assert all(choice == choice.lower() for choice in shown), shown
