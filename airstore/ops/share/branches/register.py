"""The keys of sites that publishers of one store share, each signed with a release key.

An entry has a serial number: the highest counts, so that an older one proves nothing, whoever shows it. A
site that was removed stays as an entry without a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.core.errors import AirstoreError, DamagedError, SequenceError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema
from airstore.ops.stores.directory import check_site_name
from airstore.trust import envelope
from airstore.trust.root.model import TrustRoot
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.statement import SITE_KEY, STATEMENT_TYPE, statement, verify_statement

_SUFFIX = ".json"


@frozen
class SiteEntry:
    """What a publisher has signed about a site.

    Attributes:
        key: None for a site that was removed.
        serial: counts what was said of the site; the highest counts.
        signed: the envelope.
    """

    site: str
    key: PublicKey | None
    serial: int
    signed: bytes = field(repr=False)

    @property
    def file(self) -> str:
        """Its name in the branch."""
        return self.site + _SUFFIX


Register = Mapping[str, SiteEntry]


def make_entry(
    product: str, site: str, key: PublicKey | None, earlier: SiteEntry | None, signer: SigningKey
) -> SiteEntry:
    """Say with a release key which key a site has.

    Args:
        product: of the store.
        site: its name.
        key: None to say that it is a site no longer.
        earlier: what was said before.
        signer: a release key.
    """
    serial = earlier.serial + 1 if earlier else 1
    predicate = {
        "apiVersion": API_VERSION,
        "kind": "SiteKey",
        "product": product,
        "site": site,
        "key": key.openssh() if key else None,
        "serial": serial,
    }
    payload = statement(SITE_KEY, {f"{site}.pub": _subject(key)}, predicate)
    return SiteEntry(site, key, serial, envelope.sign(payload, STATEMENT_TYPE, [signer]))


def read_register(files: Mapping[str, bytes], root: TrustRoot) -> tuple[dict[str, SiteEntry], list[str]]:
    """The entries that one of the root's release keys has signed, by site, and why others do not count."""
    found, notes = dict[str, SiteEntry](), list[str]()
    for name, signed in sorted(files.items()):
        try:
            entry = _read(name, signed, root)
        except AirstoreError as fault:
            notes.append(f"{fault}: it does not count")
        else:
            found[entry.site] = entry
    return found, notes


def merged(ours: Register, theirs: Register, where: str) -> dict[str, SiteEntry]:
    """Of each site what was said last.

    Args:
        ours: of this store.
        theirs: of another one.
        where: that is, for messages.

    Raises:
        SequenceError: both say something else of a site, and neither came after the other.
    """
    result = dict(ours)
    for site, entry in theirs.items():
        own = ours.get(site)
        if own and own.serial == entry.serial and own.key != entry.key:
            raise SequenceError(
                f"site {site!r} is registered at {where} with {_named(entry.key)}, and here with "
                f"{_named(own.key)}; nothing was changed",
                hint=f"ask the site which is its own; `airstore site remove --here {site}` drops this one",
            )
        result[site] = max((own, entry), key=_rank) if own else entry
    return result


def _rank(entry: SiteEntry) -> tuple[int, bytes]:
    """Two people may say the same: both stores then keep the same of both envelopes."""
    return entry.serial, entry.signed


def _named(key: PublicKey | None) -> str:
    return f"the key {key.fingerprint}" if key else "none, as it was removed"


def _read(name: str, signed: bytes, root: TrustRoot) -> SiteEntry:
    what = f"the shared key of site {name.removesuffix(_SUFFIX)[:100]!r}"
    found = verify_statement(signed, SITE_KEY, root.media_role, what)
    document: dict[str, Any] = dict(found.predicate)
    schema.check_json(document, "site-key", what)
    site, line = document["site"], document["key"]
    check_site_name(site)
    key = PublicKey.parse_openssh(line, what) if line is not None else None
    about = dict(found.subjects) == {f"{site}.pub": _subject(key)}
    if document["product"] != root.product or site + _SUFFIX != name or not about:
        raise DamagedError(f"{what} is another one's")
    return SiteEntry(site, key, document["serial"], signed)


def _subject(key: PublicKey | None) -> Digest:
    return Digest.of(key.openssh().encode() if key else b"")
