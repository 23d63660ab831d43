"""Damage every file of a store in several places: is it named, is it restored, and is nothing else lost?

The stores have all that years leave in them: earlier trust roots and a draft, a ledger, runs, lists of gc. Of
each damage: `check` names it, or nothing that airstore reads has changed; after `repair` alone the file put
back makes the store sound, so nothing was lost; `repair --from` restores it or says what would.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tests.support.product.lived import UNDER_WAY, lived
from tests.support.product.road_parts import Road, airstore, build_road, done, flipped, overwrite

_WHOLE = ("gone", "empty", "cut", "zeros")
# Nothing but a backup has them: `repair` has to say so.
_ONLY_HERE = ("keys/", "airstore.json", "deploy/", "sites/", "trust/next.json", "collected.json")
# The ledger is the site's own: another copy of its store has it.
_OF_THE_SITE = ("history.git/refs/heads/ledger", "history.git/objects/")
# Caches, locks, and what git alone reads: some damage there is none.
_LOCKS = ("lock", "packs.lock", "quarantine.lock")
# Media of the first trust root carry none: a site gets it from its publisher's store, or by --trust.
_OF_THE_PUBLISHER = "trust/root.json"
_UNREAD = ("index.sqlite", "verified.json", "description", "exclude", "config", *_LOCKS)
_LOST_PRODUCT = "correct productFile"  # that is no damage: a copy of a store may lie anywhere
_LOOSE = 8  # of git's loose objects: they are all alike


class Case(NamedTuple):
    """One damage, and the places that a repair is told of."""

    store: Path
    name: str
    damage: str
    places: list[Path]


class Tried(NamedTuple):
    """What one damage came to; ``fault`` is empty where all is as it should be."""

    noticed: bool
    alone: int
    asked: int
    fault: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/repairs", description=__doc__)
    parser.add_argument("--flips", type=int, default=9, help="bytes to flip in each file, evenly spread")
    parser.add_argument("--only", default="", metavar="TEXT", help="files whose path has this in it")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try each Nth damage alone")
    parser.add_argument("--seed", type=int, default=0, help="which of N it begins with")
    options = parser.parse_args()
    faults = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="airstore-repairs-") as directory:
        road = build_road(Path(directory) / "road")
        cases = _cases(road, lived(road), options.only, options.flips)
        for case in islice(cases, options.seed % options.every, None, options.every):
            tried = _try(case, road.product.parent, Path(directory))
            print(f"{case.store.name}\t{case.name}\t{case.damage}\t{_in_words(tried)}", flush=True)
            faults[tried.fault] += 1
    print(f"{faults.total()} damages, {faults.total() - faults['']} not as they should be")
    sys.exit(faults.total() != faults[""])


def _cases(road: Road, newest: Path, only: str, flips: int) -> Iterator[Case]:
    media = [newest, road.full_new, road.full]
    for store, places in ((road.site, media), (road.publisher, [road.site, *media])):
        done("-C", store, "release", "list")
        for name in _files(store, only):
            more = [road.publisher] if name == _OF_THE_PUBLISHER else []
            more += [store] if name.startswith(_OF_THE_SITE) and store == road.site else []
            for damage in (*_WHOLE, *(f"flip {nth}/{flips}" for nth in range(flips))):
                yield Case(store, name, damage, [*places, *more])


def _files(store: Path, only: str) -> Iterator[str]:
    loose = 0
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        if path.is_file() and only in name and "/hooks/" not in name:
            loose += path.parent.parent.name == "objects" and path.parent.name not in {"pack", "info"}
            if loose <= _LOOSE or not name.startswith("history.git/objects/"):
                yield name


def _try(case: Case, product: Path, directory: Path) -> Tried:
    copy, name = directory / "copy" / case.store.name, case.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(case.store, copy)
    shutil.copytree(product, copy.parent / product.name)
    data, mode = (copy / name).read_bytes(), (copy / name).stat().st_mode
    _damage(copy / name, data, case.damage)
    checked = airstore("-C", copy, "check")
    noticed = bool(checked.code) or _LOST_PRODUCT in checked.err
    alone = airstore("-C", copy, "repair")
    fault = ""
    if alone.code:
        fault = _lost(copy, directory / "backup", name, data, mode)
    words = [word for place in case.places for word in ("--from", str(place))]
    asked = airstore("-C", copy, "repair", *words)
    after = airstore("-C", copy, "check").code
    if asked.code and not _only_here(name):
        fault = f"not restored: {asked.out} {asked.err}"
    if asked.code and "hint:" not in asked.err:
        fault = f"no way out: {asked.err}"
    if bool(after) != bool(asked.code):
        fault = f"repair ended with {asked.code}, check with {after}"
    there = (copy / name).read_bytes() if (copy / name).exists() else None
    if not noticed and not _is_same(name, there, data):
        fault = "not noticed"
    return Tried(noticed, alone.code, asked.code, fault)


def _only_here(name: str) -> bool:
    return name.startswith(_ONLY_HERE) and not (name.startswith("keys/") and name.endswith(".pub"))


def _is_same(name: str, there: bytes | None, data: bytes) -> bool:
    """Whether nothing that airstore reads has changed, or it is as a kill may leave it.

    What Helm installed may never have been recorded, and a run under way have written less.
    """
    if Path(name).name in _UNREAD or ("/kept/" in name and there is None):
        return True
    if name.endswith(f"{UNDER_WAY}/journal.jsonl"):
        return data.startswith((there or b"")[: (there or b"").rfind(b"\n") + 1])
    return _as_read(name, there) == _as_read(name, data)


def _as_read(name: str, data: bytes | None) -> object:
    """A public key's comment is nobody's, and whose a signature is said to be is not looked at.

    Of what is compressed, bits that fill up a byte say nothing.
    """
    if re.fullmatch(r"history\.git/objects/[0-9a-f]{2}/.*", name):
        with suppress(zlib.error):
            return zlib.decompress(data or b"")
    if name.startswith("trust/"):
        return re.sub(rb'"keyid": ".{64}"', b"", data or b"", flags=re.DOTALL)
    return data.split()[:2] if data and name.endswith(".pub") else data


def _damage(path: Path, data: bytes, damage: str) -> None:
    if damage == "gone":
        path.unlink()
    elif damage in _WHOLE:
        overwrite(path, {"empty": b"", "cut": data[: len(data) // 2], "zeros": bytes(len(data))}[damage])
    elif data:
        nth, _, count = damage.partition(" ")[2].partition("/")
        overwrite(path, flipped(data, int(nth) * (len(data) - 1) // max(1, int(count) - 1)))


def _lost(store: Path, backup: Path, name: str, data: bytes, mode: int) -> str:
    """What a repair that could not do all has spoilt: nothing, if the file's backup makes the store sound."""
    shutil.rmtree(backup, ignore_errors=True)
    shutil.copytree(store, backup)
    (backup / name).unlink(missing_ok=True)
    (backup / name).parent.mkdir(parents=True, exist_ok=True)
    (backup / name).write_bytes(data)
    (backup / name).chmod(mode)
    outcome = airstore("-C", backup, "repair")
    return f"lost by a repair: {outcome.out} {outcome.err}" if outcome.code else ""


def _in_words(tried: Tried) -> str:
    noticed = "named" if tried.noticed else "no fault"
    alone, asked = ("restored" if not code else f"code {code}" for code in (tried.alone, tried.asked))
    return f"{noticed}\t{alone}\t{asked}\t{tried.fault.replace(chr(10), ' / ') or 'as it should be'}"


if __name__ == "__main__":
    main()
