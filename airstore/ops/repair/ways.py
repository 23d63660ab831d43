"""What would restore what a repair could not: said for each fault."""

from __future__ import annotations

from airstore.ops.stores.check import Problem
from airstore.ops.stores.directory import SITE, StoreDirectory


def way_out(store: StoreDirectory, problem: Problem) -> str:
    """What whoever runs the store can do about a fault."""
    breaks = problem.breaks
    if any(user.startswith("key ") for user in breaks):
        return _key(store)
    if any(user.startswith("run ") for user in breaks):
        return "a backup of this file: nothing else has what a run wrote down"
    if breaks == ("the ledger",):
        return "a copy of this site's store: `airstore repair --from COPY`; releases have no part in it"
    if "every release" in breaks:
        return _trust(store)
    if any("release" in user or " in " in user for user in breaks):
        return _release(store)
    return "`airstore repair --from PLACE` with media or another store that have the newest release"


def _key(store: StoreDirectory) -> str:
    if store.side == SITE:
        return "a backup of this file; without one, enrol the site again with a new key"
    return "a backup of this file; without one, a new key by `airstore trust root add-key`"


def _trust(store: StoreDirectory) -> str:
    return (
        f"`airstore repair --trust root.json` with a copy of {store.root_file} that you vouch for: the other"
        " side's STORE/trust/root.json, compared by telephone"
    )


def _release(store: StoreDirectory) -> str:
    if store.side == SITE:
        return (
            "`airstore repair --from PLACE`: full media for that release, the publisher's store or another"
            " site's, or the registry it was pushed to"
        )
    return (
        "`airstore repair --from PLACE`: full media for that release, a site's store, or a registry; else"
        " create the release again from its sources"
    )
