"""Is this text an image reference? Two questions with two answers, depending on what is known about it.

Where a key says that its value is an image, nearly anything that parses is one. Where nothing does, the text
itself must show it: ``redis:6379`` is an address, ``system:auth-delegator`` a role, ``default/shop:8080`` a
service.
"""

from __future__ import annotations

import re

from airstore.charts.images.finding import Confidence, is_tagged
from airstore.core.errors import UsageError
from airstore.core.image.reference import Reference

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# What may follow "image" in a key whose value is one all the same: imageName, image.ref, imageURL.
_STILL = re.compile(r"names?|refs?|references?|ur[li]s?|full|string|specs?|defaults?|sources?|src|v")
# What may follow "image" in a key that is only about images: imagePullPolicy, imageTag, imageGCHighThreshold.
_ABOUT = re.compile(
    r"pull|policy|secrets?|registry|registries|repository|repositories|repo|tags?|version|digest|sha|size|gc"
    r"|minimum|maximum|min|max|format|types?|width|height|quality|directory|dir|filter|prefix|suffix"
    r"|credentials?|enabled?|host|port|mirrors?|scan|scanning|list|cache|ids?|count|limit|path|folder|bucket"
    r"|signatures?|verification|title|alt"
)
_NOISE_WORDS = frozenset({"true", "false", "none", "null", "default", "yes", "no", "auto"})
_FILE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|ico|webp|bmp|tiff?|iso|img|qcow2|raw|vmdk|ya?ml|json|txt|pub"
    r"|sh|py|go|rs|js|ts|rb|java|c|h|cc|cpp)$"
)
_HEX = re.compile(r"(?:[0-9a-f]{2}){12,}")
_MIME = re.compile(r"(?:application|audio|font|image|multipart|text|video)/[\w.+-]+")
_NUMBER = re.compile(r"v?\d+(?:[._-]\d+)*")
_API_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_SIGNATURE = re.compile(r"sha256-[a-f0-9]{64}(?:\.\w+)?")
_VERSION_TAG = re.compile(r"v?\d+\.\d|.*\d.*[a-zA-Z-]|.*[a-zA-Z-].*\d")
_DOTTED_TAG = re.compile(r"v?\d+\.\d")
_USUAL_TAGS = frozenset({"latest", "stable", "edge", "nightly", "alpine", "slim", "debug", "nonroot"})
_HOST = re.compile(r"localhost|[\w-]+(?:\.[\w-]+)+|[\w.-]+:\d+|\[[a-fA-F0-9:]+\](?::\d+)?")
_LONGEST = 512


def says_image(key: str) -> bool:
    """Whether a key, flag or variable of this name holds an image reference."""
    before, after = _around(key)
    return bool(before) and (_is_related(before) or all(_STILL.fullmatch(word) for word in after))


def mentions_image(key: str) -> bool:
    """Whether a key may hold one: ``image-warmer`` names a program, ``IMAGE_WARMER`` an image perhaps."""
    before, after = _around(key)
    return bool(before) and not any(_ABOUT.fullmatch(word) for word in after)


def _around(key: str) -> tuple[list[str], list[str]]:
    """The words of a key up to the last one that is "image", and those after it."""
    words = [word.lower() for word in _WORDS.findall(key)]
    places = [index for index, word in enumerate(words) if word.endswith(("image", "images"))]
    cut = places[-1] + 1 if places else 0
    return words[:cut], words[cut:]


def _is_related(before: list[str]) -> bool:
    return before[-2:] == ["related", "image"]  # RELATED_IMAGE_REGISTRY is an image, by convention


def is_base(key: str) -> bool:
    """Whether a key names an image that something else gives its tag: ``--default-base-image``."""
    before, _ = _around(key)
    return "base" in before[-2:-1]


def named(text: str) -> Reference | None:
    """The image that a value means whose key says that it is one; ``redis`` and ``redis:7`` are enough."""
    text = text.strip().removeprefix("docker://")
    bare = text.partition("@")[0]
    if not text or text.lower() in _NOISE_WORDS or _NUMBER.fullmatch(text) or _MIME.fullmatch(text):
        return None
    if _FILE.search(bare) or _HEX.fullmatch(text):
        return None
    return _parse(text)


def is_bare(text: str) -> bool:
    """Whether a name has neither path nor tag: where no key says that it is an image, it is a word."""
    return "/" not in text and not is_tagged(text)


def plain(text: str) -> tuple[Reference, Confidence] | None:
    """The image that a text means about which nothing is known; it must have a tag or a digest."""
    text = text.strip()
    reference = _parse(text.removeprefix("docker://"))
    if reference is None or not is_tagged(text) or _SIGNATURE.fullmatch(reference.tag):
        return None
    if reference.digest:
        return reference, "likely"
    confidence = _judge(text.removeprefix("docker://").rpartition(":")[0], reference.tag)
    return (reference, confidence) if confidence else None


def _judge(name: str, tag: str) -> Confidence | None:
    """How much an unpinned name and its tag look like an image."""
    first, slash, path = name.partition("/")
    usual = bool(_VERSION_TAG.match(tag)) or tag in _USUAL_TAGS
    if not slash:
        return "possible" if _DOTTED_TAG.match(tag) and not _NUMBER.fullmatch(name) else None
    if _API_VERSION.fullmatch(path) or _FILE.search(name):
        return None
    if _HOST.fullmatch(first):
        return "likely" if usual or tag.isdigit() else "possible"
    if tag.isdigit():
        return "possible" if len(tag) <= 2 else None
    return "likely" if usual else "possible"


def _parse(text: str) -> Reference | None:
    if len(text) > _LONGEST or "://" in text:
        return None
    try:
        reference = Reference.parse(text)
    except UsageError:
        return None
    # Docker takes "Foo/bar" for a registry named Foo; in a chart it is anything but that.
    return reference if _HOST.fullmatch(reference.host) else None
