"""Reading all of a history again: files, refs, and every object that a ref needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.history.git.closure import closure
from airstore.history.git.files import head_faults, pack_faults
from airstore.history.git.names import HEADS, MAIN, TAGS
from airstore.history.git.objects import ObjectDatabase
from airstore.history.repository import History

_REF = re.compile(rb"[0-9a-f]{40}\n")
_PACKED = re.compile(r"^([0-9a-f]{40}) (refs/\S+)$", re.MULTILINE)


@frozen
class HistoryFault:
    """One fault.

    Attributes:
        what: the file, ref or object, and what is wrong with it.
        breaks: what cannot be used because of it, such as ``release 1.0.0`` or ``the ledger``.
    """

    what: str
    breaks: tuple[str, ...] = ()


def inspect(history: Path) -> list[HistoryFault]:
    """Everything that is wrong with a history as git sees it; signatures are for others to verify.

    Raises:
        StorageError: the disk failed.
    """
    name = history.name
    faults = [
        HistoryFault(f"{name}/{path.relative_to(history)} {what}")
        for found in (head_faults, pack_faults)
        for path, what in found(history)
    ]
    files = ref_files(history)
    broken = [ref for ref, oid in files.items() if oid is None]
    faults += [HistoryFault(f"{name}/{ref} is no ref that airstore wrote", (owner(ref),)) for ref in broken]
    tips = packed_refs(history) | {ref: oid for ref, oid in files.items() if oid}
    return faults + _object_faults(history, tips)


def ref_files(history: Path) -> dict[str, str | None]:
    """Every ref that has a file of its own; None for one whose file is no ref's.

    Raises:
        StorageError: the disk failed.
    """
    found: dict[str, str | None] = {}
    with storage_errors(history / "refs"):
        for path in sorted((history / "refs").rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                whole = _REF.fullmatch(data)
                found[path.relative_to(history).as_posix()] = data[:40].decode() if whole else None
    return found


def owner(ref: str) -> str:
    """What a ref is for, for people."""
    if ref.startswith(TAGS):
        return f"release {ref.removeprefix(TAGS)}"
    if ref == MAIN:
        return "the newest release"
    return f"the {ref.removeprefix(HEADS)}" if ref.startswith(HEADS) else ref


def packed_refs(history: Path) -> dict[str, str]:
    """Refs that stock git has packed; airstore does not.

    Raises:
        StorageError: the disk failed.
    """
    path = history / "packed-refs"
    with storage_errors(path):
        text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    return {found[2]: found[1] for found in _PACKED.finditer(text)}


def _object_faults(history: Path, tips: dict[str, str]) -> list[HistoryFault]:
    objects = ObjectDatabase(history / "objects")
    bad = {needed.oid: needed.fault for needed in closure(tips.values(), objects.get) if needed.fault}
    if not bad:
        return []
    users: dict[str, list[str]] = {oid: [] for oid in bad}
    for ref, tip in tips.items():
        # A release needs its own tree; the ones before have refs of their own. Other branches need all.
        for needed in closure([tip], objects.get, parents=not ref.startswith(TAGS)):
            if needed.oid in bad and ref != MAIN:
                users[needed.oid].append(owner(ref))
    return [
        HistoryFault(f"{history.name}: {fault}", tuple(users[oid]) or (owner(MAIN),))
        for oid, fault in bad.items()
    ]


def readable_tags(history: History) -> Iterator[tuple[str, str]]:
    """Version and commit of every release whose tag can be read, main or not."""
    for version, oid in history.refs.tags().items():
        with suppress(AirstoreError):
            yield version, history.read_tag(version, oid).target
