"""What the registry in the cluster shall be: the product's wishes, overridden by the site file."""

from __future__ import annotations

from dataclasses import dataclass

from airstore.core.errors import UsageError
from airstore.core.release import Image, Release
from airstore.core.site import SiteFile

MANY = "ReadWriteMany"
_ONCE = "ReadWriteOnce"
_DEFAULTS = {"namespace": "registry", "replicas": 3, "storage": "20Gi", "accessMode": _ONCE}


@dataclass(frozen=True)
class RegistrySettings:
    """The registry in the cluster.

    Attributes:
        product: whose release brings its image.
        image: its image, part of the release.
        host: what nodes and charts call it, with a port where it is not 443.
        push_host: host that takes uploads from outside; empty: uploads only go through the API server.
        replicas: as asked; `running` says how many there can be.
        storage: size of its volume.
        storage_class: empty for the cluster's default.
        access_mode: of its volume.
        ingress_class: empty for the cluster's default.
        tls_secret: a Secret that the site provides; empty: airstore makes one.
    """

    product: str
    image: Image
    namespace: str
    host: str
    push_host: str
    replicas: int
    storage: str
    storage_class: str
    access_mode: str
    ingress_class: str
    tls_secret: str

    @property
    def seed_reference(self) -> str:
        """The reference under which the image is loaded into the first node.

        The registry's own, not upstream's: a kubelet (1.35 and later) that has pulled the same image with a
        password once gives it to no pod under another name, and a registry may have to be started again.
        """
        tag = self.image.reference.tag
        return f"{self._repository}:{tag}" if tag else self.private_reference

    @property
    def private_reference(self) -> str:
        """The image in the registry itself, pinned to its digest."""
        tag = f":{self.image.reference.tag}" if self.image.reference.tag else ""
        return f"{self._repository}{tag}@{self.image.root.digest}"

    @property
    def _repository(self) -> str:
        return f"{self.host}/{self.image.repository}"

    @property
    def running(self) -> int:
        """How many pods there can be: several need a volume that several nodes can write to."""
        return self.replicas if self.access_mode == MANY else 1

    @property
    def host_names(self) -> tuple[str, ...]:
        """Names its certificate must be valid for; without ports."""
        return tuple(dict.fromkeys(name.partition(":")[0] for name in (self.host, self.push_host) if name))

    @property
    def service_names(self) -> tuple[str, ...]:
        """What its Service is called inside the cluster."""
        return service_names(self.namespace)


def service_names(namespace: str) -> tuple[str, str]:
    """What the Service of a registry in this namespace is called inside the cluster."""
    short = f"registry.{namespace}.svc"
    return (short, f"{short}.cluster.local")


def settings_of(release: Release, site: SiteFile) -> RegistrySettings:
    """Settings from a release and a site file.

    Raises:
        UsageError: the site file wants no registry in the cluster or names no host, or the release brings
            no registry image.
    """
    wanted = {**_DEFAULTS, **release.registry, **site.registry}
    mode = wanted.get("mode", "cluster")
    if mode != "cluster":
        raise UsageError(
            f"the site file says registry.mode: {mode}, so there is no registry to make in the cluster",
            hint=_OTHER_MODES.get(str(mode), ""),
        )
    if not site.registry.get("host"):
        raise UsageError(
            "the site file does not say what nodes shall call the registry",
            hint="add 'registry: {host: registry.site.example}' to site.yaml",
        )
    return RegistrySettings(
        product=release.product,
        image=_image(release),
        namespace=str(wanted["namespace"]),
        host=str(wanted["host"]),
        push_host=str(wanted.get("pushHost", "")),
        replicas=int(wanted["replicas"]),
        storage=str(wanted["storage"]),
        storage_class=str(wanted.get("storageClass", "")),
        access_mode=str(wanted["accessMode"]),
        ingress_class=str(wanted.get("ingressClass", "")),
        tls_secret=str(wanted.get("tlsSecret", "")),
    )


_OTHER_MODES = {
    "external": "push to the registry you have: airstore registry push",
    "serve": "serve the store itself: airstore registry serve",
}


def _image(release: Release) -> Image:
    named = release.registry.get("image")
    if not named:
        raise UsageError(
            f"release {release.version} brings no registry image",
            hint="the product file names one under registry.image; or use registry.mode external or serve",
        )
    return release.image(str(named))
