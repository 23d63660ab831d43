"""The registry's passwords and certificates in the store: ``registry/``, files of mode 0600.

::

    registry/credentials.json   passwords of the users pull and push, their bcrypt lines
    registry/ca.pem ca.key      the site's own certificate authority
    registry/tls.pem tls.key    the registry's certificate under it
    registry/shared.json        of another product's registry: see `airstore.ops.registry.incluster.shared`
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from airstore.cluster.registry.objects import PULL_USER, PUSH_USER, RegistrySecrets
from airstore.cluster.registry.settings import RegistrySettings
from airstore.core.durable import write_file
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import CertificateFiles, ClusterRegistry
from airstore.core.parsing import strictjson
from airstore.ops.registry.incluster.shared import shared_access, shared_authority
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting
from airstore.tls.certificates import RENEW_DAYS, KeyPair, create_authority, days_left, issue, unusable
from airstore.tls.htpasswd import generate_password, htpasswd, matches

_PRIVATE = 0o600
_FIELDS = ("pull", "push", "htpasswdPull", "htpasswdPush", "httpSecret")


def registry_secrets(
    store: StoreDirectory, settings: RegistrySettings, site: SiteFile, now: dt.datetime
) -> RegistrySecrets:
    """The registry's secrets; what is missing or has expired is made and kept.

    Raises:
        UsageError: a certificate of the site file does not fit.
        NotFoundError: a file that the site file names does not exist.
        DamagedError: a file of the store is not what was written there.
        StorageError: the store cannot be written.
    """
    known = _credentials(store)
    return RegistrySecrets(
        pull_password=known["pull"],
        push_password=known["push"],
        htpasswd_pull=known["htpasswdPull"],
        htpasswd_push=known["htpasswdPush"],
        http_secret=known["httpSecret"],
        tls=None if settings.tls_secret else _certificate(store, settings, site, now),
    )


def own_passwords_of(store: StoreDirectory) -> tuple[str, str]:
    """Passwords of the users that may pull and push, of the registry that this store made.

    Raises:
        NotFoundError: this store has bootstrapped no registry.
    """
    known = _read_credentials(_existing(store))
    return known["pull"], known["push"]


def push_password(store: StoreDirectory, site: SiteFile) -> str:
    """Password of the user that may push, to this product's registry or the one that it shares.

    Raises:
        NotFoundError: this store has bootstrapped no registry.
    """
    shared = shared_access(store, site)
    return shared.push if shared else own_passwords_of(store)[1]


def pull_password(store: StoreDirectory, site: SiteFile) -> str:
    """Password of the user that may only pull, likewise.

    Raises:
        NotFoundError: this store has bootstrapped no registry.
    """
    shared = shared_access(store, site)
    return shared.pull if shared else own_passwords_of(store)[0]


def has_registry(store: StoreDirectory, site: SiteFile) -> bool:
    """Whether this store has made the passwords of a registry in the cluster, or shares one."""
    own = (_directory(store) / "credentials.json").is_file()
    return own or shared_access(store, site) is not None


def authority_file(store: StoreDirectory, site: SiteFile) -> Path | None:
    """The certificate authority (PEM) that nodes must trust; None where the world trusts it already."""
    if site.registry.ca:
        return site.path(site.registry.ca)
    if shared_access(store, site):
        shared = shared_authority(store)
        return shared if shared.is_file() else None
    own = _directory(store) / "ca.pem"
    registry = site.registry
    given = isinstance(registry, ClusterRegistry) and (registry.certificate or registry.tls_secret)
    return own if own.is_file() and not given else None


def read_authority(store: StoreDirectory, site: SiteFile) -> str | None:
    """What is in `authority_file`; None where there is none.

    Raises:
        NotFoundError: the site file names a file that cannot be read.
        UsageError: it is not in PEM form.
    """
    path = authority_file(store, site)
    try:
        return _read(path).decode("ascii") if path else None
    except UnicodeDecodeError as fault:
        raise UsageError(f"{path} is not a certificate in PEM form") from fault


def _directory(store: StoreDirectory) -> Path:
    return store.path / "registry"


def _existing(store: StoreDirectory) -> Path:
    path = _directory(store) / "credentials.json"
    if not path.is_file():
        raise NotFoundError(
            "this store has not made a registry in the cluster yet", hint="run airstore registry bootstrap"
        )
    return path


def _credentials(store: StoreDirectory) -> dict[str, str]:
    path = _directory(store) / "credentials.json"
    if path.is_file():
        return _read_credentials(path)
    pull, push = generate_password(), generate_password()
    made = {
        "pull": pull,
        "push": push,
        # Kept, not generated each time: another salt would look like another password and restart the pods.
        "htpasswdPull": htpasswd({PULL_USER: pull, PUSH_USER: push}),
        "htpasswdPush": htpasswd({PUSH_USER: push}),
        "httpSecret": generate_password(),
    }
    with noting(store, path):
        write_file(path, strictjson.dumps(made), mode=_PRIVATE, disk=store.disk)
    return made


def _read_credentials(path: Path) -> dict[str, str]:
    document = strictjson.load_object(path.read_bytes(), str(path))
    if sorted(document) != sorted(_FIELDS) or not all(isinstance(v, str) for v in document.values()):
        raise DamagedError(
            f"{path} is not a registry's credentials", hint="delete it: a new bootstrap makes new passwords"
        )
    users = {PULL_USER: document["pull"], PUSH_USER: document["push"]}
    if not matches(document["htpasswdPull"], users):
        raise DamagedError(f"the passwords in {path} do not match their bcrypt lines")
    return {key: str(value) for key, value in document.items()}


def _certificate(
    store: StoreDirectory, settings: RegistrySettings, site: SiteFile, now: dt.datetime
) -> KeyPair:
    if isinstance(site.registry, ClusterRegistry) and site.registry.certificate:
        return _given(site, site.registry.certificate, settings, now)
    authority = _pair(store, "ca", lambda: create_authority(f"airstore {store.name} registry", now))
    names = (*settings.host_names, *settings.service_names)
    current = _load(_directory(store), "tls")
    fits = current and not unusable(current, names, now, authority.certificate)
    if current and fits and days_left(current.certificate, now) > RENEW_DAYS:
        return current
    made = issue(authority, names, now)
    _save(store, "tls", made)
    return made


def _given(site: SiteFile, files: CertificateFiles, settings: RegistrySettings, now: dt.datetime) -> KeyPair:
    path, key = site.path(files.certificate), site.path(files.key)
    authority = _read(site.path(site.registry.ca)) if site.registry.ca else None
    pair = KeyPair(_read(path), _read(key))
    try:
        why = unusable(pair, settings.host_names, now, authority)
    except DamagedError as fault:
        raise UsageError(f"{path} and {key}: {fault}") from fault
    if why:
        raise UsageError(f"the certificate {path} cannot be used: {why}")
    return pair


def _pair(store: StoreDirectory, name: str, make: Callable[[], KeyPair]) -> KeyPair:
    current = _load(_directory(store), name)
    if current is None:
        current = make()
        _save(store, name, current)
    return current


def _load(directory: Path, name: str) -> KeyPair | None:
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    if not (certificate.is_file() and key.is_file()):
        return None
    return KeyPair(certificate.read_bytes(), key.read_bytes())


def _save(store: StoreDirectory, name: str, pair: KeyPair) -> None:
    key, certificate = (_directory(store) / f"{name}.{kind}" for kind in ("key", "pem"))
    with noting(store, key, certificate):
        write_file(key, pair.key, mode=_PRIVATE, disk=store.disk)
        write_file(certificate, pair.certificate, mode=0o644, disk=store.disk)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
