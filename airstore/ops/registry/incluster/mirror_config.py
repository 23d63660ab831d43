"""``airstore registry mirror-config``: what nodes need to know of the site's registry."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from airstore.cluster.registry.mirror_config import Mirror, NodeFile, mirror_files
from airstore.cluster.registry.mirror_merge import TO_MERGE, NeedsMergingError, marked, merged
from airstore.cluster.registry.settings import settings_of
from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry
from airstore.ops.registry.incluster.pull_credentials import registry_login
from airstore.ops.registry.incluster.secrets import read_authority, registry_secrets
from airstore.ops.registry.incluster.shared import shared_access
from airstore.ops.stores.directory import StoreDirectory


@frozen
class Written:
    """A file that was written.

    Attributes:
        why: it must be merged by hand: what is in the way; else empty.
    """

    path: Path
    why: str = ""


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
        runtime: one of `airstore.cluster.registry.mirror_config.RUNTIMES`.
        now: for certificates that have to be made.
        credentials: with the password of the user that may only pull.

    Raises:
        UsageError: the site file names no registry.
        NotFoundError: no registry was bootstrapped, whose password could be given; or no such file.
    """
    host = site.registry.host
    if host is None:
        raise UsageError(
            "the site file does not say what nodes shall call the registry",
            hint="add 'registry: {host: registry.site.example}' to site.yaml",
        )
    if isinstance(site.registry, ClusterRegistry) and not shared_access(store, site):
        # Nodes must trust the registry before it can be started from itself, so its authority is made by now.
        with store.locked():
            registry_secrets(store, settings_of(release, site), site, now)
    upstreams = sorted({image.reference.host for image in release.images} - {host})
    user, password = _login(store, site) if credentials else ("", "")
    prefix = site.registry.prefix or ""
    mirror = Mirror(
        host, tuple(upstreams), read_authority(store, site), user, password, prefix, release.product
    )
    return mirror_files(runtime, mirror)


def write_files(files: list[NodeFile], directory: Path, product: str) -> list[Written]:
    """Write the files below a directory under the paths they have on a node, beside what is there.

    Raises:
        StorageError: they cannot be read or written.
    """
    return [_write(file, directory / file.path.lstrip("/"), product) for file in files]


def _write(file: NodeFile, path: Path, product: str) -> Written:
    why, wanted = "", marked(file, [product])
    with storage_errors(path):
        existing = path.read_bytes() if path.exists() else None
    if existing is not None and file.form != "plain":
        try:
            wanted = merged(file, existing.decode(), product)
        except (NeedsMergingError, UnicodeDecodeError) as fault:
            why = f"{path} is not changed: {fault}"
            path = path.with_name(path.name + TO_MERGE)
    write_file(path, wanted.text.encode(), mode=0o600 if wanted.private else 0o644)
    return Written(path, why)


def _login(store: StoreDirectory, site: SiteFile) -> tuple[str, str]:
    login = registry_login(store, site)
    if login is None:
        raise UsageError(
            "the site file names no user that nodes could be to the registry",
            hint="set registry.pullUser and registry.pullPasswordFile in site.yaml, or omit --credentials",
        )
    return login.user, login.password
