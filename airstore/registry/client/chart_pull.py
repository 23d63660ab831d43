"""A chart from ``oci://host/path/name``, as Helm pushed it there (Helm's OCI media types)."""

from __future__ import annotations

from airstore.charts.packages.resolve import FetchedChart
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import verified
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS
from airstore.registry.client.manifests import read_manifest
from airstore.registry.client.registry import RegistryClient


def fetch_chart(client: RegistryClient, path: str, version: str) -> FetchedChart:
    """Fetch a chart's manifest, config, archive and provenance, every byte verified.

    Args:
        client: the registry, ``host`` of ``oci://host/path/name``.
        path: the rest, ``path/name``.
        version: the chart's version.

    Raises:
        NotFoundError: no such chart or version.
        DamagedError: not a Helm chart, too large, or not what its manifest says.
        TransferError: the registry refused or broke off.
    """
    name = f"oci://{client.host}/{path}"
    if not version:
        raise UsageError(f"chart {name}: the product file must give its version")
    # Helm writes the + of a version as _, because a tag may not contain it.
    reference = Reference(client.host, path, version.replace("+", "_"))
    found = read_manifest(client.transport, client.repository(path), reference.tag)
    if found is None:
        raise NotFoundError(f"there is no chart {name} in version {version}")
    manifest = oci.parse(found[1], found[0].media_type, f"{name} {version}")
    if manifest.config is None or manifest.config.media_type != oci.HELM_CONFIG:
        raise DamagedError(f"{name} {version} is not a Helm chart")
    layers = {layer.media_type: layer for layer in manifest.layers}
    if oci.HELM_CHART not in layers:
        raise DamagedError(f"{name} {version} has no chart archive")
    provenance = layers.get(oci.HELM_PROVENANCE)
    return FetchedChart(
        manifest=found[1],
        config=_read(client, reference, manifest.config),
        archive=_read(client, reference, layers[oci.HELM_CHART]),
        provenance=_read(client, reference, provenance) if provenance else None,
        more={
            layer: _read(client, reference, layer)
            for layer in manifest.layers
            if layer.media_type not in {oci.HELM_CHART, oci.HELM_PROVENANCE}
        },
    )


def _read(client: RegistryClient, reference: Reference, blob: Descriptor) -> bytes:
    if blob.size > LIMITS.chart_archive:
        raise DamagedError(f"{reference}: {blob.digest} is {blob.size} bytes; too large for a chart")
    return b"".join(verified(client.open(reference, blob), blob.digest, blob.size, str(reference)))
