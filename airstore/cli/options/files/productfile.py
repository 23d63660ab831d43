"""The product file of a publisher's store."""

from __future__ import annotations

from pathlib import Path

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.location import CONFIG
from airstore.ops.stores.directory import StoreDirectory


def product_file(store: StoreDirectory) -> Path:
    """Where the product file of a publisher's store is."""
    if store.product_file is None:
        raise UsageError(f"{store.path} names no product file", hint="make the store with `airstore init`")
    if not store.product_file.exists():
        raise NotFoundError(
            f"the product file {store.product_file} is gone",
            hint=moved_hint(store),
        )
    return store.product_file


def moved_hint(store: StoreDirectory) -> str:
    """What to do where the product file is not where the store has it."""
    return f"if it or the store was moved, correct productFile in {store.path / CONFIG}"
