"""What the applier in the cluster shall be: from the release, and where the site pulls from."""

from __future__ import annotations

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Image, Release
from airstore.core.model.sections import ProductApplier
from airstore.core.model.site import SiteFile

_NAMESPACE, _STORAGE = "airstore", "10Gi"


@frozen
class ApplierSettings:
    """The applier in the cluster.

    Attributes:
        product: what it applies.
        image: reference that nodes pull, pinned to its digest where the site has the whole image.
        storage: size of its store's volume.
        storage_class: empty for the cluster's default.
        pull_secret: imagePullSecret of its pods; None where they need none.
    """

    product: str
    image: str
    namespace: str
    storage: str
    storage_class: str = ""
    pull_secret: str | None = None

    @property
    def name(self) -> str:
        """Of its objects; products that share a namespace do not share them."""
        return f"applier-{self.product}"


def applier_settings(release: Release, site: SiteFile, storage_class: str = "") -> ApplierSettings:
    """Settings from a release and a site file.

    Raises:
        UsageError: the release brings no applier.
    """
    image = _image(release)
    wanted = release.applier or ProductApplier()
    return ApplierSettings(
        product=release.product,
        image=_pulled(image, site.registry.address),
        namespace=wanted.namespace or _NAMESPACE,
        storage=wanted.storage or _STORAGE,
        storage_class=storage_class,
        pull_secret=site.registry.pull_secret,
    )


def _pulled(image: Image, registry: str | None) -> str:
    if registry is None:
        return str(image.reference)  # by mirrors of upstream's names
    tag = f":{image.reference.tag}" if image.reference.tag else ""
    # A registry that takes no index with gaps has one platform's manifest under the tag, of another digest.
    digest = "" if image.missing and tag else f"@{image.root.digest}"
    return f"{registry}/{image.repository}{tag}{digest}"


def _image(release: Release) -> Image:
    named = release.applier.image if release.applier else None
    if not named:
        raise UsageError(
            f"release {release.version} brings no applier",
            hint="the product file names its image under applier.image; see docs/applier.md",
        )
    return release.image(named)
