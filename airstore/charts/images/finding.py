"""What discovery says: which image, how sure, and where it was named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference

Confidence = Literal["certain", "likely", "possible"]
Path = tuple[str | int, ...]

_CUT = re.compile(r"@sha256:[0-9a-f]{12,63}")  # a digest as tables show it


def is_tagged(text: str) -> bool:
    """Whether a reference as it is written has a tag or a digest."""
    return "@" in text or ":" in text.rpartition("/")[2]


@frozen
class Hit:
    """An image named somewhere in one document.

    Attributes:
        path: keys and indexes that lead there; a document within a string continues the path.
        text: what is written there; put together where it is written in parts.
        rule: why that is an image.
        variable: the variable, parameter or flag whose value it is.
    """

    reference: Reference
    confidence: Confidence
    path: Path = ()
    text: str = ""
    rule: str = ""
    variable: str = ""

    @property
    def is_tagged(self) -> bool:
        """Whether a tag or a digest is written there, rather than ``latest`` understood."""
        return is_tagged(self.text) if self.text else self.reference.tag != "latest"


@frozen
class ImageFinding:
    """One image at one place.

    Attributes:
        confidence: ``certain`` is an image by the format's rules, ``likely`` is fetched too, ``possible`` is
            only listed.
        chart: the chart; empty where the product file names the image itself.
        variant: the choice of values under which it was found.
        source: file of the chart, or the product file.
        kind: kind of the object, such as ``Deployment``.
        name: name of the object.
        path: where in the object, such as ``spec.image``.
        test: only ``helm test`` uses it.
        excluded_by: the product file's pattern that says this is no image; empty where none does.
        text: what is written there.
        rule: why that is an image.
        variable: the variable, parameter or flag whose value it is.
    """

    reference: Reference
    confidence: Confidence
    chart: str
    variant: str
    source: str
    kind: str = ""
    name: str = ""
    path: str = ""
    test: bool = False
    excluded_by: str = ""
    text: str = ""
    rule: str = ""
    variable: str = ""

    @property
    def fetched(self) -> bool:
        """Whether a release contains the image because of this finding."""
        return self.confidence != "possible" and not self.excluded_by

    @property
    def untagged(self) -> bool:
        """Whether ``latest`` was understood rather than written."""
        return bool(self.text) and not is_tagged(self.text)


@frozen
class Unreadable:
    """What a container has for an image and nobody could pull.

    Attributes:
        stops: Kubernetes' own kind: the chart cannot work as it is. Elsewhere a program may complete it.
        excluded_by: the product file's pattern that says that this is meant; empty where none does.
    """

    text: str
    chart: str
    variant: str
    source: str
    kind: str
    name: str
    path: str
    stops: bool
    excluded_by: str = ""


def wanted(findings: Iterable[ImageFinding]) -> list[Reference]:
    """The images a release contains, each once, sorted."""
    images = {finding.reference for finding in findings if finding.fetched}
    return sorted(images, key=str)


def why(findings: Iterable[ImageFinding], image: str) -> list[ImageFinding]:
    """Every place that names an image, excluded and possible ones too.

    Args:
        findings: what discovery found.
        image: a reference in full or short form, a digest cut as tables show it, without the digest that
            follows its tag, or a pattern as `matches` takes it.
    """
    try:
        exact = Reference.parse(image)
    except UsageError:
        exact = None

    def means(one: ImageFinding) -> bool:
        known = one.reference
        unpinned = replace(known, digest=None) if known.tag else known
        cut = bool(_CUT.search(image)) and str(known).startswith(image)
        return exact in (known, unpinned) or cut or matches(known, image) or one.text == image

    return [finding for finding in findings if means(finding)]


def matches(reference: Reference, pattern: str) -> bool:
    """Whether a pattern means a reference; ``*`` stands for anything, ``/`` included.

    The full form (``docker.io/library/redis:7``), the short one (``redis:7``), and both without tag and
    digest are tried.
    """
    full, name = str(reference), reference.name
    forms = (full, _short(full), name, _short(name))
    return any(fnmatchcase(form, pattern) for form in forms)


def show_path(path: Path) -> str:
    """A path for people: ``spec.containers[0].image``, ``data["jobs.yaml"].image``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() or part.replace("-", "_").isidentifier():
            text += f".{part}"
        else:
            text += f'["{part}"]'
    return text.removeprefix(".")


def _short(text: str) -> str:
    return text.removeprefix("docker.io/").removeprefix("library/") if text.startswith("docker.io/") else text
