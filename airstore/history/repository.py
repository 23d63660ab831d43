"""The history: every release of a product as a signed commit in a bare git repository."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from airstore.core.durable import LOCAL_DISK, Disk, storage_errors, sync_directory, write_file
from airstore.core.errors import UsageError
from airstore.history.git.commits import Sign, encode_commit, encode_tag, stamp
from airstore.history.git.files import CONFIG, SIGNERS_FILE
from airstore.history.git.names import DISOWNED, HEADS, MAIN, TAGS, check_branch, check_version
from airstore.history.git.objects import ObjectNames, ObjectWriter, making
from airstore.history.git.trees import write_tree
from airstore.history.reader import Reader, ReleaseRef

__all__ = ["History", "ReleaseRef"]


class History(Reader):
    """The bare repository ``history.git``."""

    @classmethod
    def create(cls, path: Path, *, disk: Disk = LOCAL_DISK) -> History:
        """Make an empty history that appears complete or not at all.

        Raises:
            UsageError: something is there already.
            StorageError: the disk is full or failed.
        """
        if path.exists():
            raise UsageError(f"{path} exists already")
        with (
            storage_errors(path),
            tempfile.TemporaryDirectory(prefix=".history-", dir=path.parent) as building,
        ):
            new = Path(building) / "new.git"
            with making(path):
                config = pygit2.init_repository(str(new), bare=True, initial_head="main").config
                for key, value in CONFIG.items():
                    config[key] = value
            new.chmod(0o700)  # what a site runs, and a publisher's charts before they are out, is not for all
            _sync_all(new, disk)
            disk.publish(new, path)
        return cls(path, disk=disk)

    def trust_signers(self, allowed_signers: str) -> None:
        """Let plain ``git -C history.git log --show-signature`` check signatures against these keys."""
        write_file(self.path / SIGNERS_FILE, allowed_signers.encode(), mode=0o644, disk=self.disk)

    def commit_release(
        self,
        files: Mapping[str, bytes],
        version: str,
        message: str,
        author: tuple[str, str],
        when: int,
        sign: Sign,
    ) -> str:
        """Append a release to main: tree, signed commit, signed tag, and then the refs; all durable.

        The same arguments on the same main give the same commit. The tag is written before main moves; a run
        that was killed in between leaves a tag off main, which the next run replaces.

        Args:
            files: the whole tree, path to content.
            version: also the tag's name.
            message: of the commit and of the tag.
            author: name and email.
            when: seconds since the epoch.
            sign: gets the bytes to sign, returns an armored SSH signature of the namespace ``git``.

        Returns:
            The commit.

        Raises:
            UsageError: the version exists, or a name, path, message or time cannot be stored.
            StorageError: the disk is full or failed; main is as it was, or has moved and is not noted.
        """
        check_version(version)
        if self.lookup(version):
            raise UsageError(
                f"release {version} exists already", hint="a release never changes: use a new version"
            )
        who = stamp(author, when)
        commit = self._write_commit(files, self.tip, who, message, sign)
        tag = self._objects.write(ObjectType.TAG, encode_tag(commit, version, who, message, sign))
        self._objects.sync()
        self.refs.set(TAGS + version, tag)
        self.refs.set(MAIN, commit)
        return commit

    def commit_entry(
        self,
        branch: str,
        files: Mapping[str, bytes],
        message: str,
        author: tuple[str, str],
        when: int,
        sign: Sign | None = None,
    ) -> str:
        """Append a commit whose tree is ``files`` to a branch besides main; arguments as `commit_release`.

        Raises:
            UsageError: a name, path, message or time cannot be stored.
            StorageError: the disk is full or failed; the branch is as it was.
        """
        check_branch(branch)
        parent = self.refs.get(HEADS + branch)
        commit = self._write_commit(files, parent, stamp(author, when), message, sign)
        self._objects.sync()
        self.refs.set(HEADS + branch, commit)
        return commit

    def commit_snapshot(self, files: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """Write a commit that no branch has yet; wherever it is made, the same arguments give the same one.

        Raises:
            UsageError: a name, path or message cannot be stored.
            StorageError: the disk is full or failed.
        """
        commit = _snapshot(self._objects, files, message, author)
        self._objects.sync()
        return commit

    def snapshot_name(self, files: Mapping[str, bytes], message: str, author: tuple[str, str]) -> str:
        """What `commit_snapshot` would give, which writes nothing.

        Raises:
            UsageError: a name, path or message cannot be stored.
        """
        return _snapshot(ObjectNames(), files, message, author)

    def set_branch(self, branch: str, commit: str) -> None:
        """Let a branch besides main end at a commit, durably.

        Raises:
            UsageError: no such name can be a branch.
            StorageError: the disk is full or failed; the branch is as it was.
        """
        check_branch(branch)
        self.refs.set(HEADS + branch, commit)

    def drop_branch(self, branch: str) -> None:
        """Remove a branch besides main, durably.

        Raises:
            UsageError: no such name can be a branch.
            StorageError: the disk failed.
        """
        check_branch(branch)
        self.refs.remove(HEADS + branch)

    def disown(self, keep: str | None) -> None:
        """Take the releases after ``keep`` off main, durably; they stay below ``refs/disowned`` as evidence.

        Main moves before the tags go; a call that was killed in between is finished by the next one.

        Args:
            keep: a commit on main; None for none of them.

        Raises:
            StorageError: the disk is full or failed.
        """
        tip = self.tip
        if tip and tip != keep:
            (self.path / DISOWNED).mkdir(parents=True, exist_ok=True)
            self.refs.set(DISOWNED + tip, tip)
            if keep:
                self.refs.set(MAIN, keep)
            else:
                self.refs.remove(MAIN)
        kept = set(self.ancestry(keep))
        for version, oid in self.refs.tags().items():
            if self.read_tag(version, oid).target not in kept:
                self.refs.remove(TAGS + version)

    def _write_commit(
        self, files: Mapping[str, bytes], parent: str | None, who: bytes, message: str, sign: Sign | None
    ) -> str:
        tree = write_tree(self._objects, files)
        return self._objects.write(ObjectType.COMMIT, encode_commit(tree, parent, who, message, sign))


def _snapshot(
    objects: ObjectWriter, files: Mapping[str, bytes], message: str, author: tuple[str, str]
) -> str:
    tree = write_tree(objects, files)
    return objects.write(ObjectType.COMMIT, encode_commit(tree, None, stamp(author, 0), message, None))


def _sync_all(directory: Path, disk: Disk) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                disk.sync(file)
    sync_directory(directory)
