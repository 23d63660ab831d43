"""What the registry in the cluster shall be: the product's wishes, overridden by the site file."""

from __future__ import annotations

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Image, Release
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry, ExternalRegistry, ServedRegistry, SiteRegistry

MANY = "ReadWriteMany"
_ONCE = "ReadWriteOnce"
_NAMESPACE, _REPLICAS, _STORAGE = "registry", 3, "20Gi"


@frozen
class RegistrySettings:
    """The registry in the cluster.

    Attributes:
        product: whose release brings its image.
        image: its image, part of the release.
        host: what nodes and charts call it, with a port where it is not 443.
        push_host: host that takes uploads from outside; None: uploads only go through the API server.
        replicas: as asked; `running` says how many there can be.
        storage: size of its volume.
        storage_class: None for the cluster's default.
        access_mode: of its volume.
        ingress_class: None for the cluster's default.
        tls_secret: a Secret that the site provides; None: airstore makes one.
    """

    product: str
    image: Image
    namespace: str
    host: str
    push_host: str | None
    replicas: int
    storage: str
    storage_class: str | None
    access_mode: str
    ingress_class: str | None
    tls_secret: str | None

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
    wanted, offered = site.registry, release.registry
    if not isinstance(wanted, ClusterRegistry):
        mode, way = _OTHER_WAYS[type(wanted)]
        raise UsageError(
            f"the site file says registry.mode: {mode}, so there is no registry to make in the cluster",
            hint=way,
        )
    if wanted.host is None:
        raise UsageError(
            "the site file does not say what nodes shall call the registry",
            hint="add 'registry: {host: registry.site.example}' to site.yaml",
        )
    return RegistrySettings(
        product=release.product,
        image=_image(release),
        namespace=wanted.namespace or offered.namespace or _NAMESPACE,
        host=wanted.host,
        push_host=wanted.push_host,
        replicas=wanted.replicas or offered.replicas or _REPLICAS,
        storage=wanted.storage or offered.storage or _STORAGE,
        storage_class=wanted.storage_class,
        access_mode=wanted.access_mode or _ONCE,
        ingress_class=wanted.ingress_class,
        tls_secret=wanted.tls_secret,
    )


_OTHER_WAYS: dict[type[SiteRegistry], tuple[str, str]] = {
    ExternalRegistry: ("external", "push to the registry you have: airstore registry push"),
    ServedRegistry: ("serve", "serve the store itself: airstore registry serve"),
}


def _image(release: Release) -> Image:
    named = release.registry.image
    if named is None:
        raise UsageError(
            f"release {release.version} brings no registry image",
            hint="the product file names one under registry.image; or use registry.mode external or serve",
        )
    return release.image(named)
