"""In which form a store holds blobs: opened into their files, or whole, and why."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.store.format.recipe import Opened
from airstore.store.read.reader import ObjectReader


@frozen
class BlobForm:
    """How one blob is held.

    Attributes:
        opened: what its recipe says of encoder, plain bytes and side data; None if it is not opened.
        whole: whether the registry's bytes are there as they are.
        why: why it was not opened; empty where it was, or where nobody tried.
    """

    opened: Opened | None
    whole: bool
    why: str = ""

    @property
    def word(self) -> str:
        """For people and programs."""
        if self.opened:
            return "opened and whole" if self.whole else "opened"
        return "whole" if self.whole else "missing"


def form_of(reader: ObjectReader, digest: Digest, kept: Mapping[Digest, str]) -> BlobForm:
    """How a blob is held.

    Args:
        reader: of the store.
        digest: of the blob.
        kept: what the store has noted about blobs that it could not open.
    """
    recipes = [recipe for _, recipe in reader.roots(digest)]
    opened = next((recipe.opened for recipe in recipes if recipe.opened), None)
    return BlobForm(
        opened, any(recipe.opened is None for recipe in recipes), "" if opened else kept.get(digest, "")
    )
