"""``airstore registry mirror-config``: what nodes need to know of the site's registry."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from airstore.cluster.mirror_config import Mirror, NodeFile, mirror_files
from airstore.cluster.registry_objects import PULL_USER
from airstore.cluster.registry_settings import settings_of
from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.core.release import Release
from airstore.core.site import SiteFile
from airstore.ops.directory import StoreDirectory
from airstore.ops.registry_access import shared_access
from airstore.ops.registry_secrets import pull_password, read_authority, registry_secrets


def node_files(
    store: StoreDirectory,
    release: Release,
    site: SiteFile,
    runtime: str,
    now: dt.datetime,
    *,
    credentials: bool,
) -> list[NodeFile]:
    """Files that make nodes pull the release's images from the site's registry alone.

    Args:
        store: a site's.
        release: its images' hosts are mirrored.
        site: names the registry.
        runtime: one of `airstore.cluster.mirror_config.RUNTIMES`.
        now: for certificates that have to be made.
        credentials: with the password of the user that may only pull.

    Raises:
        UsageError: the site file names no registry.
        NotFoundError: no registry was bootstrapped, whose password could be given; or no such CA file.
    """
    host = str(site.registry.get("host", ""))
    if not host:
        raise UsageError(
            "the site file does not say what nodes shall call the registry",
            hint="add 'registry: {host: registry.site.example}' to site.yaml",
        )
    if site.registry.get("mode", "cluster") == "cluster" and not shared_access(store, site):
        # Nodes must trust the registry before it can be started from itself, so its authority is made by now.
        with store.locked():
            registry_secrets(store, settings_of(release, site), site, now)
    upstreams = sorted({image.reference.host for image in release.images} - {host})
    mirror = Mirror(
        host,
        tuple(upstreams),
        read_authority(store, site),
        PULL_USER if credentials else "",
        pull_password(store, site) if credentials else "",
        str(site.registry.get("prefix", "")),
    )
    return mirror_files(runtime, mirror)


def write_files(files: list[NodeFile], directory: Path) -> list[Path]:
    """Write the files below a directory under the paths they have on a node.

    Raises:
        StorageError: they cannot be written.
    """
    written = []
    for file in files:
        path = directory / file.path.lstrip("/")
        write_file(path, file.text.encode(), mode=0o600 if file.private else 0o644)
        written.append(path)
    return written
