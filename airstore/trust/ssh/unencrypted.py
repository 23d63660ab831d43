"""The usual private key: Ed25519, without passphrase, in OpenSSH's format (PROTOCOL.key).

The library's reader of key files knows every cipher and type of key, and takes longer to load than signing
takes. Whatever is not exactly the usual file is left to it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from airstore.core.errors import DamagedError
from airstore.trust.wire import WireReader, decode_base64, put_string

_BEGIN, _END = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"-----END OPENSSH PRIVATE KEY-----\n"
_MAGIC = b"openssh-key-v1\0"
_OPEN = (b"none", b"none", b"")  # no cipher, no derivation of keys, nothing that it would take
_TYPE = b"ssh-ed25519"
_SECRET = 32  # bytes
_BLOCK = 8  # bytes that what would be encrypted is a multiple of


def read_unencrypted(data: bytes) -> Ed25519PrivateKey | None:
    """The key in a file; None where the library has to say what the file is."""
    if not data.startswith(_BEGIN) or not data.endswith(_END):
        return None
    text = data[len(_BEGIN) : -len(_END)].replace(b"\n", b"").decode("latin-1")
    try:
        return _parsed(WireReader(decode_base64(text, "a private key"), "a private key"))
    except DamagedError:
        return None


def _parsed(reader: WireReader) -> Ed25519PrivateKey | None:
    usual = reader.take(len(_MAGIC)) == _MAGIC and tuple(reader.string() for _ in _OPEN) == _OPEN
    if not usual or reader.number() != 1:
        return None
    public, secret = reader.string(), reader.string()
    reader.end()
    return _key(public, secret) if len(secret) % _BLOCK == 0 else None


def _key(public: bytes, secret: bytes) -> Ed25519PrivateKey | None:
    reader = WireReader(secret, "a private key")
    if reader.number() != reader.number() or reader.string() != _TYPE:
        return None
    point, both = reader.string(), reader.string()
    reader.string()  # the comment
    padding = bytes(range(1, len(reader.data) + 1))
    agrees = public == put_string(_TYPE) + put_string(point) and both[_SECRET:] == point
    if not agrees or len(both) != 2 * _SECRET or len(padding) >= _BLOCK or reader.data != padding:
        return None
    return Ed25519PrivateKey.from_private_bytes(both[:_SECRET])
