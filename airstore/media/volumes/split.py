"""Cutting written media into volumes: one directory for each carrier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from airstore.core.durable import durable_file, storage_errors
from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.core.progress import Progress
from airstore.media.index import MediaIndex
from airstore.media.volumes.slices import FileSpan, Slice, plan, volume_names
from airstore.media.volumes.slices import room as _room

_CHUNK = 1 << 20
_ANY = Digest.of(b"")
_SIGNATURES = 16 * KIB  # those of the index, and its envelope


def split(
    building: Path, index: MediaIndex, volume_size: int, progress: Progress, reserved: int = 0
) -> MediaIndex:
    """Move files into one directory for each volume; returns the index that says where everything lies.

    What fits on one volume stays as it is. The index itself is not written: it belongs on every volume.

    Args:
        building: has the files that the index lists.
        index: of media in one directory.
        volume_size: bytes that one volume holds.
        progress: shows what is copied.
        reserved: bytes of what lies on every volume besides the index and what it lists so.

    Raises:
        UsageError: a volume is too small for the index.
        StorageError: the disk is full or failed.
    """
    spans = _planned(index, volume_size, reserved)
    if len(spans) == 1:
        return index
    directories = volume_directories(building, len(spans))
    volumes: list[list[Slice]] = [[] for _ in spans]
    with progress.task("writing volumes", index.size) as advance:
        for directory, found, wanted in zip(directories, volumes, spans, strict=True):
            for path in index.on_all_volumes:
                _cut(building / path, FileSpan(path, 0, index.files[path].size), directory / path)
            for span in wanted:
                found.append(_placed(building, directory, index, span))
                advance(span.size)
    with storage_errors(building):
        for path in index.files:
            (building / path).unlink(missing_ok=True)
        for left in {(building / path).parent for path in index.files} - {building}:
            left.rmdir()
    return replace(index, volumes=tuple(map(tuple, volumes)))


def volume_directories(media: Path, count: int) -> list[Path]:
    """Where each volume is made: ``volume-1`` and so on, with as many digits as the last one needs."""
    return [media / name for name in volume_names(count)]


def _planned(index: MediaIndex, volume_size: int, besides: int) -> list[list[FileSpan]]:
    """The index lies on every volume and grows with their number: planned until it has the room."""
    everywhere = besides + sum(_room(index.files[path].size) for path in index.on_all_volumes)
    sizes = {
        path: file.size for path, file in sorted(index.files.items()) if path not in index.on_all_volumes
    }
    reserved = 0
    while True:
        spans = plan(sizes, volume_size, reserved)
        copies = 2 if index.parity else 1
        needed = everywhere + copies * _room(_envelope_size(replace(index, volumes=_drafts(spans))))
        if needed <= reserved:
            return spans
        reserved = needed


def _drafts(spans: Sequence[Sequence[FileSpan]]) -> tuple[tuple[Slice, ...], ...]:
    return tuple(tuple(Slice(*span, digest=_ANY) for span in volume) for volume in spans)


def _envelope_size(index: MediaIndex) -> int:
    return len(index.to_statement()) * 4 // 3 + _SIGNATURES


def _placed(building: Path, directory: Path, index: MediaIndex, span: FileSpan) -> Slice:
    file = index.files[span.path]
    piece = Slice(*span, digest=file.digest)
    place = directory / index.lies_at(piece)
    if span.size == file.size:
        with storage_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            (building / span.path).rename(place)
        return piece
    return replace(piece, digest=_cut(building / span.path, span, place))


def _cut(source: Path, span: FileSpan, place: Path) -> Digest:
    running = hashlib.sha256()
    with source.open("rb") as file, durable_file(place) as out:
        file.seek(span.offset)
        left = span.size
        while left:
            data = file.read(min(_CHUNK, left))
            running.update(data)
            out.write(data)
            left -= len(data)
    return Digest.from_raw(running.digest())
