"""What an operator gives up: names as they are typed, to Helm releases that have something to give up."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airstore.core.errors import UsageError
from airstore.core.model.release import Release
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import unfinished
from airstore.history import ledger
from airstore.ops.apply.session.runs import Runs
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import trusted_release


def given_up(store: StoreDirectory, names: Iterable[str], version: str = "") -> frozenset[str]:
    """Keys of the Helm releases that ``--skip-backup`` names.

    Args:
        store: a site's.
        names: ``NAME`` or ``NAMESPACE/NAME`` each.
        version: the release of the product to be applied; empty for the newest.

    Raises:
        UsageError: the release has no Helm release of this name, or no backup of it.
        NotFoundError: no such release.
    """
    wanted = list(names)
    return _resolve(trusted_release(store, version), wanted) if wanted else frozenset()


def given_up_going_back(store: StoreDirectory, names: Iterable[str]) -> frozenset[str]:
    """As `given_up`, of the release whose hooks would restore: that of the run, or the one that runs.

    Raises:
        UsageError: as there.
    """
    wanted = list(names)
    journal, entry = unfinished(Runs(store).directory), ledger.running(store.history)
    version = Intent.of(journal).version if journal else entry.version if entry else ""
    return given_up(store, wanted, version)


def abandoned(store: StoreDirectory, names: Iterable[str]) -> frozenset[str]:
    """Keys of the Helm releases that ``--skip-reinstate`` names.

    Raises:
        UsageError: no Helm release of this name ever ran here, or two namespaces have one.
    """
    ran = {each.key for entry in ledger.entries(store.history) for each in entry.running}
    return frozenset(_that_ran(ran, name) for name in names)


def _that_ran(ran: Collection[str], name: str) -> str:
    keys = sorted(_called(name, ran))
    if len(keys) != 1:
        what = f"{name!r} is {' and '.join(keys)}" if keys else f"no Helm release {name!r} ran here"
        raise UsageError(what, hint=f"what ran here: {', '.join(sorted(ran)) or 'nothing'}")
    return keys[0]


def _resolve(release: Release, names: Iterable[str]) -> frozenset[str]:
    hooks = {f"{helm.namespace}/{helm.name}": helm.hooks for helm in release.helm_releases}
    kept = [key for key, scripts in hooks.items() if {"preUpgrade", "rollback"} & scripts.keys()]
    found = set[str]()
    for name in names:
        keys = _called(name, hooks)
        if not keys or keys[0] not in kept:
            why = "no backup hook of" if keys else "no Helm release"
            raise UsageError(
                f"release {release.version} has {why} {name!r}",
                hint=f"it backs up {', '.join(kept) or 'nothing'}",
            )
        found.add(keys[0])
    return frozenset(found)


def _called(name: str, keys: Iterable[str]) -> list[str]:
    """The keys that are or end in what was typed."""
    return [key for key in keys if name in {key, key.partition("/")[2]}]
