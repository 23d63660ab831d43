"""Schemas that charts refer to elsewhere: read at the publisher, kept in the release."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from airstore.charts.packages.resolve import ResolvedChart
from airstore.charts.schemas.collect import NOTHING, FoundSchemas, collect
from airstore.charts.schemas.documents import NONE, SchemaDocuments
from airstore.charts.schemas.references import foreign_references
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.schemas import schemas_of
from airstore.ops.stores.releases.trusted import verified


def find_schemas(
    charts: Sequence[ResolvedChart], access: RegistryOptions, store: StoreDirectory | None = None
) -> FoundSchemas:
    """Read what the charts' schemas refer to; from the newest release where a place does not answer.

    Args:
        charts: of the product.
        access: certificates and proxies.
        store: a publisher's, for its newest release.

    Raises:
        DamagedError: a chart is none, or the newest release is not as it was signed.
        NotTrustedError: its signatures do not hold.
    """
    if not any(foreign_references(chart.archive) for chart in charts):
        return NOTHING
    before = _newest(store) if store else NONE
    with closing(access.documents()) as source:
        return collect([chart.archive for chart in charts], source.fetch, before)


def _newest(store: StoreDirectory) -> SchemaDocuments:
    return schemas_of(store, verified(store).release) if store.history.tip else NONE
