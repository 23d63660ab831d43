"""Who pods are to the site's registry, so that every namespace of the product gets an imagePullSecret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airstore.cluster.registry.objects import PULL_USER
from airstore.cluster.registry.pull_secrets import PullLogin
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry
from airstore.ops.registry.incluster.secrets import has_registry, pull_password
from airstore.ops.registry.incluster.shared import shared_access
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import trusted_release


def pull_login(store: StoreDirectory, site: SiteFile) -> PullLogin | None:
    """Who pods are; None where they need be nobody, or the site sees to it itself.

    Raises:
        NotFoundError: the site file names a password file that cannot be read.
        UsageError: that file is empty or not UTF-8.
    """
    login = None if site.registry.own_secret else registry_login(store, site)
    return replace(login, product=trusted_release(store).product) if login else None


def registry_login(store: StoreDirectory, site: SiteFile) -> PullLogin | None:
    """Who nodes and pods may be to the site's registry, of no product yet; None where nobody is named.

    Raises:
        NotFoundError, UsageError: as `pull_login`.
    """
    host, known = site.registry.host, site.registry.pull_user
    if host is None:
        return None
    if known:
        user, password, decides = known.name, _password(site.path(known.password_file)), False
    elif isinstance(site.registry, ClusterRegistry) and has_registry(store, site):
        user, password = PULL_USER, pull_password(store, site)
        decides = shared_access(store, site) is None
    else:
        return None
    return PullLogin(host, user, password, decides=decides)


def _password(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as fault:
        raise NotFoundError(f"cannot read the password file {path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise UsageError(f"the password file {path} is not UTF-8") from fault
    if not lines or not lines[0]:
        raise UsageError(f"the password file {path} is empty")
    return lines[0]
