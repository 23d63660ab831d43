"""Media as `airstore media inspect` shows them."""

from __future__ import annotations

from typing import Any

import click

from airstore.cli.views.output import show_fields, show_rows
from airstore.media.index import MediaIndex

_FILES = {"file": "FILE", "size": "SIZE", "digest": "DIGEST"}
_LISTS = {
    "files": _FILES,
    "volumes": {"volume": "VOLUME", **_FILES},
    "images": {"image": "IMAGE", "media_bytes": "ON MEDIA"},
    "largest": {
        "file": "MOST EXPENSIVE", "image": "IMAGE", "media_bytes": "ON MEDIA", "plain_bytes": "SIZE",
        "base": "BASE", "why": "WHY",
    },
}  # fmt: skip


def described(index: MediaIndex) -> dict[str, Any]:
    """What an index says, as a document."""
    volumes = [
        {"volume": number, "file": index.lies_at(piece), "size": piece.size, "digest": str(piece.digest)}
        for number, volume in enumerate(index.volumes, 1)
        for piece in volume
    ]
    return {
        "product": index.product,
        "release": index.release.version,
        "sequence": index.release.sequence,
        "kind": index.kind,
        "from": index.starts_from,
        "site": ", ".join(index.addressees) or None,
        "commit": index.release.commit,
        "total_bytes": index.size,
        "files": [
            {"file": path, "size": file.size, "digest": str(file.digest)}
            for path, file in sorted(index.files.items())
        ],
        **({"volumes": volumes} if volumes else {}),
    }


def show_summary(document: dict[str, Any]) -> None:
    """Print such a document as tables."""
    show_fields({key: value for key, value in document.items() if not isinstance(value, list)}, "table")
    for name, columns in _LISTS.items():
        if document.get(name):
            click.echo()
            show_rows(document[name], "table", columns)
