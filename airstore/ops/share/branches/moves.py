"""Branches that several write: what a push sends of them, and what a pull takes in. Pure but for `seen`.

A branch's commit is a snapshot without parents, whose name follows from its content alone. So a branch has
three places where it may stand: here, where it was last seen at the remote, and where it is there now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from airstore.core.frozen import frozen
from airstore.history.exchange.remote import seen, seen_branches
from airstore.history.git.names import HEADS, MAIN
from airstore.history.repository import History
from airstore.ops.stores.releases.trusted import PENDING

SITES = "sites"  # the branch of the keys of sites
PATTERNS = (SITES, f"{PENDING}*")


class BranchMove(Enum):
    """What becomes of a branch."""

    NOTHING = "nothing"
    SEND = "send"
    TAKE = "take"
    BOTH = "both"  # here and there it has changed since it was seen


@frozen
class Place:
    """Where a branch stands; None where it is not.

    Attributes:
        ours: here.
        seen: at the remote, when it was last looked at.
        theirs: at the remote now.
    """

    name: str
    ours: str | None
    seen: str | None
    theirs: str | None

    @property
    def way(self) -> BranchMove:
        """What has to be done for both sides to have the same."""
        if self.ours == self.theirs:
            return BranchMove.NOTHING
        if self.theirs == self.seen:
            return BranchMove.SEND
        return BranchMove.TAKE if self.ours == self.seen else BranchMove.BOTH


def places(
    history: History, remote: str, ours: Mapping[str, str], refs: Mapping[str, str]
) -> Iterator[Place]:
    """Every branch that is here, there, or was there.

    Args:
        history: knows what was seen.
        remote: its name.
        ours: branches that are shared, to commits.
        refs: of the server, of `PATTERNS` at least.
    """
    theirs = {name.removeprefix(HEADS): oid for name, oid in refs.items() if _is_shared(name)}
    known = {name for name in seen_branches(history, remote) if _is_shared(HEADS + name)}
    for name in sorted({*ours, *theirs, *known}):
        yield Place(name, ours.get(name), seen(history, remote, name), theirs.get(name))


def pending_commits(refs: Mapping[str, str]) -> list[str]:
    """Where the pending releases of a server stand."""
    return [oid for name, oid in sorted(refs.items()) if name.startswith(HEADS + PENDING)]


def _is_shared(ref: str) -> bool:
    name = ref.removeprefix(HEADS)
    return ref.startswith(HEADS) and ref != MAIN and (name == SITES or name.startswith(PENDING))
