"""Reading the history: releases, files, signatures and differences, every object verified on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import pygit2
from pygit2.enums import ObjectType, RepositoryOpenFlag

from airstore.core.durable import LOCAL_DISK, Disk
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.model.release import Release
from airstore.history import changes
from airstore.history.changes import FileChange, Pair
from airstore.history.git.commits import Commit, ReleaseTag, Signed, decode_commit, decode_tag
from airstore.history.git.names import (
    DISOWNED,
    HEADS,
    MAIN,
    TAGS,
    check_branch,
    check_version,
    is_commit,
    is_version,
)
from airstore.history.git.objects import ObjectDatabase, git_errors
from airstore.history.git.refs import Refs
from airstore.history.git.trees import lookup, walk
from airstore.history.links import Links, ReleaseLink, Sights, only_name, read_links

_RELEASE_FILE = "release.json"


@frozen
class FoundRelease:
    """One release on main, as it is found by its version.

    Attributes:
        commit: 40 hex digits.
        later: how many releases on main come after it.
    """

    version: str
    commit: str
    later: int


@frozen
class ReleaseRef:
    """One release on main.

    Attributes:
        commit: 40 hex digits.
        sequence: its place on main, 1 for the first; whether ``release.json`` agrees is for policy to say.
    """

    version: str
    commit: str
    sequence: int


class Reader:
    """A bare repository of releases; methods that take ``commit`` take a version as well."""

    def __init__(self, path: Path, *, disk: Disk = LOCAL_DISK, noting: bool = False) -> None:
        """Open it.

        Args:
            path: of the repository.
            disk: makes what is written durable.
            noting: keep a list of where refs were set.

        Raises:
            NotFoundError: there is no repository.
        """
        self.path = path.absolute()
        if not (self.path / "HEAD").is_file():
            raise NotFoundError(f"there is no history repository at {path}")
        flags = RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE | RepositoryOpenFlag.NO_DOTGIT
        with git_errors(f"the history {path}"):
            self._repository = pygit2.Repository(str(self.path), flags)
        self.disk = disk
        self._objects = ObjectDatabase(self.path / "objects", disk)
        self.refs = Refs(self._repository, disk, noting=noting)
        self._parents: dict[str, str | None] = {}  # of commits that were read; an object never changes

    @property
    def tip(self) -> str | None:
        """The commit of the newest release, or None."""
        return self.refs.get(MAIN)

    def releases(self, known: Links = MappingProxyType({})) -> list[ReleaseRef]:
        """Every release along main, oldest first.

        Args:
            known: see `links`.

        Raises:
            DamagedError: an object is damaged or missing, or a release has no tag or two.
        """
        return [ReleaseRef(link.version, link.commit, n) for n, link in enumerate(self.links(known), 1)]

    def links(self, known: Links) -> list[ReleaseLink]:
        """As `releases`; what is ``known`` by its commit, and named by the same tag still, is not read.

        Raises:
            DamagedError: as `releases`.
        """
        sights = Sights(
            parent=lambda commit: self.commit(commit).parent,
            target=lambda version, oid: self.read_tag(version, oid).target,
        )
        return read_links(self.tip, self.refs.tags(), known, sights)

    def find(self, version: str) -> FoundRelease:
        """The release of that version.

        Raises:
            NotFoundError: naming the versions there are.
        """
        found = self.lookup(version)
        if found:
            return found
        names = [release.version for release in self.releases()]
        close = get_close_matches(version, names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise NotFoundError(
            f"there is no release {version[:140]!r} in {self.path}",
            hint=f"{hint}there are: {', '.join(names[-10:]) or 'none'}",
        )

    def lookup(self, version: str) -> FoundRelease | None:
        """The release of that version, if there is one; reads its tag, and commits from the newest to it.

        A tag off main, as a run leaves that was killed before main moved, is no release.
        """
        oid = self.refs.get(TAGS + version) if is_version(version) else None
        if oid is None:
            return None
        commit = self.read_tag(version, oid).target
        chain = enumerate(self.walk(self.tip))
        return next((FoundRelease(version, commit, n) for n, each in chain if each == commit), None)

    def ancestry(self, commit: str | None) -> list[str]:
        """A commit and its parents, newest first; empty for None."""
        return list(self.walk(commit))

    def walk(self, commit: str | None) -> Iterator[str]:
        """As `ancestry`; a commit is read when the one before it is asked for."""
        while commit is not None:
            yield commit
            if commit not in self._parents:
                self._parents[commit] = self.commit(commit).parent
            commit = self._parents[commit]

    def on_main(self, commit: str) -> bool:
        """Whether a commit is a release of main; reads none before it, and none where it is not here."""
        return self._objects.is_readable(commit) and any(each == commit for each in self.walk(self.tip))

    def commit(self, commit: str) -> Commit:
        """One commit, parsed.

        Raises:
            DamagedError: missing, damaged, or not of the form airstore writes.
        """
        oid = self._resolve(commit)
        data = self._objects.read(oid, ObjectType.COMMIT, LIMITS.history_commit)
        return decode_commit(data, f"commit {oid}")

    def tag(self, version: str) -> ReleaseTag:
        """The annotated tag of a release, parsed.

        Raises:
            NotFoundError: there is none.
            DamagedError: damaged, lightweight, or the tag of another name.
        """
        check_version(version)
        oid = self.refs.get(TAGS + version)
        if oid is None:
            raise NotFoundError(f"there is no tag {version} in {self.path}")
        return self.read_tag(version, oid)

    def read_tag(self, version: str, oid: str) -> ReleaseTag:
        """A tag object that has to be the one of ``version``.

        Raises:
            DamagedError: it is not.
        """
        data = self._objects.read(oid, ObjectType.TAG, LIMITS.history_commit)
        tag = decode_tag(data, f"tag {version}")
        if tag.name != version:
            raise DamagedError(f"the tag {version} was made for {tag.name}")
        return tag

    def signatures(self, commit: str) -> tuple[Signed, Signed]:
        """What the release's commit and its tag are signed with; trust has to verify both."""
        oid = self._resolve(commit)
        version = only_name(oid, self._names_by_commit().get(oid, []))
        return self.commit(oid).signed, self.tag(version).signed

    def paths(self, commit: str) -> dict[str, str]:
        """Every file of a commit's tree: path to blob id, sorted."""
        return dict(walk(self._objects, self.commit(commit).tree))

    def read(self, commit: str, path: str) -> bytes:
        """One file.

        Raises:
            NotFoundError: the commit has no such file.
            DamagedError: damaged or larger than `LIMITS.history_file`.
        """
        oid = lookup(self._objects, self.commit(commit).tree, path)
        if oid is None:
            raise NotFoundError(f"{commit[:40]} has no file {path!r}")
        return self._read_blob(oid)

    def files(self, commit: str) -> dict[str, bytes]:
        """Every file of a commit's tree, at most `LIMITS.history_content` bytes in all."""
        result: dict[str, bytes] = {}
        left = LIMITS.history_content
        for path, oid in self.paths(commit).items():
            result[path] = self._objects.read(oid, ObjectType.BLOB, min(left, LIMITS.history_file))
            left -= len(result[path])
        return result

    def release(self, commit: str) -> Release:
        """The release as its ``release.json`` says, not yet verified."""
        return Release.parse(self.read(commit, _RELEASE_FILE), f"{_RELEASE_FILE} of {commit}")

    def diff(self, old: str | None, new: str, paths: Sequence[str] | None = None) -> list[FileChange]:
        """The files that differ, with line counts; ``old`` is None for "everything is new"."""
        return [changes.change(pair, self._read_blob) for pair in self._pairs(old, new, paths)]

    def patch(
        self,
        old: str | None,
        new: str,
        paths: Sequence[str] | None = None,
        *,
        limit: int = LIMITS.history_patch,
    ) -> str:
        """A unified diff of at most ``limit`` bytes, with a closing line where files were left out."""
        return changes.patch_text(self._pairs(old, new, paths), self._read_blob, limit)

    @property
    def disowned(self) -> bool:
        """Whether a trust root has taken releases out of this history."""
        return self.refs.any(DISOWNED)

    def branches(self) -> dict[str, str]:
        """Branches besides main, by name: their newest commits."""
        return self.refs.heads()

    def branch(self, name: str) -> str | None:
        """The newest commit of a branch besides main; None where there is none of that name."""
        return self.refs.get(HEADS + name) if is_version(name) and name != "main" else None

    def entries(self, branch: str) -> Iterator[str]:
        """The commits of a branch besides main, newest first."""
        check_branch(branch)
        commit = self.refs.get(HEADS + branch)
        while commit is not None:
            yield commit
            commit = self.commit(commit).parent

    def _resolve(self, commit: str) -> str:
        return commit if is_commit(commit) else self.find(commit).commit

    def _names_by_commit(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for version, oid in self.refs.tags().items():
            names.setdefault(self.read_tag(version, oid).target, []).append(version)
        return names

    def _pairs(self, old: str | None, new: str, paths: Sequence[str] | None) -> list[Pair]:
        return changes.pairs(self.paths(old) if old else {}, self.paths(new), paths)

    def _read_blob(self, oid: str) -> bytes:
        return self._objects.read(oid, ObjectType.BLOB, LIMITS.history_file)
