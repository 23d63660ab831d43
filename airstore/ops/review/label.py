"""What a courier sheet says of media: product, releases, digest of the signed index, who signed, sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.media.index import INDEX_NAME, MediaIndex
from airstore.media.reader import Media
from airstore.ops.review.sides import ReleaseSigner
from airstore.trust import envelope
from airstore.trust.root.sign import TrustRoot
from airstore.trust.statement import STATEMENT_TYPE


@frozen
class Carrier:
    """One volume; media in one directory are one.

    Attributes:
        size: bytes on it, the index left aside.
        files: how many files.
        parity: how many of them are parity.
    """

    number: int
    size: int
    files: int
    parity: int


@frozen
class Label:
    """The facts of a sheet; the index was verified.

    Attributes:
        digest: SHA-256 of the signed ``index.json``, the same on every volume.
        root: version of the trust root that it was verified against.
    """

    index: MediaIndex
    digest: Digest
    signers: tuple[ReleaseSigner, ...]
    root: int
    carriers: tuple[Carrier, ...]


def label(media: Media, root: TrustRoot) -> Label:
    """The facts of media, as their signed index says them.

    Raises:
        NotTrustedError: the index is not signed by the root's keys.
        DamagedError: it is malformed.
    """
    index = media.trusted_index(root.media_role)
    signed = envelope.read(media.envelope, STATEMENT_TYPE, INDEX_NAME)
    signers = signed.signed_by(root.media_role.keys)
    return Label(
        index=index,
        digest=Digest.of(media.envelope),
        signers=tuple(ReleaseSigner(root.name_of(key), key.fingerprint) for key in signers),
        root=root.version,
        carriers=tuple(_carriers(index)),
    )


def _carriers(index: MediaIndex) -> Iterator[Carrier]:
    if not index.volumes:
        sizes = {path: file.size for path, file in index.files.items()}
        yield Carrier(1, sum(sizes.values()), len(sizes), _parity(sizes))
    for number, pieces in enumerate(index.volumes, 1):
        paths = [piece.path for piece in pieces]
        yield Carrier(number, sum(piece.size for piece in pieces), len(pieces), _parity(paths))


def _parity(paths: Iterable[str]) -> int:
    return sum(path.startswith("parity/") for path in paths)
