"""What ran at a site, as a stack: ``apply`` pushes a state, ``rollback`` pops to an earlier one. Pure.

A state is a release of the product. Applying the release that runs once more, with other values, is the same
state. An uninstall leaves the stack as it is: nothing runs, but once something does, one can go back further.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from airstore.core.frozen import frozen
from airstore.history.ledger import Entry


@frozen
class State:
    """One release that ran and can be gone back to.

    Attributes:
        entry: the newest of the ledger that says that it runs.
        runs: those that led to it from the state below, oldest first; an empty name is one that the ledger
            does not tell.
    """

    entry: Entry = field(repr=False)
    runs: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Of the product."""
        return self.entry.version


def stack(oldest_first: Iterable[Entry]) -> tuple[State, ...]:
    """What ran, the first state first; the last one runs now, unless it was uninstalled since."""
    states = list[State]()
    for entry in oldest_first:
        if not entry.changed or entry.action == "uninstall":
            continue
        # To adopt changes no data, so no backup is missed that it did not make.
        runs = () if entry.action == "adopt" else (str(entry.details.get("run", "")),)
        depth = below(states, entry.version)
        if entry.action == "rollback" and depth is not None:
            del states[depth + 1 :]
            states[depth] = replace(states[depth], entry=entry)
        elif states and states[-1].version == entry.version:
            states[-1] = State(entry, (*states[-1].runs, *runs))
        else:
            states.append(State(entry, runs))
    return tuple(states)


def below(states: Iterable[State], version: str) -> int | None:
    """Depth of the uppermost state of this version below the top, or below anything of another one."""
    every = list(states)
    found = (depth for depth in reversed(range(len(every) - 1)) if every[depth].version == version)
    return next(found, None)
