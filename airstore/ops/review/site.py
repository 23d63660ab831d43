"""What a site shows whoever decides there: the plan, what it holds, and what was done before."""

from __future__ import annotations

from itertools import islice

from airstore.core.frozen import frozen
from airstore.deploy.model.redact_text import redact_diff
from airstore.deploy.plan.plan import PlanStep
from airstore.history import ledger
from airstore.history.ledger import Entry
from airstore.ops.media.receipts import Receipt, observe
from airstore.ops.review.patches import FilePatch, cut
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.site.applies import took
from airstore.store.blobs import BlobStore

_RUNS = 20  # the last ones


@frozen
class SiteFacts:
    """What the store says.

    Attributes:
        receipt: what a receipt would say now.
        size: bytes of the blobs that it holds, as a registry has them.
        runs: what was done to cluster and registry, newest first, and how many seconds it took where that is
            known; the last ones.
        earlier: how many were before them.
    """

    receipt: Receipt
    size: int
    runs: tuple[tuple[Entry, int | None], ...]
    earlier: int


def site_facts(store: StoreDirectory, blobs: BlobStore) -> SiteFacts:
    """Collect them.

    Raises:
        DamagedError: the ledger or the history is not of its schema.
    """
    receipt, entries = observe(store, blobs), ledger.entries(store.history)
    runs = tuple((entry, took(entry)) for entry in islice(entries, _RUNS))
    size = sum(blobs.size(digest) or 0 for digest in receipt.blobs)
    return SiteFacts(receipt, size, runs, sum(1 for _ in entries))


def step_patch(step: PlanStep) -> FilePatch:
    """The difference that a step makes to manifests, without secrets and not too long for a page."""
    text = redact_diff(step.diff)
    note = "" if text else "the manifests stay as they are"
    return cut(FilePatch(step.key, step.action, step.added, step.removed, text, note))
