"""Damage in stores, and what `check` and `repair` say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.product.output_documents import said
from tests.support.product.road_parts import Outcome, airstore, flipped, overwrite

GONE = -1


def damage(store: Path, pattern: str, place: float) -> Path:
    """Flip a bit at a part of the first such file; or remove the file."""
    path = min(store.glob(pattern))
    if place == GONE:
        path.unlink()
        return path
    data, mode = path.read_bytes(), path.stat().st_mode
    overwrite(path, flipped(data, int(place * (len(data) - 1))))
    path.chmod(mode)
    return path


def repaired(store: Path, *places: Path, more: tuple[str | Path, ...] = ()) -> Outcome:
    return airstore("-C", store, "repair", *(word for place in places for word in ("--from", place)), *more)


def found_by_check(store: Path) -> list[dict[str, Any]]:
    outcome = airstore("-C", store, "check", "-o", "json")
    assert outcome.code == 20, outcome
    items: list[dict[str, Any]] = said(outcome.out)["items"]
    return items


def broken(store: Path) -> set[str]:
    return {user for each in found_by_check(store) for user in each["breaks"]}
