"""The usual key file, read without the library's reader: the same key, or no answer."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.ssh.unencrypted import read_unencrypted
from tests.trust.trust_parts import ALICE, run

BEGIN, END = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"-----END OPENSSH PRIVATE KEY-----\n"
USUAL = ALICE._serialize(None)  # the bytes that `save` writes
BODY = base64.b64decode(USUAL[len(BEGIN) : -len(END)])


def wrapped(body: bytes) -> bytes:
    return BEGIN + base64.encodebytes(body) + END


@pytest.mark.parametrize("comment", ["", "a@b", "1234567", "a longer comment of somebody"])
def test_it_reads_what_ssh_keygen_writes(tmp_path: Path, comment: str) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", tmp_path / "key")
    data = (tmp_path / "key").read_bytes()
    key, same = read_unencrypted(data), load_ssh_private_key(data, None)
    assert key is not None
    assert isinstance(same, Ed25519PrivateKey)
    assert key.private_bytes_raw() == same.private_bytes_raw()


@settings(max_examples=100)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_damaged_file_is_left_to_the_library(at: int, mask: int) -> None:
    """Of all bytes only the secret's may be others; `PrivateKey.load` compares it with the public key."""
    damaged = wrapped(BODY[:at] + bytes([BODY[at] ^ mask]) + BODY[at + 1 :])
    key = read_unencrypted(damaged)
    secret = BODY.index(ALICE._key.private_bytes_raw())  # type: ignore[union-attr]
    assert (key is not None) == (secret <= at < secret + 32)
    assert read_unencrypted(wrapped(BODY[:at])) is None
    assert read_unencrypted(wrapped(BODY + bytes(8))) is None


@pytest.mark.parametrize(
    "data",
    [b"", USUAL.rstrip(), b" " + USUAL, USUAL.replace(b"OPENSSH ", b""), BEGIN + b"!" + END, BEGIN + END],
)
def test_another_frame_is_left_to_the_library(data: bytes) -> None:
    assert read_unencrypted(data) is None


def test_keys_of_other_kinds_are_left_to_the_library() -> None:
    assert read_unencrypted(PrivateKey.generate("ecdsa-p256")._serialize(None)) is None
    assert read_unencrypted(ALICE._serialize(b"secret")) is None


def test_who_signs_does_not_load_the_library_of_key_files(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    program = (
        "import sys\nfrom pathlib import Path\nfrom airstore.trust.ssh.keys import PrivateKey\n"
        "PrivateKey.load(Path(sys.argv[1])).sign(b'x')\n"
        "assert 'cryptography.hazmat.primitives.serialization' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "alice"], check=True)
