"""Refs of a bare repository: read through libgit2, written as durable files.

git's own lock files survive a killed process and block the next one; a file that is written aside, synced
and renamed needs none. Two writers are kept apart by the store's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pygit2

from airstore.core.durable import LOCAL_DISK, Disk, storage_errors, sync_directory, temporary_file
from airstore.core.errors import DamagedError, SequenceError
from airstore.history.git.names import HEADS, MAIN, TAGS, is_version
from airstore.history.git.noted import NotedRefs
from airstore.history.git.objects import git_errors


class Refs:
    """The direct refs of one bare repository.

    Args:
        repository: it is read with.
        disk: makes what is set durable.
        noting: keep a list of where refs were set.
    """

    def __init__(
        self, repository: pygit2.Repository, disk: Disk = LOCAL_DISK, *, noting: bool = False
    ) -> None:
        self._repository = repository
        self._directory = Path(repository.path)
        self._disk = disk
        self.noted = NotedRefs(self._directory, disk) if noting else None

    def get(self, name: str) -> str | None:
        """The object a ref points to, or None.

        Raises:
            DamagedError: the ref cannot be read or is symbolic.
        """
        with git_errors(f"ref {name} of the history"):
            try:
                target = self._repository.lookup_reference(name).raw_target
            except KeyError:
                return None
        if isinstance(target, pygit2.Oid):
            return str(target)
        raise DamagedError(f"ref {name} of the history is symbolic")

    def tags(self) -> dict[str, str]:
        """Tag name to object, sorted; tags that cannot be releases are somebody else's and left out."""
        with git_errors("the refs of the history"):
            names = [name.removeprefix(TAGS) for name in self._repository.references if name.startswith(TAGS)]
        return {name: oid for name in sorted(names) if is_version(name) and (oid := self.get(TAGS + name))}

    def any(self, prefix: str) -> bool:
        """Whether there is a ref below this directory, such as ``refs/heads/``."""
        return next(self._below(prefix), None) is not None

    def below(self, prefix: str) -> list[str]:
        """Names of the refs below a directory, sorted."""
        return sorted(set(self._below(prefix)))

    def heads(self) -> dict[str, str]:
        """Branch to commit, sorted, without main; names that cannot be branches of ours are left out."""
        names = sorted({name.removeprefix(HEADS) for name in self._below(HEADS) if name != MAIN})
        return {name: oid for name in names if is_version(name) and (oid := self.get(HEADS + name))}

    def _below(self, prefix: str) -> Iterator[str]:
        """Names of refs below a directory; libgit2 would read every ref for them, each tag, too."""
        with storage_errors(self._directory):
            for path in (self._directory / prefix).rglob("*"):
                if path.is_file():
                    yield path.relative_to(self._directory).as_posix()
            packed = self._directory / "packed-refs"
            for line in packed.read_text(errors="replace").splitlines() if packed.is_file() else []:
                name = line.partition(" ")[2]
                if name.startswith(prefix) and not line.startswith("#"):
                    yield name

    def set(self, name: str, oid: str) -> None:
        """Point a ref at an object, durably.

        Raises:
            DamagedError: the list of where refs were set does not read; the ref is as it was.
            StorageError: the disk is full or failed; the ref is as it was, or has moved and is not noted.
        """
        with self._moving(name, oid):
            self._set(name, oid)

    def _set(self, name: str, oid: str) -> None:
        final = self._directory / name
        # Not written aside in refs/ itself: what a killed run leaves there would count as a ref.
        with temporary_file(self._directory, self._disk) as file:
            file.write(f"{oid}\n".encode())
            file.path.chmod(0o644)
        try:
            with storage_errors(final):
                self._disk.publish(file.path, final)
        except BaseException:
            file.path.unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        """Remove a ref, durably; one that is not there is none.

        Raises:
            DamagedError: the list of where refs were set does not read; the ref is as it was.
            StorageError: the disk failed.
        """
        with self._moving(name, None):
            self._remove(name)

    def _moving(self, name: str, oid: str | None) -> AbstractContextManager[None]:
        return self.noted.moving(name, oid) if self.noted else nullcontext()

    def _remove(self, name: str) -> None:
        with git_errors(f"ref {name} of the history"), storage_errors(self._directory / name):
            if name in self._repository.references:
                self._repository.references.delete(name)
                # libgit2 removes directories that have become empty, too.
                parents = (self._directory / name).parents
                sync_directory(next(parent for parent in parents if parent.is_dir()))


def plan_updates(
    wanted: Mapping[str, str], current: Callable[[str], str | None], grows: bool
) -> Sequence[tuple[str, str]]:
    """The refs to write, in order: tags first and main last, so that all of main always has its tags.

    Args:
        wanted: ref name to object, ``refs/heads/main`` included.
        current: the present object of a ref.
        grows: main is to move, its present commit being an ancestor of the wanted one.

    Raises:
        SequenceError: a tag is there already and names another release.
    """
    return [*_tag_updates(wanted, current), *([(MAIN, wanted[MAIN])] if grows else [])]


def _tag_updates(
    wanted: Mapping[str, str], current: Callable[[str], str | None]
) -> Iterator[tuple[str, str]]:
    for name in sorted(wanted.keys() - {MAIN}):
        present = current(name)
        if present is None:
            yield name, wanted[name]
        elif present != wanted[name]:
            version = name.removeprefix(TAGS)
            raise SequenceError(
                f"release {version} of the media is not the release {version} this store has",
                hint="ask the publisher which of the two is genuine; neither was changed",
            )
