"""Releases that may be used: verified against the trust root by each command anew, not once upon import."""

from __future__ import annotations

from pathlib import Path

from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, NotTrustedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.history.ledger import is_release
from airstore.ops.stores.directory import PUBLISHER, SITE, StoreDirectory
from airstore.ops.stores.releases.collected import collected
from airstore.ops.stores.releases.summaries import holdings, summaries
from airstore.ops.stores.verify import VerifiedRelease, verify_release
from airstore.store.blobs import BlobStore
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot, verify_first

PENDING = "pending-"  # a branch for each release that is not signed by enough yet


def read_root(path: Path) -> tuple[bytes, TrustRoot]:
    """A trust root that somebody vouches for, as it is in the file and as it is read.

    Raises:
        NotFoundError: no such file.
        DamagedError, NotTrustedError: it is no trust root, or not signed by its own keys.
    """
    try:
        signed = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the trust root {path}: {fault.strerror}") from fault
    try:
        return signed, verify_first(signed)
    except (DamagedError, NotTrustedError) as fault:
        hint = fault.hint or "name the publisher's STORE/trust/root.json, or a copy of it"
        raise type(fault)(f"{path}: {fault}", hint=hint) from fault


def trusted_release(store: StoreDirectory, version: str = "") -> Release:
    """A verified release of the store; the newest where no version is named.

    Raises:
        NotFoundError: there is none, or not this one.
        NotTrustedError: its signatures do not hold.
        DamagedError: its tree is not the signed one.
    """
    return verified(store, version).release


def state_release(store: StoreDirectory, version: str) -> Release | None:
    """The release that a state of the ledger names, if it names one.

    None, too, of a release that a trust root took out of the history: nothing describes it any more that
    could be trusted, so it is treated as what somebody else installed, and none of its hooks run.

    Raises:
        NotFoundError, NotTrustedError, DamagedError: as `trusted_release`.
    """
    if not is_release(version):
        return None
    if store.history.disowned and store.history.lookup(version) is None:
        return None
    return trusted_release(store, version)


def held_release(store: StoreDirectory, blobs: BlobStore, version: str = "") -> Release:
    """As `trusted_release`, of which every blob is here: media bring the history of all, the blobs of one.

    Raises:
        IncompleteError: blobs of it are missing.
    """
    found = verified(store, version)
    release, held = found.release, count_held(blobs, found.release)
    if held < len(release.blobs()):
        refuse_collected(store, found)
        whole = [each.summary.link.version for each in holdings(summaries(store), blobs) if each.whole]
        raise IncompleteError(
            f"{store.path} holds {held} of the {len(release.blobs())} blobs of release {release.version}",
            hint=f"held as a whole: {', '.join(whole) or 'none'}; import full media for the newest release "
            "if it is not among them",
        )
    return release


def refuse_collected(store: StoreDirectory, found: VerifiedRelease) -> None:
    """Refuse a release that is not whole, if that is because its content was collected.

    Raises:
        IncompleteError: it is.
    """
    if found.digest in collected(store):
        version = found.release.version
        raise IncompleteError(
            f"the content of release {version} was dropped from {store.path} by `airstore gc`",
            hint=f"bring it back: `airstore repair --release {version} --from PLACE`, {_PLACES[store.side]}",
        )


_PLACES = {
    PUBLISHER: "full media for it, a site's store or a registry",
    SITE: "full media for it, another store of this product or a registry",
}


def count_held(blobs: BlobStore, release: Release) -> int:
    """How many of a release's blobs are here."""
    return sum(blobs.size(digest) is not None for digest in release.blobs())


def is_held(blobs: BlobStore, release: Release) -> bool:
    """Whether all of them are."""
    return count_held(blobs, release) == len(release.blobs())


def verified(store: StoreDirectory, version: str = "") -> VerifiedRelease:
    """As `trusted_release`, with digest, commit and signer."""
    history, trust = store.history, store.trust()
    if version:
        if history.branch(PENDING + version) and not history.lookup(version):
            raise NotTrustedError(
                f"release {version} is pending: not enough keys have signed it",
                hint=f"sign it: `airstore release sign {version}`",
            )
        return _once(store, history.find(version).commit, trust)
    newest = history.tip
    if newest is None:
        way = "import media first" if store.side == "site" else "make one with `airstore release create`"
        raise NotFoundError(f"{store.path} holds no release yet", hint=way)
    return _once(store, newest, trust)


def read_file(store: StoreDirectory, version: str, path: str) -> bytes:
    """A file of a release's tree, such as a hook, compared with what was signed as it is read.

    Raises:
        NotFoundError, NotTrustedError: as `trusted_release`.
        DamagedError: it is not the signed one.
    """
    found = verified(store, version)
    content = store.history.read(found.commit, path)
    if Digest.of(content) != found.release.files.get(path):
        raise DamagedError(f"release {found.release.version}: {path} has other content than was signed")
    return content


def _once(store: StoreDirectory, commit: str, trust: RootChain) -> VerifiedRelease:
    """A release, verified once for as long as the store is open and its trust roots stay what they are."""
    known, found = store.verified.get(commit, (None, None))
    if found is None or known != trust:
        found = verify_release(store.history, commit, trust)
        store.verified[commit] = trust, found
    return found


def all_releases(store: StoreDirectory) -> list[VerifiedRelease]:
    """Every release, oldest first, each verified now: for commands that are asked to verify."""
    history, trust = store.history, store.trust()
    return [verify_release(history, ref.commit, trust) for ref in history.releases()]
