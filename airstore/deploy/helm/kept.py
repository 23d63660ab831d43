"""What Helm really installed, kept: the manifests with every generated value. Pure.

A record is the JSON of helm.sh/helm pkg/release/v1 (`Release`), which `airstore.deploy.helm.secret` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.parsing import yamlfile

_TESTS = frozenset({"test", "test-success", "test-failure"})
_INSTALLING = frozenset({"pre-install", "post-install", "pre-upgrade", "post-upgrade"})
_ACTING = frozenset({"Job", "Pod"})  # what runs to an end; Helm awaits these


@frozen
class Kept:
    """One revision of a Helm release.

    Attributes:
        revision: Helm's number of it.
        chart: ``NAME-VERSION``.
        manifest: what Helm manages, Secrets in plain text.
        hooks: manifests of its hooks, those of ``helm test`` included.
        tests: how many of the hooks, at their end, only ``helm test`` makes.
    """

    revision: int
    chart: str
    manifest: str = field(repr=False)
    hooks: tuple[str, ...] = field(default=(), repr=False)
    tests: int = 0

    @property
    def stream(self) -> str:
        """Manifests and hooks, as one stream of documents."""
        parts = (self.manifest, *self.hooks)
        return "".join(
            f"---\n{part.strip().removeprefix('---').lstrip()}\n" for part in parts if part.strip()
        )

    def documents(self) -> list[dict[str, Any]]:
        """The objects that Helm manages; hooks are not among them."""
        found = yamlfile.load_manifests(self.manifest, f"kept manifest of {self.chart}")
        return flattened(found)

    def everything(self) -> list[Any]:
        """The objects that Helm manages, and those of its hooks except for tests."""
        return [*self.documents(), *self._hooks(len(self.hooks) - self.tests)]

    def left_by_hooks(self) -> list[dict[str, Any]]:
        """Objects that hooks make and leave: no Jobs or Pods, nothing that Helm deletes once it succeeded."""
        found = flattened(self._hooks(len(self.hooks)))
        return [each for each in found if each.get("kind") not in _ACTING and _is_left(each)]

    def _hooks(self, count: int) -> list[Any]:
        # Each by itself: Helm 3 takes a hook's last line break away, and one more would be another text.
        what = f"kept hooks of {self.chart}"
        return [found for each in self.hooks[:count] for found in yamlfile.load_manifests(each, what)]

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {
            "revision": self.revision,
            "chart": self.chart,
            "manifest": self.manifest,
            "hooks": list(self.hooks),
            "tests": self.tests,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Kept:
        """What `to_json` wrote.

        Raises:
            DamagedError: it is something else.
        """
        try:
            hooks = tuple(str(each) for each in document["hooks"])
            revision, tests = int(document["revision"]), int(document["tests"])
            return cls(revision, str(document["chart"]), str(document["manifest"]), hooks, tests)
        except (KeyError, TypeError, ValueError) as fault:
            raise DamagedError(f"this is not a kept Helm release: {fault}") from fault


@frozen
class Standing:
    """What Helm has of a Helm release, and how it will go on.

    Attributes:
        installed: what its newest revision installed; None where there is no such release.
        on_server: it applies the next revision on the server instead of patching from here.
    """

    installed: Kept | None
    on_server: bool

    @property
    def documents(self) -> tuple[dict[str, Any], ...]:
        """The objects of the newest revision, hooks included."""
        found = self.installed.everything() if self.installed else ()
        return tuple(each for each in found if isinstance(each, dict))


def flattened(documents: Iterable[Any]) -> list[dict[str, Any]]:
    """Objects; those of a list, which Helm installs one by one, one by one."""
    return [inner for each in documents if isinstance(each, dict) for inner in _items(each)]


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of a list, which Helm installs one by one; else the object itself."""
    listed = document.get("items")
    if not str(document.get("kind") or "").endswith("List") or not isinstance(listed, list):
        return [document]
    return [each for each in listed if isinstance(each, dict)]


def kept_record(record: Mapping[str, Any]) -> Kept:
    """From Helm's record of a revision.

    Raises:
        DamagedError: it is not of Helm's form.
    """
    try:
        metadata = record["chart"]["metadata"]
        hooks = [hook for hook in record.get("hooks") or () if str(hook.get("manifest") or "").strip()]
        ordered = sorted(hooks, key=_is_test)
        return Kept(
            revision=int(record["version"]),
            chart=f"{metadata['name']}-{metadata['version']}",
            manifest=str(record.get("manifest") or ""),
            hooks=tuple(str(hook["manifest"]) for hook in ordered),
            tests=sum(map(_is_test, ordered)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise DamagedError(f"Helm's record of a release is not of its form: {fault!r}") from fault


def _is_test(hook: Mapping[str, Any]) -> bool:
    events = {str(event) for event in hook.get("events") or ()}
    return bool(events) and events <= _TESTS


def _is_left(hook: Mapping[str, Any]) -> bool:
    annotations = (hook.get("metadata") or {}).get("annotations") or {}
    events = {each.strip() for each in str(annotations.get("helm.sh/hook")).split(",")}
    policies = {each.strip() for each in str(annotations.get("helm.sh/hook-delete-policy")).split(",")}
    return bool(events & _INSTALLING) and "hook-succeeded" not in policies
