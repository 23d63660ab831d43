"""A small change beside a large image: what stays is not read, unless what is new may rest on it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from airstore.core.image.digest import Digest
from airstore.core.progress import QUIET
from airstore.media.delta.effort import Effort
from airstore.media.delta.reader import Delta
from airstore.media.delta.writer import Task, prepare
from airstore.store.blobs import Piece, contents, select
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.recipe import Recipe, Step
from airstore.store.read.reader import ObjectReader
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import Pair, layer, pair

__all__ = ["pair"]  # a fixture

IMAGE = {f"usr/lib/{number}.py": text(number, 400) for number in range(300)}
KEPT = layer(IMAGE)
CHART = {"app/values.yaml": text(900), "app/a.yaml": text(901)}
OLD_CHART, NEW_CHART = layer(CHART), layer({**CHART, "app/values.yaml": text(900) + b"more"})
NOISE = random.Random(5).randbytes(200_000)  # noqa: S311 - the same each time


def of(new: bytes, old: bytes, *, older: bool = False) -> Task:
    """An update in which one blob follows another beside an image that stays, or that went long ago."""
    base = [Digest.of(KEPT), Digest.of(old)]
    beside = frozenset(base[:1])
    none = frozenset[Digest]()
    return Task([Digest.of(new)], base, {}, kept=none if older else beside, older=beside if older else none)


def written(pair: Pair, task: Task) -> Delta:
    path = pair.directory / "a.delta"
    prepare(pair.publisher, task).write(path, Effort.NORMAL, QUIET)
    return Delta(path, pair.publisher.reader)


def for_two(new: bytes, one: bytes, other: bytes) -> Task:
    """An update for sites on two releases, beside an image that stays."""
    base = [Digest.of(KEPT), Digest.of(one), Digest.of(other)]
    return Task(
        [Digest.of(new)], base, {}, [frozenset(base[:2]), frozenset(base[::2])], kept=frozenset(base[:1])
    )


def test_sites_on_two_releases_need_nothing_of_the_image_either(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = layer({**CHART, "app/a.yaml": text(902)})
    pair.put(pair.publisher, KEPT, OLD_CHART, NEW_CHART, oldest)
    walked, steps = set[Digest](), ObjectReader.steps

    def followed(self: ObjectReader, recipe: Recipe) -> Iterator[Step]:
        walked.add(recipe.blob)
        return steps(self, recipe)

    monkeypatch.setattr(ObjectReader, "steps", followed)
    delta = written(pair, for_two(NEW_CHART, oldest, OLD_CHART))
    assert walked == {Digest.of(blob) for blob in (NEW_CHART, OLD_CHART, oldest)}
    assert {base.digest for base in delta.table.bases} == walked - {Digest.of(NEW_CHART)}


def test_what_one_of_two_sites_has_no_file_of_that_name_for_may_rest_on_what_stays(pair: Pair) -> None:
    kept = layer({**IMAGE, "usr/bin/tool": NOISE})
    new, old = (layer({"opt/other": NOISE[:150_000] + end}) for end in (b"!", b"?"))
    pair.put(pair.publisher, kept, OLD_CHART, old, new)
    base = [Digest.of(blob) for blob in (kept, OLD_CHART, old)]
    kinds = [frozenset(base[:2]), frozenset(base[::2])]
    delta = written(pair, Task([Digest.of(new)], base, {}, kinds, kept=frozenset(base[:1])))
    assert sum(piece.carried for piece in delta.table.pieces) < 20_000


@pytest.mark.parametrize("older", [False, True])
def test_a_changed_chart_reads_nothing_of_the_image_beside_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, *, older: bool
) -> None:
    pair.put(pair.publisher, KEPT, OLD_CHART, NEW_CHART)
    read, walked = list[ObjectKey](), set[Digest]()
    plain, steps = ObjectReader.object, ObjectReader.steps

    def watched(self: ObjectReader, key: ObjectKey) -> bytes:
        read.append(key)
        return plain(self, key)

    def followed(self: ObjectReader, recipe: Recipe) -> Iterator[Step]:
        walked.add(recipe.blob)
        return steps(self, recipe)

    monkeypatch.setattr(ObjectReader, "object", watched)
    monkeypatch.setattr(ObjectReader, "steps", followed)
    task = of(NEW_CHART, OLD_CHART, older=older)
    assert select(pair.publisher, task.new, task.base).plain_bytes < 20 * len(text(900))
    written(pair, task)
    documents = [key for key in read if key.kind in (ObjectKind.SKELETON, ObjectKind.BODY)]
    assert 0 < sum(key.size for key in documents) < 20 * len(text(900))
    assert sum(map(len, IMAGE.values())) > 30 * len(text(900))
    assert walked == {Digest.of(NEW_CHART), Digest.of(OLD_CHART)}


def test_a_file_that_an_image_has_already_is_referred_to(pair: Pair) -> None:
    known = IMAGE["usr/lib/7.py"]
    new = layer({**CHART, "app/values.yaml": known})
    pair.put(pair.publisher, KEPT, OLD_CHART, new)
    task = of(new, OLD_CHART)
    (body,) = [
        key for key in select(pair.publisher, task.new).objects() if key.size == len(IMAGE["usr/lib/7.py"])
    ]
    assert body not in set(select(pair.publisher, task.new, task.base).objects())
    delta = written(pair, task)
    assert {base.digest for base in delta.table.bases} == set(task.base)
    assert all(piece.size != body.size for piece in delta.table.pieces)


def test_where_much_is_new_a_release_of_long_ago_may_have_it(pair: Pair) -> None:
    """The release before has a file of that name, and the one before that has the very content."""
    old, new = layer({"app/tool": NOISE[::-1]}), layer({"app/tool": NOISE})
    ancient = layer({"app/tool": NOISE, "other": text(1)})
    base = pair.put(pair.publisher, ancient, old)
    pair.put(pair.publisher, new)
    delta = written(pair, Task([Digest.of(new)], base, {}, older=frozenset(base[:1])))
    assert sum(piece.size for piece in delta.table.pieces) < len(NOISE) // 10


def test_much_that_is_new_may_rest_on_what_stays(pair: Pair) -> None:
    """A large file without a name among those that are gone: another version of it is in the image."""
    kept, new = layer({**IMAGE, "usr/bin/tool": NOISE}), layer({"opt/other": NOISE[:150_000] + b"!"})
    pair.put(pair.publisher, kept, OLD_CHART, new)
    base = [Digest.of(kept), Digest.of(OLD_CHART)]
    delta = written(pair, Task([Digest.of(new)], base, {}, kept=frozenset(base[:1])))
    assert sum(piece.carried for piece in delta.table.pieces) < 10_000


def test_small_pieces_are_worked_on_together_and_not_too_many(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = list[list[int]]()

    def watched(reader: ObjectReader, pieces: Sequence[Piece]) -> Iterator[bytes]:
        groups.append([piece.size for piece in pieces])
        return contents(reader, pieces)

    monkeypatch.setattr("airstore.media.delta.writer.contents", watched)
    new = layer({**IMAGE, "a": NOISE, **{f"z/{number}": text(number, 8) for number in range(300)}})
    pair.put(pair.publisher, new)
    written(pair, Task([Digest.of(new)], [], {}))
    assert max(map(len, groups)) == 100
    assert all(len(group) == 1 or sum(group) <= 256 << 10 for group in groups)
