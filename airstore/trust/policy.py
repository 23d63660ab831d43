"""What a site imports: pure decisions over releases whose signatures were already checked.

Nothing here reads a clock, a file or a signature. The rules are TUF's (1.0.34, sections 5.4 to 5.6: rollback,
fast-forward, mix-and-match) on a chain in which every release names the digest of the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from airstore.core.errors import SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS, Limits
from airstore.core.model.release import Release
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState

Link = tuple[Release, Digest]  # a release and the digest of its release.json


@frozen
class NewlyTrusted:
    """What becomes trusted once everything else about an import has succeeded.

    Attributes:
        sequence: of the tip.
        release: digest of the tip's ``release.json``.
        new: releases the site did not trust before, oldest first; empty where it is already current.
    """

    sequence: int
    release: Digest
    new: tuple[Release, ...]


def check_offer(
    state: TrustState, offered: str, product: str, sequence: int, release: Digest, limits: Limits = LIMITS
) -> None:
    """Decide from a signed index alone whether its release could be imported, before anything is copied.

    Args:
        state: what the site trusts.
        offered: the index's product.
        product: the trust root's product.
        sequence: of the release the index promises.
        release: digest of that release's ``release.json``.
        limits: bounds.

    Raises:
        SequenceError: for another product, stale, forked at the tip, or too far ahead.
    """
    if offered != product:
        raise SequenceError(f"this is of product {offered!r}; this site takes {product!r} only")
    if sequence < state.sequence:
        raise SequenceError(
            f"stale: the newest release here has sequence {sequence}, and this site already trusts "
            f"{state.sequence}; older media are being replayed",
            hint="get newer media; what this site holds of older releases, it still holds",
        )
    if sequence == state.sequence and release != state.release:
        raise _fork(sequence, release, state)
    if sequence - state.sequence > limits.sequence_jump:
        raise SequenceError(
            f"fast-forward: sequence {sequence} is more than {limits.sequence_jump} ahead of the trusted "
            f"{state.sequence}",
            hint="this is no honest mistake; ask the publisher whether a release key was stolen",
        )


def check_chain(
    state: TrustState, chain: Sequence[Link], product: str, limits: Limits = LIMITS
) -> NewlyTrusted:
    """Decide whether a chain of releases, oldest first, continues what the site trusts.

    The chain may begin before, at, or right after the trusted release. An empty one changes nothing.

    Raises:
        SequenceError: for another product, stale, forked, with a gap, too far ahead, or empty where nothing
            is trusted yet.
    """
    if not chain:
        return _unchanged(state)
    tip, digest = chain[-1]
    check_offer(state, tip.product, product, tip.sequence, digest, limits)
    _check_product(chain, product)
    _check_links(chain)
    _check_start(state, chain[0][0])
    _check_contact(state, chain)
    new = tuple(release for release, _ in chain if release.sequence > state.sequence)
    return NewlyTrusted(tip.sequence, digest, new)


def check_addressee(site_name: str, addressed_to: tuple[str, ...]) -> None:
    """Refuse media made for other sites; without an address they are for every site.

    Raises:
        SequenceError: others are named.
    """
    if addressed_to and site_name not in addressed_to:
        named = ", ".join(map(repr, addressed_to[:5])) + (", ..." if len(addressed_to) > 5 else "")
        raise SequenceError(
            f"these media were made for site {named}; this is site {site_name!r}",
            hint="ask the publisher for media for this site, or for any site",
        )


def check_root_version(state: TrustState, roots: RootChain) -> None:
    """Refuse stored trust roots other than those that came into force, such as one restored from a backup.

    A newer one that continues the one in force is what an interrupted command leaves.

    Raises:
        SequenceError: the version in force is not among them.
    """
    if state.root_version not in {root.version for root in roots.roots}:
        raise SequenceError(
            f"the trust root in the store is version {roots.current.version}, but version "
            f"{state.root_version} is in force; the file was exchanged or restored"
        )


def check_floor(sequence: int, roots: RootChain) -> None:
    """Refuse a history that ends before the release that a trust root names when it revokes a key.

    Raises:
        SequenceError: it does.
    """
    if sequence < roots.floor:
        raise SequenceError(
            f"stale: the newest release here has sequence {sequence}, and trust root "
            f"{roots.current.version} revokes a key that could forge releases up to {roots.floor}",
            hint="get media that the publisher made since",
        )


def _unchanged(state: TrustState) -> NewlyTrusted:
    if state.release is None:
        raise SequenceError("these media bring no release, and this site has none yet")
    return NewlyTrusted(state.sequence, state.release, ())


def _check_product(chain: Sequence[Link], product: str) -> None:
    for release, _ in chain:
        if release.product != product:
            raise SequenceError(
                f"release {release.version} is of product {release.product!r}; this site takes {product!r}"
            )


def _check_links(chain: Sequence[Link]) -> None:
    for (earlier, digest), (later, _) in pairwise(chain):
        if later.sequence != earlier.sequence + 1:
            raise SequenceError(
                f"gap: release {later.version} has sequence {later.sequence}, but follows "
                f"{earlier.version} with {earlier.sequence}"
            )
        if later.previous != digest:
            raise SequenceError(
                f"fork: release {later.version} does not continue {earlier.version}: its previous release is "
                f"{later.previous}, not {digest}"
            )


def _check_start(state: TrustState, first: Release) -> None:
    if first.sequence > state.sequence + 1:
        trusted = f"trusts sequence {state.sequence}" if state.sequence else "has no release yet"
        raise SequenceError(
            f"gap: these media begin with release {first.version}, sequence {first.sequence}; "
            f"this site {trusted}",
            hint=f"first import media that bring sequence {state.sequence + 1}, or full media",
        )


def _check_contact(state: TrustState, chain: Sequence[Link]) -> None:
    """Its own links hold, so the chain continues the trusted release if it touches it in one place."""
    for release, digest in chain:
        if release.sequence == state.sequence and digest != state.release:
            raise _fork(release.sequence, digest, state)
        if release.sequence == state.sequence + 1 and release.previous != state.release:
            raise _fork(release.sequence, digest, state)


def _fork(sequence: int, release: Digest, state: TrustState) -> SequenceError:
    return SequenceError(
        f"fork: sequence {sequence} ({release}) does not continue what this site trusts, sequence "
        f"{state.sequence} ({state.release})",
        hint="two histories of this product exist; ask the publisher which one is genuine",
    )
