"""SSH signatures over files and commits (OpenSSH PROTOCOL.sshsig).

The armoured text holds, in base64:

| field | form | value |
| --- | --- | --- |
| magic | 6 bytes | ``SSHSIG`` |
| version | uint32 | 1 |
| public key | string | SSH's wire form |
| namespace | string | what the signature is for; never empty |
| reserved | string | empty |
| hash | string | ``sha512`` or ``sha256`` |
| signature | string | of wire forms: the key's type, and the signature as it has it |

What is signed: magic, then namespace, reserved, hash and the message's digest as strings.
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Iterable

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.wire import WireReader, decode_base64, put_string

GIT_NAMESPACE = "git"  # git's own, for commits and tags
TOOL_NAMESPACE = "airstore-tool"  # checksums of the tool on media

_MAGIC = b"SSHSIG"
_WHAT = "SSH signature"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


@frozen
class _SshSignature:
    key: PublicKey
    namespace: str
    hash_name: str
    signature: bytes


def sign(key: SigningKey, data: bytes, namespace: str) -> str:
    """Sign ``data`` for one purpose; the armoured text is what ``ssh-keygen -Y verify`` and git read.

    Raises:
        UsageError: the namespace is empty or not plain ASCII.
    """
    if not namespace or not namespace.isascii() or not namespace.isprintable():
        raise UsageError("an SSH signature needs a namespace in printable ASCII")
    signature = key.sign(_signed_bytes(data, namespace, "sha512"))
    blob = _MAGIC + (1).to_bytes(4, "big")
    for part in (key.public.wire, namespace.encode(), b"", b"sha512"):
        blob += put_string(part)
    blob += put_string(key.public.ssh_signature(signature))
    lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
    return "\n".join((_BEGIN, *lines, _END)) + "\n"


def verify(armored: str, data: bytes, namespace: str, keys: Iterable[PublicKey]) -> PublicKey:
    """Check a signature over ``data`` for one purpose; the key that made it is given back.

    The key inside the signature only says which of the trusted ``keys`` to try.

    Raises:
        NotTrustedError: another purpose, a key that is not trusted, or not over this data.
        DamagedError: not an SSH signature.
    """
    found = _parse(armored)
    if found.namespace != namespace:
        raise NotTrustedError(f"the SSH signature is for {found.namespace!r}, not for {namespace!r}")
    if found.key not in set(keys):
        raise NotTrustedError(f"the SSH signature is by {found.key.fingerprint}, which is not a trusted key")
    if not found.key.verifies(found.signature, _signed_bytes(data, namespace, found.hash_name)):
        raise NotTrustedError(f"the SSH signature by {found.key.fingerprint} is not over this data")
    return found.key


def _signed_bytes(data: bytes, namespace: str, hash_name: str) -> bytes:
    digest = _HASHES[hash_name](data).digest()
    return _MAGIC + b"".join(map(put_string, (namespace.encode(), b"", hash_name.encode(), digest)))


def _parse(armored: str) -> _SshSignature:
    reader = WireReader(_unarmor(armored), _WHAT)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != 1:
        raise DamagedError(f"{_WHAT} is not of version 1")
    key = PublicKey.parse_wire(reader.string(), f"key of the {_WHAT}")
    namespace, reserved, hash_name = (_text(reader.string()) for _ in range(3))
    signature = reader.string()
    reader.end()
    if not namespace:
        raise NotTrustedError(f"{_WHAT} has no namespace, so it could be for anything")
    if reserved or hash_name not in _HASHES:
        raise DamagedError(
            f"{_WHAT} uses something unknown: hash {hash_name[:20]!r}, reserved {reserved[:20]!r}"
        )
    return _SshSignature(key, namespace, hash_name, key.parse_signature(signature, _WHAT))


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as fault:
        raise DamagedError(f"{_WHAT} has a name that is not ASCII") from fault


def _unarmor(armored: str) -> bytes:
    if len(armored) > LIMITS.key_file:
        raise DamagedError(f"{_WHAT} is {len(armored)} characters; at most {LIMITS.key_file} are accepted")
    lines = armored.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise DamagedError(f"{_WHAT} does not stand between its BEGIN and END lines")
    return decode_base64("".join(lines[1:-1]), _WHAT)
