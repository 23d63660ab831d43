"""What a newcomer types: the store left out or named late, names misspelt, a terminal of 80 columns."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from airstore.cli.views import table
from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import Road, airstore, done, refused
from tests.support.product.tiny_product import Tiny


def test_the_store_may_be_named_after_the_command(road: Road, tmp_path: Path) -> None:
    expected = done("-C", road.publisher, "release", "list").out
    assert done("release", "list", "-C", road.publisher).out == expected
    assert done("-C", tmp_path, "release", "list", "-C", road.publisher).out == expected
    assert done("release", "-C", road.publisher, "list").out == expected
    assert done("log", "-C", road.publisher).out == done("-C", road.publisher, "log").out


def test_the_store_may_be_a_variable_and_the_option_wins(road: Road, tmp_path: Path) -> None:
    known = {"AIRSTORE_STORE": str(road.publisher)}
    assert done("release", "list", env=known).out == done("-C", road.publisher, "release", "list").out
    refused(airstore("-C", tmp_path, "release", "list", env=known), 10, str(tmp_path))


def test_the_store_is_found_upwards_as_git_does(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(road.publisher / "trust")
    assert done("release", "list").out == done("-C", road.publisher, "release", "list").out
    monkeypatch.chdir(tmp_path)
    refused(airstore("release", "list"), 10, "not an airstore store")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("relase", "list"), "release"),
        (("release", "lsit"), "list"),
        (("media", "imprt"), "import"),
        (("release", "list", "--otput", "json"), "--output"),
    ],
)
def test_a_misspelt_command_or_option_gets_a_suggestion(words: tuple[str, ...], meant: str) -> None:
    outcome = airstore(*words)
    assert outcome.code == 2
    assert re.search(rf"[Dd]id you mean '?{meant}'?\?", outcome.err), outcome


def test_what_is_like_nothing_gets_none() -> None:
    outcome = airstore("xyzzy")
    assert outcome.code == 2
    assert "mean" not in outcome.err


def test_a_misspelt_release_or_image_gets_a_suggestion(road: Road) -> None:
    refused(airstore("-C", road.publisher, "release", "show", "1.1.00"), 10, "did you mean 1.1.0?")
    refused(
        airstore("-C", road.publisher, "images", "find", "--why", "registry.example.com/shop/apu:1.1.0"),
        10,
        "did you mean registry.example.com/shop/api:1.1.0",
    )


def test_a_missing_file_is_named_with_the_line_that_asks_for_it(tiny: Tiny) -> None:
    tiny.edit("chart: app}", "chart: app, values: [values/none.yaml]}")
    refused(tiny.create(), 10, f"{tiny.product}:9: the product file names values/none.yaml")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell: str) -> None:
    script = done("completion", shell).out
    assert "_AIRSTORE_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_no_digest_is_broken_at_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_console", lambda: table._Console(highlight=False, width=80, no_color=True))
    digest, commit = "sha256:0123456789ab", "0123456789ab"
    row = ["image", "registry.example.com/a/very/long/name/indeed:1.2.3-alpine", digest, commit, "12", "1 MB"]
    table.print_table(["KIND", "NAME", "DIGEST", "COMMIT", "BLOBS", "SIZE"], {"BLOBS"}, [row])
    out = capsys.readouterr().out
    assert digest in out
    assert f" {commit} " in out


def test_what_is_signed_says_nothing_of_where_the_publisher_keeps_things(tiny: Tiny) -> None:
    tiny.edit('"oci:./images"}', '"oci:./images", "other.example/*": "docker://registry.internal:5000"}')
    tiny.edit("apiVersion:", "# built on builder7.internal\napiVersion:")
    assert tiny.create().code == 0
    history = open_directory(tiny.store).history
    commit = history.find("1.0.0").commit
    for path, content in history.files(commit).items():
        assert b"internal" not in content, path
        assert b"./" not in content or not path.endswith(("airstore.yaml", "release.json")), path
    product = yaml.safe_load(history.read(commit, "airstore.yaml"))
    assert product["charts"] == [{"name": "app", "source": "charts/app"}]
    assert "sources" not in product["images"]


def test_every_change_says_what_is_next(road: Road, tmp_path: Path, tiny: Tiny) -> None:
    made = tiny.create()
    assert f"next: airstore -C {tiny.store} media create --to 1.0.0 OUT" in made.err
    written = done("-C", tiny.store, "media", "create", "--to", "1.0.0", tmp_path / "media")
    assert "next: copy" in written.err
    enrolled = done("init", tmp_path / "site", "--site", "acme", "--trust", tiny.store / "trust/root.json")
    assert "next: airstore" in enrolled.err
    taken = done("-C", tmp_path / "site", "media", "import", tmp_path / "media")
    assert (
        f"next: airstore -C {tmp_path / 'site'} plan, or airstore -C {tmp_path / 'site'} registry"
        in taken.err
    )
    assert tiny.create().err == ""  # nothing changed


def test_a_narrow_terminal_gets_a_line_for_each_cell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    headings = ["KIND", "NAME", "DIGEST", "CONFIDENCE", "WHY"]
    name, digest, why = (
        "registry.example.com/a/very/long/name/indeed:1.2.3-alpine",
        "sha256:0123456789ab",
        "x" * 30,
    )
    for width, records in ((40, True), (80, False)):
        narrow = table._Console(highlight=False, width=width, no_color=True)
        monkeypatch.setattr(table, "_console", lambda console=narrow: console)
        table.print_table(headings, {"BLOBS"}, [["image", name, digest, "certain", why]] * 2)
        lines = capsys.readouterr().out.splitlines()
        assert (lines[0].split() == headings) is not records
        assert (f"name        {name}" in lines) is records
        assert sum(digest in line for line in lines) == 2


def test_a_listing_of_all_hints_at_no_longer_one(tiny: Tiny) -> None:
    (tiny.base / "app" / "values.yaml").write_text("spare: {image: registry.example.com/spare/app:1}\n")
    short = airstore("-C", tiny.store, "images", "find")
    assert "1 more are possible; --all lists them" in short.err
    assert "spare" not in short.out
    whole = airstore("-C", tiny.store, "images", "find", "--all")
    assert "--all" not in whole.err
    assert "spare" in whole.out
