"""What a pull takes in besides releases: all of it is looked at first, then all of it becomes visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airstore.core.errors import DamagedError, NotTrustedError, SequenceError, TransferError, UsageError
from airstore.core.model.release import Release
from airstore.history.exchange.remote import RemoteGit, remember_seen
from airstore.history.git.scratch import scratch
from airstore.history.repository import History
from airstore.ops.share.branches.drafts import combine, given_up, own_drafts, snapshot
from airstore.ops.share.branches.moves import SITES, BranchMove, Place, places
from airstore.ops.share.branches.register import Register, merged, read_register
from airstore.ops.share.branches.sites import check_taken, news_of, own_register, take_register
from airstore.ops.share.branches.snapshots import Snapshot
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.pending import Before, Draft, accept, load_draft
from airstore.ops.stores.releases.trusted import PENDING
from airstore.trust.root.model import TrustRoot

_MOST = 16  # branches that a server may have for us; nobody has so many releases pending at once


@dataclass
class Incoming:
    """What was found, looked at and merged.

    Attributes:
        drafts: pending releases that become what is pending here, by branch.
        commits: the commits that they are at the remote, by branch.
        dropped: branches of releases that are pending here no longer.
        register: the keys of sites as they become; None where they stay.
        news: of those, what is new.
        seen: where branches of the remote stand now.
        snapshots: what stands there, to be remembered.
        notes: what did not count, and why.
    """

    drafts: dict[str, Draft] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    register: Register | None = None
    news: Register = field(default_factory=dict)
    seen: dict[str, str | None] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def commit(self, store: StoreDirectory, remote: Remote) -> None:
        """Make it visible, durably.

        Raises:
            StorageError: the disk is full or failed; a later pull goes on.
        """
        history = store.history
        for branch, draft in self.drafts.items():
            history.set_branch(branch, snapshot(draft).write(store))
        for branch in self.dropped:
            history.drop_branch(branch)
        if self.register is not None:
            take_register(store, self.register, self.news)
        for there in self.snapshots:
            there.write(store)
        for branch, commit in self.seen.items():
            remember_seen(history, remote.name, commit, branch)

    def summary(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Versions of pending releases that came, names of sites that are new or gone, and notes."""
        versions = tuple(branch.removeprefix(PENDING) for branch in self.drafts)
        return versions, tuple(self.news), tuple(self.notes)

    @property
    def releases(self) -> list[Release]:
        """What they need has to be fetched."""
        return [draft.release for draft in self.drafts.values()]


class Receiving:
    """Brings the branches of one remote.

    Args:
        store: of a publisher; not changed.
        remote: where they come from.
        git: reaches it.
        refs: its refs.
        root: in force.
    """

    def __init__(
        self, store: StoreDirectory, remote: Remote, git: RemoteGit, refs: Mapping[str, str], root: TrustRoot
    ) -> None:
        self._store, self._remote, self._git = store, remote, git
        self._refs, self._root = refs, root

    def bring(self, directory: Path, before: Before, released: set[str]) -> Incoming:
        """Fetch, look and merge.

        Args:
            directory: for what is needed meanwhile.
            before: what pending releases have to continue.
            released: versions that are on main, or will be.

        Raises:
            SequenceError: what is there cannot be merged with what is here.
            TransferError: the server cannot be reached, or refused, or has too many branches.
            StorageError: the disk is full or failed.
        """
        own = {branch: draft.name(self._store) for branch, draft in own_drafts(self._store).items()}
        if sites := self._store.history.branch(SITES):
            own[SITES] = sites
        found = list(places(self._store.history, self._remote.name, own, self._refs))
        fetched = self._fetch(
            directory, [each for each in found if each.way in {BranchMove.TAKE, BranchMove.BOTH}]
        )
        incoming = Incoming()
        for place in found:
            if place.name.removeprefix(PENDING) in released and place.name != SITES:
                self._released(place, incoming)
            elif place.way in {BranchMove.TAKE, BranchMove.BOTH}:
                self._take(place, fetched, before, incoming)
            elif place.ours == place.theirs:
                incoming.seen[place.name] = place.theirs
        return incoming

    def _fetch(self, directory: Path, wanted: list[Place]) -> History:
        there = [place.name for place in wanted if place.theirs]
        if len(there) > _MOST:
            raise TransferError(
                f"{self._remote.git} has {len(there)} branches of pending releases",
                hint="remove what nobody will sign any more: git push URL --delete pending-VERSION",
            )
        made = scratch(directory / "branches.git", self._store.layout.history)
        if there:
            self._git.fetch_branches(made, there)
        return History(made)

    def _released(self, place: Place, incoming: Incoming) -> None:
        """Enough have signed it: the branch is over, here and, with the next push, there."""
        if self._store.history.branch(place.name):
            incoming.dropped.append(place.name)
        if place.theirs is None:
            incoming.seen[place.name] = None

    def _take(self, place: Place, fetched: History, before: Before, incoming: Incoming) -> None:
        incoming.seen[place.name] = place.theirs
        if place.theirs is None:
            self._gone(place, incoming)
            return
        try:
            files = fetched.files(place.theirs)
            draft = accept(files, place.name, self._root, before) if place.name != SITES else None
            incoming.snapshots.append(self._snapshot(fetched, place.theirs, files))
        except (DamagedError, NotTrustedError, SequenceError, UsageError) as fault:
            incoming.notes.append(f"{self._remote.git}, branch {place.name}: {fault}: it does not count")
            del incoming.seen[place.name]
        else:
            if draft:
                self._draft(place, draft, incoming)
            else:
                self._sites(files, incoming)

    def _snapshot(self, fetched: History, commit: str, files: Mapping[str, bytes]) -> Snapshot:
        """Only what can be made again from its content can be remembered as seen."""
        found = Snapshot(files, fetched.commit(commit).message.rstrip("\n"))
        if found.name(self._store) != commit:
            raise DamagedError("it is no commit that airstore wrote")
        return found

    def _gone(self, place: Place, incoming: Incoming) -> None:
        """The keys of sites stay signed, whoever removed them there; a pending release was given up."""
        if place.name == SITES:
            return
        if place.ours and place.way is BranchMove.BOTH:
            version = place.name.removeprefix(PENDING)
            raise given_up(load_draft(self._store, version).release, self._remote.git)
        incoming.dropped.append(place.name)

    def _sites(self, files: Mapping[str, bytes], incoming: Incoming) -> None:
        theirs, notes = read_register(files, self._root)
        own = own_register(self._store)
        register = merged(own, theirs, self._remote.git)
        news = news_of(own, register)
        check_taken(self._store, news, self._remote.git)
        incoming.register, incoming.news = register, news
        incoming.notes += notes

    def _draft(self, place: Place, theirs: Draft, incoming: Incoming) -> None:
        draft, version = theirs, place.name.removeprefix(PENDING)
        own = load_draft(self._store, version) if place.ours else None
        if own and place.way is BranchMove.BOTH:
            draft = combine(own, theirs, self._root, self._remote.git)
        elif own and own.release != theirs.release:
            incoming.notes.append(
                f"another release {version} is pending than before: who has looked at that looks again"
            )
        incoming.drafts[place.name] = draft
        incoming.commits[place.name] = str(place.theirs)
