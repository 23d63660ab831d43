"""Every document that a command prints has a schema with a version, and is of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import jsonschema
import pytest

from airstore.cli.main import main
from airstore.cli.views.output import OutputOption
from airstore.core.parsing import schema
from airstore.history.ledger import Entry
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from tests.support.product.output_documents import checked
from tests.support.product.road_parts import Road, airstore, done, write_site_file

SCHEMAS = Path(__file__).parents[2] / "schemas" / "output"
# Kubernetes' own objects, for kubectl; and the signed receipt, an envelope around schemas/receipt.
OTHERS = {"applier manifests", "receipt"}


def commands(group: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*names, name))
    else:
        yield " ".join(names), group


def output_options() -> Iterator[tuple[str, click.Parameter]]:
    for name, command in commands(main):
        for parameter in command.params:
            if "-o" in parameter.opts:
                yield name, parameter


def test_minus_o_means_the_same_everywhere() -> None:
    """The form of the result; a command with an ``-o`` of its own has no schema, and belongs in the list."""
    own = {name for name, parameter in output_options() if not isinstance(parameter, OutputOption)}
    assert own == OTHERS


def test_every_command_with_json_has_schemas_and_every_schema_a_command() -> None:
    named = {
        each: name
        for name, parameter in output_options()
        if isinstance(parameter, OutputOption)
        for each in parameter.schemas
    }
    files = {path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir()}
    assert named.keys() == files, {each: named.get(each) for each in named.keys() ^ files}


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.name.partition(".")[0])
def test_a_schema_is_valid_closed_and_versioned(path: Path) -> None:
    document = schema.load_schema(f"output/{path.name.removesuffix('.schema.json')}")
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["title"]
    assert document["additionalProperties"] is False
    name = path.name.removesuffix(".schema.json")
    assert document["properties"]["schema"]["const"] == f"airstore/{name}/v1"
    assert "schema" in document["required"]


ON_BOTH_SIDES = (
    ("release", "list"),
    ("release", "show", "1.0.0"),
    ("release", "verify"),
    ("log",),
    ("check",),
    ("gc", "--keep", "1", "--dry-run"),
    ("doctor",),
    ("trust", "root", "show"),
    ("key", "list"),
)
PUBLISHER = (
    ("release", "diff", "1.0.0", "1.1.0"),
    ("images", "find", "--all"),
    ("images", "find", "--why", "registry.example.com/shop/api:1.1.0"),
    ("site", "list"),
    ("fleet",),
    ("release", "create", "--version", "1.1.0"),
    ("release", "create", "--version", "9.9.9", "--dry-run"),
    ("media", "create", "--to", "1.1.0", "--dry-run", "OUT"),
    ("media", "create", "--to", "1.1.0", "OUT"),
)
SITE = (
    ("history",),
    ("backup", "list"),
    ("repair",),
    ("plan", "--no-diff"),
    ("media", "inspect", "MEDIA"),
    ("media", "verify", "MEDIA"),
    ("media", "import", "MEDIA"),
)


@pytest.mark.parametrize("command", [*ON_BOTH_SIDES, *PUBLISHER], ids=" ".join)
def test_a_publisher_prints_documents_of_their_schemas(
    command: tuple[str, ...], road: Road, tmp_path: Path
) -> None:
    words = [str(tmp_path / "out") if word == "OUT" else word for word in command]
    outcome = done("-C", road.publisher, *words, "-o", "json")
    assert checked(json.loads(outcome.out)) in of(command)


@pytest.mark.parametrize("command", [*ON_BOTH_SIDES, *SITE], ids=" ".join)
def test_a_site_prints_documents_of_their_schemas(command: tuple[str, ...], road: Road, ready: Path) -> None:
    words = [str(road.delta) if word == "MEDIA" else word for word in command]
    outcome = airstore("-C", ready, *words, "-o", "json")
    assert checked(json.loads(outcome.out)) in of(command), outcome


@pytest.fixture
def ready(road: Road, site: Path) -> Path:
    """A site with both releases, a site file and a line in its ledger."""
    done("-C", site, "media", "import", road.delta)
    write_site_file(site)
    entry = Entry("push", "1.1.0", "succeeded", 1, {"registry": "r.example"})
    anchors.record(open_directory(site), entry)
    return site


def of(command: tuple[str, ...]) -> tuple[str, ...]:
    """The schemas that the command of these words declares."""
    options = dict(output_options())
    name = max((name for name in options if " ".join(command).startswith(name)), key=len)
    option = options[name]
    assert isinstance(option, OutputOption)
    return option.schemas
