"""What a push sends besides releases."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.errors import SequenceError
from airstore.core.frozen import frozen
from airstore.history.exchange.remote import RefUpdate, remember_seen
from airstore.history.git.names import HEADS
from airstore.ops.share.branches.drafts import own_drafts
from airstore.ops.share.branches.moves import SITES, BranchMove, Place, places
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import PENDING

_HINT = "airstore pull first: it says what to do about what both have changed"


@frozen
class Outgoing:
    """Branches that have to move at the remote.

    Attributes:
        moving: where each stands.
    """

    moving: tuple[Place, ...]

    @property
    def updates(self) -> list[RefUpdate]:
        """For git."""
        return [RefUpdate(HEADS + each.name, each.ours, each.theirs) for each in self.moving]

    @property
    def drafts(self) -> dict[str, str]:
        """Pending releases that are sent: version to commit."""
        return {
            each.name.removeprefix(PENDING): each.ours
            for each in self.moving
            if each.ours and each.name != SITES
        }

    @property
    def sites(self) -> bool:
        """Whether keys of sites are sent."""
        return any(each.name == SITES for each in self.moving)

    def remember(self, store: StoreDirectory, remote: Remote) -> None:
        """Note that they stand there now.

        Raises:
            StorageError: the disk is full or failed.
        """
        for each in self.moving:
            remember_seen(store.history, remote.name, each.ours, each.name)


def outgoing(store: StoreDirectory, remote: Remote, refs: Mapping[str, str]) -> Outgoing:
    """What is new here; with the store's lock.

    Args:
        store: a publisher's.
        remote: where to.
        refs: of its git server.

    Raises:
        SequenceError: somebody else has changed there what was changed here.
        DamagedError: what is pending here is not what was signed.
        StorageError: the disk is full or failed.
    """
    drafts = own_drafts(store)
    own = {branch: draft.name(store) for branch, draft in drafts.items()}
    if sites := store.history.branch(SITES):
        own[SITES] = sites
    moving = [each for each in places(store.history, remote.name, own, refs) if _sends(store, remote, each)]
    for each in moving:
        if each.name in drafts:
            drafts[each.name].write(store)
    return Outgoing(tuple(moving))


def _sends(store: StoreDirectory, remote: Remote, place: Place) -> bool:
    version = place.name.removeprefix(PENDING)
    if place.name != SITES and store.history.lookup(version):
        return place.theirs is not None  # enough have signed it, whatever else is there
    if place.way is BranchMove.BOTH:
        what = "keys of sites" if place.name == SITES else f"the pending release {version}"
        raise SequenceError(
            f"somebody else has changed {what} at {remote.git}; nothing was pushed", hint=_HINT
        )
    return place.way is BranchMove.SEND
