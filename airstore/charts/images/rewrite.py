"""Rewriting the images that rendered manifests name to where a site's registry has them; pure.

What discovery finds (`airstore.charts.images.documents`) is rewritten wherever it stands: containers, custom
resources, environment variables, arguments, documents within ConfigMaps and Secrets. Only images of the
release change. Those of containers are pinned to their digest, so that nothing else can run.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airstore.charts.images.documents import find_images
from airstore.charts.images.finding import Hit, Path, show_path
from airstore.charts.images.podspec import with_pull_secret
from airstore.charts.images.splitref import Split, split_references
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference

_TOKEN = re.compile(r"[\w.:/@+-]+")
_SCHEME = "docker://"
_OCI = "oci://"

Change = Callable[[Any], Any]


@frozen
class Rewriting:
    """Where a site has the images of a release.

    Attributes:
        place: ``HOST[:PORT][/PREFIX]`` of the site's registry.
        images: normalised reference to the digest to pin it to; an empty one where the registry may hold
            another digest under the same tag.
        pull_secret: an imagePullSecret for pods; empty for none.
    """

    place: str
    images: Mapping[str, str]
    pull_secret: str = ""

    def to_json(self) -> dict[str, Any]:
        """As runs keep it."""
        return {"place": self.place, "images": dict(self.images), "pullSecret": self.pull_secret}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rewriting:
        """What `to_json` wrote."""
        return cls(str(document["place"]), dict(document["images"]), str(document["pullSecret"]))

    def only(self, documents: Iterable[Any]) -> Rewriting:
        """The same for just the images that these documents name, before they are rewritten."""
        named = {str(hit.reference) for document in documents for hit in find_images(document)}
        images = {name: digest for name, digest in self.images.items() if name in named}
        return Rewriting(self.place, images, self.pull_secret)

    def knows(self, reference: Reference) -> bool:
        """Whether the release has this image, and the site has it elsewhere than the reference says."""
        return str(reference) in self.images and not reference.name.startswith(f"{self.place}/")

    def name(self, reference: Reference) -> str:
        """Where the site has a repository."""
        return f"{self.place}/{reference.path}"

    def put(self, reference: Reference, *, pinned: bool) -> str:
        """The reference at the site, with the tag and digest that it had; ``pinned`` adds the digest."""
        known = self.images[str(reference)]
        digest = reference.digest or (Digest(known) if pinned and known else None)
        tag = f":{reference.tag}" if reference.tag else ""
        return self.name(reference) + tag + (f"@{digest}" if digest else "")


def rewrite(body: Any, rules: Rewriting) -> Any:
    """The same document with the site's images; the very same object where nothing changes.

    Args:
        body: a parsed manifest, or its text where it could not be parsed.
        rules: where the images are.
    """
    secret = isinstance(body, dict) and body.get("kind") == "Secret"
    for hit in find_images(body):
        if hit.confidence != "possible" and rules.knows(hit.reference):
            decode = secret and hit.path[:1] == ("data",)
            body = _replaced(body, hit, rules, decode=decode)
    return with_pull_secret(body, rules.pull_secret)


def leftovers(body: Any, rules: Rewriting) -> Iterator[str]:
    """Images of the release that a rewritten document still names as upstream does, each with its place."""
    for hit in find_images(body):
        if hit.confidence != "possible" and rules.knows(hit.reference):
            yield f"{show_path(hit.path)}: {hit.reference}"


def _replaced(body: Any, hit: Hit, rules: Rewriting, *, decode: bool) -> Any:
    parent, split = _parts(body, hit)
    if split:
        return _update(body, parent, lambda node: _apart(node, split, hit.reference, rules))

    def change(text: str) -> str:
        pinned = hit.confidence == "certain"
        if not decode:
            return _text(text, hit.reference, rules, pinned=pinned)
        plain = base64.b64decode(text).decode()
        return base64.b64encode(_text(plain, hit.reference, rules, pinned=False).encode()).decode()

    return _update(body, hit.path, change)


def _text(text: str, reference: Reference, rules: Rewriting, *, pinned: bool) -> str:
    """The text with every way to write one reference replaced; all else stays as it was."""
    if text.startswith(_OCI):
        return f"{_OCI}{rules.name(reference)}"  # its tag and digest stand next to it

    def token(match: re.Match[str]) -> str:
        written = match[0].rstrip(".,:")
        bare = written.removeprefix(_SCHEME)
        scheme = written[: len(written) - len(bare)]
        if bare == reference.name:  # its tag stands elsewhere
            return scheme + rules.name(reference) + match[0][len(written) :]
        if _parse(bare) != reference:
            return match[0]
        return scheme + rules.put(reference, pinned=pinned) + match[0][len(written) :]

    return _TOKEN.sub(token, text)


def _apart(node: Mapping[str, Any], split: Split, reference: Reference, rules: Rewriting) -> dict[str, Any]:
    """A mapping whose keys spell one reference: the registry gets its own key where there is one."""
    registry = next((key for key in split.keys if key.lower().endswith(("registry", "hub"))), "")
    if registry:
        return {**node, registry: rules.place, split.path_key: _without(reference.path, split.suffix)}
    return {**node, split.path_key: _without(rules.name(reference), split.suffix)}


def _without(name: str, suffix: str) -> str:
    """A name without its last part, where a key of its own has that."""
    return name.removesuffix(f"/{suffix}") if suffix else name


def _parts(body: Any, hit: Hit) -> tuple[Path, Split | None]:
    """The mapping a hit stands in, and how the reference is spelled there; None if it stands in one piece."""
    parent = hit.path[:-1]
    node = _look(body, parent)
    if not isinstance(node, Mapping) or not isinstance(node.get(hit.path[-1]), str):
        return parent, None
    if _parse(str(node[hit.path[-1]]).strip()) == hit.reference:
        return parent, None
    above = next((part for part in reversed(parent) if isinstance(part, str)), "")
    for key in (above, "image"):  # what stands under an image's key needs less to be a reference
        for split in split_references(node, key):
            if (split.path_key, split.reference) == (hit.path[-1], hit.reference):
                return parent, split
    return parent, None


def _look(node: Any, path: Path) -> Any:
    for part in path:
        try:
            node = node[part]
        except (LookupError, TypeError):
            return None
    return node


def _update(node: Any, path: Path, change: Change) -> Any:
    """A copy along the path; a string ends it: what a document within the string has is changed as text."""
    if not path or isinstance(node, str):
        return change(node)
    head, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        return {**node, head: _update(node[head], rest, change)}
    if isinstance(node, list) and isinstance(head, int):
        return [*node[:head], _update(node[head], rest, change), *node[head + 1 :]]
    return node


def _parse(text: str) -> Reference | None:
    try:
        return Reference.parse(text)
    except UsageError:
        return None
