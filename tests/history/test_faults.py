"""Killed, full, locked, without git, and among hostile configuration."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from subprocess import run

import pytest

from airstore.core.errors import (
    DamagedError,
    LockedError,
    NotFoundError,
    SequenceError,
    StorageError,
)
from airstore.history.exchange.bundle import Quarantine, create_bundle
from airstore.history.git.program import Git
from airstore.history.repository import History
from tests.history.history_parts import (
    AUTHOR,
    MAIN,
    WHEN,
    FullDisk,
    Publish,
    Run,
    Sign,
    release_files,
    snapshot,
    take,
    versions,
)

pytest_plugins = ["tests.history.history_fixtures"]


def test_a_full_disk_while_releasing_is_recovered_by_running_again(
    tmp_path: Path, sign: Sign, publish: Publish, git: Run
) -> None:
    """The last two steps are the tag and main."""
    first = History.create(tmp_path / "full.git")
    publish(first, "1.0.0")
    failures = 0
    for good in range(100):
        shutil.rmtree(tmp_path / "run.git", ignore_errors=True)
        shutil.copytree(first.path, tmp_path / "run.git")
        broken = History(tmp_path / "run.git", disk=FullDisk(good))
        arguments = (release_files(2, "1.1.0"), "1.1.0", "m", AUTHOR, WHEN)
        try:
            broken.commit_release(*arguments, sign)
            break
        except StorageError:
            failures += 1
        again = History(tmp_path / "run.git")
        assert [r.version for r in again.releases()] == ["1.0.0"]
        again.commit_release(*arguments[:-1], WHEN + good, sign)
        assert [r.version for r in again.releases()] == ["1.0.0", "1.1.0"]
        assert again.signatures("1.1.0")[1].signature
    assert failures >= 7


def test_a_full_disk_while_importing_is_recovered_by_running_again(
    history: History, tmp_path: Path, bundle: Path
) -> None:
    failures = 0
    for number in range(100):
        path = tmp_path / f"site{number}.git"
        History.create(path)
        broken = History(path, disk=FullDisk(number))
        try:
            with Quarantine(broken, bundle, disk=broken.disk) as quarantine:
                quarantine.commit()
            break
        except StorageError:
            failures += 1
        assert not (path / "quarantine").exists()
        live = History(path)
        assert versions(live) == []
        take(live, bundle)
        assert versions(live) == ["1.0.0", "1.1.0", "2.0.0"]
    assert failures >= 6  # pack, index, three tags, main


def test_what_a_killed_run_left_is_removed(live: History, bundle: Path) -> None:
    left = Quarantine(live, bundle)
    copy = live.path.parent / "copy"
    shutil.copytree(live.path / "quarantine", copy)
    left.close()
    copy.rename(live.path / "quarantine")
    take(live, bundle)
    assert versions(live) == ["1.0.0", "1.1.0", "2.0.0"]
    assert not (live.path / "quarantine").exists()


def test_one_at_a_time(live: History, bundle: Path) -> None:
    with Quarantine(live, bundle), pytest.raises(LockedError):
        Quarantine(live, bundle)


def test_the_history_moved_on_meanwhile(
    history: History, live: History, bundle: Path, publish: Publish
) -> None:
    with Quarantine(live, bundle) as quarantine:
        publish(live, "0.1.0")
        before = snapshot(live)
        with pytest.raises(SequenceError):
            quarantine.commit()
        assert {k: v for k, v in snapshot(live).items() if "quarantine" not in k} == {
            k: v for k, v in before.items() if "quarantine" not in k
        }


def test_no_git_and_old_git(live: History, history: History, bundle: Path, tmp_path: Path) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.11.0\n")
    old.chmod(0o755)
    for git in (Git(str(tmp_path / "none")), Git(str(old)), Git("/bin/true")):
        with pytest.raises(NotFoundError) as fault:
            Quarantine(live, bundle, git=git)
        assert "2.24" in fault.value.hint
        with pytest.raises(NotFoundError):
            create_bundle(history, tmp_path / "out", "2.0.0", None, git=git)
    assert not (tmp_path / "out").exists()
    assert not (live.path / "quarantine").exists()


def test_git_is_found_wherever_path_says(
    live: History, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``doctor`` finds it; and a relative entry of PATH holds in the directory where airstore runs."""
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\necho ran >>{tmp_path}/trace\nexec {real} "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in (str(tmp_path / "bin"), "bin"):
        monkeypatch.setenv("PATH", path)
        create_bundle(history, tmp_path / "out", "2.0.0", None)
        assert (tmp_path / "trace").exists()
        (tmp_path / "trace").unlink()
    script = f'#!/bin/sh\necho "$@" >>{tmp_path}/trace\nGIT_EXEC_PATH=/nonexistent exec {real} "$@"\n'
    (tmp_path / "bin" / "git").write_text(script)  # as a git that lies elsewhere than where it was built for
    take(live, tmp_path / "out")
    assert "rev-list --objects" in (tmp_path / "trace").read_text()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="git"):
        create_bundle(history, tmp_path / "out", "2.0.0", None)


def test_no_configuration_or_hook_is_ever_consulted(
    history: History, live: History, tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repository, home and environment all name a program that would leave a trace."""
    trace = tmp_path / "trace"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {trace}\necho 'Good \"git\" signature for boss@x'\n")
    evil.chmod(0o755)
    settings = "".join(
        f'[{section}]\n\t{key} = "{evil}"\n'
        for section, key in (
            ('gpg "ssh"', "program"), ("gpg", "program"), ("core", "fsmonitor"), ("core", "pager"),
            ("core", "sshCommand"), ("core", "alternateRefsCommand"), ("uploadpack", "packObjectsHook"),
            ("diff", "external"),
        )
    )  # fmt: skip
    (tmp_path / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", str(evil))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(evil))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    for side in (history, live):
        with (side.path / "config").open("a") as file:
            file.write(settings)
        (side.path / "hooks").mkdir(exist_ok=True)
        for hook in ("reference-transaction", "post-commit", "update", "pre-auto-gc", "post-checkout"):
            shutil.copy(evil, side.path / "hooks" / hook)
    publisher, receiver = History(history.path), History(live.path)
    publish(publisher, "3.0.0")
    publisher.patch("2.0.0", "3.0.0")
    create_bundle(publisher, tmp_path / "b", "3.0.0", None)
    take(receiver, tmp_path / "b")
    receiver.signatures("3.0.0")
    assert versions(receiver)[-1] == "3.0.0"
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [None, b"", b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"]
)
def test_a_host_without_ca_certificates_or_with_damaged_ones(content: bytes | None, tmp_path: Path) -> None:
    """libgit2 loads them as it is imported, and no history needs them; who uses TLS still sees them."""
    authorities = tmp_path / "authorities.pem"
    if content is not None:
        authorities.write_bytes(content)
    words = (
        "import airstore.history.repository, os\n"
        f"assert os.environ['SSL_CERT_FILE'] == {str(authorities)!r}\nassert os.environ['SSL_CERT_DIR'] == ''"
    )
    variables = {
        "SSL_CERT_FILE": str(authorities),
        "SSL_CERT_DIR": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    run([sys.executable, "-c", words], env=variables, check=True)


IMPORT = """
import sys
from pathlib import Path
from subprocess import run
from airstore.history.exchange.bundle import Quarantine
from airstore.history.repository import History
with Quarantine(History(Path(sys.argv[1])), Path(sys.argv[2])) as quarantine:
    quarantine.commit()
"""


@pytest.mark.root
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_killed_at_every_sync_and_rename(call: str, tmp_path: Path, bundle: Path, live: History) -> None:
    """Whatever the moment, main has all its tags or has not moved, and the next run ends the work."""
    kills = 0
    for number in range(1, 60):
        path = tmp_path / "killed.git"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(live.path, path)
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        command = ["strace", "-qq", "-o", "/dev/null", *inject, sys.executable, "-c", IMPORT]
        if run([*command, str(path), str(bundle)], capture_output=True, check=False).returncode == 0:
            break
        kills += 1
        assert versions(History(path)) in ([], ["1.0.0", "1.1.0", "2.0.0"])
        take(History(path), bundle)
        assert versions(History(path)) == ["1.0.0", "1.1.0", "2.0.0"]
        assert not (path / "quarantine").exists()
    assert kills >= 6


def test_leftovers_and_a_lost_ref(history: History, git: Run) -> None:
    (history.path / "refs" / "tags" / ".tmp-killed").write_text(f"{history.tip}\n")
    (history.path / "objects" / "00").mkdir(exist_ok=True)
    (history.path / "objects" / "00" / ".tmp-killed").write_text("x")
    assert versions(History(history.path)) == ["1.0.0", "1.1.0", "2.0.0"]
    git("-C", history.path, "log", "--decorate", "main")
    (history.path / MAIN).write_text("")
    with pytest.raises(DamagedError, match=MAIN):
        History(history.path).releases()
