"""What keeps a release besides its age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest


@frozen
class Pins:
    """What has to stay, whatever is asked.

    Attributes:
        releases: version to why, in words that follow it.
        vital: those of them without which nothing may be dropped, should the history not have them.
        blobs: that belong to no release yet.
        notes: what whoever reads the plan should know.
    """

    releases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vital: frozenset[str] = frozenset()
    blobs: frozenset[Digest] = frozenset()
    notes: Sequence[str] = ()


class PinList:
    """Collects `Pins`."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[str, None]] = {}
        self._vital = set[str]()
        self._blobs = set[Digest]()
        self._notes: list[str] = []

    def keep(self, version: str, why: str, *, vital: bool = False) -> None:
        """Keep a release."""
        self._releases.setdefault(version, {})[why] = None
        if vital:
            self._vital.add(version)

    def keep_blobs(self, blobs: Iterable[Digest]) -> None:
        """Keep blobs."""
        self._blobs.update(blobs)

    def note(self, text: str) -> None:
        """Say something beside the plan."""
        self._notes.append(text)

    def all(self) -> Pins:
        """What was collected."""
        releases = {version: tuple(reasons) for version, reasons in self._releases.items()}
        return Pins(releases, frozenset(self._vital), frozenset(self._blobs), tuple(self._notes))
