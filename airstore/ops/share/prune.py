"""``airstore remote prune``: lists of packs that newer ones have replaced, deleted from the registry.

A registry keeps a pack for as long as any list names it. Only lists of releases that this store knows and
that are not the newest at the git server go, so what somebody else is pushing meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from airstore.core.errors import SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.history.exchange.remote import RemoteGit
from airstore.history.git.names import MAIN
from airstore.ops.share.access import Access
from airstore.ops.share.branches.moves import PATTERNS, pending_commits
from airstore.ops.share.packs import RemotePacks
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.registry.parallel import run_all

_REQUESTS = 8  # at a time


@frozen
class Pruned:
    """Lists of packs that nobody reads any more.

    Attributes:
        releases: versions whose lists were there, oldest first.
        deleted: how many are gone.
    """

    remote: str
    releases: tuple[str, ...]
    deleted: int

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return {**vars(self), "releases": list(self.releases)}


def prune_remote(
    store: StoreDirectory, remote: Remote, access: Access, progress: Progress, *, dry_run: bool
) -> Pruned:
    """Delete the lists of all releases but the newest; killed, the next call does the rest.

    Args:
        store: a publisher's, that has all that is at the remote.
        remote: which one.
        access: how it is reached.
        progress: shows what is deleted.
        dry_run: only find out.

    Raises:
        SequenceError: the remote has releases that this store lacks, or lacks some that it has.
        TransferError: git server or registry refused, as they do where nothing may be deleted, or broke off.
        LockedError: another process holds the lock.
    """
    store.require(PUBLISHER, "remote prune")
    with store.locked():
        refs, tip = RemoteGit(remote.git, access.environment).refs(*PATTERNS), store.history.tip
        theirs = refs.get(MAIN)
        if theirs is None or theirs != tip:
            raise SequenceError(
                f"{remote.git} and {store.path} have different newest releases; nothing was deleted",
                hint="airstore pull, or airstore push, first",
            )
        older = {ref.commit: ref.version for ref in store.history.releases() if ref.commit != tip}
        packs = RemotePacks(remote, access.registries)
        try:
            found = _found(packs, older, {tip, *pending_commits(refs)})
            gone = 0 if dry_run else _delete(packs, set(found.values()), progress)
        finally:
            packs.close()
    return Pruned(remote.name, tuple(older[commit] for commit in found), gone)


def _found(packs: RemotePacks, older: Iterable[str], current: Iterable[str]) -> dict[str, Digest]:
    """Lists by their commits; one may be that of several releases, of current ones, too, and stays then."""
    commits, repository = list(older), packs.repository
    listed = run_all(repository.digest_of, commits, _REQUESTS)
    stays = set(run_all(repository.digest_of, list(current), _REQUESTS))
    found = zip(commits, listed, strict=True)
    return {commit: digest for commit, digest in found if digest and digest not in stays}


def _delete(packs: RemotePacks, lists: Collection[Digest], progress: Progress) -> int:
    gone = 0
    with progress.task(f"deleting from {packs.repository.name}", len(lists)) as advance:
        for digest in lists:
            gone += packs.repository.delete(digest)
            advance(1)
    return gone
