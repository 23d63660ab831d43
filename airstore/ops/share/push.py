"""``airstore push``: packs, then the artifact that lists them, and last the git ref, by compare-and-swap.

Killed anywhere, or losing against another push, it leaves at the remote only what nobody names, and the next
one uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from airstore.core.errors import AirstoreError, NotFoundError, SequenceError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.progress import Progress
from airstore.history.exchange.remote import Rejection, RemoteGit, check_tags, push_history, remember_seen
from airstore.history.git.names import MAIN
from airstore.ops.share.access import Access
from airstore.ops.share.branches.moves import PATTERNS, SITES
from airstore.ops.share.branches.outgoing import outgoing
from airstore.ops.share.files import FileReader
from airstore.ops.share.packs import RemotePacks, artifact, collected_blob, pack_blob, root_blob
from airstore.ops.share.remotes import Remote
from airstore.ops.share.rewind import check_rewind
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.collected import collected, whole_of, write_list
from airstore.ops.stores.releases.lost import require_refs
from airstore.ops.stores.releases.pending import pending_versions
from airstore.ops.stores.releases.roots import signed_roots
from airstore.ops.stores.releases.trusted import PENDING, verified
from airstore.ops.stores.verify import VerifiedRelease
from airstore.registry.client.artifact import EMPTY, EMPTY_BLOB
from airstore.store.blobs import BlobStore, PackFile, pack_file

_PULL_HINT = "airstore pull first: it says what to do about releases that both have made"


@frozen
class Pushed:
    """What a push did.

    Attributes:
        release: the newest release of the remote now; None where all are pending.
        releases: how many of them are new there.
        pending: versions of pending releases that were sent.
        sites: whether keys of sites were sent.
        packs: how many packs were sent.
    """

    remote: str
    release: str | None
    releases: int
    packs: int
    bytes: int
    present_packs: int
    pending: tuple[str, ...] = ()
    sites: bool = False

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return {**vars(self), "pending": list(self.pending)}


def push_store(
    store: StoreDirectory, remote: Remote, access: Access, progress: Progress, *, bring_back: bool = False
) -> Pushed:
    """Send what a remote lacks, and make it the remote's newest state if nobody else was faster.

    Args:
        store: a publisher's.
        remote: where to.
        access: how it is reached.
        progress: shows what is sent.
        bring_back: content that others have dropped may be put there again.

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
        require_refs(store)  # else what is lost here would be removed there
        newest = _newest(store)
        theirs = git.refs(*PATTERNS)
        behind = _check_continues(store, remote, theirs.get(MAIN))
        check_tags(store.history, git, theirs)
        more = outgoing(store, remote, theirs)
        tags = [*([newest.commit] if newest else []), *more.drafts.values()]
        packs = RemotePacks(remote, access.registries)
        try:
            _check_listing(store, packs, theirs.get(MAIN), bring_back=bring_back)
            sent, present = _push_packs(store, packs, tags, progress)
        finally:
            packs.close()
        rejected = push_history(store.history, git, theirs, more.updates)
        if rejected:
            raise _rejected(remote, git, theirs, rejected)
        if newest:
            remember_seen(store.history, remote.name, newest.commit)
        more.remember(store, remote)
    total, release = sum(blob.size for blob in sent), newest.release.version if newest else None
    return Pushed(remote.name, release, behind, len(sent), total, present, tuple(more.drafts), more.sites)


def _newest(store: StoreDirectory) -> VerifiedRelease | None:
    """The newest release, verified; None where the first one is pending."""
    if store.history.tip is None and not any(pending_versions(store)):
        raise NotFoundError(
            f"{store.path} holds no release yet", hint="make one with `airstore release create`"
        )
    return verified(store) if store.history.tip else None


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
    store: StoreDirectory, packs: RemotePacks, tags: Sequence[str], progress: Progress
) -> tuple[list[Descriptor], int]:
    """Send packs and roots that the registry lacks, and list all; what was sent, how much was there."""
    roots, dropped = signed_roots(store), dict(collected(store))
    gone_list = write_list(dropped) if dropped else None
    documents = {blob: signed for signed in roots.values() for blob in (root_blob(signed),)}
    documents |= {EMPTY_BLOB: EMPTY, **({collected_blob(gone_list): gone_list} if gone_list else {})}
    with store.open_blobs() as blobs:
        every = [pack_file(name, size) for _, name, size in blobs.index.packs()]
        lacking = packs.repository.lacking(map(pack_blob, every))
        gone = [blob.digest for blob in lacking if blob.digest.raw in blobs.partial]
        if gone:
            raise packs.lost(gone)
        reader = FileReader(_files(blobs, every), {blob.digest: data for blob, data in documents.items()})
        small = packs.repository.lacking(documents)
        packs.repository.upload(reader, [*small, *lacking], progress)
    listed = artifact(every, roots, gone_list, {"vnd.airstore.product": store.name})
    for tag in tags:
        packs.repository.put(tag, listed)
    return lacking, len(every) - len(lacking)


def _files(blobs: BlobStore, every: list[PackFile]) -> dict[Any, Any]:
    return {pack.digest: blobs.path_of(pack.digest.raw) for pack in every}


def _check_listing(
    store: StoreDirectory, packs: RemotePacks, theirs: str | None, *, bring_back: bool
) -> None:
    """Refuse to hide a trust root that somebody else has pushed, and to bring back what was dropped there.

    Raises:
        SequenceError: the remote has a newer one than this store, or another one of the same version; or
            others have dropped content that this store has.
    """
    listing = packs.listing(theirs) if theirs else None
    if listing is None:
        return
    there = {} if bring_back else packs.read_collected(listing)
    back = whole_of(store, there)
    if back:
        raise SequenceError(
            f"the content of {', '.join(back)} was dropped from {packs.repository.name}, and this store has "
            "it; nothing was pushed",
            hint="airstore pull, and where that is not enough `airstore gc --keep N`, drop it here, too; "
            "--bring-back puts it there again",
        )
    ours = store.trust()
    if ours.walked(packs.read_roots(listing)).current != ours.current:
        raise SequenceError(
            f"{packs.repository.name} has a newer trust root than {store.path}; nothing was pushed",
            hint=_PULL_HINT,
        )


def _rejected(
    remote: Remote, git: RemoteGit, expected: Mapping[str, str], rejection: Rejection
) -> AirstoreError:
    """Somebody was faster, or the server does not want it: its refs tell."""
    now = git.refs(*PATTERNS)
    if now.get(MAIN) != expected.get(MAIN):
        return SequenceError(
            f"somebody else has pushed to {remote.git} meanwhile (its newest commit is "
            f"{now.get(MAIN, 'none')[:12]}); what was made here is not there, and this store is as it was",
            hint="airstore pull --set-aside, then create the release again: it continues the faster one",
        )
    if now != expected:
        return SequenceError(
            f"somebody else has pushed to {remote.git} meanwhile; what was made here is not there, and this "
            "store is as it was",
            hint=_PULL_HINT,
        )
    return TransferError(
        f"{remote.git} does not take the push: {rejection.said}",
        hint="is the branch protected, or does a hook decline? main and tags must be allowed to be pushed, "
        f"{SITES} and {PENDING}* to be overwritten and removed as well",
    )
