"""The tool on media and how it replaces itself: with small archives that say what version they are."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from airstore import __version__
from airstore.cli.commands.tool.update import BUNDLE
from airstore.core.errors import NotTrustedError
from airstore.ops.stores.directory import open_directory
from airstore.ops.tool import carry
from airstore.ops.tool.platforms import of_machine
from airstore.trust.role import Role
from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import Outcome, Road, airstore, done, refused

NEWER, OLDER = "9.9.9", "0.0.1"


def plain(version: str) -> Mapping[str, str]:
    return {"airstore": f"#!/bin/sh\necho airstore, version {version}\n", "python/lib/x.py": "pass\n"}


def archive(directory: Path, version: str, files: Mapping[str, str] | None = None, dashed: str = "") -> Path:
    """What `airstore bundle` would have made, in small."""
    own = of_machine(platform.machine())
    assert own
    name = f"airstore-{version}-{dashed or own.dashed}"
    path = directory / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for place, text in (plain(version) if files is None else files).items():
            info = tarfile.TarInfo(f"{name}/{place}")
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def media(road: Road, tmp_path: Path) -> Path:
    """Media with a newer tool."""
    made = ("media", "create", "--to", "1.0.0", "--effort", "none", tmp_path / "media")
    done("-C", road.publisher, *made, "--with-tool", archive(tmp_path, NEWER))
    for file in (tmp_path / "media" / "tool").iterdir():
        file.chmod(0o644)  # media are read-only files; damage writes to them
    return tmp_path / "media"


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """The folder of the bundle that runs, as far as these tests need one."""
    own = of_machine(platform.machine())
    assert own
    folder = tmp_path / "home" / f"airstore-{__version__}-{own.dashed}"
    folder.mkdir(parents=True)
    (folder / "airstore").write_text(plain(__version__)["airstore"])
    (folder / "airstore").chmod(0o755)
    (folder.parent / "current").symlink_to(folder.name)
    return folder


def update(running: Path, road: Road, *words: str | Path) -> Outcome:
    return airstore("-C", road.site, "self-update", *words, env={BUNDLE: str(running)})


def says(running: Path) -> str:
    said = subprocess.run(
        [running.parent / "current" / "airstore"], capture_output=True, text=True, check=True
    )
    return said.stdout.split()[-1]


def test_the_tool_travels_and_no_import_minds_it(media: Path, road: Road, tmp_path: Path) -> None:
    verified = done("media", "verify", media, "--trust", road.root)
    assert f"tool: airstore-{NEWER}-linux" in verified.err
    done("init", tmp_path / "site", "--site", "acme", "--trust", road.root)
    done("-C", tmp_path / "site", "media", "import", media)


def test_ssh_keygen_alone_verifies_it(media: Path, road: Road) -> None:
    signers = road.publisher / "history.git" / "allowed_signers"
    words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "release", "-n", "airstore-tool"]
    sums = media / "tool" / "SHA256SUMS"
    with sums.open("rb") as given:
        subprocess.run([*words, "-s", f"{sums}.sig"], stdin=given, check=True, capture_output=True)
    subprocess.run(
        ["sha256sum", "--check", "--strict", sums.name], cwd=sums.parent, check=True, capture_output=True
    )
    sums.write_bytes(b"x" + sums.read_bytes()[1:])  # no digit of a digest
    with sums.open("rb") as given:
        assert subprocess.run(
            [*words, "-s", f"{sums}.sig"], stdin=given, check=False, capture_output=True
        ).returncode


def test_it_replaces_itself_and_goes_back(media: Path, road: Road, running: Path) -> None:
    assert update(running, road, media, "--dry-run", "-o", "json").json()["state"] == "would be updated"
    assert says(running) == __version__
    assert update(running, road, media, "-o", "json").json()["state"] == "updated"
    assert says(running) == NEWER
    assert not list(running.parent.glob(".*"))
    newer = (running.parent / "current").resolve()
    assert update(newer, road, "--rollback", "-o", "json").json()["after"] == running.name
    assert says(running) == __version__
    assert update(running, road, media, "-o", "json").json()["state"] == "updated"  # once more
    assert says(running) == NEWER


def damage(media: Path, how: str, tmp_path: Path, road: Road) -> None:
    tool = media / "tool"
    (packed,) = tool.glob("*.tar.gz")
    sums, signature = tool / "SHA256SUMS", tool / "SHA256SUMS.sig"
    if how == "archive":
        packed.write_bytes(packed.read_bytes()[:-1] + b"x")
    elif how == "sums":
        sums.write_bytes(sums.read_bytes().replace(NEWER.encode(), b"9.9.8"))
    elif how == "signature":
        signature.write_text("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
    elif how == "no signature":
        signature.unlink()
    elif how == "pipe for a signature":
        signature.unlink()
        os.mkfifo(signature)
    elif how == "device for an archive":
        packed.unlink()
        packed.symlink_to("/dev/zero")
    elif how == "foreign key":
        key = tmp_path / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        signature.unlink()
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "airstore-tool", sums], check=True)
    elif how == "namespace":
        key = road.publisher / "keys" / "release"
        signature.unlink()
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "git", sums], check=True)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("archive", 20),
        ("sums", 30),
        ("signature", 30),
        ("no signature", 21),
        ("pipe for a signature", 21),
        ("device for an archive", 21),
        ("foreign key", 30),
        ("namespace", 30),
    ],
)
def test_a_tool_that_is_not_what_was_signed_changes_nothing(
    how: str, code: int, media: Path, road: Road, running: Path, tmp_path: Path
) -> None:
    damage(media, how, tmp_path, road)
    before = sorted(running.parent.iterdir())
    refused(update(running, road, media), code, str(media / "tool"))
    refused(airstore("media", "verify", media, "--trust", road.root), code, str(media / "tool"))
    assert sorted(running.parent.iterdir()) == before
    assert says(running) == __version__


def test_one_key_of_several_cannot_have_a_tool_installed(media: Path, road: Road) -> None:
    """It is code that runs at the site: more than a release that a second person has to sign."""
    keys = (*open_directory(road.publisher).trust_root().release_role.keys, PrivateKey.generate().public)
    assert carry.verified(media / "tool", Role(keys, 1))
    with pytest.raises(NotTrustedError, match="asks for 2 signatures"):
        carry.verified(media / "tool", Role(keys, 2))


def carrying(road: Road, tmp_path: Path, *archives: Path) -> Path:
    named = [word for path in archives for word in ("--with-tool", path)]
    words = ("media", "create", "--to", "1.0.0", "--effort", "none", tmp_path / "carrying", *named)
    done("-C", road.publisher, *words)
    return tmp_path / "carrying"


@pytest.mark.parametrize(
    ("files", "code", "word"),
    [
        ({"airstore": "#!/bin/sh\necho airstore, version 1.2.3\n"}, 42, "does not start here"),
        ({"airstore": "#!/bin/sh\necho oh no >&2\nexit 1\n"}, 42, "oh no"),
        ({"README": "nothing\n"}, 20, "holds no"),
        ({"../../escaped": "x", "airstore": "x"}, 20, "no archive of a bundle"),
    ],
)
def test_a_version_that_cannot_take_over_is_not_installed(
    files: Mapping[str, str], code: int, word: str, road: Road, running: Path, tmp_path: Path
) -> None:
    media = carrying(road, tmp_path, archive(tmp_path, NEWER, files))
    refused(update(running, road, media), code, word)
    assert sorted(path.name for path in running.parent.iterdir()) == [running.name, "current"]
    assert not (tmp_path / "escaped").exists()


def test_what_is_older_or_for_others_is_refused_and_the_same_is_current(
    road: Road, running: Path, tmp_path: Path
) -> None:
    older = carrying(road, tmp_path, archive(tmp_path, OLDER))
    refused(update(running, road, older), 31, "older than this one")
    (tmp_path / "same").mkdir()
    same = carrying(road, tmp_path / "same", archive(tmp_path, __version__), archive(tmp_path, OLDER))
    assert update(running, road, same, "-o", "json").json()["state"] == "current"
    (tmp_path / "others").mkdir()
    foreign = "linux-arm64" if platform.machine() == "x86_64" else "linux-amd64"
    others = carrying(road, tmp_path / "others", archive(tmp_path, NEWER, dashed=foreign))
    refused(update(running, road, others), 21, foreign.replace("-", "/"), platform.machine())


def test_wrong_use_is_named(road: Road, running: Path, media: Path, tmp_path: Path) -> None:
    refused(airstore("-C", road.site, "self-update", media), 2, "not started from a bundle")
    refused(update(running, road), 2, "--rollback")
    refused(update(running, road, media, "--rollback"), 2, "--rollback")
    refused(update(running, road, road.full), 10, "carry no tool", "--with-tool")
    refused(update(running, road, "--rollback"), 10, "keeps no version")
    create = ("-C", road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "out", "--with-tool")
    refused(airstore(*create, tmp_path / "none.tar.gz"), 10, "none.tar.gz")
    (tmp_path / "tool.tar.gz").touch()
    refused(airstore(*create, tmp_path / "tool.tar.gz"), 2, "not what an airstore bundle is called")
    assert not (tmp_path / "out").exists()
