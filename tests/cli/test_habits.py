"""Habits that commands share with other tools: pipes, the store where one is, dry runs, media in order."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.product.output_documents import said
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    environment,
    overwrite,
    refused,
    separately,
    snapshot,
)

pytestmark = pytest.mark.slow


def test_tables_in_a_pipe_are_not_folded(road: Road) -> None:
    out = separately("-C", road.publisher, "log", "-o", "wide").out.splitlines()
    assert len(out) == 3
    commit = done("-C", road.publisher, "log", "-o", "json").json()[0]["commit"]
    assert commit in out[1]
    show = ("-C", road.publisher, "release", "show", "1.0.0")
    for form, length in (("wide", 71), ("table", 19)):
        shown = separately(*show, "-o", form).out
        digests = [word for line in shown.splitlines() for word in line.split() if word.startswith("sha256:")]
        assert digests
        assert {len(digest) for digest in digests} == {length}
    assert commit[:12] in separately("-C", road.publisher, "log").out


@pytest.mark.parametrize("words", [("check",), ("log",), ("media", "import", "x"), ("receipt",)])
def test_the_store_is_where_one_is_like_with_git(words: tuple[str, ...], site: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "airstore", *words],
        cwd=site,
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == (10 if "x" in words else 0), ended
    assert "Traceback" not in ended.stderr


def test_dry_runs_change_nothing(own_road: Road, tmp_path: Path) -> None:
    """Whatever imports, writes out or pushes content has one."""
    values = own_road.product.parent / "values" / "small.yaml"
    values.write_text(values.read_text() + "# 1.2.0\n")
    stores = (own_road.publisher, own_road.site, own_road.new_site)
    before = [snapshot(store) for store in stores]
    done("-C", own_road.publisher, "release", "create", "--version", "1.2.0", "--dry-run")
    done("-C", own_road.publisher, "media", "create", "--to", "1.1.0", "--dry-run", tmp_path / "out")
    done("-C", own_road.site, "media", "import", "--dry-run", own_road.delta)
    done("-C", own_road.new_site, "media", "import", "--dry-run", own_road.full_new)
    refused(airstore("-C", own_road.new_site, "media", "import", "--dry-run", own_road.delta), 21, "1.0.0")
    assert [snapshot(store) for store in stores] == before
    assert not (tmp_path / "out").exists()


def test_several_media_are_taken_in_whatever_order_they_are_given(road: Road, new_site: Path) -> None:
    rows = done("-C", new_site, "media", "import", road.delta, road.full, "-o", "json").json()
    assert [(row["release"], row["state"]) for row in rows] == [("1.0.0", "imported"), ("1.1.0", "imported")]


def test_verify_needs_no_store_and_says_what_it_did_not_check(road: Road, tmp_path: Path) -> None:
    outcome = separately("media", "verify", road.full)
    assert outcome.code == 0
    assert "signature NOT checked" in outcome.err
    assert "signature holds" in done("media", "verify", road.full, "--trust", road.root).err
    assert "signature holds" in done("-C", road.site, "media", "verify", road.full).err
    refused(airstore("media", "verify", road.full, "--trust", tmp_path / "none"), 10, "none")
    refused(airstore("-C", tmp_path, "media", "verify", road.full), 10, "not an airstore store")


def _without_time(receipt: str) -> Any:
    """What a receipt says but for when: two are made one after the other."""
    (signature,) = json.loads(receipt)["signatures"]
    statement = json.loads(base64.b64decode(json.loads(receipt)["payload"]))
    assert statement["predicate"].pop("time")
    return signature["keyid"], statement


def test_a_receipt_goes_to_a_file_or_to_standard_output(site: Path, tmp_path: Path) -> None:
    printed = done("-C", site, "receipt").out
    done("-C", site, "receipt", "-o", tmp_path / "deep" / "receipt.json")
    written = (tmp_path / "deep" / "receipt.json").read_text()
    assert _without_time(printed) == _without_time(written)
    done("-C", site, "receipt", "-o", tmp_path / "deep" / "receipt.json")
    refused(airstore("-C", site, "receipt", "-o", tmp_path / "deep" / "receipt.json" / "x"), 41)


def test_damage_is_listed_with_what_it_breaks(road: Road, site: Path) -> None:
    done("-C", site, "media", "import", road.delta)
    arrived = {path.name for path in (road.full / "packs").iterdir()}
    written = [path for path in (site / "packs").iterdir() if path.name not in arrived]  # layers, rebuilt
    pack = max(written, key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    overwrite(pack, bytes(data))
    outcome = airstore("-C", site, "check", "-o", "json")
    assert outcome.code == 20
    (problem,) = said(outcome.out)["items"]
    assert pack.name in problem["fault"]
    assert any("image registry.example.com/shop/" in user for user in problem["breaks"])
    table = airstore("-C", site, "check")
    assert table.code == 20
    assert "breaks image registry.example.com/shop/" in table.out
    assert "1 fault found" in table.err


def test_unreadable_places_are_no_bugs(road: Road, site: Path, tmp_path: Path) -> None:
    """A directory where a file should be, and the other way round."""
    (tmp_path / "directory").mkdir()
    directory = tmp_path / "directory"
    for words in (
        ("init", tmp_path / "p", "--product", directory),
        ("init", tmp_path / "p", "--site", "acme", "--trust", directory),
        ("-C", road.publisher, "media", "create", "--to", "1.1.0", "--receipt", directory, tmp_path / "o"),
        ("-C", road.publisher, "site", "add", "b", directory),
        ("-C", site, "plan", "--site-file", directory),
        ("media", "verify", road.full, "--trust", directory),
        ("media", "verify", road.full / "index.json"),
        ("trust", "root", "show", directory),
        ("-C", road.full / "index.json", "check"),
    ):
        outcome = airstore(*words)
        assert outcome.code in {2, 10, 21}, (words, outcome)
        assert "Traceback" not in outcome.err
        assert outcome.err.startswith(("airstore: ", "Usage: ")), outcome
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "site"]
    broken = shutil.copytree(site, tmp_path / "broken")
    shutil.rmtree(broken / "history.git")
    for command in (("check",), ("log",), ("media", "import", str(road.delta)), ("receipt",)):
        outcome = airstore("-C", broken, *command)
        assert outcome.code in {10, 20}, (command, outcome)
        assert "history" in outcome.err + outcome.out


def test_doctor_says_all_it_found_and_fails_over_what_is_needed(tmp_path: Path) -> None:
    found = done("-C", tmp_path / "nowhere", "doctor", "-o", "json").json()
    states: dict[str, Any] = {row["name"]: row["state"] for row in found}
    assert states["git"] == states["helm"] == "ok"
    nothing = {"PATH": str(tmp_path), "AIRSTORE_HELM": "", "HOME": str(tmp_path)}
    outcome = airstore("doctor", "-o", "json", env=nothing)
    assert outcome.code == 10
    rows = said(outcome.out)
    assert {row["state"] for row in rows if row["name"] in {"git", "helm", "ssh-keygen"}} == {"missing"}
    assert all(row["cost"] for row in rows)
