"""Recipes: what is written comes back, what does not add up is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.store.format.objects import PIECE, ObjectKey, ObjectKind
from airstore.store.format.recipe import Opened, Recipe, RecipeBuilder, Step, decode_root, encode_root, walk
from tests.store.store_support import PROPERTY, noise
from tests.store.test_pack import key_of

STEPS: list[list[Step]] = [
    [],
    [ObjectKey(ObjectKind.RAW, bytes(32), 5)],
    [ObjectKey(ObjectKind.SKELETON, bytes(32), 7), 3, ObjectKey(ObjectKind.BODY, bytes(32), 5), 4],
]


@pytest.mark.parametrize("steps", STEPS)
def test_recipes_come_back(steps: list[Step]) -> None:
    builder = RecipeBuilder()
    builder.add(steps)
    size = sum(
        step if isinstance(step, int) else step.size * (step.kind is not ObjectKind.SKELETON)
        for step in steps
    )
    recipe = decode_root(encode_root(Digest.of(b"x"), size, builder.rest(), ()))
    assert (recipe.blob, recipe.size) == (Digest.of(b"x"), size)
    assert list(walk(recipe, lambda _key: b"")) == steps


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([ObjectKey(ObjectKind.RAW, bytes(32), 5)], 6),
        ([ObjectKey(ObjectKind.RAW, bytes(32), 5)], 4),
        ([3], 3),
        ([ObjectKey(ObjectKind.SKELETON, bytes(32), 7), 8], 8),
        ([ObjectKey(ObjectKind.SKELETON, bytes(32), 7), 3], 3),
        (
            [
                ObjectKey(ObjectKind.SKELETON, bytes(32), 7),
                3,
                ObjectKey(ObjectKind.SKELETON, bytes(32), 2),
                2,
            ],
            5,
        ),
        ([ObjectKey(ObjectKind.RECIPE, bytes(32), 5)], 5),
        ([ObjectKey(ObjectKind.RAW, bytes(32), LIMITS.object_size + 1)], LIMITS.object_size + 1),
        ([ObjectKey(ObjectKind.RAW, bytes(32), 0)], 0),
        ([0], 0),
    ],
)
def test_recipes_that_do_not_add_up_are_refused(steps: list[Step], size: int) -> None:
    builder = RecipeBuilder()
    builder.add(steps)
    with pytest.raises(DamagedError):
        list(walk(Recipe(Digest.of(b"x"), size, builder.rest(), ()), lambda _key: b""))


@given(data=st.binary(max_size=200), prefix=st.booleans())
@PROPERTY
def test_any_bytes_as_a_recipe_are_read_or_refused(data: bytes, prefix: bool) -> None:
    root = encode_root(Digest.of(b"x"), 10, b"", ())[:-1] + data if prefix else data
    try:
        steps = list(walk(decode_root(root), lambda key: noise(key.size % 999, 1)))
    except DamagedError:
        return
    recipe = decode_root(root)
    produced = sum(step if isinstance(step, int) else step.size for step in steps)
    assert produced >= recipe.size


@given(
    sizes=st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=4),
    plain=st.integers(0, LIMITS.layer_plain),
    encoder=st.text(max_size=60),
    cut=st.integers(1, 200),
)
@PROPERTY
def test_recipes_of_opened_blobs_come_back_or_are_refused(
    sizes: list[int], plain: int, encoder: str, cut: int
) -> None:
    side = tuple(ObjectKey(ObjectKind.RAW, bytes([at]) * 32, size) for at, size in enumerate(sizes))
    opened = Opened(plain, encoder, side)
    root = encode_root(Digest.of(b"x"), 10, b"", (), opened)
    assert decode_root(root) == Recipe(Digest.of(b"x"), 10, b"", (), opened)
    with pytest.raises(DamagedError):
        decode_root(root[:-cut])


def test_side_data_of_the_future_are_named() -> None:
    opened = Opened(1, "x", (key_of(ObjectKind.RAW, b"side"),))
    root = bytearray(encode_root(Digest.of(b"x"), 1, b"", (), opened))
    root[57] = 2
    with pytest.raises(DamagedError, match="version 2 of the codec"):
        decode_root(bytes(root))


def test_a_codec_of_the_future_is_named() -> None:
    root = bytearray(encode_root(Digest.of(b"x"), 1, b"", ()))
    root[7] = 9
    with pytest.raises(DamagedError, match="codec 9"):
        decode_root(bytes(root))


def test_a_recipe_beyond_the_limit_is_refused() -> None:
    parts = [ObjectKey(ObjectKind.PART, bytes(32), PIECE)] * (LIMITS.recipe // PIECE + 1)
    with pytest.raises(DamagedError, match="longer"):
        decode_root(encode_root(Digest.of(b"x"), 1, b"", parts))
