"""Releases as repositories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.core.errors import UsageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image, Release
from airstore.registry.server.app import make_app
from airstore.registry.server.catalog import ReleaseCatalog


def image_of(reference: str, content: bytes) -> Image:
    root = Descriptor(OCI_MANIFEST, Digest.of(content), len(content))
    return Image(Reference.parse(reference), root, (root,))


def release_with(sequence: int, *images: Image) -> Release:
    return Release("shop", f"{sequence}.0", sequence, None, (), images, (), (), {})


def test_a_later_release_takes_over_a_tag_and_keeps_the_older_digests() -> None:
    old, new = image_of("a.io/app:1", b"old"), image_of("a.io/app:1", b"new")
    catalog = ReleaseCatalog([release_with(1, old), release_with(2, new)])
    repository = catalog.repository("app")
    assert repository is not None
    assert repository.document("1") == new.root
    assert repository.document(old.root.digest) == old.root


def test_hosts_that_collide_in_one_release_are_refused() -> None:
    one, other = image_of("a.io/app:1", b"one"), image_of("b.io/app:1", b"other")
    with pytest.raises(UsageError, match="app:1 is both"):
        ReleaseCatalog([release_with(1, one, other)])
    same = ReleaseCatalog([release_with(1, one, image_of("b.io/app:1", b"one"))])
    assert same.repositories() == ["app"]


class Contents:
    """A reader of blobs in memory."""

    def __init__(self, *contents: bytes) -> None:
        self._contents = {Digest.of(data): data for data in contents}

    def size(self, digest: Digest) -> int | None:
        return len(self._contents[digest]) if digest in self._contents else None

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        yield self._contents[digest][start:stop]


SEGMENTS = st.sampled_from(
    ["v2", "app", "manifests", "blobs", "referrers", "tags", "list", "1", "_catalog", "..", ""]
)
DIGESTS = st.sampled_from([Digest.of(b"here"), Digest.of(b"gone"), "sha256:x", "sha512:" + "a" * 128])
PATHS = st.lists(SEGMENTS | DIGESTS | st.text(max_size=5), max_size=6).map(
    lambda parts: "/" + "/".join(parts)
)
QUERIES = st.sampled_from(
    ["", "n=1", "n=0&last=a", "n=-1", "n=%FF", "artifactType=a%2Fb", "ns=docker.io", "&&=", "n"]
)


@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS"]),
    path=PATHS,
    query=QUERIES,
    asked=st.sampled_from(["", "bytes=0-1", "bytes=9-", "bytes=-0", "x"]),
)
@settings(max_examples=300)
def test_every_request_gets_a_proper_answer(method: str, path: str, query: str, asked: str) -> None:
    image = image_of("a.io/app:1", b"here")
    app = validator(make_app(ReleaseCatalog([release_with(1, image)]), Contents(b"here")))
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    raw = path.encode("utf-8", "surrogatepass").decode("latin-1")
    environ |= {"REQUEST_METHOD": method, "PATH_INFO": raw, "QUERY_STRING": query, "HTTP_RANGE": asked}
    told: list[tuple[str, dict[str, str]]] = []
    sent: list[bytes] = []

    def start(
        status: str, headers: list[tuple[str, str]], _fault: object = None
    ) -> Callable[[bytes], object]:
        told.append((status, dict(headers)))
        return sent.append

    body: Any = app(environ, start)
    data = b"".join(body)
    body.close()
    ((status, headers),) = told
    assert int(status[:3]) in {200, 206, 400, 404, 405, 416}
    assert len(data) == (0 if method == "HEAD" else int(headers["Content-Length"]))
    if int(status[:3]) >= 400 and data:
        assert json.loads(data)["errors"][0]["code"]
