"""What the signed index of media says before anything of them is copied: could they be imported?"""

from __future__ import annotations

from airstore.core.errors import IncompleteError
from airstore.media.index import MediaIndex
from airstore.ops.stores.directory import StoreDirectory
from airstore.trust.policy import check_addressee, check_floor, check_offer
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState


def check_index(store: StoreDirectory, index: MediaIndex, trust: RootChain) -> None:
    """Decide from a signed index alone whether its media could be imported.

    Raises:
        SequenceError: stale, forked, another product's or another site's.
        IncompleteError: a delta whose base is not here.
    """
    offer = index.release
    check_addressee(store.name, index.addressees)
    state = TrustState.load(store.state_file)
    check_offer(state, index.product, trust.current.product, offer.sequence, offer.digest)
    check_floor(offer.sequence, trust)
    base, history = index.base, store.history
    if base and not history.on_main(base.commit):
        raise IncompleteError(
            f"these media are a delta from release {base.version}, which this site does not have",
            hint=f"first import media that bring release {base.version}, or ask the publisher for full "
            f"media for {offer.version} or a delta made with `--receipt`",
        )
