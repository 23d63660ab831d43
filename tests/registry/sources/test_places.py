"""Places of product files, and which of them a reference is taken from."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.image.reference import Reference
from airstore.registry.source import ImageSource
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from airstore.registry.sources.places import ImagePlace, Places, match_place, open_source, parse_place
from tests.support.registry import layouts

BASE = Path("/product")


def no_registry(host: str, prefix: str) -> AbstractContextManager[ImageSource]:
    raise NotFoundError(f"nobody answers at {host}/{prefix}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("oci:./build/images", ImagePlace("oci", BASE / "build/images")),
        ("oci:/srv/images", ImagePlace("oci", Path("/srv/images"))),
        ("oci-archive:a:b.tar", ImagePlace("oci-archive", BASE / "a:b.tar")),
        ("docker-archive:../saved.tar", ImagePlace("docker-archive", BASE / "../saved.tar")),
        ("docker://mirror.example.com", ImagePlace("docker", host="mirror.example.com")),
        ("docker://localhost:5000/a/b/", ImagePlace("docker", host="localhost:5000", prefix="a/b")),
        ("docker://docker.io", ImagePlace("docker", host="docker.io")),
        ("docker://docker.io/mirror", ImagePlace("docker", host="docker.io", prefix="mirror")),
    ],
)
def test_places_are_read(text: str, place: ImagePlace) -> None:
    assert parse_place(text, BASE) == place


@pytest.mark.parametrize(
    "text",
    [
        *("", "oci:", "images", "docker://", "docker://mirror", "docker://m.io/a:1", "docker://m.io/a@b"),
        *("docker://M.io/UP", "docker://m.io//a", "docker:m.io", "dir:x", "oci:a\0b", "https://m.io"),
    ],
)
def test_what_is_no_place_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(text, BASE)
    assert caught.value.hint


@given(
    text=st.text(max_size=30)
    | st.tuples(
        st.sampled_from(["oci:", "oci-archive:", "docker-archive:", "docker://"]), st.text(max_size=30)
    ).map("".join)
)
def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        place = parse_place(text, BASE)
    except UsageError:
        return
    assert (place.path is None) == (place.kind == "docker") == bool(place.host)
    if place.kind == "docker":
        assert parse_place(f"docker://{place.host}/{place.prefix}", BASE) == place


MAPPING = {
    "*": "oci:any",
    "registry.example.com/shop/*": "oci:shop",
    "registry.example.com/shop/api:*": "oci:api",
    "registry.example.com/shop/api:1.?": "oci:one",
    "docker.io/library/*": "oci:library",
}


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("registry.example.com/shop/api:1.0", "oci:one"),
        ("registry.example.com/shop/api:1.10", "oci:api"),
        ("registry.example.com/shop/web/admin:2", "oci:shop"),
        ("nginx", "oci:library"),
        ("quay.io/a/b:1", "oci:any"),
        (f"registry.example.com/shop/api:1.0@sha256:{'a' * 64}", "oci:one"),
        (f"registry.example.com/shop/api@sha256:{'a' * 64}", "oci:shop"),
    ],
)
def test_the_most_specific_pattern_counts(reference: str, place: str) -> None:
    assert match_place(Reference.parse(reference), MAPPING) == place
    assert match_place(Reference.parse(reference), dict(reversed(MAPPING.items()))) == place


@given(patterns=st.lists(st.text("abc:/.*?[]", max_size=12), unique=True, max_size=6))
def test_adding_patterns_that_do_not_fit_changes_nothing(patterns: list[str]) -> None:
    reference = Reference.parse("a.b/c:a")
    mapping = {pattern: f"oci:{number}" for number, pattern in enumerate(patterns)}
    fits = {pattern: place for pattern, place in mapping.items() if match_place(reference, {pattern: place})}
    assert match_place(reference, mapping) == match_place(reference, fits)


def test_places_open_each_place_once_and_close_it(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path / "images")
    with Places({f"{layouts.NAME}:*": "oci:images"}, tmp_path, no_registry) as places:
        graph = walk(places, Reference.parse(layouts.REFERENCE))
        assert graph.root.digest == nodes["root"]["digest"]
        assert len(graph.referrers) == 3
    with pytest.raises(DamagedError, match="Bad file descriptor"):
        list(places.open(Reference.parse(layouts.REFERENCE), graph.root))


def test_a_reference_nobody_maps_comes_from_its_own_registry(tmp_path: Path) -> None:
    layouts.write_full(tmp_path)
    asked = []

    def registry(host: str, prefix: str) -> AbstractContextManager[ImageSource]:
        asked.append((host, prefix))
        return OciLayout.directory(tmp_path)

    with Places({"quay.io/*": "docker://mirror.example.com/quay"}, tmp_path, registry) as places:
        places.resolve(Reference.parse(layouts.REFERENCE))
        with pytest.raises(NotFoundError):
            places.resolve(Reference.parse("quay.io/shop/multi:1.0"))
    assert asked == [("registry.example.com", ""), ("mirror.example.com", "quay")]


def test_what_no_place_holds_is_explained_with_the_mapping(tmp_path: Path) -> None:
    layouts.write_full(tmp_path / "images")
    mapping = {"registry.example.com/*": "oci:images", "quay.io/*": "oci:quay"}
    with Places(mapping, tmp_path, no_registry) as places:
        with pytest.raises(NotFoundError, match=r"images has no registry\.example\.com/shop/web:1") as caught:
            places.resolve(Reference.parse("registry.example.com/shop/web:1"))
        for part in (*mapping, *mapping.values(), layouts.REFERENCE):
            assert part in caught.value.hint
        with pytest.raises(NotFoundError, match=r"nobody answers at docker\.io/"):
            places.resolve(Reference.parse("nginx"))
        with pytest.raises(NotFoundError, match="cannot open"):
            places.resolve(Reference.parse("quay.io/a/b:1"))


def test_a_mapping_to_no_place_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a place"):
        Places({"*": "images"}, tmp_path, no_registry)


def test_archives_are_opened_by_their_kind(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path / "d")
    layouts.pack(tmp_path / "d", tmp_path / "a.tar")
    for text in ("oci:d", "oci-archive:a.tar", "docker-archive:a.tar"):
        with open_source(parse_place(text, tmp_path), no_registry) as source:
            assert source.resolve(Reference.parse(layouts.REFERENCE)).digest == nodes["root"]["digest"]
