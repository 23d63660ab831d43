"""The schemas that a release brings along, out of its tree."""

from __future__ import annotations

from airstore.charts.schemas.documents import DIRECTORY, NONE, SchemaDocuments
from airstore.core.model.release import Release
from airstore.ops.stores.directory import StoreDirectory


def schemas_of(store: StoreDirectory, release: Release) -> SchemaDocuments:
    """What the release's charts refer to by URL; releases made before that was read have none.

    Raises:
        DamagedError: a file is not of the form that `SchemaDocuments` writes.
    """
    paths = [path for path in release.files if path.startswith(DIRECTORY)]
    if not paths:
        return NONE
    commit = store.history.find(release.version).commit
    return SchemaDocuments.of_files({path: store.history.read(commit, path) for path in paths})
