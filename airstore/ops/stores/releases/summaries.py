"""What listings show of every release, each verified once; see `.remembered` for what is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.history.git.commits import Commit
from airstore.history.git.names import TAGS
from airstore.history.links import ReleaseLink
from airstore.history.repository import History
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.remembered import Counts, Made, Remembered, Summary
from airstore.ops.stores.verify import RELEASE_FILE, VerifiedRelease, verify_release
from airstore.store.blobs import BlobStore
from airstore.trust.root.sign import TrustRoot


@frozen
class Holding:
    """A release, and how many of its blobs are here.

    Attributes:
        dropped: `airstore gc` has dropped its content.
    """

    summary: Summary
    held: int
    dropped: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of them are."""
        return self.held == self.summary.counts.blobs

    @property
    def collected(self) -> bool:
        """Whether it is not whole because `airstore gc` has dropped its content."""
        return self.dropped and not self.whole


def summaries(store: StoreDirectory) -> list[Summary]:
    """Every release, oldest first: verified now, or before by this airstore against this very trust root.

    Whoever installs, imports or judges a release verifies it again instead: `.trusted`.

    Raises:
        NotTrustedError: the signatures of a release do not hold.
        DamagedError: a release's tree is not the signed one.
    """
    trust, history = store.trust(), store.history
    remembered = Remembered(store, trust.current)
    known = remembered.load()
    found = _walk(history, known, lambda commit: verify_release(history, commit, trust))
    if found != list(known.values()):
        remembered.save(found)
    return found


def remember(store: StoreDirectory, root: TrustRoot, chain: Sequence[VerifiedRelease]) -> None:
    """Keep what an import has just verified, if it follows what is known; else the next listing does.

    Reads the newest release that is known, and no other.

    Args:
        store: its history holds the chain.
        root: the trust root that was asked.
        chain: the releases that came, oldest first.

    Raises:
        DamagedError: a commit or a tag that came cannot be read.
    """
    remembered, history = Remembered(store, root), store.history
    last = remembered.last()
    parent = history.commit(chain[0].commit).parent if chain else None
    if not chain or parent != (last.link.commit if last else None):
        return
    blobs = set(release_of(history, last).blobs()) if last else set[Digest]()
    found = [*_follow(history, chain, blobs)]
    if last:
        remembered.add(found)
    else:
        remembered.save(found)


def _follow(history: History, chain: Iterable[VerifiedRelease], blobs: set[Digest]) -> Iterator[Summary]:
    for each in chain:
        commit = history.commit(each.commit)
        tag = str(history.refs.get(TAGS + each.release.version))  # verified: it is there
        link = ReleaseLink(each.release.version, each.commit, commit.parent, tag)
        yield _summarise(link, each, commit, blobs)
        blobs = set(each.release.blobs())


def _walk(
    history: History, known: Mapping[str, Summary], verify: Callable[[str], VerifiedRelease]
) -> list[Summary]:
    found, blobs = [], set[Digest]()
    for link in history.links({commit: summary.link for commit, summary in known.items()}):
        summary = known.get(link.commit)
        if summary is None or summary.link != link:
            summary = _summarise(link, verify(link.commit), history.commit(link.commit), blobs)
        blobs -= summary.removed
        blobs |= summary.added
        found.append(summary)
    return found


def _summarise(link: ReleaseLink, verified: VerifiedRelease, commit: Commit, before: set[Digest]) -> Summary:
    release = verified.release
    blobs = {digest: blob.size for digest, blob in release.blobs().items()}
    return Summary(
        link,
        release.sequence,
        verified.digest,
        Made(commit.when, commit.author, verified.signer),
        Counts(len(release.images), len(release.charts), len(blobs), sum(blobs.values())),
        frozenset(blobs.keys() - before),
        frozenset(before - blobs.keys()),
    )


def holdings(
    found: Iterable[Summary], blobs: BlobStore, dropped: Collection[Digest] = ()
) -> Iterator[Holding]:
    """How much of each release is here; asks for each blob that a release brought, not for all of each.

    Args:
        found: all releases, oldest first.
        blobs: what is here.
        dropped: digests of releases whose content was collected.
    """
    missing = set[Digest]()
    for summary in found:
        missing -= summary.removed
        missing |= {digest for digest in summary.added if blobs.size(digest) is None}
        yield Holding(summary, summary.counts.blobs - len(missing), summary.digest in dropped)


def release_of(history: History, summary: Summary) -> Release:
    """The whole release of a summary, if its ``release.json`` is the one that was verified.

    Raises:
        DamagedError: it is another one.
    """
    what = f"{RELEASE_FILE} of release commit {summary.link.commit[:12]}"
    data = history.read(summary.link.commit, RELEASE_FILE)
    if Digest.of(data) != summary.digest:
        raise DamagedError(f"{what} is not the one that was verified", hint="run `airstore check`")
    return Release.parse(data, what)


def every_blob(found: Iterable[Summary]) -> set[Digest]:
    """Digests of all blobs that any release ever had."""
    return {digest for summary in found for digest in summary.added}


def by_version(found: Iterable[Summary]) -> Mapping[str, Summary]:
    """Summaries by version."""
    return {summary.link.version: summary for summary in found}
