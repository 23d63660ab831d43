"""Trust roots on media: walked before anything else on them is looked at."""

from __future__ import annotations

from airstore.core.errors import SequenceError
from airstore.media.reader import Media
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.roots import adopt, disowned
from airstore.trust.policy import check_root_version
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState


def walk_roots(store: StoreDirectory, media: Media) -> tuple[RootChain, tuple[str, ...]]:
    """Put the trust roots that media bring into force, one after the other (TUF 1.0.34, section 5.3).

    A revoked key is refused from then on, whether or not anything else on these media can be imported.

    Returns:
        All roots at hand, and the versions of releases that the new ones disown.

    Raises:
        NotTrustedError: a root is not signed by the one before it, or not by itself.
        SequenceError: another root of a version that is known, or one is missing in between.
    """
    offered = media.roots()
    with store.locked():
        chain = store.trust().walked(offered)
        gone = adopt(store, chain, offered)
    return chain, gone


def rehearse_roots(store: StoreDirectory, media: Media) -> RootChain:
    """What `walk_roots` would come to; nothing is changed.

    Raises:
        NotTrustedError: as `walk_roots`.
        SequenceError: as `walk_roots`, or a root disowns what the site holds.
    """
    state, held = TrustState.load(store.state_file), store.trust()
    check_root_version(state, held)
    chain = held.walked(media.roots())
    if (kept := disowned(store, chain, state.root_version)) is not None:
        raise SequenceError(
            f"trust root {chain.current.version} disowns what this site holds after sequence {kept}",
            hint="import the media without --dry-run: that takes it out of the history, and nothing else",
        )
    return chain
