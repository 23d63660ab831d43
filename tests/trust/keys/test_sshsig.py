import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.limits import LIMITS
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PublicKey
from airstore.trust.wire import put_string
from tests.trust.trust_parts import ALICE, BOB, BOUNDED, MALLORY, run

DATA = b"what is signed\n"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n"


def blob_of(armored: str) -> bytes:
    return base64.b64decode("".join(armored.splitlines()[1:-1]))


def armor(blob: bytes) -> str:
    return BEGIN + base64.b64encode(blob).decode() + "\n" + END


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    path = tmp_path / "allowed_signers"
    path.write_text(f'alice namespaces="git" {ALICE.public.openssh()}\n')
    return path


def keygen_verify(signers: Path, armored: str, data: bytes, namespace: str = "git") -> int:
    signature = signers.with_name("signature")
    signature.write_text(armored)
    command = ("ssh-keygen", "-Y", "verify", "-f", signers, "-I", "alice", "-n", namespace, "-s", signature)
    return run(*command, stdin=data, check=False).returncode


def keygen_sign(directory: Path, data: bytes, namespace: str, hash_name: str = "sha512") -> str:
    if not (directory / "alice").exists():
        ALICE.save(directory / "alice")
    options = ("-n", namespace, "-O", f"hashalg={hash_name}")
    return run(
        "ssh-keygen", "-Y", "sign", "-q", "-f", directory / "alice", *options, stdin=data
    ).stdout.decode()


def test_ssh_keygen_accepts_our_signature(signers: Path) -> None:
    armored = sshsig.sign(ALICE, DATA, "git")
    assert keygen_verify(signers, armored, DATA) == 0
    assert keygen_verify(signers, armored, DATA + b"x") != 0


def test_ssh_keygen_makes_the_same_bytes(tmp_path: Path) -> None:
    assert keygen_sign(tmp_path, DATA, "git") == sshsig.sign(ALICE, DATA, "git")


def test_we_accept_what_ssh_keygen_signs(tmp_path: Path) -> None:
    for hash_name in ("sha512", "sha256"):
        armored = keygen_sign(tmp_path, DATA, "airstore-test", hash_name)
        assert sshsig.verify(armored, DATA, "airstore-test", [BOB.public, ALICE.public]) == ALICE.public


def test_empty_data_can_be_signed(signers: Path) -> None:
    armored = sshsig.sign(ALICE, b"", "git")
    assert keygen_verify(signers, armored, b"") == 0
    assert sshsig.verify(armored, b"", "git", [ALICE.public]) == ALICE.public


def test_threat_wrong_namespace(tmp_path: Path, signers: Path) -> None:
    """A signature made for files (or for a login elsewhere) must not pass for a commit's."""
    for armored in (sshsig.sign(ALICE, DATA, "file"), keygen_sign(tmp_path, DATA, "file")):
        with pytest.raises(NotTrustedError, match="is for 'file', not for 'git'"):
            sshsig.verify(armored, DATA, "git", [ALICE.public])
        assert keygen_verify(signers, armored, DATA) != 0


def test_namespace_is_mandatory() -> None:
    for namespace in ("", "gît", "git\n"):
        with pytest.raises(UsageError, match="namespace"):
            sshsig.sign(ALICE, DATA, namespace)
    blob = blob_of(sshsig.sign(ALICE, DATA, "git")).replace(put_string(b"git"), put_string(b""))
    with pytest.raises(NotTrustedError, match="no namespace"):
        sshsig.verify(armor(blob), DATA, "", [ALICE.public])


def test_threat_key_embedded_in_the_signature_is_not_believed() -> None:
    with pytest.raises(NotTrustedError, match="not a trusted key"):
        sshsig.verify(sshsig.sign(MALLORY, DATA, "git"), DATA, "git", [ALICE.public, BOB.public])


def test_trusted_key_written_over_an_attackers_signature_is_refused() -> None:
    blob = blob_of(sshsig.sign(MALLORY, DATA, "git")).replace(MALLORY.public.raw, ALICE.public.raw)
    with pytest.raises(NotTrustedError, match="not over this data"):
        sshsig.verify(armor(blob), DATA, "git", [ALICE.public])


def test_other_data_is_refused() -> None:
    with pytest.raises(NotTrustedError, match="not over this data"):
        sshsig.verify(sshsig.sign(ALICE, DATA, "git"), DATA + b"x", "git", [ALICE.public])


def test_no_trusted_keys_means_no_trust() -> None:
    with pytest.raises(NotTrustedError):
        sshsig.verify(sshsig.sign(ALICE, DATA, "git"), DATA, "git", [])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2", "not of version 1"),
        (b"SSHSIG\0\0\0\1", b"SSHSIX\0\0\0\1", "not of version 1"),
        (put_string(b"git"), put_string(b"g\xefit"), "not ASCII"),
        (put_string(b"git") + put_string(b""), put_string(b"git") + put_string(b"tag"), "reserved 'tag'"),
        (put_string(b"sha512"), put_string(b"md5"), "hash 'md5'"),
    ],
)
def test_unknown_parts_are_refused(old: bytes, new: bytes, fault: str) -> None:
    blob = blob_of(sshsig.sign(ALICE, DATA, "git"))
    assert old in blob
    with pytest.raises(DamagedError, match=fault):
        sshsig.verify(armor(blob.replace(old, new)), DATA, "git", [ALICE.public])


def test_bytes_after_the_signature_are_refused() -> None:
    blob = blob_of(sshsig.sign(ALICE, DATA, "git"))
    with pytest.raises(DamagedError, match="after its end"):
        sshsig.verify(armor(blob + b"\0"), DATA, "git", [ALICE.public])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda inner: inner + b"\0", "after its end"),
        (lambda inner: inner[:15] + put_string(b"x" * 63), "63 bytes"),
    ],
)
def test_inner_signature_of_another_length_is_refused(change: Callable[[bytes], bytes], fault: str) -> None:
    blob = blob_of(sshsig.sign(ALICE, DATA, "git"))
    inner = blob[-(4 + 11 + 4 + 64) :]
    changed = blob[: -len(inner) - 4] + put_string(change(inner))
    with pytest.raises(DamagedError, match=fault):
        sshsig.verify(armor(changed), DATA, "git", [ALICE.public])


def test_every_cut_is_noticed() -> None:
    blob = blob_of(sshsig.sign(ALICE, DATA, "git"))
    for length in range(len(blob)):
        with pytest.raises(DamagedError):
            sshsig.verify(armor(blob[:length]), DATA, "git", [ALICE.public])


def test_signature_of_another_type_is_refused(tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", tmp_path / "rsa")
    command = ("ssh-keygen", "-Y", "sign", "-q", "-f", tmp_path / "rsa", "-n", "git")
    armored = run(*command, stdin=DATA).stdout.decode()
    with pytest.raises(DamagedError, match="not of type ssh-ed25519"):
        sshsig.verify(armored, DATA, "git", [ALICE.public])


def test_oversized_signature_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(DamagedError, match="at most"):
        sshsig.verify(armor(bytes(LIMITS.key_file)), DATA, "git", [ALICE.public])


@BOUNDED
@given(st.binary(max_size=400), st.sampled_from(["git", "airstore", "a b"]))
def test_what_we_sign_verifies(data: bytes, namespace: str) -> None:
    assert sshsig.verify(sshsig.sign(BOB, data, namespace), data, namespace, [BOB.public]) == BOB.public


@BOUNDED
@given(st.text(max_size=300))
def test_random_text_raises_nothing_but_damaged(text: str) -> None:
    for armored in (text, BEGIN + text + "\n" + END):
        with pytest.raises((DamagedError, NotTrustedError)):
            sshsig.verify(armored, DATA, "git", [ALICE.public])


@BOUNDED
@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    for blob in (data, b"SSHSIG\0\0\0\1" + data, b"SSHSIG\0\0\0\1" + put_string(ALICE.public.wire) + data):
        with pytest.raises((DamagedError, NotTrustedError)):
            sshsig.verify(armor(blob), DATA, "git", [ALICE.public])


@BOUNDED
@given(st.data())
def test_mutated_signature_never_verifies(data: st.DataObject) -> None:
    blob = bytearray(blob_of(sshsig.sign(ALICE, DATA, "git")))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((DamagedError, NotTrustedError)):
        sshsig.verify(armor(bytes(blob)), DATA, "git", [ALICE.public])


def test_trusted_keys_may_come_from_a_generator() -> None:
    keys = (PublicKey(key.public.raw) for key in (BOB, ALICE))
    assert sshsig.verify(sshsig.sign(ALICE, DATA, "git"), DATA, "git", keys) == ALICE.public
