"""Bundles between two histories: what arrives, and what is refused without a trace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from history_parts import AUTHOR, WHEN, Publish, Run, flipped, snapshot

from airstore.core.durable import LocalDisk
from airstore.core.errors import (
    AirstoreError,
    DamagedError,
    IncompleteError,
    LockedError,
    NotFoundError,
    SequenceError,
    StorageError,
    UsageError,
)
from airstore.history.bundle import Quarantine, create_bundle
from airstore.history.git import Git
from airstore.history.header import BundleHeader
from airstore.history.repository import History

pytest_plugins = ["history_fixtures"]

MAIN = "refs/heads/main"


def take(site: History, bundle: Path) -> None:
    with Quarantine(site, bundle) as quarantine:
        quarantine.commit()


def versions(history: History) -> list[str]:
    return [release.version for release in history.releases()]


# --- making and taking in


def test_full_then_delta(history: History, site: History, tmp_path: Path, git: Run) -> None:
    out = tmp_path / "b"
    create_bundle(history, out, "1.0.0", None)
    take(site, out)
    assert versions(site) == ["1.0.0"]
    create_bundle(history, out, "2.0.0", "1.0.0")
    with Quarantine(site, out) as quarantine:
        assert quarantine.tip == history.tip
        assert versions(quarantine.history) == ["1.0.0", "1.1.0", "2.0.0"]
        assert quarantine.chain(site.tip) == [r.commit for r in history.releases()][1:]
        assert quarantine.chain(None) == [r.commit for r in history.releases()]
        assert quarantine.history.signatures("2.0.0") == history.signatures("2.0.0")
        assert versions(site) == ["1.0.0"]
        quarantine.commit()
        quarantine.commit()
    assert [site.files(v) for v in versions(site)] == [history.files(v) for v in versions(history)]
    assert site.refs.tags() == history.refs.tags()
    assert not (site.path / "quarantine").exists()
    git("-C", site.path, "fsck", "--strict", "--full")


def test_stock_git_reads_the_bundle(
    history: History, tmp_path: Path, git: Run, allowed: str, bundle: Path
) -> None:
    (tmp_path / "signers").write_text(allowed)
    git("clone", "-q", "--mirror", bundle, tmp_path / "clone.git")
    signers = f"gpg.ssh.allowedSignersFile={tmp_path / 'signers'}"
    git("-c", signers, "-C", tmp_path / "clone.git", "verify-tag", "1.0.0", "1.1.0", "2.0.0")
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    heads = git("bundle", "list-heads", tmp_path / "delta").stdout.splitlines()
    assert heads == [f"{history.tip} {MAIN}", f"{history.refs.tags()['2.0.0']} refs/tags/2.0.0"]
    assert "-" + history.find("1.1.0").commit in (tmp_path / "delta").read_bytes().decode("latin-1")


def test_main_may_be_ahead(history: History, site: History, tmp_path: Path) -> None:
    create_bundle(history, tmp_path / "b", "1.1.0", None)
    take(site, tmp_path / "b")
    assert versions(site) == ["1.0.0", "1.1.0"]
    assert site.tip == history.find("1.1.0").commit


def test_same_history_same_bytes(history: History, tmp_path: Path, git: Run, bundle: Path) -> None:
    delta = tmp_path / "delta"
    create_bundle(history, delta, "2.0.0", "1.0.0")
    first = delta.read_bytes()
    git("-C", history.path, "gc", "-q", "--prune=now")
    create_bundle(history, delta, "2.0.0", "1.0.0")
    assert delta.read_bytes() == first
    create_bundle(history, tmp_path / "again", "2.0.0", None)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_what_cannot_be_bundled(history: History, tmp_path: Path) -> None:
    for to, base, family in (
        ("2.0.0", "2.0.0", UsageError),
        ("1.0.0", "2.0.0", UsageError),
        ("9", None, NotFoundError),
        ("2.0.0", "9", NotFoundError),
    ):
        with pytest.raises(family):
            create_bundle(history, tmp_path / "none", to, base)
    assert not (tmp_path / "none").exists()


def test_a_damaged_history_makes_no_bundle(history: History, tmp_path: Path) -> None:
    oid = history.paths("1.0.0")["values/large.yaml"]
    (history.path / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(DamagedError, match=oid):
        create_bundle(history, tmp_path / "none", "2.0.0", None)
    assert not (tmp_path / "none").exists()


def test_importing_again_or_older_changes_nothing(
    history: History, site: History, tmp_path: Path, bundle: Path
) -> None:
    take(site, bundle)
    before = snapshot(site)
    take(site, bundle)
    create_bundle(history, tmp_path / "old", "1.1.0", None)
    take(site, tmp_path / "old")
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    take(site, tmp_path / "delta")
    assert snapshot(site) == before


def test_older_media_do_not_continue_what_is_trusted(
    history: History, site: History, tmp_path: Path, bundle: Path
) -> None:
    take(site, bundle)
    create_bundle(history, tmp_path / "old", "1.1.0", None)
    with Quarantine(site, tmp_path / "old") as quarantine, pytest.raises(SequenceError, match="last trusted"):
        quarantine.chain(site.tip)


def test_the_ledger_is_left_alone(history: History, site: History, bundle: Path) -> None:
    entry = site.commit_entry("ledger", {"entry.json": b"{}"}, "push", AUTHOR, WHEN)
    take(site, bundle)
    assert list(site.entries("ledger")) == [entry]


# --- refused without a trace


def refused(
    site: History, bundle: Path, family: type[AirstoreError], match: str | None = None, limit: int = 1 << 30
) -> None:
    before = snapshot(site)
    with pytest.raises(family, match=match):
        Quarantine(site, bundle, limit=limit)
    assert snapshot(site) == before
    assert not (site.path / "quarantine").exists()


def test_truncated(site: History, bundle: Path) -> None:
    whole = bundle.read_bytes()
    for end in {0, 1, 10, 16, 17, 100, len(whole) - 1, *range(0, len(whole), len(whole) // 30)}:
        bundle.write_bytes(whole[:end])
        refused(site, bundle, DamagedError)


def test_flipped(site: History, bundle: Path, history: History) -> None:
    """Where a flip is not noticed, it must not matter: a version in the header is caught by its tag."""
    whole = bundle.read_bytes()
    for position in range(0, len(whole), len(whole) // 60):
        bundle.write_bytes(flipped(whole, position))
        refused(site, bundle, DamagedError)


def test_trailing_bytes(site: History, bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes() + b"x")
    refused(site, bundle, DamagedError)


def test_not_a_bundle(site: History, tmp_path: Path) -> None:
    refused(site, tmp_path / "none", NotFoundError)
    (tmp_path / "file").write_bytes(b"PK\3\4")
    refused(site, tmp_path / "file", DamagedError, "not a git bundle")


def test_oversize(site: History, bundle: Path) -> None:
    refused(site, bundle, DamagedError, "exceeds", limit=1000)


def test_missing_prerequisite(history: History, site: History, tmp_path: Path) -> None:
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    refused(site, tmp_path / "delta", IncompleteError, history.find("1.1.0").commit[:12])
    create_bundle(history, tmp_path / "first", "1.0.0", None)
    take(site, tmp_path / "first")
    refused(site, tmp_path / "delta", IncompleteError, history.find("1.1.0").commit[:12])


def test_a_prerequisite_outside_main_does_not_count(
    history: History, site: History, tmp_path: Path, bundle: Path
) -> None:
    entry = site.commit_entry("ledger", {"entry.json": b"{}"}, "push", AUTHOR, WHEN)
    rest = bundle.read_bytes().split(b"\n", 1)[1]
    bundle.write_bytes(f"# v2 git bundle\n-{entry} x\n".encode() + rest)
    refused(site, bundle, IncompleteError)


def test_unrelated_history(site: History, tmp_path: Path, publish: Publish, bundle: Path) -> None:
    take(site, bundle)
    other = History.create(tmp_path / "other.git")
    publish(other, "5.0.0")
    create_bundle(other, tmp_path / "other", "5.0.0", None)
    refused(site, tmp_path / "other", SequenceError, "nothing in common")


def test_fork(history: History, site: History, tmp_path: Path, publish: Publish, bundle: Path) -> None:
    fork = History.create(tmp_path / "fork.git")
    create_bundle(history, tmp_path / "start", "1.0.0", None)
    take(fork, tmp_path / "start")
    publish(fork, "1.2.0")
    create_bundle(fork, tmp_path / "forked", "1.2.0", None)
    take(site, bundle)
    refused(site, tmp_path / "forked", SequenceError, history.find("1.0.0").commit[:12])


def test_a_version_made_twice(
    history: History, site: History, tmp_path: Path, publish: Publish, bundle: Path
) -> None:
    take(site, bundle)
    publish(history, "3.0.0")
    site.refs.set("refs/tags/3.0.0", site.refs.tags()["1.0.0"])
    create_bundle(history, tmp_path / "delta", "3.0.0", "2.0.0")
    refused(site, tmp_path / "delta", SequenceError, r"3\.0\.0")


@pytest.mark.parametrize(
    "line",
    [
        "{oid} refs/heads/../../x", "{oid} refs/heads/../../../hooks/x", "{oid} --upload-pack=x",
        "{oid} HEAD", "{oid} refs/heads/ledger", "{oid} refs/tags/-x", "{oid} refs/tags/../x",
        "{oid} refs/tags/a/b", "{oid} refs/tags/a.lock", "{oid} refs/tags/", "{oid} refs/replace/{oid}",
        "{oid} refs/heads/main",
        "{oid}  refs/tags/a", "{oid}\trefs/tags/a", "{oid} refs/tags/a b", "-{oid} late", "{oid}", "",
        "{upper} refs/tags/a", "@filter=blob:none", "00 refs/tags/a",
    ],
)  # fmt: skip
def test_refs_that_no_release_has(site: History, bundle: Path, line: str, history: History) -> None:
    oid = history.refs.tags()["1.0.0"]
    text = line.format(oid=oid, upper=oid.upper()).encode()
    head, rest = bundle.read_bytes().split(b"\n\n", 1)
    bundle.write_bytes(head + b"\n" + text + b"\n\n" + rest)
    refused(site, bundle, DamagedError)


def test_capabilities_of_version_3(site: History, bundle: Path) -> None:
    rest = bundle.read_bytes().split(b"\n", 1)[1]
    for bad in (b"@filter=blob:none\n", b"@object-format=sha256\n", b"@object-format=sha1\n" * 2):
        bundle.write_bytes(b"# v3 git bundle\n" + bad + rest)
        refused(site, bundle, DamagedError)
    bundle.write_bytes(b"# v3 git bundle\n@object-format=sha1\n" + rest)
    take(site, bundle)
    assert versions(site) == ["1.0.0", "1.1.0", "2.0.0"]


# --- bundles whose pack is whole, and whose objects no publisher's airstore writes


class Forge:
    """Makes a bundle of objects that git itself would not write."""

    def __init__(self, path: Path, git: Run) -> None:
        self.path = path
        self._git = git
        git("init", "-q", "--bare", path)

    def store(self, kind: str, data: bytes) -> str:
        command = ("-C", self.path, "hash-object", "-w", "--literally", "--stdin", "-t", kind)
        return self._git(*command, stdin=data).stdout.strip()

    def tree(self, *entries: tuple[str, str, str]) -> str:
        return self.store(
            "tree", b"".join(b"%s %s\0%s" % (m.encode(), n.encode(), bytes.fromhex(o)) for m, n, o in entries)
        )

    def commit(self, tree: str, *parents: str, extra: str = "") -> str:
        who = f"A <a@b> {WHEN} +0000"
        lines = [
            f"tree {tree}",
            *(f"parent {parent}" for parent in parents),
            f"author {who}",
            f"committer {who}",
        ]
        return self.store("commit", ("\n".join(lines) + f"\n{extra}\nm\n").encode())

    def tag(self, target: str, name: str = "1.0.0", kind: str = "commit") -> str:
        who = f"A <a@b> {WHEN} +0000"
        return self.store("tag", f"object {target}\ntype {kind}\ntag {name}\ntagger {who}\n\nm\n".encode())

    def bundle(self, refs: dict[str, str], out: Path) -> Path:
        with out.open("wb") as file:
            file.write(BundleHeader((), refs).to_bytes())
            Git().pack(self.path, refs.values(), (), file.write)
        return out


@pytest.fixture
def forge(tmp_path: Path, git: Run) -> Forge:
    return Forge(tmp_path / "forge.git", git)


def nested(forge: Forge, mode: str, name: str, oid: str) -> str:
    return forge.tree(("40000", "charts", forge.tree((mode, name, oid))))


BOMB = "a tree that names itself ten to the tenth times"


def bomb(forge: Forge) -> str:
    oid = forge.store("blob", b"x")
    mode = "100644"
    for _ in range(10):
        oid, mode = forge.tree(*((mode, f"f{n}", oid) for n in range(10))), "40000"
    return oid


def hook(forge: Forge) -> str:
    hooks = forge.tree(("100644", "post-checkout", forge.store("blob", b"x")))
    return forge.tree(("40000", ".GIT", forge.tree(("40000", "hooks", hooks))))


TREES: dict[str, Callable[[Forge], str]] = {
    ".GIT/hooks": hook,
    "symlinked .gitmodules": lambda f: f.tree(("120000", ".gitmodules", f.store("blob", b"../x"))),
    "plain .gitmodules": lambda f: f.tree(("100644", ".gitmodules", f.store("blob", b""))),
    "submodule": lambda f: nested(f, "160000", "sub", "1" * 40),
    "symlink": lambda f: nested(f, "120000", "link", f.store("blob", b"/etc/passwd")),
    "executable": lambda f: nested(f, "100755", "run", f.store("blob", b"#!/bin/sh\n")),
    "group writable": lambda f: nested(f, "100664", "file", f.store("blob", b"x")),
    "dot dot": lambda f: nested(f, "100644", "..", f.store("blob", b"x")),
    "backslash": lambda f: nested(f, "100644", "a\\b", f.store("blob", b"x")),
    "escape sequence": lambda f: nested(f, "100644", "a\x1b[0m", f.store("blob", b"x")),
    "a commit as a directory": lambda f: nested(f, "40000", "d", f.commit(f.tree())),
    "twice": lambda f: f.tree(*[("100644", "a", f.store("blob", b"x"))] * 2),
    "unsorted": lambda f: f.tree(*[("100644", n, f.store("blob", b"x")) for n in "ba"]),
    "missing blob": lambda f: nested(f, "100644", "file", "2" * 40),
    BOMB: bomb,
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_trees_that_no_release_has(site: History, tmp_path: Path, forge: Forge, name: str) -> None:
    commit = forge.commit(TREES[name](forge))
    try:
        bundle = forge.bundle({MAIN: commit, "refs/tags/1.0.0": forge.tag(commit)}, tmp_path / "b")
    except DamagedError:
        # git will not pack what is missing: leave the missing part out of the pack by hand
        plain = forge.commit(forge.tree())
        bundle = forge.bundle({MAIN: plain, "refs/tags/1.0.0": forge.tag(plain)}, tmp_path / "b")
        bundle.write_bytes(bundle.read_bytes().replace(plain.encode(), commit.encode()))
    refused(site, bundle, DamagedError)


def test_a_forged_bundle_of_good_form_is_taken_in(site: History, tmp_path: Path, forge: Forge) -> None:
    """So the others are refused for what is odd about them. Signatures are the caller's to check."""
    commit = forge.commit(nested(forge, "100644", "file", forge.store("blob", b"x")))
    take(site, forge.bundle({MAIN: commit, "refs/tags/1.0.0": forge.tag(commit)}, tmp_path / "b"))
    assert site.files("1.0.0") == {"charts/file": b"x"}
    assert [part.signature for part in site.signatures("1.0.0")] == ["", ""]


def good(forge: Forge) -> str:
    return forge.commit(nested(forge, "100644", "file", forge.store("blob", b"x")))


def refs_of(forge: Forge, name: str) -> dict[str, str]:
    commit = good(forge)
    tag = {"refs/tags/1.0.0": forge.tag(commit)}
    tree = forge.tree(("100644", "a", forge.store("blob", b"y")))
    merge = forge.commit(tree, commit, forge.commit(tree))
    last = forge.commit(tree, commit)
    extra = forge.commit(tree, extra="encoding latin-1\n")
    return {
        "no tag": {MAIN: commit},
        "two tags": {MAIN: commit, **tag, "refs/tags/1.0.1": forge.tag(commit, "1.0.1")},
        "lightweight tag": {MAIN: commit, "refs/tags/1.0.0": commit},
        "tag of another name": {MAIN: commit, "refs/tags/2.0.0": forge.tag(commit)},
        "tag off main": {MAIN: commit, **tag, "refs/tags/2.0.0": forge.tag(forge.commit(tree), "2.0.0")},
        "tag of a tree": {MAIN: commit, **tag, "refs/tags/2.0.0": forge.tag(tree, "2.0.0", "tree")},
        "main is a tag": {MAIN: forge.tag(commit), **tag},
        "merge": {MAIN: merge, **tag, "refs/tags/2.0.0": forge.tag(merge, "2.0.0")},
        "unknown header": {MAIN: extra, "refs/tags/1.0.0": forge.tag(extra)},
        "untagged commit between": {MAIN: last, "refs/tags/2.0.0": forge.tag(last, "2.0.0")},
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "no tag", "two tags", "lightweight tag", "tag of another name", "tag off main", "tag of a tree",
        "main is a tag", "merge", "unknown header", "untagged commit between",
    ],
)  # fmt: skip
def test_commits_and_tags_that_no_publisher_makes(
    site: History, tmp_path: Path, forge: Forge, name: str
) -> None:
    refused(site, forge.bundle(refs_of(forge, name), tmp_path / "b"), DamagedError)


# --- killed, full, locked, and without git


class FullDisk(LocalDisk):
    """A disk that fails at the n-th file it should publish."""

    def __init__(self, good: int) -> None:
        self.good = good

    def publish(self, temporary: Path, final: Path) -> None:
        self.good -= 1
        if self.good < 0:
            raise OSError(28, os.strerror(28), str(final))
        super().publish(temporary, final)


def test_a_full_disk_at_every_step_is_recovered_by_running_again(
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
        site = History(path)
        assert versions(site) == []
        take(site, bundle)
        assert versions(site) == ["1.0.0", "1.1.0", "2.0.0"]
    assert failures >= 6  # pack, index, three tags, main


def test_what_a_killed_run_left_is_removed(site: History, bundle: Path) -> None:
    left = Quarantine(site, bundle)
    copy = site.path.parent / "copy"
    shutil.copytree(site.path / "quarantine", copy)
    left.close()
    copy.rename(site.path / "quarantine")
    take(site, bundle)
    assert versions(site) == ["1.0.0", "1.1.0", "2.0.0"]
    assert not (site.path / "quarantine").exists()


def test_one_at_a_time(site: History, bundle: Path) -> None:
    with Quarantine(site, bundle), pytest.raises(LockedError):
        Quarantine(site, bundle)


def test_the_history_moved_on_meanwhile(
    history: History, site: History, bundle: Path, publish: Publish
) -> None:
    with Quarantine(site, bundle) as quarantine:
        publish(site, "0.1.0")
        before = snapshot(site)
        with pytest.raises(SequenceError):
            quarantine.commit()
        assert {k: v for k, v in snapshot(site).items() if "quarantine" not in k} == {
            k: v for k, v in before.items() if "quarantine" not in k
        }


def test_no_git_and_old_git(site: History, history: History, bundle: Path, tmp_path: Path) -> None:
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.11.0\n")
    old.chmod(0o755)
    for git in (Git(str(tmp_path / "none")), Git(str(old)), Git("/bin/true")):
        with pytest.raises(NotFoundError) as fault:
            Quarantine(site, bundle, git=git)
        assert "2.24" in fault.value.hint
        with pytest.raises(NotFoundError):
            create_bundle(history, tmp_path / "out", "2.0.0", None, git=git)
    assert not (tmp_path / "out").exists()
    assert not (site.path / "quarantine").exists()


def test_no_configuration_or_hook_is_ever_consulted(
    history: History, site: History, tmp_path: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
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
    for side in (history, site):
        with (side.path / "config").open("a") as file:
            file.write(settings)
        (side.path / "hooks").mkdir(exist_ok=True)
        for hook in ("reference-transaction", "post-commit", "update", "pre-auto-gc", "post-checkout"):
            shutil.copy(evil, side.path / "hooks" / hook)
    publisher, receiver = History(history.path), History(site.path)
    publish(publisher, "3.0.0")
    publisher.patch("2.0.0", "3.0.0")
    create_bundle(publisher, tmp_path / "b", "3.0.0", None)
    take(receiver, tmp_path / "b")
    receiver.signatures("3.0.0")
    assert versions(receiver)[-1] == "3.0.0"
    assert not trace.exists()
