"""Importing a bundle from media: first in a throw-away repository, then, if all is well, in the history.

The recipe works with every git (``git bundle verify`` and ``git fetch`` do not check objects before 2.46):
read the header here, give the pack to ``index-pack --strict --fsck-objects`` in a bare repository that
borrows the history's objects, check connectivity and every new commit, tag and tree. Signatures are for the
caller to verify, on `Quarantine.history`, before `Quarantine.commit`. Nothing is ever checked out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Self

from airstore.core.durable import LOCAL_DISK, Disk, exclusive_lock, storage_errors
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, SequenceError
from airstore.core.limits import LIMITS
from airstore.history.git.header import BundleHeader, read_header
from airstore.history.git.names import MAIN, TAGS
from airstore.history.git.program import Git
from airstore.history.git.refs import plan_updates
from airstore.history.git.scratch import publish_packs, remove, scratch
from airstore.history.links import only_name
from airstore.history.repository import History

_WHAT = "the history bundle"


class Quarantine:
    """A bundle that was imported and checked, and is not part of the history yet.

    Attributes:
        history: the history as it would be, for verifying signatures.
        tip: the newest commit of the bundle.
    """

    def __init__(
        self,
        live: History,
        bundle: Path,
        *,
        limit: int = LIMITS.git_pack,
        git: Git | None = None,
        disk: Disk = LOCAL_DISK,
    ) -> None:
        """Take a bundle in and check it.

        Args:
            live: the history that it is for, which is not changed before `commit`.
            bundle: the file; it is read once.
            limit: bytes of the bundle's pack.
            git: the program to use.
            disk: makes what is committed durable.

        Raises:
            NotFoundError: no such bundle, or no usable git.
            DamagedError: the bundle is not whole, or holds what no release holds.
            IncompleteError: it builds on a release that the history does not have.
            SequenceError: it continues another history, or one that forked.
            LockedError: another process is importing a bundle.
            StorageError: the disk is full or failed.
        """
        self._live = live
        self._disk = disk
        with ExitStack() as stack:
            stack.enter_context(exclusive_lock(live.path / "quarantine.lock"))
            self._directory = live.path / "quarantine"
            remove(self._directory)  # of a killed run: the lock says that no other is alive
            stack.callback(remove, self._directory)
            self._refs = self._take_in(bundle, limit, git or Git())
            self.tip = self._refs[MAIN]
            self.history = _view(self._directory, self._refs)
            _check_commits(self.history, live, self._refs)
            self._updates()
            self._stack = stack.pop_all()

    def _take_in(self, bundle: Path, limit: int, git: Git) -> Mapping[str, str]:
        """Header, prerequisites, pack, connectivity; the file is read once."""
        try:
            file = bundle.open("rb")
        except OSError as fault:
            raise NotFoundError(f"cannot read {bundle}: {fault.strerror}") from fault
        with file:
            header = read_header(file, _WHAT)
            _check_prerequisites(header, self._live)
            scratch(self._directory, self._live.path)
            os.lseek(file.fileno(), file.tell(), os.SEEK_SET)  # git inherits the descriptor, not the buffer
            git.take_pack(self._directory, file, limit, _WHAT)
        known = [live.tip] if (live := self._live).tip else []
        git.check_connected(self._directory, header.refs[MAIN], known, _WHAT)
        return header.refs

    def chain(self, since: str | None) -> list[str]:
        """The commits after ``since`` up to the tip, oldest first; every one of them has to be verified.

        Raises:
            SequenceError: ``since`` is not among the tip's ancestors.
        """
        chain: list[str] = []
        for commit in self.history.walk(self.tip):
            if commit == since:
                return chain[::-1]
            chain.append(commit)
        if since is None:
            return chain[::-1]
        raise SequenceError(
            f"the history on the media does not contain the release last trusted here ({since[:12]})",
            hint="the media are older than what this site has, or the publisher's history was rewritten",
        )

    def commit(self) -> None:
        """Make the bundle part of the history, durably: objects, then tags, then main. Can be repeated.

        Raises:
            SequenceError: the history has changed meanwhile and the bundle no longer continues it.
            StorageError: the disk is full or failed; run it again.
        """
        updates = self._updates()
        if not updates:
            return
        publish_packs(self._directory, self._live.path, self._disk)
        for name, oid in updates:
            self._live.refs.set(name, oid)

    def _updates(self) -> Sequence[tuple[str, str]]:
        grows = _grows(self._live.walk(self._live.tip), self.history.walk(self.tip))
        return plan_updates(self._refs, self._live.refs.get, grows=grows)

    def close(self) -> None:
        """Throw away what was not committed."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def rewound(live: History, to: str, directory: Path) -> History:
    """A throw-away history that borrows the objects of another and ends at an earlier commit of it.

    Args:
        live: it is not changed.
        to: one of its commits.
        directory: where it is made; the caller removes it.

    Raises:
        StorageError: the disk is full or failed.
    """
    scratch(directory, live.path)
    before = set(live.ancestry(to))
    refs = {TAGS + version: oid for version, oid in live.refs.tags().items()
            if live.read_tag(version, oid).target in before}  # fmt: skip
    _write_refs(directory, {**refs, MAIN: to})
    return History(directory)


def _check_prerequisites(header: BundleHeader, live: History) -> None:
    missing = sorted(commit for commit in header.prerequisites if not live.on_main(commit))
    if missing:
        names = ", ".join(oid[:12] for oid in missing[:5])
        raise IncompleteError(
            f"the media continue from a release that this store does not have (commit {names})",
            hint="import the earlier release first, or ask for media made from what this site has",
        )


def _view(directory: Path, refs: Mapping[str, str]) -> History:
    """The quarantined repository with the refs that the bundle brings: each that it needs, and no other."""
    _write_refs(directory, refs)
    return History(directory)


def _write_refs(directory: Path, refs: Mapping[str, str]) -> None:
    lines = [f"{oid} {name}\n" for name, oid in sorted(refs.items())]
    with storage_errors(directory):
        (directory / "packed-refs").write_text("".join(lines))


def _check_commits(view: History, live: History, refs: Mapping[str, str]) -> None:
    """Every new commit has one tag and a plain tree, and other tags of the bundle are tags of main here.

    Main is walked no further than the bundle reaches: what lies before was checked when it came.

    Raises:
        DamagedError: not so.
    """
    names, new = _names_by_commit(view, refs), True
    for commit in view.walk(refs[MAIN]):
        new = new and not live.on_main(commit)
        versions = names.pop(commit, [])
        if new:
            only_name(commit, versions)
            view.paths(commit)
        for version in versions:
            if not new and live.refs.get(TAGS + version) is None:
                raise DamagedError(f"{_WHAT} brings a second tag, {version}, of release commit {commit}")
        if not new and not names:
            return
    for versions in names.values():
        raise DamagedError(f"{_WHAT} brings {TAGS}{versions[0]}, which is not a release on its main")


def _names_by_commit(view: History, refs: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for version, oid in ((name.removeprefix(TAGS), oid) for name, oid in refs.items() if name != MAIN):
        names.setdefault(view.read_tag(version, oid).target, []).append(version)
    return names


def _grows(ours: Iterator[str], theirs: Iterator[str]) -> bool:
    """Does main move? Both are ancestries, newest first, and read no further than until one meets the other.

    Raises:
        SequenceError: neither is part of the other.
    """
    first, second = next(ours, None), next(theirs)
    if first is None or first == second:
        return first is None
    mine, yours = list[str | None]([first]), list[str | None]([second])
    for own, other in zip_longest(ours, theirs):
        if other == first:
            return True
        if own == second:
            return False
        mine.append(own)
        yours.append(other)
    raise _fork(mine, yours)


def _fork(ours: Sequence[str | None], theirs: Sequence[str | None]) -> SequenceError:
    known = {commit for commit in ours if commit}
    common = next((commit for commit in theirs if commit in known), None)
    where = f"they part after commit {common[:12]}" if common else "they have nothing in common"
    return SequenceError(
        f"the history on the media is not a continuation of this store's: {where}",
        hint="another product's media, or the publisher's history was rewritten; nothing was changed",
    )
