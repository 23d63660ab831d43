"""Which backup holds the data of which state. Pure: over what journals and the ledger say.

A backup is taken before a run changes anything, so it holds the data of the release that ran then. To go back
to a state, each Helm release needs the backup of the first run since then that could change its data. A later
one holds what a later release has written; so if that first run made none, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.deploy.plan.stack import State

_PLACE = re.compile(r"(?:.*/)?(deploy/runs/[^/]+/backup/[^/]+)")


@frozen
class RunRecord:
    """What a run that applied a release did to data.

    Attributes:
        product: the name.
        version: of the product, whose hooks made the backups.
        previous: of the product, whose data they hold.
        reached: keys of the Helm releases whose data it could change.
        backups: key to whether its ``verifyBackup`` hook found it good.
        open: it has not ended, and may need them.
    """

    name: str
    product: str
    version: str
    previous: str
    reached: frozenset[str]
    backups: Mapping[str, bool]
    open: bool = False


@frozen
class Backup:
    """One Helm release's data, as they were before a run.

    Attributes:
        run: that made it.
        key: ``NAMESPACE/NAME`` of the Helm release.
        state: the release of the product whose data it holds.
        made_by: the release of the product whose hooks made it.
        verified: its ``verifyBackup`` hook found it good.
    """

    run: str
    key: str
    state: str
    made_by: str
    verified: bool

    @property
    def place(self) -> str:
        """Its directory, relative to the store."""
        return place(self.run, self.key)


@frozen
class Gap:
    """A run that could change a Helm release's data and made no backup of them."""

    run: str
    key: str


@frozen
class BackupIndex:
    """Every backup that was made at a site.

    Attributes:
        states: what ran, see `airstore.deploy.plan.stack.stack`.
        records: by run.
    """

    states: Sequence[State]
    records: Mapping[str, RunRecord]

    def backups(self) -> list[Backup]:
        """All of them, the newest first."""
        every = (
            self._backup(record, key)
            for name, record in sorted(self.records.items(), reverse=True)
            for key in sorted(record.backups)
        )
        return [backup for backup in every if backup]

    def of_run(self, run: str) -> dict[str, Backup]:
        """Key to backup, of one run."""
        return {backup.key: backup for backup in self.backups() if backup.run == run}

    def serving(self, depth: int, key: str) -> Backup | Gap | None:
        """What holds a release's data as the state at this depth left them; None: they are so still."""
        for run in self._since(depth):
            record = self.records.get(run)
            if record is None:
                return Gap(run, key)
            if key in record.reached:
                return self._backup(record, key) or Gap(run, key)
        return None

    def serves(self, backup: Backup) -> list[str]:
        """Releases that a rollback would restore this backup for, the newest first."""
        depths = reversed(range(len(self.states) - 1))
        return [self.states[depth].version for depth in depths if self.serving(depth, backup.key) == backup]

    def needed(self, states: int | None = None) -> set[str]:
        """Runs whose backups must be kept.

        Args:
            states: how many states below what runs can be gone back to; None: all.
        """
        lowest = 0 if states is None else max(0, len(self.states) - 1 - states)
        keys = {key for record in self.records.values() for key in record.backups}
        found = {record.name for record in self.records.values() if record.open}
        for depth in range(lowest, len(self.states) - 1):
            served = (self.serving(depth, key) for key in keys)
            found |= {backup.run for backup in served if isinstance(backup, Backup)}
        return found

    def _since(self, depth: int) -> Iterator[str]:
        for state in self.states[depth + 1 :]:
            yield from state.runs

    def _backup(self, record: RunRecord, key: str) -> Backup | None:
        if key not in record.backups:
            return None
        return Backup(record.name, key, record.previous, record.version, record.backups[key])


def to_prune(index: BackupIndex, there: Collection[str], keep: int, states: int | None = None) -> list[str]:
    """Runs whose backups may go, oldest first.

    Args:
        index: of all backups.
        there: runs whose backups are on disk.
        keep: that many of the newest stay anyway.
        states: see `BackupIndex.needed`.
    """
    needed = index.needed(states)
    newest_first = sorted(there, reverse=True)
    return [run for run in reversed(newest_first[keep:]) if run not in needed]


def place(run: str, key: str) -> str:
    """Where a run keeps a Helm release's backup, relative to the store."""
    return f"deploy/runs/{run}/backup/{key.replace('/', '_')}"


def relative(written: str) -> str:
    """A place as a journal says it; older ones say it absolute, and the store may have moved since.

    Raises:
        DamagedError: it is not the place of a backup.
    """
    found = _PLACE.fullmatch(written)
    if found is None or ".." in written.split("/"):
        raise DamagedError(f"{written!r} is not where a run keeps a backup")
    return found[1]
