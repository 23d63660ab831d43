"""A site's high-water mark: how far it had come, signed by its key (schemas/site-mark.schema.json).

One lies in the store, where it shows that a part of it was cut or comes from a backup; one may lie outside,
its anchor, where it shows that of the whole store.
"""

from __future__ import annotations

from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.model.release import API_VERSION
from airstore.core.parsing import schema, strictjson
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey

NAMESPACE = "airstore-mark"


@frozen
class Mark:
    """How far a site had come.

    Attributes:
        site: its name.
        root_version: of the trust root in force.
        sequence: of the newest trusted release; 0 before the first import.
        release: digest of its ``release.json``.
        entries: the number of the ledger's newest entry; 0 before the first.
        entry: digest of its ``entry.json``.
        when: seconds since the epoch.
    """

    site: str
    root_version: int
    sequence: int = 0
    release: Digest | None = None
    entries: int = 0
    entry: Digest | None = None
    when: int = 0

    def to_bytes(self, key: SigningKey) -> bytes:
        """As it is written, signed."""
        fields = self._fields()
        return strictjson.dumps(fields | {"signature": sshsig.sign(key, strictjson.dumps(fields), NAMESPACE)})

    @classmethod
    def parse(cls, data: bytes, key: PublicKey, what: str) -> Mark:
        """Read and verify what `to_bytes` wrote.

        Raises:
            DamagedError: it is not of its form.
            NotTrustedError: not signed by this key.
        """
        document = strictjson.load_object(data, what, LIMITS.key_file)
        schema.check_json(document, "site-mark", what)
        release, entry = document["release"], document["entry"]
        mark = cls(
            document["site"],
            document["rootVersion"],
            document["sequence"],
            Digest(release) if release else None,
            document["entries"],
            Digest(entry) if entry else None,
            document["when"],
        )
        if (mark.sequence == 0) != (release is None) or (mark.entries == 0) != (entry is None):
            raise DamagedError(f"{what} is not what airstore wrote")
        sshsig.verify(document["signature"], strictjson.dumps(mark._fields()), NAMESPACE, [key])
        return mark

    def _fields(self) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": "SiteMark",
            "site": self.site,
            "rootVersion": self.root_version,
            "sequence": self.sequence,
            "release": self.release,
            "entries": self.entries,
            "entry": self.entry,
            "when": self.when,
        }
