"""What somebody who has never seen airstore types, mixes up or moves: each is answered by one clear error."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.support.product.road_parts import Road, airstore, done, process, refused

NO_HOST = "no-such-host.invalid"  # RFC 6761: never resolves


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://",
        "registry.example.com/UPPER",
        "registry.example.com/../shop",
        "registry.example.com/my shop",
        "registry.example.com/shop:1",
        "my registry",
        "registry.example.com/shop#1",
    ],
)
def test_an_address_that_no_registry_can_have_is_a_wrong_command(road: Road, url: str) -> None:
    refused(airstore("-C", road.site, "registry", "push", url), 2, "not a registry", "HOST[:PORT][/PREFIX]")


def test_an_unknown_host_is_said_to_be_unknown_and_not_asked_again(road: Road) -> None:
    began = time.monotonic()
    outcome = airstore("-C", road.site, "registry", "push", f"{NO_HOST}/shop", "--dry-run")
    refused(outcome, 40, NO_HOST, "name cannot be resolved")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["receipt.json", "airstore.yaml"])
def test_another_file_than_the_trust_root_is_named(road: Road, tmp_path: Path, name: str) -> None:
    wrong = tmp_path / name
    done("-C", road.site, "receipt", "-o", tmp_path / "receipt.json")
    shutil.copyfile(road.product, tmp_path / "airstore.yaml")
    code = 30 if name == "receipt.json" else 20
    words = (str(wrong), "STORE/trust/root.json")
    refused(airstore("init", tmp_path / "store", "--site", "acme", "--trust", wrong), code, *words)
    assert not (tmp_path / "store").exists()
    refused(airstore("media", "verify", road.full, "--trust", wrong), code, *words)


def test_a_store_that_was_moved_away_from_its_product_file_says_where_that_is_kept(
    road: Road, tmp_path: Path
) -> None:
    moved = tmp_path / "deeper" / "store"
    shutil.copytree(road.publisher, moved)
    found = airstore("-C", moved, "images", "find")
    refused(found, 10, "is gone", "productFile", str(moved / "airstore.json"))


def test_a_missing_variable_is_to_be_added_to_the_file_that_was_read(road: Road, tmp_path: Path) -> None:
    usual = airstore("-C", road.site, "plan", "--site-file", _site_file(tmp_path))
    refused(usual, 2, "registry.host", str(tmp_path / "mine.yaml"))


def _site_file(directory: Path) -> Path:
    file = directory / "mine.yaml"
    file.write_text("apiVersion: airstore/v1\nkind: Site\n")
    return file


def test_tls_files_that_are_missing_or_are_none(road: Road, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    serve = ("-C", road.site, "registry", "serve", "--listen", "127.0.0.1:0")
    missing = airstore(*serve, "--tls-cert", text, "--tls-key", tmp_path / "missing.pem")
    refused(missing, 10, "missing.pem", "No such file")
    refused(airstore(*serve, "--tls-cert", text, "--tls-key", text), 2, "text.pem", "PEM")


def test_the_file_of_a_password_is_not_called_that_of_a_passphrase(road: Road, tmp_path: Path) -> None:
    push = ("-C", road.site, "registry", "push", "registry.example.com", "--user", "me", "--password-file")
    refused(airstore(*push, tmp_path / "missing"), 10, "cannot read the password file")


def test_a_file_that_somebody_put_onto_the_media_may_be_removed(road: Road, tmp_path: Path) -> None:
    media = shutil.copytree(road.full, tmp_path / "media")
    (media / "notes.txt").touch()
    refused(airstore("media", "verify", media), 20, "notes.txt", "remove it")


def test_with_several_media_the_one_that_is_not_there_is_named(road: Road, tmp_path: Path) -> None:
    site = shutil.copytree(road.new_site, tmp_path / "site")
    outcome = airstore("-C", site, "media", "import", road.full, tmp_path / "missing")
    refused(outcome, 10, str(tmp_path / "missing"))


def test_the_whole_of_a_release_as_yaml(road: Road) -> None:
    shown = done("-C", road.publisher, "release", "show", "1.0.0", "-o", "yaml").out
    as_json = done("-C", road.publisher, "release", "show", "1.0.0", "-o", "json").json()
    assert {**yaml.safe_load(shown), "schema": ""} == {**as_json, "schema": ""}
    assert as_json["digest"].startswith("sha256:")


def test_a_dry_run_says_where_each_image_would_come_from(road: Road) -> None:
    rows = done("-C", road.publisher, "release", "create", "--version", "9", "--dry-run", "-o", "json").json()
    places = {row["name"]: row["from"] for row in rows if row["kind"] == "image"}
    assert places
    assert all(place.startswith(("oci:", "docker://")) for place in places.values())


@pytest.mark.parametrize("words", [["log"], ["release", "show", "1.0.0", "-o", "json"]])
def test_output_onto_a_full_disk_is_no_bug(road: Road, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full, process("-C", road.site, *words, stdout=full) as running:
        _, err = running.communicate(timeout=60)
    assert running.returncode == 41
    assert err.strip() == "airstore: cannot write the output: No space left on device"


def test_a_reader_that_goes_away_is_no_fault(road: Road) -> None:
    with process("-C", road.site, "release", "show", "1.0.0", "-o", "json") as running:
        assert running.stdout
        running.stdout.close()
        running.stdout = None
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert err == ""


def test_an_interrupt_while_the_program_loads_leaves_no_traceback() -> None:
    # The first module that the command line loads interrupts it, as Ctrl-C would.
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'airstore.cli.main': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from airstore.__main__ import run\n"
        "run()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stderr == ""


def test_what_to_run_next_can_be_pasted_when_the_path_has_spaces(road: Road, tmp_path: Path) -> None:
    store = tmp_path / "störe of acme"
    said = done("init", store, "--site", "acme", "--trust", road.root).err
    assert f"airstore -C '{store}' media import MEDIA" in said
