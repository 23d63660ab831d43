"""Places that product files name as the source of images, and which of them holds a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Protocol, Self, runtime_checkable

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.registry.source import ImageSource
from airstore.registry.sources.archive import open_docker_archive
from airstore.registry.sources.layout import OciLayout

RegistryFactory = Callable[[str, str], AbstractContextManager[ImageSource]]
"""From a registry's host and a path prefix, which may be empty, to a source."""

_REGISTRY = "docker://"
_FILES = ("oci", "oci-archive", "docker-archive")
_FORMS = "write oci:DIRECTORY, oci-archive:FILE, docker-archive:FILE or docker://HOST[/PREFIX]"


@frozen
class ImagePlace:
    """Something that holds images.

    Attributes:
        kind: ``oci``, ``oci-archive``, ``docker-archive`` or ``docker``.
        path: where it is on disk; None for a registry.
        host: the registry's host with optional port; empty for the others.
        prefix: what comes before every repository path in that registry; may be empty.
    """

    kind: str
    path: Path | None = None
    host: str = ""
    prefix: str = ""


def parse_place(text: str, base: Path) -> ImagePlace:
    """Read a place; a relative path in it is relative to ``base``.

    Raises:
        UsageError: not a place.
    """
    if text.startswith(_REGISTRY):
        return _parse_registry(text)
    kind, colon, path = text.partition(":")
    if not colon or kind not in _FILES:
        raise UsageError(f"not a place that holds images: {text!r}", hint=_FORMS)
    if not path or "\0" in path:
        raise UsageError(f"{text!r} names no path", hint=_FORMS)
    return ImagePlace(kind, base / path)


def _parse_registry(text: str) -> ImagePlace:
    host, _, prefix = text.removeprefix(_REGISTRY).partition("/")
    prefix = prefix.rstrip("/")
    repository = f"{prefix or 'any'}/any"
    try:
        # A host and a prefix are valid exactly where a reference made of them is.
        probe = Reference.parse(f"{host}/{repository}")
    except UsageError as fault:
        raise UsageError(f"not a registry: {text!r}", hint=_FORMS) from fault
    if probe.path != repository:
        raise UsageError(f"not a registry: {text!r}", hint="its host needs a dot or a port")
    return ImagePlace("docker", host=probe.host, prefix=prefix)


def open_source(place: ImagePlace, registry_factory: RegistryFactory) -> AbstractContextManager[ImageSource]:
    """Open a place; it is closed when the block ends.

    Raises:
        NotFoundError: there is nothing at its path.
        UsageError: a compressed tar.
        DamagedError: not what its kind says.
    """
    if place.path is None:
        return registry_factory(place.host, place.prefix)
    if place.kind == "oci":
        return OciLayout.directory(place.path)
    if place.kind == "oci-archive":
        return OciLayout.archive(place.path)
    return open_docker_archive(place.path)


def match_place(reference: Reference, mapping: Mapping[str, str]) -> str | None:
    """The place that the most specific fitting pattern maps a reference to.

    Patterns are shell globs over ``host/path:tag``, or ``host/path@digest`` for a reference without a tag;
    ``*`` also matches slashes. The pattern with more literal characters is the more specific one.
    """
    text = str(reference) if not reference.tag else f"{reference.name}:{reference.tag}"
    fitting = [pattern for pattern in mapping if fnmatchcase(text, pattern)]
    return mapping[max(fitting, key=_specificity)] if fitting else None


def _specificity(pattern: str) -> tuple[int, str]:
    return len(pattern) - sum(map(pattern.count, "*?")), pattern


@runtime_checkable
class Checks(Protocol):
    """A source that can say whether it has an image without giving it: Docker Hub counts what it gives."""

    def check(self, reference: Reference) -> None:
        """Raises as `ImageSource.resolve` does."""


class Places:
    """All the places of a product file as one `ImageSource`; each is opened once, when first needed.

    A reference that no pattern fits is looked for in its own registry.
    """

    def __init__(self, mapping: Mapping[str, str], base: Path, registry_factory: RegistryFactory) -> None:
        """Check the mapping; nothing is opened yet.

        Raises:
            UsageError: a value of the mapping is not a place.
        """
        for text in mapping.values():
            parse_place(text, base)
        self._mapping = mapping
        self._base = base
        self._factory = registry_factory
        self._opened: dict[ImagePlace, ImageSource] = {}
        self._stack = ExitStack()
        self._opening = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def resolve(self, reference: Reference) -> Descriptor:
        """See `ImageSource`."""
        try:
            return self._source(reference).resolve(reference)
        except NotFoundError as fault:
            raise self._explained(reference, fault) from fault

    def check(self, reference: Reference) -> None:
        """Whether the image is there, asked as cheaply as its source allows; threads may ask at once.

        Raises:
            NotFoundError, TransferError, DamagedError, UsageError: as `resolve`.
        """
        source = self._source(reference)
        if isinstance(source, Checks):
            try:
                source.check(reference)
            except NotFoundError as fault:
                raise self._explained(reference, fault) from fault
        else:
            self.resolve(reference)

    def open(self, reference: Reference, blob: Descriptor) -> Iterator[bytes]:
        """See `ImageSource`."""
        return self._source(reference).open(reference, blob)

    def referrers(self, reference: Reference, subject: Digest) -> list[Descriptor]:
        """See `ImageSource`."""
        return self._source(reference).referrers(reference, subject)

    def _source(self, reference: Reference) -> ImageSource:
        text = match_place(reference, self._mapping) or f"{_REGISTRY}{reference.host}"
        place = parse_place(text, self._base)
        with self._opening:
            if place not in self._opened:
                self._opened[place] = self._stack.enter_context(open_source(place, self._factory))
            return self._opened[place]

    def _explained(self, reference: Reference, fault: NotFoundError) -> NotFoundError:
        lines = [f"{pattern} -> {place}" for pattern, place in self._mapping.items()] or ["none"]
        matched = match_place(reference, self._mapping)
        where = matched or f"its own registry {reference.host}"
        hint = f"{reference} was looked for in {where}; image sources: {'; '.join(lines)}"
        return NotFoundError(str(fault), hint=f"{fault.hint}; {hint}" if fault.hint else hint)
