"""Which backups a rollback on demand restores, and what is said where there is none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from airstore.core.errors import DeployError, NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.deploy.plan.backups import Backup, BackupIndex, Gap


@frozen
class Choice:
    """What an operator wants to become of data.

    Attributes:
        keep: leave all as they are.
        skipped: keys of Helm releases whose data stay as they are.
        runs: that made the backups to be restored; empty: those that belong to the state.
    """

    keep: bool = False
    skipped: frozenset[str] = frozenset()
    runs: tuple[str, ...] = ()


@frozen
class Journey:
    """From the state that runs to an earlier one.

    Attributes:
        depth: of that state, see `airstore.deploy.plan.stack`.
        product: the name.
        kept: keys of Helm releases, in both states, that have hooks for their data.
        returning: keys of those that only the earlier state has.
    """

    index: BackupIndex
    depth: int
    product: str
    kept: tuple[str, ...]
    returning: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Of the product, to go back to."""
        return self.index.states[self.depth].version


def find_backups(journey: Journey, choice: Choice, is_there: Callable[[Backup], bool]) -> dict[str, Backup]:
    """Key to the backup to restore; Helm releases whose data nothing changed need none.

    Raises:
        DeployError: one that is needed was not made, or is gone from disk.
        NotFoundError: no run of the name that was chosen made any.
        UsageError: what was chosen is from another product, or does not hold what is needed.
    """
    chosen = _chosen(journey, choice.runs)
    if choice.keep:
        return {}
    wanted = {key: journey.index.serving(journey.depth, key) for key in journey.kept}
    needed = {key: each for key, each in wanted.items() if each and key not in choice.skipped}
    found = _of_chosen(needed, chosen) if choice.runs else _of_state(journey, needed)
    _refuse_returning(journey, choice)
    for key, backup in found.items():
        if not is_there(backup):
            raise DeployError(
                f"nothing was changed: the backup of {key} that run {backup.run} made, with the data of "
                f"{backup.state}, is gone from disk: {backup.place}",
                hint=_ways_out(journey, key),
            )
    return found


def _chosen(journey: Journey, runs: Iterable[str]) -> dict[str, Mapping[str, Backup]]:
    found = dict[str, Mapping[str, Backup]]()
    for run in runs:
        found[run] = journey.index.of_run(run)
        if not found[run]:
            raise NotFoundError(f"run {run!r} made no backup", hint="see `airstore backup list`")
        product = journey.index.records[run].product
        if product != journey.product:
            raise UsageError(
                f"run {run} backed up product {product}, and {journey.product} is to go back",
                hint="see `airstore backup list`",
            )
    return found


def _of_chosen(
    needed: Mapping[str, Backup | Gap], chosen: Mapping[str, Mapping[str, Backup]]
) -> dict[str, Backup]:
    found = {}
    for key in needed:
        holding = [backups[key] for backups in chosen.values() if key in backups]
        if not holding:
            held = ", ".join(sorted({key for backups in chosen.values() for key in backups}))
            raise UsageError(
                f"{' and '.join(chosen)} hold no data of {key}, only of {held}",
                hint=f"add --backup with a run that does (`airstore backup list`), or --skip-backup {key} to "
                "leave its data as they are",
            )
        found[key] = holding[0]
    if not found:
        raise UsageError("this rollback has no data to restore, so there is nothing to choose a backup for")
    return found


def _of_state(journey: Journey, needed: Mapping[str, Backup | Gap]) -> dict[str, Backup]:
    found = {}
    for key, backup in needed.items():
        if isinstance(backup, Gap):
            raise DeployError(
                f"nothing was changed: there is no backup of {key} from when {journey.version} ran: "
                f"run {backup.run or '(unknown)'} could change its data and made none",
                hint=_ways_out(journey, key),
            )
        found[key] = backup
    return found


def _refuse_returning(journey: Journey, choice: Choice) -> None:
    """What left the product has no hooks in the release that runs; its data may be those of a later state."""
    for key in journey.returning:
        backup = journey.index.serving(journey.depth, key)
        if isinstance(backup, Backup) and key not in choice.skipped:
            raise DeployError(
                f"nothing was changed: {key} has left the product after {backup.made_by} had changed its "
                "data, and what runs now has no hook to restore them",
                hint=f"go back step by step: `airstore rollback`, until {backup.made_by} runs; or "
                f"--skip-backup {key} to have it back with the data that it had last",
            )


def _ways_out(journey: Journey, key: str) -> str:
    now = journey.index.states[-1].version
    return (
        "`airstore backup list` names others for --backup RUN; "
        f"--skip-backup {key} (--keep-data for all) goes back without, and {journey.version} then runs on "
        f"the data that {now} has written"
    )
