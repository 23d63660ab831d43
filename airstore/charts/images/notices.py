"""What discovery did not find, and where a person must decide; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from airstore.charts.images.discover import excludes
from airstore.charts.images.finding import ImageFinding, Unreadable
from airstore.charts.rendering.render import Document, Rendered
from airstore.core.image.reference import Reference
from airstore.core.model.product import Product
from airstore.core.notice import Notice

# Custom resources that configure what runs and run nothing themselves.
_NO_IMAGES = (
    "*.k8s.io", "ServiceMonitor.*", "PodMonitor.*", "Probe.*", "PrometheusRule.*", "ScrapeConfig.*",
    "AlertmanagerConfig.*", "GrafanaDashboard.*", "GrafanaDatasource.*", "VMServiceScrape.*", "VMRule.*",
    "*.cert-manager.io", "*.networking.istio.io", "*.security.istio.io", "*.telemetry.istio.io",
    "*.traefik.io", "*.traefik.containo.us", "*.external-secrets.io", "SealedSecret.*", "*.keda.sh",
    "*.kyverno.io", "*.gatekeeper.sh", "*.projectcontour.io", "*.cilium.io", "*.projectcalico.org",
    "*.metallb.io", "*.openshift.io", "*.linkerd.io", "*.konghq.com", "*.policy",
)  # fmt: skip


def notices(
    product: Product,
    rendered: Sequence[Rendered],
    findings: Sequence[ImageFinding],
    unread: Sequence[Unreadable],
) -> Iterator[Notice]:
    """Everything worth saying aloud.

    Args:
        product: its patterns, and what it says brings no image.
        rendered: the charts under every choice of values.
        findings: all that was found there.
        unread: what containers have for an image and is none.
    """
    yield from _nothing(product, rendered, findings)
    yield from _unread(unread)
    yield from _patterns(product, findings, unread)
    yield from _untagged(findings)
    yield from _imageless(product, rendered, findings)


def _nothing(
    product: Product, rendered: Sequence[Rendered], findings: Sequence[ImageFinding]
) -> Iterator[Notice]:
    silent = {one.target.name for one in rendered} - {one.target.name for one in rendered if one.documents}
    for name in sorted(silent):
        yield Notice(
            "noObjects",
            f"Helm release {name}: the chart renders no object under any values",
            "give values that switch something on, or leave the release out",
        )
    if not any(finding.fetched for finding in findings) and product.charts:
        yield Notice(
            "noImages",
            "no image was found: the release brings none",
            "see `airstore images find --all`, and name what is needed under images.include",
        )


def _unread(unread: Sequence[Unreadable]) -> Iterator[Notice]:
    for one in unread:
        if not one.stops and not one.excluded_by:
            yield Notice(
                "unreadable",
                f"{one.kind} {one.name} ({one.source}) has {one.text!r} for a container's image: {one.path}",
                f"if a program completes it, name the image under images.include and {one.text!r} under"
                " images.exclude",
            )


def _patterns(
    product: Product, findings: Sequence[ImageFinding], unread: Sequence[Unreadable]
) -> Iterator[Notice]:
    for pattern in product.exclude:
        texts = (fnmatchcase(one.text, pattern) for one in unread)
        if not any(excludes(pattern, finding) for finding in findings) and not any(texts):
            yield Notice("pattern", f"images.exclude: {pattern!r} matches nothing", "correct it or remove it")
    for finding in findings:
        if finding.excluded_by and finding.source == "airstore.yaml":
            yield Notice(
                "pattern",
                f"images.include names {finding.reference}, and images.exclude {finding.excluded_by!r} takes"
                " it out again",
                "remove one of them",
            )


def _untagged(findings: Sequence[ImageFinding]) -> Iterator[Notice]:
    seen: set[Reference] = set()
    for finding in findings:
        if finding.fetched and finding.untagged and finding.reference not in seen:
            seen.add(finding.reference)
            where = " ".join(filter(None, (finding.kind, finding.name, finding.path)))
            yield Notice(
                "untagged",
                f"{finding.text!r} has no tag ({where}, {finding.source}): {finding.reference} is taken",
                f"give it a tag where it is written, or write images.exclude: [{str(finding.reference)!r}]",
            )


def _imageless(
    product: Product, rendered: Sequence[Rendered], findings: Sequence[ImageFinding]
) -> Iterator[Notice]:
    """Custom resources whose images only their operator knows."""
    named = {(finding.kind, finding.name) for finding in findings if not finding.excluded_by}
    known = (*_NO_IMAGES, *product.no_images)
    seen: set[str] = set()
    for one in rendered:
        for document in one.documents:
            kind = _kind(document)
            if not kind or kind in seen or any(fnmatchcase(kind, pattern) for pattern in known):
                continue
            if (document.kind, document.name) in named:
                continue
            seen.add(kind)
            yield Notice(
                "noImageInResource",
                f"{document.kind} {document.name} ({document.source}) names no image; what it runs, if"
                " anything, only its operator knows",
                f"name its images under images.include; if it brings none, write images.noImages: [{kind}]",
            )


def _kind(document: Document) -> str | None:
    """``Kind.group`` of a custom resource; None for Kubernetes' own."""
    version = document.body.get("apiVersion") if isinstance(document.body, dict) else None
    group, slash, _ = str(version or "").partition("/")
    return f"{document.kind}.{group}" if slash and "." in group else None
