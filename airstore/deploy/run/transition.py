"""From the state before a run to the one after it: its intent, with what releases of the product say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.deploy.model.target import ReleaseTarget, targets_of
from airstore.deploy.plan.backups import relative
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import Item, Run


@frozen
class Transition:
    """The two states of a run, and how one becomes the other.

    Attributes:
        run: the items, for the state machine.
        new: key to Helm release as it is to be; of a rollback on demand, as it is now.
        old: key to Helm release as it was; of a rollback on demand, as it is to be again.
        previous: the version of the product that ``old`` is.
        backups: directory of the run's own backups, one below it for each item.
    """

    run: Run
    new: Mapping[str, ReleaseTarget]
    old: Mapping[str, ReleaseTarget]
    previous: str
    backups: Path

    @classmethod
    def of(
        cls, intent: Intent, newer: Release | None, older: Release | None, store: Path, directory: Path
    ) -> Transition:
        """What a run is to do, of releases that were verified.

        Args:
            intent: of the run.
            newer: the release that ``new`` is; None of nothing.
            older: the release that ``old`` is; None of nothing, and of what was adopted.
            store: what the places of backups are relative to.
            directory: of the run.
        """
        new, old = targets_of(intent.new, newer), targets_of(intent.old, older)
        run = Run(items_of(intent, new, old, store), intent.mode)
        return cls(run, new, old, intent.previous, directory / "backup")

    def item(self, key: str) -> Item:
        """One item by its key."""
        return next(item for item in self.run.items if item.key == key)

    def present(self, key: str) -> ReleaseTarget:
        """A Helm release as it is to be; as it was, where it is to go."""
        return self.new.get(key) or self.old[key]

    def places(self, key: str) -> list[str]:
        """Namespaces in which a Helm release has objects, in either state."""
        sides = (self.new.get(key), self.old.get(key))
        return sorted({place for side in sides if side for place in side.namespaces})

    def backup(self, key: str) -> Path:
        """Where the backup of an item is, or goes."""
        earlier = self.item(key).backup
        return Path(earlier) if earlier else self.backups / key.replace("/", "_")


def items_of(
    intent: Intent,
    new: Mapping[str, ReleaseTarget],
    old: Mapping[str, ReleaseTarget],
    store: Path | None = None,
) -> tuple[Item, ...]:
    """What the state machine is told of each Helm release of a run; backups by place, or below a store."""
    ranks = {key: rank for rank, key in enumerate(old)}
    return tuple(
        Item(
            key,
            action,
            tuple(sorted(_needs(new, key) | _needs(old, key))),
            frozenset(new[key].helm.hooks) if key in new else frozenset(),
            str(store / relative(backup)) if store and backup else backup,
            ranks.get(key, len(ranks)),
            key in intent.skipped,
            key in intent.abandoned,
        )
        for key, action, backup in intent.items
    )


def _needs(side: Mapping[str, ReleaseTarget], key: str) -> set[str]:
    """Keys that a Helm release needs in one of the two states."""
    names = side[key].helm.needs if key in side else ()
    return {other for other, target in side.items() if target.name in names}
