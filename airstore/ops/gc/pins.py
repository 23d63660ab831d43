"""What keeps a release besides its age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airstore.core.image.digest import Digest


@dataclass(frozen=True)
class Pins:
    """What has to stay, whatever is asked.

    Attributes:
        releases: version to why, in words that follow it.
        blobs: that belong to no release yet, or are named without one, and why.
        notes: what whoever reads the plan should know.
    """

    releases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    blobs: Mapping[str, frozenset[Digest]] = field(default_factory=dict)
    notes: Sequence[str] = ()


class PinList:
    """Collects `Pins`."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[str, None]] = {}
        self._blobs: dict[str, frozenset[Digest]] = {}
        self._notes: list[str] = []

    def keep(self, version: str, why: str) -> None:
        """Keep a release."""
        self._releases.setdefault(version, {})[why] = None

    def keep_blobs(self, why: str, blobs: frozenset[Digest]) -> None:
        """Keep blobs."""
        self._blobs[why] = self._blobs.get(why, frozenset()) | blobs

    def note(self, text: str) -> None:
        """Say something beside the plan."""
        self._notes.append(text)

    def all(self) -> Pins:
        """What was collected."""
        releases = {version: tuple(reasons) for version, reasons in self._releases.items()}
        return Pins(releases, self._blobs, tuple(self._notes))
