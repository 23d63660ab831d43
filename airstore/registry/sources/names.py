"""How references are matched against the names that a layout or archive writes.

Tools disagree: skopeo writes the bare tag, BuildKit and containerd the full name (next to the bare
tag), umoci whatever it is told. The most precise match counts, and a full name that differs beats an
equal tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airstore.core.descriptor import Descriptor
from airstore.core.digest import Digest
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.reference import Reference
from airstore.registry.source import REF_NAME

CONTAINERD_NAME = "io.containerd.image.name"
_ATTACHMENT = re.compile(r"sha256-([a-f0-9]{64})(\.sig|\.att|\.sbom|)")


def attachment_subject(entry: Descriptor) -> tuple[Digest, str] | None:
    """What an entry is attached to by its tag, and the suffix of that tag.

    Cosign tags signatures, attestations and SBOMs ``sha256-<hex>.sig``, ``.att``, ``.sbom``; without a
    suffix it is an index of referrers (distribution-spec, "Referrers Tag Schema").
    """
    match = _ATTACHMENT.fullmatch(entry.annotations.get(REF_NAME, "").rpartition(":")[2])
    return (Digest(f"sha256:{match[1]}"), match[2]) if match else None


def choose(reference: Reference, entries: Sequence[Descriptor], where: str) -> Descriptor:
    """The entry that a reference with a tag stands for.

    Raises:
        NotFoundError: none; the message lists what there is.
        UsageError: several different ones match equally well.
    """
    ranked = [(precision(reference, names_of(entry)), entry) for entry in entries]
    best = max((rank for rank, _ in ranked), default=0)
    found = {entry.digest: entry for rank, entry in ranked if rank == best and rank > 0}
    nameless = {entry.digest: entry for entry in entries if not names_of(entry)}
    if not found and len(nameless) == len({entry.digest for entry in entries}) == 1:
        found = nameless
    if not found:
        raise NotFoundError(f"{where} has no {reference}", hint=f"it has: {_listing(entries)}")
    if len(found) > 1:
        hint = f"name the image by digest, or keep one image under the name; there is: {_listing(entries)}"
        raise UsageError(f"{where} has several images that may be {reference}", hint=hint)
    return next(iter(found.values()))


def names_of(entry: Descriptor) -> tuple[str, ...]:
    """The names that an entry was given."""
    return tuple(filter(None, (entry.annotations.get(key) for key in (CONTAINERD_NAME, REF_NAME))))


def precision(reference: Reference, names: Iterable[str]) -> int:
    """How well names fit: 3 the full name, 2 (last part of the) path with tag, 1 the tag, 0 not at all."""
    names = tuple(names)
    full = [parsed for parsed in map(_parse_full, names) if parsed]
    if full:
        return 3 if any((f.name, f.tag) == (reference.name, reference.tag) for f in full) else 0
    short = {f"{reference.path}:{reference.tag}", f"{reference.path.rpartition('/')[2]}:{reference.tag}"}
    if short & set(names):
        return 2
    return 1 if reference.tag in names else 0


def _parse_full(name: str) -> Reference | None:
    """A name that says its host; others are no statement about it."""
    host, slash, _ = name.partition("/")
    if not slash or not (set(".:") & set(host) or host == "localhost"):
        return None
    try:
        return Reference.parse(name)
    except UsageError:  # annotations are free text: what is not a reference does not match one
        return None


def _listing(entries: Iterable[Descriptor]) -> str:
    names = [" ".join(names_of(entry)) or str(entry.digest) for entry in entries]
    shown = ", ".join(sorted(set(names))[:20])
    return (shown + (", ..." if len(set(names)) > 20 else "")) or "nothing"
