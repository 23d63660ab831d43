"""What bundles are made of: native code, programs, requirements, archive, launcher; what making one refuses.

Making a whole one takes the network: tests/root/test_install_offline.py does.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore import __version__
from airstore.codec import library
from airstore.core.errors import DamagedError, UsageError
from airstore.core.image.digest import Digest
from airstore.ops.tool import archive, elf, trim
from airstore.ops.tool.bundle import INTERPRETER, write_launcher
from airstore.ops.tool.fetch import requirements
from airstore.ops.tool.platforms import PLATFORMS, named, of_machine
from tests.support.product.road_parts import Outcome, airstore, refused

LIBRARY = Path(library.__file__).with_name("libairstore_codec.so")


@pytest.fixture(scope="module")
def native() -> bytes:
    return LIBRARY.read_bytes()


def test_a_stripped_library_is_smaller_and_loads(native: bytes, tmp_path: Path) -> None:
    stripped = elf.stripped(native, "codec")
    assert len(stripped) < len(native)
    assert elf.stripped(stripped, "codec") == stripped
    (tmp_path / "codec.so").write_bytes(stripped)
    assert ctypes.CDLL(str(tmp_path / "codec.so"))._name.endswith("codec.so")


def test_native_code_says_what_it_needs(native: bytes) -> None:
    own = of_machine(platform.machine())
    assert own
    assert elf.machine(native) == own.elf
    assert 2 < elf.glibc(native) < 100
    other = next(each for each in PLATFORMS if each != own)
    with pytest.raises(UsageError, match=other.name):
        trim.check_native(native, "codec", other, 99)
    with pytest.raises(UsageError, match=r"needs glibc 2\.\d+; .* 2\.2"):
        trim.check_native(native, "codec", own, 2)
    with pytest.raises(UsageError, match="not a program"):
        trim.check_native(b"#!/bin/sh\n", "git", own, 99)


def test_a_library_that_is_cut_short_is_damage(native: bytes) -> None:
    with pytest.raises(DamagedError, match="codec"):
        elf.stripped(native[: len(native) // 2], "codec")


@given(st.binary(min_size=58, max_size=200))
def test_whatever_looks_like_elf_is_stripped_or_refused(rest: bytes) -> None:
    data = b"\x7fELF\x02\x01" + rest
    try:
        assert len(elf.stripped(data, "x")) <= len(data)
    except DamagedError:
        return


def test_requirements_are_what_runs_with_hashes_and_nothing_of_development() -> None:
    text = requirements(trim.PACKAGES_DROPPED)
    names = {line.partition("==")[0] for line in text.splitlines() if "==" in line}
    assert {"click", "pygit2", "cryptography", "kubernetes"} <= names
    assert names.isdisjoint({"pytest", "ruff", "aiohttp", "airstore"})
    assert text.count("--hash=sha256:") >= len(names)


def folder(directory: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = directory / "airstore-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o700 if name == "run" else 0o600)
    return directory / "airstore-1"


def test_an_archive_says_nothing_of_who_made_it_and_when(tmp_path: Path) -> None:
    digests = set[Digest]()
    for place in ("a", "b"):
        made = folder(tmp_path / place, {"run": "x", f"{'long/' * 40}name": "y", "other": place[:0]})
        os.utime(made / "run", (1, len(digests)))
        archive.write(made, tmp_path / f"{place}.tar.gz")
        digests.add(Digest.of_file(tmp_path / f"{place}.tar.gz"))
    assert len(digests) == 1
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert {(each.uid, each.uname, each.mtime) for each in tar} == {(0, "", archive.MOMENT)}
        assert {each.name: each.mode for each in tar}["airstore-1/run"] == 0o755
        assert {each.name: each.mode for each in tar}["airstore-1/other"] == 0o644


def test_a_link_is_nothing_for_a_drive(tmp_path: Path) -> None:
    made = folder(tmp_path, {"run": "x"})
    (made / "link").symlink_to("run")
    with pytest.raises(DamagedError, match="link"):
        archive.write(made, tmp_path / "out.tar.gz")


def test_the_launcher_finds_its_directory_wherever_it_is_called_from(tmp_path: Path) -> None:
    made = tmp_path / "a drive" / "airstore"
    (made / INTERPRETER).parent.mkdir(parents=True)
    (made / INTERPRETER).write_text('#!/bin/sh\nprintf "%s|" "$AIRSTORE_BUNDLE" "$PATH" "$@"\n')
    (made / INTERPRETER).chmod(0o755)
    write_launcher(made)
    (tmp_path / "link").symlink_to(made / "airstore")
    (tmp_path / "current").symlink_to(made)
    variables = {"PATH": f"/usr/bin:/bin:{made}"}
    ways = [str(made / "airstore"), "./airstore", "airstore", str(tmp_path / "link")]
    for way in [*ways, str(tmp_path / "current" / "airstore")]:
        done = subprocess.run(
            ["/bin/sh", "-c", f"'{way}' 'two words'"],
            cwd=made,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        bundle, path, *words = done.stdout.split("|")
        assert bundle == str(made), way
        assert path == f"{made}/bin:/usr/bin:/bin:{made}:{made}/fallback"
        assert words == ["-I", "-B", "-m", "airstore", "two words", ""]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Wheels and programs as far as making a bundle looks at them before it fetches anything."""
    for each in PLATFORMS:
        directory = tmp_path / "parts" / each.dashed
        directory.mkdir(parents=True)
        for name in ("git", "helm", "kubectl"):
            (directory / name).touch()
            (tmp_path / "parts" / "licences" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "parts" / "licences" / name / "LICENSE").touch()
        (tmp_path / "parts" / f"airstore-{__version__}-py3-none-manylinux_2_17_{each.machine}.whl").touch()
    entry = {"version": "1", "license": "MIT", "purl": "pkg:generic/x@1"}
    listed = {"programs": dict.fromkeys(("git", "helm", "kubectl"), entry)}
    (tmp_path / "parts" / "programs.json").write_text(json.dumps(listed))
    return tmp_path / "parts"


def bundle(parts: Path, *words: str, path: str = "") -> Outcome:
    command = ("bundle", parts.parent / "out", "--wheels", parts, "--programs", parts)
    wanted = words or ("--platform", "linux/amd64,linux/arm64")
    outcome = airstore(*command, *wanted, env={"PATH": path or os.environ["PATH"]})
    assert sorted(each.name for each in parts.parent.iterdir() if "out" in each.name) == []
    return outcome


def go(parts: Path, script: str) -> str:
    """A PATH with a Go client that fails in some way."""
    (parts / "bin").mkdir()
    (parts / "bin" / "go").write_text(f"#!/bin/sh\n{script}\n")
    (parts / "bin" / "go").chmod(0o755)
    return f"{parts / 'bin'}:/usr/bin:/bin"


def test_what_is_not_there_is_named_before_anything_is_fetched(parts: Path) -> None:
    nowhere = "/nonexistent"
    for unknown in ("windows/amd64", "darwin/arm64", "linux/riscv64", "riscv64", "linux", "amd46", ""):
        refused(
            bundle(parts, "--platform", unknown, path=nowhere), 2, repr(unknown), "linux/amd64, linux/arm64"
        )
    (parts / "linux-arm64" / "helm").unlink()
    refused(bundle(parts, path=nowhere), 10, "linux-arm64/helm")
    (parts / "programs.json").write_text('{"programs": {}}')
    refused(bundle(parts, path=nowhere), 20, "programs.json")
    (parts / "programs.json").unlink()
    refused(bundle(parts, path=nowhere), 10, "programs.json", "scripts/bundle")
    for wheel in parts.glob("*.whl"):
        wheel.unlink()
    refused(bundle(parts, path=nowhere), 10, "0 wheels of airstore", "scripts/wheels")


def test_no_go_no_network_and_another_hash(parts: Path) -> None:
    refused(bundle(parts, path="/nonexistent"), 10, "go was not found")
    path = go(parts, "echo dial tcp: lookup: no such host >&2; exit 1")
    refused(bundle(parts, path=path), 40, "no such host", "where the network is")
    (parts / "bin" / "go").write_text('#!/bin/sh\necho \'{"Sum": "h1:other", "Dir": "/"}\'\n')
    refused(bundle(parts, path=path), 20, "h1:other", "is pinned")
    (parts / "bin" / "go").write_text("#!/bin/sh\necho 'verifying module: SECURITY ERROR' >&2; exit 1\n")
    refused(bundle(parts, path=path), 20, "not what is pinned")


def test_a_directory_in_use_is_left_alone(parts: Path) -> None:
    (parts / "used").touch()
    refused(
        airstore("bundle", parts, "--platform", "linux/amd64", "--wheels", parts, "--programs", parts),
        2,
        "in use",
    )


def test_a_platform_may_be_written_as_elsewhere() -> None:
    assert [each.name for each in named(["x86_64", "aarch64", "linux/arm64/v8"])] == [
        "linux/amd64", "linux/arm64",
    ]  # fmt: skip
