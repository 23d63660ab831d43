"""What SPDX, CycloneDX and OpenVEX documents say of packages and vulnerabilities. Pure.

Sources: SPDX 2.2 to 3.0 (JSON), CycloneDX 1.2 to 1.6 (JSON, vulnerabilities and VEX), OpenVEX 0.2. Only
names, versions and states are read, and what is odd about the rest is no fault: these documents are others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.ops.review.databases import Package
from airstore.ops.review.sbom.purl import package_of

SPDX, CYCLONEDX, OPENVEX = "SPDX", "CycloneDX", "OpenVEX"
_NO_PACKAGES = frozenset({"file", "data", "cryptographic-asset", "machine-learning-model"})
_CONTAINERS = frozenset({"CONTAINER", "FILE", "container", "file"})


@frozen
class Vulnerability:
    """What a document says of one vulnerability.

    Attributes:
        name: such as ``CVE-2026-1234``.
        state: in the document's words, such as ``not_affected``; empty where it says none.
        severity: the worst rating; empty where there is none.
        packages: those that are affected, as ``name version``.
    """

    name: str
    state: str
    severity: str
    packages: tuple[str, ...]


@frozen
class Bom:
    """One document.

    Attributes:
        form: ``SPDX``, ``CycloneDX`` or ``OpenVEX``.
        version: of the format.
    """

    form: str
    version: str
    packages: tuple[Package, ...]
    vulnerabilities: tuple[Vulnerability, ...] = ()


def read_bom(document: object) -> Bom | None:
    """Read one; None where it is none of them.

    Raises:
        DamagedError: it says that it is one, and its lists are none.
    """
    if not isinstance(document, dict):
        return None
    if "spdxVersion" in document:
        version = _text(document, "spdxVersion").removeprefix("SPDX-")
        return Bom(SPDX, version, _unique(_spdx(document)))
    if document.get("bomFormat") == CYCLONEDX:
        return _cyclonedx(document)
    context = _text(document, "@context")
    if "spdx.org/rdf/3" in context:
        return Bom(SPDX, "3", _unique(_spdx3(document)))
    if context.startswith("https://openvex.dev/ns"):
        return Bom(OPENVEX, context.rpartition("/v")[2], (), tuple(_openvex(document)))
    return None


def _spdx(document: Mapping[str, Any]) -> Iterator[Package]:
    for each in _objects(document, "packages"):
        if _text(each, "primaryPackagePurpose") in _CONTAINERS:
            continue
        purls = (_text(r, "referenceLocator") for r in _objects(each, "externalRefs") if
                 _text(r, "referenceType") == "purl")  # fmt: skip
        yield _package(next(purls, ""), _text(each, "name"), _text(each, "versionInfo"))


def _spdx3(document: Mapping[str, Any]) -> Iterator[Package]:
    for each in _objects(document, "@graph"):
        if _text(each, "type") == "software_Package" and (
            _text(each, "software_primaryPurpose") not in _CONTAINERS
        ):
            purl = _text(each, "software_packageUrl")
            yield _package(purl, _text(each, "name"), _text(each, "software_packageVersion"))


def _cyclonedx(document: Mapping[str, Any]) -> Bom:
    refs: dict[str, Package] = {}
    packages = _unique(_components(document, refs, 0))
    found = tuple(_vulnerability(each, refs) for each in _objects(document, "vulnerabilities"))
    return Bom(CYCLONEDX, _text(document, "specVersion"), packages, found)


def _components(holder: Mapping[str, Any], refs: dict[str, Package], depth: int) -> Iterator[Package]:
    for each in _objects(holder, "components"):
        group = _text(each, "group")
        name = "/".join(filter(None, (group, _text(each, "name"))))
        package = _package(_text(each, "purl"), name, _text(each, "version"))
        refs[_text(each, "bom-ref")] = package
        if _text(each, "type") not in _NO_PACKAGES and _text(each, "type") not in _CONTAINERS:
            yield package
        yield from _components(each, refs, depth + 1)


def _vulnerability(entry: Mapping[str, Any], refs: Mapping[str, Package]) -> Vulnerability:
    analysis = entry.get("analysis")
    named = [_text(each, "ref") for each in _objects(entry, "affects")]
    packages = (refs.get(ref) or package_of(ref.rpartition("#")[2]) or Package("", ref, "") for ref in named)
    return Vulnerability(
        _text(entry, "id"),
        _text(analysis, "state") if isinstance(analysis, dict) else "",
        _worst(_text(each, "severity") for each in _objects(entry, "ratings")),
        tuple(dict.fromkeys(f"{each.name} {each.version}".strip() for each in packages)),
    )


def _openvex(document: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for each in _objects(document, "statements"):
        named = each.get("vulnerability")
        name = _text(named, "name") if isinstance(named, dict) else _text(each, "vulnerability")
        parts = [
            part for product in _objects(each, "products") for part in _objects(product, "subcomponents")
        ]
        found = (package_of(_text(part, "@id")) for part in parts)
        packages = tuple(dict.fromkeys(f"{one.name} {one.version}".strip() for one in found if one))
        yield Vulnerability(name, _text(each, "status"), "", packages)


_SEVERITIES = ("critical", "high", "medium", "low", "info", "none")


def _worst(severities: Iterable[str]) -> str:
    known = [each for each in severities if each in _SEVERITIES]
    return min(known, key=_SEVERITIES.index, default="")


def _package(purl: str, name: str, version: str) -> Package:
    package = package_of(purl)
    if package is None:
        return Package("", name, version)
    return package if package.version else package._replace(version=version)


def _unique(packages: Iterable[Package]) -> tuple[Package, ...]:
    return tuple(sorted({package for package in packages if package.name}))


def _objects(holder: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    entries = holder.get(key)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise DamagedError(f"{key} is no list")
    yield from (each for each in entries if isinstance(each, dict))


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    if isinstance(value, list):  # a JSON-LD context may be a list of them
        value = next((each for each in value if isinstance(each, str)), "")
    return value if isinstance(value, str) else ""
