"""Archives within layers: what changed in them travels, and what is hostile changes nothing."""

from __future__ import annotations

import gzip

from hypothesis import given, settings

from airstore.core.image.digest import Digest
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.reader import Delta
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import Pair, damage_of, layer, pair, restore_damaged, streams
from tests.media.delta.test_nested import NOISE, zipped

__all__ = ["pair"]  # a fixture


def archives(version: int) -> dict[str, bytes]:
    """Files as applications have them: a jar, a wheel within another directory, a changelog."""
    classes = {f"c{number}.class": text(number, 300) for number in range(12)}
    classes["c7.class"] = text(7, 300).replace(b"self_3", b"itself" * version)
    logs = text(30, 200 * version) + text(40, 4000)
    return {
        "app/lib/app.jar": zipped(classes),
        "srv/x-1.whl": zipped({f"x/{version}": NOISE, **classes}, 1),
        "usr/share/doc/changelog.gz": gzip.compress(logs, 9, mtime=0),
    }


def test_archives_within_layers_travel_as_what_changed_in_them(pair: Pair) -> None:
    old, new = layer(archives(1)), layer(archives(2), 1_800_000_000)
    path = pair.write([new], [old], Effort.NORMAL)
    kinds = {piece.kind for piece in Delta(path, pair.publisher.reader).table.pieces}
    assert PieceKind.OPENED_PATCH in kinds
    assert path.stat().st_size < len(new) // 12
    pair.put(pair.site, old)
    pair.take_in(path, new)


def test_archives_of_a_first_release_are_compressed_anew(pair: Pair) -> None:
    """Each class is in two archives, and each archive compressed by itself."""
    first = layer(archives(1))
    path = pair.write([first], [], Effort.NORMAL)
    assert {piece.kind for piece in Delta(path, pair.publisher.reader).table.pieces} >= {PieceKind.OPENED}
    assert path.stat().st_size < 0.8 * len(first)
    pair.take_in(path, first)


def test_hostile_archives_change_nothing(pair: Pair) -> None:
    """Views, patches and controls damaged before they were signed: an error, or the right blob."""
    old, new = layer(archives(1)), layer(archives(2), 1_800_000_000)
    path = pair.write([new], [old], Effort.NORMAL)
    pair.put(pair.site, old)
    plain = streams(path)

    @settings(max_examples=40)
    @given(*damage_of(plain))
    def tried(number: int, where: float, mask: int) -> None:
        restore_damaged(pair, path, plain, (number, where, mask))
        assert pair.site.size(Digest.of(new)) is None

    tried()


def test_little_effort_leaves_archives_closed(pair: Pair) -> None:
    path = pair.write([layer(archives(2))], [layer(archives(1))], Effort.FAST)
    kinds = {piece.kind for piece in Delta(path, pair.publisher.reader).table.pieces}
    assert kinds <= {PieceKind.WHOLE, PieceKind.PATCH}
