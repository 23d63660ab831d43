"""What changed from one image's bills of materials to another's, for each platform."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.model.release import Image, Release
from airstore.ops.publish.diff import paired
from airstore.ops.review.databases import Package
from airstore.ops.review.packages import Inventory, PackageChange, compare
from airstore.ops.review.sbom.attached import attached_boms, read_attached
from airstore.ops.review.sbom.documents import CYCLONEDX, SPDX, Bom, Vulnerability
from airstore.store.blobs import BlobStore

_FORMS = (CYCLONEDX, SPDX)  # which one is compared where both images have both


@frozen
class VulnerabilityChange:
    """One vulnerability that only one of two images has, or in another state.

    Attributes:
        old: what is said of the older image: a state, ``listed`` where none is given; empty where nothing is.
        new: the same of the newer one.
        packages: those that are affected, with the versions that the images have.
    """

    name: str
    severity: str
    old: str
    new: str
    packages: tuple[str, ...]


@frozen
class BomChange:
    """What changed within one platform of an image, by what is attached to it.

    Attributes:
        platform: empty where the document is for the whole image.
        form: of the documents that were compared; empty where none could be.
        count: packages that the newer one names.
        notes: what could not be read or compared, and why.
    """

    image: str
    platform: str
    form: str
    count: int
    changes: tuple[PackageChange, ...]
    vulnerabilities: tuple[VulnerabilityChange, ...]
    notes: tuple[str, ...] = ()


@frozen
class Materials:
    """All documents for one platform of an image; ``notes`` says what could not be read."""

    boms: tuple[Bom, ...]
    notes: tuple[str, ...] = ()


def materials(image: Image, blobs: BlobStore) -> dict[str, Materials]:
    """Platform to what is attached for it.

    Raises:
        NotFoundError, DamagedError: a manifest is not here, or cannot be read.
    """
    boms: dict[str, list[Bom]] = defaultdict(list)
    notes: dict[str, list[str]] = defaultdict(list)
    for attached in attached_boms(image, blobs):
        try:
            boms[attached.platform].append(read_attached(attached, blobs))
        except (NotFoundError, DamagedError) as fault:
            notes[attached.platform].append(str(fault))
    return {name: Materials(tuple(boms[name]), tuple(notes[name])) for name in {**boms, **notes}}


def bom_changes(old: Release, new: Release, blobs: BlobStore) -> Iterator[BomChange]:
    """Of every image that was added or changed and has such documents; in the newer release's order."""
    for (kind, name), before, after in paired(old, new):
        if kind == "image" and isinstance(after, Image) and before != after:
            yield from _image_changes(name, before if isinstance(before, Image) else None, after, blobs)


def _image_changes(name: str, old: Image | None, new: Image, blobs: BlobStore) -> Iterator[BomChange]:
    try:
        after, before = materials(new, blobs), materials(old, blobs) if old else {}
    except (NotFoundError, DamagedError) as fault:
        yield BomChange(name, "", "", 0, (), (), (f"SBOMs not compared: {fault}",))
        return
    alone = next(iter(before.values())) if len(before) == len(after) == 1 else Materials(())
    for platform, held in sorted(after.items()):
        yield _change(name, platform, before.get(platform, alone), held, added=old is None)


def _change(name: str, platform: str, old: Materials, new: Materials, *, added: bool) -> BomChange:
    forms = {bom.form for bom in new.boms} & set(_FORMS)
    both = forms & {bom.form for bom in old.boms}
    form = next((each for each in _FORMS if each in (both or forms)), "")
    after = _inventory(new.boms, form)
    notes = [*old.notes, *new.notes]
    changes: tuple[PackageChange, ...] = ()
    if form and not added and not both:
        notes.append(f"not compared: the older image has no {form} document")
    elif form:
        changes = compare(_inventory(old.boms, form), after)
    known = tuple(_vulnerabilities(old.boms, new.boms))
    return BomChange(name, platform, form, len(after), changes, known, tuple(dict.fromkeys(notes)))


def _inventory(boms: Sequence[Bom], form: str) -> Inventory:
    versions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for package in packages_of(boms, form):
        versions[package.manager, package.name].add(package.version)
    return {key: tuple(sorted(each)) for key, each in sorted(versions.items())}


def packages_of(boms: Sequence[Bom], form: str = "") -> list[Package]:
    """Packages that the documents name, those of one form or all, each once."""
    return sorted({package for bom in boms if form in {"", bom.form} for package in bom.packages})


def _vulnerabilities(old: Sequence[Bom], new: Sequence[Bom]) -> Iterator[VulnerabilityChange]:
    before, after = _by_name(old), _by_name(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        states = [(each.state or "listed") if each else "" for each in (was, now)]
        if states[0] != states[1]:
            either = [each for each in (was, now) if each]
            severity = next((each.severity for each in reversed(either) if each.severity), "")
            named = tuple(dict.fromkeys(package for each in either for package in each.packages))
            yield VulnerabilityChange(name, severity, states[0], states[1], named)


def _by_name(boms: Sequence[Bom]) -> Mapping[str, Vulnerability]:
    """Each once; of several documents the one that says a state counts."""
    found: dict[str, Vulnerability] = {}
    for each in (one for bom in boms for one in bom.vulnerabilities if one.name):
        if each.name not in found or (each.state and not found[each.name].state):
            found[each.name] = each
    return found
