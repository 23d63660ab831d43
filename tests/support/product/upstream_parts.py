"""The smallest product with a rule for upstream signatures; tests sign and spoil its image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import NotTrustedError
from airstore.core.image.digest import Digest
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.trusted import verified
from airstore.ops.stores.upstream import verify_upstream
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import done
from tests.support.product.tiny_product import IMAGE, Tiny
from tests.support.registry import layouts
from tests.support.registry.layouts import Node
from tests.support.registry.signatures import UpstreamSigner

VECTORS = Path(__file__).parents[3] / "fixtures" / "cosign"
NAME = IMAGE.rpartition(":")[0]
RULE = 'images:\n  signatures: [{images: ["registry.example.com/tiny/*"], keys: [keys/up.pub]%s}]\n'


def ask(tiny: Tiny, signer: UpstreamSigner, more: str = "", pem: bytes = b"") -> None:
    """Have the product file ask for signatures by a key."""
    keys = tiny.product.parent / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "up.pub").write_bytes(pem or signer.pem)
    tiny.edit("images:\n", RULE % more)


def write(tiny: Tiny) -> tuple[LayoutWriter, Node]:
    """The layout anew, with the image named in it; signatures may follow, then `finish`."""
    writer = LayoutWriter(tiny.layout)
    root = layouts.image(writer, "upstream")
    writer.name(root, IMAGE)
    return writer, root


def released(tiny: Tiny, version: str = "1.0.0") -> Node:
    image: Node = done("-C", tiny.store, "release", "show", version, "-o", "json").json()["artifacts"][0]
    return image


def holds_but_for(tiny: Tiny, change: Mapping[str, object], of: Digest | None = None) -> None:
    """A recorded signature is verified again as it is, and refused with another value in a field, or ``of``
    another image.
    """
    store = open_directory(tiny.store)
    link = verified(store, "1.0.0")
    files = store.history.files(link.commit)
    (image,) = link.release.images
    other = replace(image, signatures=(replace(image.signatures[0], **change),))  # type: ignore[arg-type]
    other = replace(other, root=replace(image.root, digest=of or image.root.digest))
    with store.open_blobs() as blobs:
        assert verify_upstream(link.release, files, blobs.read_bytes) == 1
        with pytest.raises(NotTrustedError, match="is no such signature"):
            verify_upstream(replace(link.release, images=(other,)), files, blobs.read_bytes)
