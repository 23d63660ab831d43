"""ECDSA keys on P-256 beside Ed25519: OpenSSH, securesystemslib and cryptography judge them."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as SslibEnvelope
from securesystemslib.signer import Key, Signature

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.root.sign import TrustRoot, sign_root, verify_first
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.algorithm import ECDSA_P256
from airstore.trust.ssh.keys import PrivateKey, PublicKey
from airstore.trust.ssh.kms import to_sslib
from airstore.trust.wire import WireReader, put_number, put_string
from tests.trust.trust_parts import ALICE, BOUNDED, run

DATA = b"what is signed\n"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def key(number: int) -> PrivateKey:
    # OpenSSH does not believe in private numbers that are small.
    return PrivateKey(ec.derive_private_key(int.from_bytes(bytes([number]) * 32, "big"), ec.SECP256R1()))


DORA, EVE = key(4), key(5)


def signers(directory: Path) -> Path:
    path = directory / "allowed_signers"
    path.write_text(f"dora {DORA.public.openssh()}\n")
    return path


def test_ssh_keygen_takes_our_signatures_and_we_take_its(tmp_path: Path) -> None:
    DORA.save(tmp_path / "dora")
    (tmp_path / "ours").write_text(sshsig.sign(DORA, DATA, "git"))
    options = ("-f", signers(tmp_path), "-I", "dora", "-n", "git", "-s", tmp_path / "ours")
    run("ssh-keygen", "-Y", "verify", *options, stdin=DATA)
    assert run("ssh-keygen", "-Y", "verify", *options, stdin=DATA + b"x", check=False).returncode
    for _ in range(8):  # theirs differ each time, and with them the lengths of the numbers
        theirs = run("ssh-keygen", "-Y", "sign", "-q", "-f", tmp_path / "dora", "-n", "git", stdin=DATA)
        assert sshsig.verify(theirs.stdout.decode(), DATA, "git", [ALICE.public, DORA.public]) == DORA.public
        with pytest.raises(NotTrustedError):
            sshsig.verify(theirs.stdout.decode(), DATA, "git", [ALICE.public, EVE.public])


@pytest.mark.parametrize("passphrase", [None, b"a passphrase"])
def test_files_are_those_of_openssh(tmp_path: Path, passphrase: bytes | None) -> None:
    made = PrivateKey.generate("ecdsa-p256")
    made.save(tmp_path / "k", passphrase)
    said = run("ssh-keygen", "-y", "-P", (passphrase or b"").decode(), "-f", tmp_path / "k").stdout.decode()
    assert PublicKey.parse_openssh(said) == made.public
    assert PrivateKey.load(tmp_path / "k", lambda: passphrase or b"").public == made.public
    made.public.save(tmp_path / "k.pub", "somebody")
    listed = run("ssh-keygen", "-l", "-f", tmp_path / "k.pub").stdout.decode()
    assert made.public.fingerprint in listed


def test_a_key_of_ssh_keygen_signs(tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-N", "", "-f", tmp_path / "k")
    loaded = PrivateKey.load(tmp_path / "k")
    assert loaded.public.verifies(loaded.sign(DATA), DATA)
    assert PublicKey.parse_openssh((tmp_path / "k.pub").read_text()) == loaded.public


@pytest.mark.parametrize("bits", ["384", "521"])
def test_other_curves_are_named_and_refused(tmp_path: Path, bits: str) -> None:
    run("ssh-keygen", "-q", "-t", "ecdsa", "-b", bits, "-N", "", "-f", tmp_path / "k")
    with pytest.raises(UsageError, match="another type"):
        PrivateKey.load(tmp_path / "k")
    with pytest.raises(DamagedError, match=f"nistp{bits}"):
        PublicKey.parse_openssh((tmp_path / "k.pub").read_text())


@BOUNDED
@given(st.binary(max_size=200))
def test_the_same_data_give_the_same_signature(data: bytes) -> None:
    assert DORA.sign(data) == DORA.sign(data)
    assert DORA.public.verifies(DORA.sign(data), data)
    assert not DORA.public.verifies(DORA.sign(data), data + b"x")
    assert envelope.sign(data, "text/plain", [DORA]) == envelope.sign(data, "text/plain", [DORA])


def test_keys_of_both_kinds_sign_one_envelope_and_the_library_agrees() -> None:
    both = envelope.sign(DATA, "text/plain", [ALICE, DORA])
    role = Role((ALICE.public, DORA.public), 2)
    assert envelope.verify(both, "text/plain", role, "it") == DATA
    with pytest.raises(NotTrustedError, match="signed by 1 of the 2"):
        envelope.verify(envelope.sign(DATA, "text/plain", [DORA]), "text/plain", role, "it")
    theirs = SslibEnvelope(DATA, "text/plain", {})
    for each in (ALICE, DORA):
        theirs.signatures[each.public.keyid] = Signature(each.public.keyid, each.sign(theirs.pae()).hex())
    keys: list[Key] = [to_sslib(ALICE.public), to_sslib(DORA.public)]
    assert set(theirs.verify(keys, 2)) == {each.keyid for each in keys}
    once_more = envelope.add_signatures(
        envelope.sign(DATA, "text/plain", [ALICE]), "text/plain", [DORA], "it"
    )
    assert envelope.verify(once_more, "text/plain", role, "it") == DATA


def test_a_trust_root_names_keys_of_both_kinds() -> None:
    names = {"alice": ALICE.public, "dora": DORA.public}
    root = TrustRoot.create("shop", names, {"root": (["dora"], 1), "release": (["alice", "dora"], 1)})
    read = verify_first(sign_root(root, [DORA]))
    assert dict(read.keys) == names
    assert read == root


def points() -> dict[str, bytes]:
    whole = DORA.public.raw
    loaded = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), whole)
    return {
        "compressed": loaded.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        "beside the curve": whole[:-1] + bytes([whole[-1] ^ 1]),
        "infinity": b"\0",
        "zeros": b"\4" + bytes(64),
        "short": whole[:-1],
        "long": whole + b"\0",
        "hybrid": bytes([6 + (whole[-1] & 1)]) + whole[1:],
    }


@pytest.mark.parametrize("case", points())
def test_only_points_in_their_one_form_are_keys(case: str) -> None:
    with pytest.raises(DamagedError):
        PublicKey(points()[case], ECDSA_P256)


@pytest.mark.parametrize(
    "wire",
    [
        put_string(b"ecdsa-sha2-nistp256") + put_string(b"nistp384") + put_string(DORA.public.raw),
        put_string(b"ecdsa-sha2-nistp256") + put_string(DORA.public.raw),
        put_string(b"ssh-ed25519") + put_string(DORA.public.raw),
        put_string(b"ecdsa-sha2-nistp256") + put_string(b"nistp256") + put_string(ALICE.public.raw),
        DORA.public.wire + b"\0",
    ],
)
def test_wire_forms_that_contradict_themselves_are_damaged(wire: bytes) -> None:
    with pytest.raises(DamagedError):
        PublicKey.parse_wire(wire)


def test_a_line_whose_type_is_another_one_than_the_keys_is_damaged() -> None:
    encoded = base64.b64encode(DORA.public.wire).decode()
    with pytest.raises(DamagedError, match="says that it is ssh-ed25519"):
        PublicKey.parse_openssh(f"ssh-ed25519 {encoded}")


def ssh_form(r: bytes, s: bytes) -> bytes:
    return put_string(b"ecdsa-sha2-nistp256") + put_string(put_string(r) + put_string(s))


@pytest.mark.parametrize(
    "wire",
    [
        ssh_form(b"", b"\1"),
        ssh_form(b"\0", b"\1"),
        ssh_form(b"\0\1", b"\1"),  # a zero too many
        ssh_form(b"\x80", b"\1"),  # a negative number
        put_string(b"ecdsa-sha2-nistp256") + put_string(DORA.sign(DATA)),  # DER, as others have it
        put_string(b"ssh-ed25519") + put_string(ALICE.sign(DATA)),
        put_string(b"ecdsa-sha2-nistp256") + put_string(put_string(b"\1") * 3),  # three numbers
        DORA.public.ssh_signature(DORA.sign(DATA)) + b"\0",
        DORA.public.ssh_signature(DORA.sign(DATA))[:-1],
    ],
)
def test_signatures_in_another_form_are_damaged(wire: bytes) -> None:
    with pytest.raises(DamagedError):
        DORA.public.parse_signature(wire, "it")


@BOUNDED
@given(st.integers(1, 2**300))
def test_numbers_come_back(number: int) -> None:
    reader = WireReader(put_number(number), "it")
    assert reader.natural() == number
    reader.end()


@pytest.mark.parametrize("change", ["r + n", "s + n", "r = 0", "s = 0", "swapped"])
def test_numbers_out_of_their_range_sign_nothing(change: str) -> None:
    r, s = decode_dss_signature(DORA.sign(DATA))
    changed = {
        "r + n": (r + ORDER, s),
        "s + n": (r, s + ORDER),
        "r = 0": (0, s),
        "s = 0": (r, 0),
        "swapped": (s, r),
    }[change]
    der = ec_der(*changed)
    assert not DORA.public.verifies(der, DATA)


def ec_der(r: int, s: int) -> bytes:
    def number(value: int) -> bytes:
        data = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\2" + bytes([len(data)]) + data

    return b"\x30" + bytes([len(number(r)) + len(number(s))]) + number(r) + number(s)


@BOUNDED
@given(st.binary(max_size=80))
def test_random_signatures_sign_nothing(signature: bytes) -> None:
    assert not DORA.public.verifies(signature, DATA)


def test_git_and_the_key_file_agree_upon_what_they_are(tmp_path: Path) -> None:
    DORA.save(tmp_path / "dora")
    DORA.public.save(tmp_path / "dora.pub")
    git = ["git", "-C", str(tmp_path / "repo"), "-c", "user.name=d", "-c", "user.email=d@example.com"]
    git += ["-c", "gpg.format=ssh", "-c", f"user.signingkey={tmp_path / 'dora.pub'}"]
    git += ["-c", f"gpg.ssh.allowedSignersFile={signers(tmp_path)}"]
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    subprocess.run([*git, "commit", "-q", "-S", "--allow-empty", "-m", "x"], check=True)
    raw = subprocess.run(
        [*git, "cat-file", "commit", "HEAD"], check=True, capture_output=True, text=True
    ).stdout
    head, _, rest = raw.partition("gpgsig ")
    armored, _, tail = rest.partition("\n\n")
    signature = armored.replace("\n ", "\n") + "\n"
    signed = f"{head}\n{tail}".encode()
    assert sshsig.verify(signature, signed, "git", [DORA.public]) == DORA.public
