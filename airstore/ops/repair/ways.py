"""What would restore what a repair could not: said for each fault."""

from __future__ import annotations

from airstore.ops.stores.check import Problem
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.ops.stores.noted import APPLIER, FILE, REMOTES
from airstore.ops.stores.releases.collected import WAY_OUT, WHAT
from airstore.ops.stores.releases.lost import NOTED, SEEN, SHARED_SITES
from airstore.ops.stores.site.anchors import ANCHOR
from airstore.ops.stores.site.states import ALL, DRAFT

_OF_KIND = {
    "pending release ": (
        "`airstore repair --from PLACE`: a remote's name, or the store of somebody who shares this one; else"
        " `airstore release discard`, and create it again"
    ),
    SEEN: "`airstore remote remove`, and `remote add`: what is there now is looked at anew",
    "receipt ": "a backup of this file, or a newer receipt of that site: `airstore fleet FILE`",
    "registry ": (
        "a backup of this file; without one, delete it: `airstore registry bootstrap` makes new ones, and"
        " `airstore registry share` takes those of another product again"
    ),
    "run ": "a backup of this file: nothing else has what a run wrote down",
    "site ": "a backup of this file; without one, `airstore site remove`, and `site add` with the site's key",
}
_OF_ONE = {
    (DRAFT,): "`airstore trust root create --replace` drafts it again, and whoever has signed it signs again",
    (REMOTES,): "a backup of this file; without one, delete it, and `airstore remote add` names them again",
    (APPLIER,): (
        "a backup of this file; without one: where an applier has the store, that one counts, and this copy"
        " can go; where none has, delete this file"
    ),
    (NOTED,): "`airstore repair` makes the list again, of what is there",
    (SHARED_SITES,): (
        "`airstore repair --from PLACE`: a remote's name, or the store of somebody who shares this one; else"
        " `airstore site share` signs the keys of sites that are here again"
    ),
    (FILE,): "`airstore repair` makes the list again, of what is there",
    ("the ledger",): (
        "a copy of this site's store: `airstore repair --from COPY`; releases have no part in it. Where"
        " entries are lost and nobody has them, `airstore repair --accept-lost-entries` continues without"
        " them, and the ledger says so"
    ),
    (ANCHOR,): (
        "where this store is an old copy: media for the release that the anchor names or a later one, and for"
        " the ledger `airstore repair --from COPY`, or --accept-lost-entries where nobody has a newer copy;"
        " where it is none, `airstore anchor set PLACE`"
    ),
}


def way_out(store: StoreDirectory, problem: Problem) -> str:
    """What whoever runs the store can do about a fault."""
    breaks = problem.breaks
    if any(user.startswith("key ") for user in breaks):
        return _key(store)
    for kind, text in _OF_KIND.items():
        if any(user.startswith(kind) for user in breaks):
            return text
    if breaks in _OF_ONE:
        return _OF_ONE[breaks]
    if ALL in breaks:
        return _trust()
    if any(" in " in user for user in breaks):  # artifacts: blobs are what is damaged
        return _blobs(store)
    if breaks:
        return WAY_OUT if breaks == (WHAT,) else _history(store)
    return "nothing of its own: it is replaced once everything else is restored"


def _key(store: StoreDirectory) -> str:
    if store.side == SITE:
        return "a backup of this file; without one, enrol the site again with a new key"
    return "a backup of this file; without one, a new key by `airstore trust root add-key`"


def _trust() -> str:
    return (
        "`airstore repair --from STORE`, another store of this product; where nothing here vouches for its"
        " root, `airstore repair --trust root.json` with the other side's STORE/trust/root.json, compared by"
        " telephone"
    )


def _history(store: StoreDirectory) -> str:
    other = "the publisher's store or another site's" if store.side == SITE else "a site's store"
    return f"`airstore repair --from PLACE`: media for that release or a later one, or {other}"


def _blobs(store: StoreDirectory) -> str:
    if store.side == SITE:
        return (
            "`airstore repair --from PLACE`: full media for that release, the publisher's store or another"
            " site's, or the registry it was pushed to"
        )
    return (
        "`airstore repair --from PLACE`: full media for that release, a site's store, or a registry; else"
        " create the same release again from its sources in a new store, and name that"
    )
