"""The rules of ``images.signatures`` with their keys read: which of them an image has to meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeVar

from airstore.core.errors import AirstoreError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference
from airstore.core.model.product import Product
from airstore.core.model.signers import SignatureRule
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.upstream.trusted_root import LIMIT, TrustedRoot

Accepted = tuple[UpstreamKey, ...] | UpstreamIdentity
"""Whose signatures a rule takes: those of any of the keys, or of an identity."""

KEYS = "signers"
"""Where a release's tree has the keys."""


_Loaded = TypeVar("_Loaded")


@frozen
class Signer:
    """One rule as an image meets it.

    Attributes:
        pattern: of the rule's, the one that the image fits.
    """

    rule: SignatureRule
    pattern: str
    keys: Accepted

    def takes(self, repository: str | None, reference: Reference) -> bool:
        """Whether a signature of the image may name this repository; None where it names none."""
        if self.rule.signed_as:
            return any(fnmatchcase(repository or "", pattern) for pattern in self.rule.signed_as)
        return repository in {None, reference.name}


class Signers:
    """All rules of a product."""

    def __init__(self, rules: Sequence[tuple[SignatureRule, Accepted]]) -> None:
        self._rules = rules

    @classmethod
    def of(cls, product: Product, images: Sequence[Reference]) -> Signers:
        """Read the keys and hold the patterns against the images.

        Raises:
            UsageError: a key cannot be read, or a pattern fits no image: each is named.
        """
        faults = list(_unfitting(product.signatures, images))
        read = list(_read(product, faults))
        if faults:
            more = f"{len(faults)} faults: " if len(faults) > 1 else ""
            raise UsageError(f"{product.file}: images.signatures: {more}" + "; ".join(faults))
        return cls(list(zip(product.signatures, read, strict=True)))

    def of_image(self, image: Reference) -> list[Signer]:
        """Every rule that an image has to meet."""
        fitting = ((rule, _fitting(rule, image), keys) for rule, keys in self._rules)
        return [Signer(rule, pattern, keys) for rule, pattern, keys in fitting if pattern]


def key_files(product: Product) -> dict[str, bytes]:
    """The keys as a release's tree has them: path to the key alone, in one form. Trusted roots as they are.

    Raises:
        UsageError: one is no public key that is accepted, or no trusted root, or is outside the product's
            directory.
        NotFoundError: there is no such file.
    """
    paths = dict.fromkeys(path for rule in product.signatures for path in rule.keys)
    roots = dict.fromkeys(rule.identity.trusted_root for rule in product.signatures if rule.identity)
    return {
        **{_in_tree(path): _key(product, path).pem for path in paths},
        **{_in_tree(path): _root(product, path).data for path in roots},
    }


def _read(product: Product, faults: list[str]) -> Iterator[Accepted]:
    """What each rule takes, in the rules' order; files that cannot be read are added to the faults."""
    for rule in product.signatures:
        if rule.identity is None:
            yield tuple(_readable(_key, product, rule.keys, faults))
            continue
        for root in _readable(_root, product, [rule.identity.trusted_root], faults):
            yield UpstreamIdentity(rule.identity.identity, rule.identity.issuer, root)


def _readable(
    load: Callable[[Product, str], _Loaded], product: Product, paths: Iterable[str], faults: list[str]
) -> Iterator[_Loaded]:
    for path in paths:
        try:
            yield load(product, path)
        except AirstoreError as fault:
            text = f"{fault} ({fault.hint})" if fault.hint else str(fault)
            if text not in faults:
                faults.append(text)


def _key(product: Product, path: str) -> UpstreamKey:
    return UpstreamKey.parse(_content(product, path), path, _in_tree(path))


def _root(product: Product, path: str) -> TrustedRoot:
    return TrustedRoot.parse(_content(product, path), path, _in_tree(path))


def _content(product: Product, path: str) -> bytes:
    file = product.path(path)
    if not file.is_file():
        raise UsageError(f"{path} is no file")
    with file.open("rb") as stream:
        return stream.read(LIMIT + 1)


def _in_tree(path: str) -> str:
    return path if path.startswith(f"{KEYS}/") else f"{KEYS}/{path}"


def _text(image: Reference) -> str:
    return f"{image.name}:{image.tag}" if image.tag else str(image)


def _fitting(rule: SignatureRule, image: Reference) -> str | None:
    return next((pattern for pattern in rule.images if fnmatchcase(_text(image), pattern)), None)


def _unfitting(rules: Iterable[SignatureRule], images: Sequence[Reference]) -> Iterator[str]:
    texts = [_text(image) for image in images]
    for pattern in dict.fromkeys(pattern for rule in rules for pattern in rule.images):
        if not any(fnmatchcase(text, pattern) for text in texts):
            meant = _meant(pattern, texts)
            advice = f"; did you mean {meant!r}?" if meant else ""
            yield f"{pattern!r} fits no image of the product{advice}"


def _meant(pattern: str, texts: Sequence[str]) -> str | None:
    """A pattern that would fit, or the image most like it; None where there is none."""
    ends = ("", ":*")
    for tried in (
        start + pattern + end for start in ("", "docker.io/", "docker.io/library/") for end in ends
    ):
        if tried != pattern and any(fnmatchcase(text, tried) for text in texts):
            return tried
    return next(iter(get_close_matches(pattern, texts, n=1)), None)
