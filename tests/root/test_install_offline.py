"""docs/install-offline.md, word for word: a bare root without network, an ordinary user, a read-only drive.

The bundle is made here, of what this machine has; or AIRSTORE_TEST_BUNDLE is the directory of one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore import __version__
from airstore.codec import library
from airstore.core.image.digest import Digest
from tests.support.product.road_parts import Road, done, write_site_file
from tests.support.tools.bare_root import USER, BareRoot, add_libraries, make

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "install-offline.md"
OWN = "linux-amd64"
NAME = f"airstore-{__version__}-{OWN}"
_SERVE = """{line} & server=$!
until wget -q -O - http://127.0.0.1:5000/v2/ >/dev/null; do kill -0 $server; sleep 0.2; done
wget -q -O - http://127.0.0.1:5000/v2/_catalog; kill $server
"""


def _parts(directory: Path) -> Path:
    """git, Helm and kubectl of this machine, and a wheel with the codec that it has."""
    (directory / OWN).mkdir(parents=True)
    for name, program in (("git", "git"), ("helm", "helm4"), ("kubectl", "kubectl")):
        found = shutil.which(program)
        assert found, program
        shutil.copyfile(Path(found).resolve(), directory / OWN / name)
        (directory / "licences" / name).mkdir(parents=True)
        shutil.copyfile(ROOT / "LICENSE", directory / "licences" / name / "LICENSE")
    entry = {"version": "1", "license": "see its package", "purl": "pkg:generic/x@1"}
    listed = {"programs": dict.fromkeys(("git", "helm", "kubectl"), entry)}
    (directory / "programs.json").write_text(json.dumps(listed))
    variables = {
        "AIRSTORE_CODEC": str(Path(library.__file__).with_name("libairstore_codec.so")),
        "AIRSTORE_WHEEL_PLATFORM": "manylinux_2_17_x86_64",
    }
    words = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(directory),
        str(ROOT),
    ]
    subprocess.run(words, env={**os.environ, **variables}, check=True)
    return directory


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `airstore bundle` made."""
    named = os.environ.get("AIRSTORE_TEST_BUNDLE")
    if named:
        return Path(named)
    base = tmp_path_factory.mktemp("bundle")
    parts = _parts(base / "parts")
    for out in ("out", "again"):
        words = ("--platform", "linux/amd64", "--wheels", parts, "--programs", parts, "--glibc", "2.99")
        done("bundle", base / out, *words)
    again = base / "again" / f"{NAME}.tar.gz"
    assert Digest.of_file(again) == Digest.of_file(base / "out" / again.name)  # the same bytes each time
    shutil.rmtree(base / "again")
    return base / "out"


@pytest.fixture
def drive(road: Road, bundles: Path, tmp_path: Path) -> Path:
    """Media with the tool, at the top of a drive."""
    words = (
        "media",
        "create",
        "--to",
        "1.0.0",
        tmp_path / "drive",
        "--with-tool",
        bundles / f"{NAME}.tar.gz",
    )
    done("-C", road.publisher, *words)
    return tmp_path / "drive"


@pytest.fixture
def bare(road: Road, bundles: Path, tmp_path: Path) -> BareRoot:
    """The root, and what the vendor sent on another way."""
    busybox, keygen = shutil.which("busybox"), shutil.which("ssh-keygen")
    assert busybox
    assert keygen
    root = make(tmp_path / "root", Path(busybox).resolve(), Path(keygen))
    add_libraries(root.path, bundles / NAME / "bin" / "git")  # a static one, but where it is this machine's
    shutil.copyfile(road.root, root.home / "root.json")
    shutil.copyfile(road.publisher / "history.git" / "allowed_signers", root.home / "allowed_signers")
    write_site_file(root.home)
    return root


def commands(*sections: str) -> Iterator[str]:
    """The lines of the code blocks of sections, in order."""
    for section in re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]:
        if section.partition("\n")[0] in sections:
            for block in re.findall(r"^```\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL):
                yield from block.splitlines()


def script(*sections: str) -> str:
    """What a person would type; who reads it sees each line before what it says."""
    lines = ["export HOME=/home/user PATH=/usr/bin:/bin", "cd"]
    for line in commands(*sections):
        lines.append("cat <<'LINE'\n$ " + line + "\nLINE")
        if line.endswith(" plan"):
            lines.append("cat site.yaml >STORE/site.yaml")  # what the product binds, as the site knows it
        lines.append(_SERVE.format(line=line) if " registry serve " in line else line)
    return "\n".join(lines) + "\n"


def test_from_a_plugged_drive_to_a_release_a_registry_and_a_plan(bare: BareRoot, drive: Path) -> None:
    ended = bare.play(script("The first installation", "A release", "Updating"), drive)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    for words in (
        'Good "airstore-tool" signature for release',
        f"{NAME}.tar.gz: OK",
        f"airstore, version {__version__}",
        f"tool: {NAME}, signed and as listed",
        "imported",
        '"repositories":',
        "current",
    ):
        assert words in said, (words, said)
    assert re.search(r"Helm release|RELEASE|would", said)
    assert (bare.home / "STORE" / "packs").stat().st_uid == USER


def test_it_runs_from_a_drive_that_nobody_can_write_to(bare: BareRoot, bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    unpack = ("tar", "-xzf", str(bundles / f"{NAME}.tar.gz"), "-C", str(tmp_path / "stick"))
    subprocess.run(unpack, check=True)
    before = sorted(tmp_path.joinpath("stick").rglob("*"))
    tool = f"/media/usb/{NAME}/airstore"
    lines = ["export HOME=/home/user PATH=/usr/bin:/bin", "cd", f"{tool} --version"]
    lines += [
        f"{tool} init STORE --site acme --trust root.json",
        f"{tool} -C STORE check",
        f"{tool} doctor || true",
    ]
    ended = bare.play("\n".join(lines), tmp_path / "stick")
    assert ended.returncode == 0, ended
    assert ended.stdout.startswith(f"airstore, version {__version__}\n")
    assert re.search(r"^git +ok", ended.stdout, re.MULTILINE)
    assert re.search(r"^helm +ok", ended.stdout, re.MULTILINE)
    assert sorted(tmp_path.joinpath("stick").rglob("*")) == before


def test_a_bundle_says_what_is_in_it(bundles: Path) -> None:
    folder = bundles / NAME
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    names = {part["name"] for part in bill["components"]}
    assert {"python", "git", "helm", "kubectl", "pygit2", "certifi", "cryptography"} <= names
    notice = (folder / "NOTICE").read_text()
    for part in bill["components"]:
        assert f"{part['name']} {part['version']}: " in notice
        assert part["licenses"][0]["license"]["name"]
    for words in re.findall(r"\(([^()]*)\)$", notice, re.MULTILINE):
        for path in words.split(", "):
            assert path == "-" or (folder / path).exists(), path


def test_a_changed_archive_or_signature_is_found_before_it_is_unpacked(bare: BareRoot, drive: Path) -> None:
    lines = list(commands("The first installation"))[:2]
    head = "export HOME=/home/user PATH=/usr/bin:/bin\ncd\n"
    assert bare.play(head + "\n".join(lines), drive).returncode == 0
    with (drive / "tool" / f"{NAME}.tar.gz").open("r+b") as packed:
        packed.seek(1000)
        packed.write(b"changed")
    assert bare.play(head + lines[0], drive).returncode == 0
    assert bare.play(head + lines[1], drive).returncode != 0
    sums = drive / "tool" / "SHA256SUMS"
    sums.write_text(f"{Digest.of_file(drive / 'tool' / f'{NAME}.tar.gz').hex}  {NAME}.tar.gz\n")
    assert bare.play(head + lines[1], drive).returncode == 0
    assert bare.play(head + lines[0], drive).returncode != 0
