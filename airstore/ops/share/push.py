"""``airstore push``: packs, then the artifact that lists them, and last the git ref, by compare-and-swap.

Killed anywhere, or losing against another push, it leaves at the remote only what nobody names, and the next
one uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from airstore.core.errors import AirstoreError, NotFoundError, SequenceError, TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.progress import Progress
from airstore.history.exchange.remote import Rejection, RemoteGit, check_tags, push_history, remember_seen
from airstore.history.git.names import MAIN
from airstore.ops.share.access import Access
from airstore.ops.share.files import FileReader
from airstore.ops.share.packs import RemotePacks, artifact, pack_blob, root_blob
from airstore.ops.share.remotes import Remote
from airstore.ops.share.rewind import check_rewind
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.roots import signed_roots
from airstore.ops.stores.releases.trusted import verified
from airstore.registry.client.artifact import EMPTY, EMPTY_BLOB
from airstore.store.blobs import BlobStore, PackFile, pack_file

_PULL_HINT = "airstore pull first: it says what to do about releases that both have made"


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        release: the newest release of the remote now.
        releases: how many of them are new there.
        packs: how many packs were sent.
    """

    remote: str
    release: str
    releases: int
    packs: int
    bytes: int
    present_packs: int

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return dict(vars(self))


def push_store(store: StoreDirectory, remote: Remote, access: Access, progress: Progress) -> Pushed:
    """Send what a remote lacks, and make it the remote's newest state if nobody else was faster.

    Args:
        store: a publisher's.
        remote: where to.
        access: how it is reached.
        progress: shows what is sent.

    Raises:
        NotFoundError: there is no release yet, or no such repository.
        NotTrustedError, DamagedError: the newest release here is not what was signed.
        SequenceError: the remote has releases that this store lacks, fewer than it had, or another tag.
        IncompleteError: the registry lost packs that are only in part here.
        TransferError: git server or registry refused or broke off; what arrived is not sent again.
        LockedError: another process holds the lock.
    """
    store.require(PUBLISHER, "push")
    git = RemoteGit(remote.git, access.environment)
    with store.locked():
        if store.history.tip is None:
            raise NotFoundError(
                f"{store.path} holds no release yet", hint="make one with `airstore release create`"
            )
        newest = verified(store)
        theirs = git.refs()
        behind = _check_continues(store, remote, theirs.get(MAIN))
        check_tags(store.history, git, theirs)
        packs = RemotePacks(remote, access.registries)
        try:
            sent, present = _push_packs(store, packs, newest.commit, theirs.get(MAIN), progress)
        finally:
            packs.close()
        if theirs.get(MAIN) != newest.commit:
            rejected = push_history(store.history, git, theirs)
            if rejected:
                raise _rejected(remote, git, theirs.get(MAIN), rejected)
        remember_seen(store.history, remote.name, newest.commit)
    total = sum(blob.size for blob in sent)
    return Pushed(remote.name, newest.release.version, behind, len(sent), total, present)


def _check_continues(store: StoreDirectory, remote: Remote, theirs: str | None) -> int:
    """How many releases the remote lacks.

    Raises:
        SequenceError: its history is not a part of ours, or ends before what was seen there.
    """
    history = store.history
    check_rewind(store, remote, theirs)
    if theirs is not None and not history.on_main(theirs):
        raise SequenceError(
            f"{remote.git} has releases that {store.path} lacks (its newest commit is {theirs[:12]}); "
            "nothing was pushed",
            hint=_PULL_HINT,
        )
    return sum(1 for _ in takewhile(lambda commit: commit != theirs, history.walk(history.tip)))


def _push_packs(
    store: StoreDirectory, packs: RemotePacks, commit: str, theirs: str | None, progress: Progress
) -> tuple[list[Descriptor], int]:
    """Send packs and roots that the registry lacks, and list all; what was sent, how much was there."""
    roots = signed_roots(store)
    _check_roots(store, packs, theirs)
    with store.open_blobs() as blobs:
        every = [pack_file(name, size) for _, name, size in blobs.index.packs()]
        lacking = packs.repository.lacking(map(pack_blob, every))
        gone = [blob.digest for blob in lacking if blob.digest.raw in blobs.partial]
        if gone:
            raise packs.lost(gone)
        documents = {root_blob(signed).digest: signed for signed in roots.values()}
        small = packs.repository.lacking([EMPTY_BLOB, *map(root_blob, roots.values())])
        reader = FileReader(_files(blobs, every), {**documents, EMPTY_BLOB.digest: EMPTY})
        packs.repository.upload(reader, [*small, *lacking], progress)
    listed = artifact(every, roots, {"vnd.airstore.product": store.name})
    packs.repository.put(commit, listed)
    return lacking, len(every) - len(lacking)


def _files(blobs: BlobStore, every: list[PackFile]) -> dict[Any, Any]:
    return {pack.digest: blobs.path_of(pack.digest.raw) for pack in every}


def _check_roots(store: StoreDirectory, packs: RemotePacks, theirs: str | None) -> None:
    """Refuse to hide a trust root that somebody else has pushed.

    Raises:
        SequenceError: the remote has a newer one than this store, or another one of the same version.
    """
    listing = packs.listing(theirs) if theirs else None
    if listing is None:
        return
    ours = store.trust()
    if ours.walked(packs.read_roots(listing)).current != ours.current:
        raise SequenceError(
            f"{packs.repository.name} has a newer trust root than {store.path}; nothing was pushed",
            hint=_PULL_HINT,
        )


def _rejected(remote: Remote, git: RemoteGit, expected: str | None, rejection: Rejection) -> AirstoreError:
    """Somebody was faster, or the server does not want it: its refs tell."""
    now = git.refs().get(MAIN)
    if now != expected:
        return SequenceError(
            f"somebody else has pushed to {remote.git} meanwhile (its newest commit is "
            f"{(now or 'none')[:12]}); what was made here is not there, and this store is as it was",
            hint="airstore pull --set-aside, then create the release again: it continues the faster one",
        )
    return TransferError(
        f"{remote.git} does not take the push: {rejection.said}",
        hint="is the branch protected, or does a hook decline? main and tags must be allowed to be pushed",
    )
