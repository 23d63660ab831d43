"""The site file's ``registry`` section: what the cluster's nodes pull from, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.core.frozen import frozen

REGISTRY_PULL = "registry-pull"  # what airstore calls the imagePullSecrets that it makes


@frozen
class PullUser:
    """A user of an existing registry; the file, relative to the site file, begins with the password."""

    name: str
    password_file: str


@frozen
class CertificateFiles:
    """PEM files of a certificate chain and its private key, relative to the site file."""

    certificate: str
    key: str


@frozen
class SiteRegistry:
    """What every registry of a site has; None is what the site file does not say.

    Attributes:
        host: with a port where it is not the default one, as nodes reach it.
        prefix: path below which an existing registry keeps everything.
        ca: PEM file of the authority that signed its certificate, relative to the site file.
        pull_user: whom pods are.
        own_secret: an imagePullSecret that the site itself has in every namespace.
        written: the section as the file has it; charts bind its fields as ``registry.NAME``.
    """

    host: str | None = None
    prefix: str | None = None
    ca: str | None = None
    pull_user: PullUser | None = None
    own_secret: str | None = None
    written: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def address(self) -> str | None:
        """``HOST[/PREFIX]``; None where the site file names no host."""
        if self.host is None:
            return None
        return f"{self.host}/{self.prefix}" if self.prefix else self.host

    @property
    def needs_login(self) -> bool:
        """Whether pods have to be somebody."""
        return self.pull_user is not None

    @property
    def pull_secret(self) -> str | None:
        """Name of the imagePullSecret that pods get; None where they need none."""
        return self.own_secret or (REGISTRY_PULL if self.needs_login else None)

    @property
    def files(self) -> tuple[str, ...]:
        """Files that the section names."""
        named = (self.ca, self.pull_user.password_file if self.pull_user else None)
        return tuple(each for each in named if each)


@frozen
class ClusterRegistry(SiteRegistry):
    """One that airstore runs in the cluster; it knows nobody without a password.

    Attributes:
        namespace: where it is, over what the product says; so are replicas and storage.
        push_host: another host under which it takes uploads from outside.
        tls_secret: a Secret with its certificate that the site provides in its namespace.
        certificate: of it; airstore makes one where neither is given.
    """

    namespace: str | None = None
    ingress_class: str | None = None
    storage_class: str | None = None
    storage: str | None = None
    replicas: int | None = None
    access_mode: str | None = None
    push_host: str | None = None
    tls_secret: str | None = None
    certificate: CertificateFiles | None = None

    @property
    def needs_login(self) -> bool:
        """See `SiteRegistry`."""
        return self.host is not None

    @property
    def files(self) -> tuple[str, ...]:
        """See `SiteRegistry`."""
        own = (self.certificate.certificate, self.certificate.key) if self.certificate else ()
        return (*super().files, *own)


@frozen
class ExternalRegistry(SiteRegistry):
    """One that the site has already."""


@frozen
class ServedRegistry(SiteRegistry):
    """``airstore registry serve`` on a host: the store itself; nothing is pushed to it."""


def registry_from_section(section: Mapping[str, Any]) -> SiteRegistry:
    """From a section that the schema has let through."""
    user, certificate = section.get("pullUser"), section.get("certificate")
    common: dict[str, Any] = {
        "host": section.get("host"),
        "prefix": section.get("prefix"),
        "ca": section.get("ca"),
        "pull_user": PullUser(user, section["pullPasswordFile"]) if user else None,
        "own_secret": section.get("pullSecret"),
        "written": dict(section),
    }
    mode = section.get("mode", "cluster")
    if mode != "cluster":
        return (ExternalRegistry if mode == "external" else ServedRegistry)(**common)
    return ClusterRegistry(
        **common,
        namespace=section.get("namespace"),
        ingress_class=section.get("ingressClass"),
        storage_class=section.get("storageClass"),
        storage=section.get("storage"),
        replicas=section.get("replicas"),
        access_mode=section.get("accessMode"),
        push_host=section.get("pushHost"),
        tls_secret=section.get("tlsSecret"),
        certificate=CertificateFiles(certificate, section["certificateKey"]) if certificate else None,
    )
