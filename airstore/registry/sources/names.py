"""How references are matched against the names that a layout or archive writes.

Tools disagree: skopeo writes the bare tag, BuildKit and containerd the full name (next to the bare
tag), umoci whatever it is told. The most precise match counts, and a full name that differs beats an
equal tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
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


class NameIndex:
    """Entries by the names that they were given, each read once, however many images are asked for."""

    def __init__(self, entries: Sequence[Descriptor]) -> None:
        self._entries = {entry.digest: entry for entry in entries}
        self._listed = entries
        self._full: dict[tuple[str, str | None], dict[Digest, Descriptor]] = {}
        self._short: dict[str, dict[Digest, Descriptor]] = {}
        for entry in self._listed:
            self._add(entry, names_of(entry))

    def choose(self, reference: Reference, where: str) -> Descriptor:
        """The entry that a reference with a tag stands for.

        The full name counts most, then the path or its last part with the tag, then the tag alone.

        Raises:
            NotFoundError: none; the message lists what there is.
            UsageError: several different ones match equally well.
        """
        path, tag = reference.path, reference.tag
        found = self._full.get((reference.name, tag), {})
        found = found or self._shortly(f"{path}:{tag}") | self._shortly(f"{path.rpartition('/')[2]}:{tag}")
        found = found or self._shortly(tag or "") or self._only_nameless()
        if not found:
            raise NotFoundError(f"{where} has no {reference}", hint=f"it has: {_listing(self._listed)}")
        if len(found) > 1:
            listed = _listing(self._listed)
            hint = f"name the image by digest, or keep one image under the name; there is: {listed}"
            raise UsageError(f"{where} has several images that may be {reference}", hint=hint)
        return next(iter(found.values()))

    def _add(self, entry: Descriptor, names: Iterable[str]) -> None:
        full = [parsed for parsed in map(_parse_full, names) if parsed]
        for parsed in full:
            self._full.setdefault((parsed.name, parsed.tag), {})[entry.digest] = entry
        for name in () if full else names:  # a full name that differs beats an equal tag
            self._short.setdefault(name, {})[entry.digest] = entry

    def _shortly(self, name: str) -> dict[Digest, Descriptor]:
        return self._short.get(name, {})

    def _only_nameless(self) -> dict[Digest, Descriptor]:
        """The one image there is, if nobody gave it a name."""
        nameless = {entry.digest: entry for entry in self._listed if not names_of(entry)}
        return nameless if len(nameless) == len(self._entries) == 1 else {}


def names_of(entry: Descriptor) -> tuple[str, ...]:
    """The names that an entry was given."""
    return tuple(filter(None, (entry.annotations.get(key) for key in (CONTAINERD_NAME, REF_NAME))))


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
