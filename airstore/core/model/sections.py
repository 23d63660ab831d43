"""Sections of the product file about what a site may run in its cluster; ``release.json`` carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.core.frozen import frozen


@frozen
class ProductRegistry:
    """The registry that a site may run; None is what the product leaves open."""

    image: str | None = None
    namespace: str | None = None
    replicas: int | None = None
    storage: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the product file and ``release.json`` write it: what is said, nothing else."""
        return _said(image=self.image, namespace=self.namespace, replicas=self.replicas, storage=self.storage)

    @classmethod
    def from_json(cls, section: Mapping[str, Any]) -> ProductRegistry:
        """From a section that the schema has let through."""
        return cls(**section)


@frozen
class ProductApplier:
    """The applier that a site may run; None is what the product leaves open."""

    image: str | None = None
    namespace: str | None = None
    storage: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the product file and ``release.json`` write it: what is said, nothing else."""
        return _said(image=self.image, namespace=self.namespace, storage=self.storage)

    @classmethod
    def from_json(cls, section: Mapping[str, Any]) -> ProductApplier:
        """From a section that the schema has let through."""
        return cls(**section)


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
