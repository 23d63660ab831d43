"""Images with signatures in annotations, from a document, and what `images.signatures` makes of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airstore.core.errors import NotTrustedError
from airstore.core.image.reference import Reference
from airstore.core.model.product import load_product
from airstore.ops.publish.upstream.signatures import verify_signatures
from airstore.registry.sources.layout import OciLayout
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts
from tests.support.registry.layouts import Node
from tests.support.registry.signatures import by_tag, signature_layer
from tests.support.registry.sigstore import IDENTITY, ISSUER

KEY = "key.pub"
PLACE = "127.0.0.1:5055/annotations"
# cosign takes the key's signature of this image whatever repository and type it names. Of a signature by a
# key airstore does not look at certificate and entry, which cosign has to be able to read.
OTHERWISE = {
    "key-of-another-repository": False,
    "key-of-another-type": False,
    "key-with-a-certificate-that-is-none": True,
    "key-with-an-entry-that-is-none": True,
}


def image(writer: LayoutWriter, case: Node) -> str:
    """An image of its own with the signatures of a case under cosign's tag; its digest."""
    root = layouts.image(writer, case["name"])
    writer.name(root, f"{PLACE}/{case['name']}:1")
    layers = [
        signature_layer(writer, layer["payload"].encode(), layer["signature"], **layer["more"])
        for layer in case["layers"]
    ]
    by_tag(writer, root, layers)
    return str(root["digest"])


@contextmanager
def verdicts(base: Path, vectors: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    """What `images.signatures` makes of each case: why it is refused, None where it is not."""
    writer = LayoutWriter(base / "images")
    for case in vectors["cases"]:
        image(writer, case)
    writer.finish()
    for name, text in vectors["files"].items():
        (base / name).write_text(text)
    with OciLayout.directory(base / "images") as layout:
        yield {case["name"]: _verdict(base, case, layout) for case in vectors["cases"]}


def _verdict(base: Path, case: Node, layout: OciLayout) -> str | None:
    whose = f"identity: {json.dumps(IDENTITY)}, issuer: {json.dumps(ISSUER)}, trustedRoot: {case['by']}"
    by = f"keys: [{KEY}]" if case["by"] == KEY else whose
    (base / "airstore.yaml").write_text(
        "apiVersion: airstore/v1\nkind: Product\nname: tiny\ncharts: [{name: app, source: ./app}]\n"
        f'images:\n  signatures: [{{images: ["{PLACE}/*"], {by}}}]\n'
        "releases: [{name: app, namespace: apps, chart: app}]\n"
    )
    product = load_product(base / "airstore.yaml")
    try:
        verify_signatures(product, [Reference.parse(f"{PLACE}/{case['name']}:1")], layout)
    except NotTrustedError as fault:
        return str(fault)
    return None
