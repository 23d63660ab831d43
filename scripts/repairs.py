"""Damage every file of a store in several places: is it named, is it restored, and is nothing else lost?

The stores have all that years leave in them: earlier trust roots and a draft, a ledger, runs, lists of gc,
and outside of them an anchor. Of each damage: `check` names it, or nothing that airstore reads has changed;
after `repair` alone the file put back makes the store sound, so nothing was lost; `repair --from` restores it
or says what would. A receipt is judged by who takes it in.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from airstore.core.parsing import strictjson
from tests.support.product.lived import UNDER_WAY, Lived, lived
from tests.support.product.road_parts import (
    Road,
    airstore,
    build_road,
    done,
    flipped,
    overwrite,
    snapshot,
)

_WHOLE = ("gone", "empty", "cut", "zeros")
# Nothing but a backup has them, or whoever wrote them: `repair` has to say so.
_ONLY_HERE = (
    "keys/", "airstore.json", "applier.json", "deploy/", "registry/", "remotes.json",
    "sites/", "trust/next.json", "../anchor.json",
)  # fmt: skip
# The ledger is the site's own: another copy of its store has it.
_OF_THE_SITE = ("history.git/refs/heads/ledger", "history.git/objects/")
# Caches, locks, and what git alone reads: some damage there is none.
_LOCKS = ("lock", "packs.lock", "quarantine.lock")
# Media of the first trust root carry none: a site gets it from its publisher's store, or by --trust.
_OF_THE_PUBLISHER = "trust/root.json"
_DROPPED = "collected.json"  # what it says nobody has; without it all is missed, and comes back
_UNREAD = ("index.sqlite", "verified.json", "description", "exclude", "config", *_LOCKS)
_NOTED = ("noted.json", "history.git/noted.json")
_LOST_PRODUCT = "correct productFile"  # that is no damage: a copy of a store may lie anywhere
_LOOSE = 8  # of git's loose objects: they are all alike
_ANCHOR, _RECEIPT = "../anchor.json", "../receipt.json"  # beside the store, not in it


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
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="damages tried beside each other")
    options = parser.parse_args()
    faults, kinds = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="airstore-repairs-") as directory:
        road = build_road(Path(directory) / "road")
        every = _cases(road, lived(road), options.only, options.flips)
        cases = list(islice(every, options.seed % options.every, None, options.every))
        with ProcessPoolExecutor(options.jobs) as pool:
            tries = pool.map(partial(_tried, road, Path(directory)), cases)
            for case, tried in zip(cases, tries, strict=True):
                print(f"{case.store.name}\t{case.name}\t{case.damage}\t{_in_words(tried)}", flush=True)
                faults[tried.fault] += 1
                kinds[_kind(tried)] += 1
    print("; ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())))
    print(f"{faults.total()} damages, {faults.total() - faults['']} not as they should be")
    sys.exit(faults.total() != faults[""])


def _cases(road: Road, made: Lived, only: str, flips: int) -> Iterator[Case]:
    media = [made.media, road.full_new, road.full]
    damages = (*_WHOLE, *(f"flip {nth}/{flips}" for nth in range(flips)))
    for store, places in ((road.site, media), (road.publisher, [road.site, *media])):
        done("-C", store, "release", "list")
        for name in _files(store, only):
            more = [road.publisher] if name == _OF_THE_PUBLISHER else []
            more += [store] if name.startswith(_OF_THE_SITE) and store == road.site else []
            yield from (Case(store, name, damage, [*places, *more]) for damage in damages)
    beside = ((road.site, _ANCHOR), (road.publisher, _RECEIPT))
    for store, name in (each for each in beside if only in each[1]):
        yield from (Case(store, name, damage, []) for damage in damages)


def _files(store: Path, only: str) -> Iterator[str]:
    loose = 0
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        # What is in a backup is for its hook to say.
        if path.is_file() and only in name and "/hooks/" not in name and "/backup/" not in name:
            loose += path.parent.parent.name == "objects" and path.parent.name not in {"pack", "info"}
            if loose <= _LOOSE or not name.startswith("history.git/objects/"):
                yield name


def _tried(road: Road, directory: Path, case: Case) -> Tried:
    """In a copy of this process's own."""
    copy = _copied(case.store, road, directory / f"copy-{os.getpid()}")
    return _receipt(copy, case) if case.name == _RECEIPT else _try(copy, case)


def _copied(store: Path, road: Road, base: Path) -> Path:
    shutil.rmtree(base, ignore_errors=True)
    copy = base / store.name
    shutil.copytree(store, copy)
    shutil.copytree(road.product.parent, base / road.product.parent.name)
    for name in (_ANCHOR, _RECEIPT):
        shutil.copy(store / name, copy / name)
    if store == road.site:
        config = strictjson.load_object((copy / "airstore.json").read_bytes(), "")
        overwrite(
            copy / "airstore.json", strictjson.dumps({**config, "anchor": f"file://{base}/anchor.json"})
        )
    return copy


def _try(copy: Path, case: Case) -> Tried:
    name = case.name
    data, mode = (copy / name).read_bytes(), (copy / name).stat().st_mode
    _damage(copy / name, data, case.damage)
    before = snapshot(copy)
    checked = airstore("-C", copy, "check")
    noticed = bool(checked.code) or _LOST_PRODUCT in checked.err
    alone = asked = airstore("-C", copy, "repair")  # whose last step is a check
    fault = ""
    if alone.code:
        if snapshot(copy) != before:  # else the file's backup makes it what it was
            fault = _lost(copy, name, data, mode)
        if not _only_here(name):
            words = [word for place in case.places for word in ("--from", str(place))]
            asked = airstore("-C", copy, "repair", *words)
        if asked.code and not _only_here(name) and name != _DROPPED:
            fault = f"not restored: {asked.out} {asked.err}"
        if asked.code and "hint:" not in asked.err:
            fault = f"no way out: {asked.err}"
    there = (copy / name).read_bytes() if (copy / name).exists() else None
    if not noticed and not _is_same(name, there, data):
        fault = "not noticed"
    return Tried(noticed, alone.code, asked.code, fault)


def _receipt(copy: Path, case: Case) -> Tried:
    """Taken in as it was signed, or refused; a publisher's store is as it was."""
    path = copy / case.name
    good = airstore("-C", copy, "fleet", path, "-o", "json").out
    (copy / "sites" / "acme.receipt.json").unlink()
    _damage(path, path.read_bytes(), case.damage)
    outcome = airstore("-C", copy, "fleet", path, "-o", "json")
    fault = "" if outcome.code or outcome.out == good else "not noticed"
    if outcome.code and "airstore: " not in outcome.err:
        fault = f"not said: {outcome.err}"
    return Tried(bool(outcome.code), outcome.code, outcome.code, fault)


def _only_here(name: str) -> bool:
    return name.startswith(_ONLY_HERE) and not name.endswith(".pub")


def _is_same(name: str, there: bytes | None, data: bytes) -> bool:
    """Whether nothing that airstore reads has changed, or it is as a kill may leave it.

    A run may have been killed before the copy of its journal had a line, too; an older version notes nothing,
    and a private key may be taken to where it is safe.
    """
    if Path(name).name in _UNREAD or (there is None and name.startswith((*_NOTED, "keys/"))):
        return True
    if name.endswith(f"{UNDER_WAY}/journal.jsonl") or Path(name).name == "journal.copy.jsonl":
        return data.startswith((there or b"")[: (there or b"").rfind(b"\n") + 1])
    if name.endswith(f"{UNDER_WAY}/kept/app.json") and there is None:
        return True
    return _as_read(name, there) == _as_read(name, data)


def _as_read(name: str, data: bytes | None) -> object:
    """A public key's comment is nobody's, and whose a signature is said to be is not looked at.

    Of what is compressed, bits that fill up a byte say nothing.
    """
    if re.fullmatch(r"history\.git/objects/[0-9a-f]{2}/.*", name):
        with suppress(zlib.error):
            return zlib.decompress(data or b"")
    if name.startswith(("trust/", "../")):
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


def _lost(copy: Path, name: str, data: bytes, mode: int) -> str:
    """What a repair that could not do all has spoilt: nothing, if the file's backup makes the store sound.

    Tried in the same place, for an anchor is named by its path.
    """
    base = copy.parent
    aside = base.with_name(f"{base.name}-aside")
    shutil.copytree(base, aside)
    (copy / name).unlink(missing_ok=True)
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_bytes(data)
    (copy / name).chmod(mode)
    outcome = airstore("-C", copy, "repair")
    shutil.rmtree(base)
    aside.rename(base)
    return f"lost by a repair: {outcome.out} {outcome.err}" if outcome.code else ""


def _kind(tried: Tried) -> str:
    if not tried.noticed:
        return "changed nothing"
    if not tried.alone:
        return "named, restored alone"
    return "named, said what would" if tried.asked else "named, restored by --from"


def _in_words(tried: Tried) -> str:
    noticed = "named" if tried.noticed else "no fault"
    alone, asked = ("restored" if not code else f"code {code}" for code in (tried.alone, tried.asked))
    return f"{noticed}\t{alone}\t{asked}\t{tried.fault.replace(chr(10), ' / ') or 'as it should be'}"


if __name__ == "__main__":
    main()
