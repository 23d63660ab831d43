"""Branches of a publisher that are not where they were set: lost, set back, or let name something else.

A site's main branch and ledger are said by its state and its mark. Nothing says of a publisher how far it had
come, which releases were pending, whose keys its sites have, and what was seen at a remote.
"""

from __future__ import annotations

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.core.frozen import frozen
from airstore.history.git.names import HEADS
from airstore.history.inspection import owner
from airstore.history.repository import History
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.trusted import PENDING

NOTED = "where branches were set"  # what the list says
SEEN = "what was seen at remote "
SHARED_SITES = "the keys of sites that are shared"
_SITES, _REMOTES = "sites", "refs/remotes/"


@frozen
class LostRef:
    """One ref that is not where it was set.

    Attributes:
        name: such as ``refs/heads/main``.
        noted: the commit that it was set to.
        now: what it names; empty where it is gone or does not read.
    """

    name: str
    noted: str
    now: str

    @property
    def fault(self) -> str:
        """What is wrong."""
        where = f"the history's {self.name}"
        if not self.now:
            return f"{where} is gone: it was set to commit {self.noted[:12]}"
        return f"{where} names commit {self.now[:12]}, and was set to {self.noted[:12]}"

    @property
    def breaks(self) -> str:
        """What cannot be used, or trusted, because of it."""
        branch = self.name.removeprefix(HEADS)
        if branch.startswith(PENDING):
            return f"pending release {branch.removeprefix(PENDING)}"
        if self.name.startswith(_REMOTES):
            return SEEN + self.name.removeprefix(_REMOTES).partition("/")[0]
        return SHARED_SITES if branch == _SITES else owner(self.name)


def lost_refs(store: StoreDirectory) -> list[LostRef]:
    """The refs that are not where they were set; what moves meanwhile is none of them.

    One that an older version moved on is none either: what it was set to comes before what it names.

    Raises:
        DamagedError: the list of where they were set does not read.
        StorageError: the disk failed.
    """
    if store.side != PUBLISHER or not (history := store.history).refs.noted:
        return []
    noted = history.refs.noted.read()
    found = [LostRef(name, oid, _now(history, name)) for name, oid in sorted(noted.items())]
    lost = [each for each in found if each.now != each.noted and not _goes_on(history, each)]
    still = history.refs.noted.read() if lost else {}
    return [each for each in lost if still.get(each.name) == each.noted]


def require_refs(store: StoreDirectory) -> None:
    """Refuse to go on where that would continue an older release, or delete at a remote what is lost here.

    Raises:
        DamagedError: a ref is not where it was set.
    """
    for lost in lost_refs(store):
        raise DamagedError(
            f"{lost.fault} ({lost.breaks}); nothing was changed",
            hint="`airstore check`, and `airstore repair`",
        )


def is_lost(store: StoreDirectory, branch: str) -> bool:
    """Whether a branch was set, and is not there or another one.

    Raises:
        DamagedError: the list of where branches were set does not read.
    """
    return any(lost.name == HEADS + branch for lost in lost_refs(store))


def _now(history: History, name: str) -> str:
    try:
        return history.refs.get(name) or ""
    except StorageError:
        raise
    except AirstoreError:
        return ""


def _goes_on(history: History, lost: LostRef) -> bool:
    try:
        return bool(lost.now) and lost.noted in history.ancestry(lost.now)
    except StorageError:
        raise
    except AirstoreError:
        return False
