"""Making media: what they start from, what is said of it, and the fields of the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airstore.cli.context import Context
from airstore.cli.text import human
from airstore.media.delta.effort import Effort
from airstore.ops.media.bases import Base, base_from_receipt, base_from_release, is_collected, is_current
from airstore.ops.media.create import MediaForm, create_media
from airstore.ops.media.opening import open_layers
from airstore.ops.media.plan import Lack, MediaPlan, lacks, plan_media
from airstore.ops.media.receipts import read_receipt
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import BlobStore
from airstore.trust import envelope
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.statement import STATEMENT_TYPE


def media_bases(
    context: Context, store: StoreDirectory, to: str, versions: tuple[str, ...], receipts: tuple[Path, ...]
) -> list[Base] | None:
    """What media start from, none for full ones; None itself if the sites hold the release already."""
    bases = [base_from_release(store, version) for version in dict.fromkeys(versions)]
    read = [read_receipt(store, receipt) for receipt in receipts]
    held = [base_from_receipt(store, receipt) for receipt in read]
    empty = [receipt.site for receipt, base in zip(read, held, strict=True) if base is None]
    current = [base for base in held if base and is_current(store, base, to)]
    for base in current:
        context.say(f"site {base.site} holds release {to} as a whole: there is nothing to bring")
    if empty:
        context.say(f"site {', '.join(empty)} holds nothing yet: the media are full, and serve every site")
        return []
    bases += [base for base in held if base and base not in current]
    return bases if bases or not current else None


def nothing_to_bring(store: StoreDirectory, version: str, receipts: tuple[Path, ...]) -> dict[str, Any]:
    """The result where `media_bases` has none because the sites hold the release."""
    sites = sorted({read_receipt(store, receipt).site for receipt in receipts})
    return {"release": version, "site": ", ".join(sites), "state": "nothing to bring"}


def plan_said(
    context: Context,
    store: StoreDirectory,
    blobs: BlobStore,
    version: str,
    bases: list[Base],
    effort: Effort | None,
) -> tuple[MediaPlan, dict[str, Any]]:
    """What will travel, and its fields; layers that are held whole and have to be open are opened.

    Raises:
        NotFoundError, IncompleteError, UsageError: see `plan_media`.
    """
    if bases or effort is not Effort.FAST:  # full media of that effort carry layers as they are
        _open(context, store, blobs, version, bases)
    plan = plan_media(store, blobs, version, *bases)
    _say_collected(context, [base for base in bases if is_collected(store, blobs, base)])
    return plan, {
        "release": version,
        "kind": "delta" if bases else "full",
        "from": plan.starts_from,
        "site": ", ".join(plan.sites) or None,
        "blobs": len(plan.new),
        "shared_blobs": len(plan.shared),
        "plain_bytes": plan.selection.plain_bytes,
        **_shares(context, lacks(store, blobs, plan) if len(bases) > 1 else []),
    }


def as_shown(fields: dict[str, Any], output: str) -> dict[str, Any]:
    """The fields for this output; `plan_said` has said to people already what each site lacks."""
    return {key: value for key, value in fields.items() if output != "table" or key != "shares"}


def written(
    context: Context,
    store: StoreDirectory,
    blobs: BlobStore,
    plan: MediaPlan,
    out: Path,
    key: SigningKey,
    form: MediaForm,
) -> dict[str, Any]:
    """Write the media, say what comes next; fields of the result.

    Raises:
        UsageError, StorageError: see `create_media`.
    """

    def sign(data: bytes) -> bytes:
        return envelope.sign(data, STATEMENT_TYPE, [key])

    index = create_media(store, blobs, plan, out, sign, context.progress, form)
    if index.volumes:
        context.say(
            f"next: copy each directory in {out} to a carrier of its own, then airstore media verify them"
        )
    else:
        context.say(f"next: copy {out} to the carrier, then airstore media verify it there")
    volumes = {"volumes": len(index.volumes)} if index.volumes else {}
    return {"media_bytes": index.size, **volumes, "out": str(out)}


def _open(context: Context, store: StoreDirectory, blobs: BlobStore, version: str, bases: list[Base]) -> None:
    if opened := open_layers(store, blobs, version, *bases, progress=context.progress):
        context.say(
            f"{opened} blobs were held whole, and are opened now; `airstore store optimize` lets go of the"
            " whole ones"
        )


def _say_collected(context: Context, bases: list[Base]) -> None:
    for version in dict.fromkeys(base.release.version for base in bases):
        context.say(
            f"note: the content of {version} was dropped here by `airstore gc`: layers that changed since"
            " travel whole; `airstore repair --release` brings it back"
        )


def _shares(context: Context, found: list[Lack]) -> dict[str, Any]:
    """Say what each of several bases lacks; the same as rows."""
    rows = [
        {
            "site": lack.base.site or None,
            "from": lack.base.release.version,
            "blobs": lack.blobs,
            "plain_bytes": lack.plain_bytes,
        }
        for lack in found
    ]
    for row in rows:
        who = f"site {row['site']}, on {row['from']}" if row["site"] else f"sites on {row['from']}"
        size = human(int(row["plain_bytes"] or 0))
        context.say(f"{who}: lacks {row['blobs']} blobs, {size} before compression")
    return {"shares": rows} if rows else {}
