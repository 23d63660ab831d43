"""What is on a shared branch: files, in a commit whose name follows from them."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.frozen import frozen
from airstore.ops.stores.directory import StoreDirectory


@frozen
class Snapshot:
    """One state of a branch.

    Attributes:
        files: path to content.
        message: of the commit.
    """

    files: Mapping[str, bytes]
    message: str

    def name(self, store: StoreDirectory) -> str:
        """The commit; nothing is written.

        Raises:
            UsageError: git could not store it.
        """
        return store.history.snapshot_name(self.files, self.message, store.author)

    def write(self, store: StoreDirectory) -> str:
        """The commit, in the store's history, where no branch has it yet.

        Raises:
            UsageError: git could not store it.
            StorageError: the disk is full or failed.
        """
        return store.history.commit_snapshot(self.files, self.message, store.author)
