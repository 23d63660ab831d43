import base64
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError, StorageError, UsageError
from airstore.core.limits import LIMITS
from airstore.trust.ssh.algorithm import KINDS
from airstore.trust.ssh.keys import PrivateKey, PublicKey
from airstore.trust.ssh.kms import from_sslib, to_sslib
from tests.trust.trust_parts import ALICE, BOUNDED, run


def test_saved_key_loads_again(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    key.save(tmp_path / "alice")
    assert PrivateKey.load(tmp_path / "alice").public == key.public


def test_ssh_keygen_reads_our_key_and_agrees_on_the_public_half(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    printed = run("ssh-keygen", "-y", "-f", tmp_path / "alice").stdout.decode()
    assert PublicKey.parse_openssh(printed) == ALICE.public
    assert printed.strip() == ALICE.public.openssh()


def test_we_read_the_key_that_ssh_keygen_makes(tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bob@vendor", "-f", tmp_path / "bob")
    public = PublicKey.parse_openssh((tmp_path / "bob.pub").read_text())
    assert PrivateKey.load(tmp_path / "bob").public == public


def test_passphrase_works_with_ssh_keygen_in_both_directions(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "ours", b"correct horse")
    assert run("ssh-keygen", "-y", "-P", "correct horse", "-f", tmp_path / "ours").stdout
    assert run("ssh-keygen", "-y", "-P", "wrong", "-f", tmp_path / "ours", check=False).returncode != 0
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "battery", "-f", tmp_path / "theirs")
    theirs = PrivateKey.load(tmp_path / "theirs", lambda: b"battery")
    assert theirs.public == PublicKey.parse_openssh((tmp_path / "theirs.pub").read_text())


def test_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    ALICE.public.save(tmp_path / "alice.pub", "alice@vendor")
    printed = run("ssh-keygen", "-l", "-f", tmp_path / "alice.pub").stdout.decode()
    assert printed.split()[1:3] == [ALICE.public.fingerprint, "alice@vendor"]


def test_wrong_passphrase_is_said_in_clear_words(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice", b"right")
    with pytest.raises(NotTrustedError, match="wrong passphrase"):
        PrivateKey.load(tmp_path / "alice", lambda: b"wrong")
    with pytest.raises(NotTrustedError, match="wrong passphrase"):
        PrivateKey.load(tmp_path / "alice", lambda: b"")
    with pytest.raises(UsageError, match="protected by a passphrase"):
        PrivateKey.load(tmp_path / "alice")


def test_passphrase_is_asked_for_only_where_the_file_needs_one(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    asked: list[bool] = []

    def ask() -> bytes:
        asked.append(True)
        return b"secret"

    PrivateKey.load(tmp_path / "alice", ask)
    assert not asked


def test_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        ALICE.save(tmp_path / "alice", b"")
    assert not (tmp_path / "alice").exists()


def test_key_file_belongs_to_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ALICE.save(tmp_path / "alice")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "alice").stat().st_mode) == 0o600


def test_existing_files_are_never_overwritten(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    ALICE.public.save(tmp_path / "alice.pub")
    before = (tmp_path / "alice").read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        PrivateKey.generate().save(tmp_path / "alice")
    with pytest.raises(UsageError, match="never overwritten"):
        PrivateKey.generate().public.save(tmp_path / "alice.pub")
    assert (tmp_path / "alice").read_bytes() == before


def test_dangling_link_in_the_place_of_a_key_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "alice").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        ALICE.save(tmp_path / "alice")
    assert not (tmp_path / "elsewhere").exists()


def test_full_disk_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        ALICE.save(tmp_path / "alice")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o660, 0o601])
def test_key_open_to_others_is_refused_with_the_way_out(tmp_path: Path, mode: int) -> None:
    ALICE.save(tmp_path / "alice")
    (tmp_path / "alice").chmod(mode)
    with pytest.raises(NotTrustedError, match=f"mode {mode:04o}") as caught:
        PrivateKey.load(tmp_path / "alice")
    assert "chmod 600" in caught.value.hint


def test_text_form_never_shows_key_material(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    pem = (tmp_path / "alice").read_text().splitlines()
    for shown in (repr(ALICE), str(ALICE), f"{ALICE}"):
        assert shown == f"PrivateKey({ALICE.public.fingerprint})"
        assert (b"\x01" * 32).hex() not in shown
        assert not any(line in shown for line in pem)


def test_other_files_are_not_taken_for_keys(tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pkcs8 = ed25519.Ed25519PrivateKey.generate()
    contents = {
        "rsa": other.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        "pkcs8": pkcs8.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "empty": b"",
        "public": ALICE.public.openssh().encode(),
        "huge": b"x" * (LIMITS.key_file + 1),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        with pytest.raises(UsageError, match=f"{name} is not an Ed25519 or ECDSA P-256 private key"):
            PrivateKey.load(tmp_path / name)


def test_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        PrivateKey.load(tmp_path / "nobody")


def test_only_regular_files_are_keys(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(0o700)
    for name in ("pipe", "directory"):
        with pytest.raises((UsageError, NotFoundError), match=r"not a regular file|Is a directory"):
            PrivateKey.load(tmp_path / name)


@BOUNDED
@given(data=st.data())
def test_damaged_key_file_raises_nothing_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("damaged")
    ALICE.save(directory / "alice")
    content = bytearray((directory / "alice").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (directory / "alice").write_bytes(content)
    try:
        loaded = PrivateKey.load(directory / "alice")
    except (UsageError, NotTrustedError, DamagedError):
        return
    assert loaded.public.verifies(loaded.sign(b"data"), b"data")


def test_a_damaged_key_file_never_gives_another_key(tmp_path: Path) -> None:
    path = tmp_path / "alice"
    ALICE.save(path)
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        with suppress(UsageError):
            assert PrivateKey.load(path).public == ALICE.public, position


def test_public_key_goes_through_its_openssh_line() -> None:
    line = ALICE.public.openssh("alice  of\nvendor")
    assert line.endswith(" alice of vendor")
    assert PublicKey.parse_openssh(line) == ALICE.public
    assert PublicKey.parse_openssh(ALICE.public.openssh() + "\n") == ALICE.public


def test_keyid_is_the_one_other_tuf_tools_compute() -> None:
    for kind in KINDS:
        public = PrivateKey.generate(kind).public
        assert public.keyid == to_sslib(public).keyid
        assert from_sslib(to_sslib(public)) == public


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-rsa AAAAB3NzaC1yc2E= x",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
        ALICE.public.openssh() + "AAAA",
        ALICE.public.openssh() + "\n" + ALICE.public.openssh(),
        "ssh-ed25519 " + base64.b64encode(ALICE.public.wire + b"\0").decode(),
        "ssh-ed25519 " + base64.b64encode(ALICE.public.wire.replace(b"ed25519", b"ed25518")).decode(),
    ],
)
def test_other_lines_are_not_public_keys(line: str) -> None:
    with pytest.raises(DamagedError):
        PublicKey.parse_openssh(line)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x01" + bytes(31),  # identity: verifies any message with an all-zero s
        bytes(32),
        (2**255 - 20).to_bytes(32, "little"),
        (2**255 - 19 + 1).to_bytes(32, "little"),  # the identity once more, not reduced
        (2**256 - 1).to_bytes(32, "little"),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),  # sign bit set
    ],
)
def test_weak_public_keys_are_refused(raw: bytes) -> None:
    with pytest.raises(DamagedError, match="weak"):
        PublicKey(raw)


def test_why_weak_keys_matter_the_library_accepts_a_forgery_under_one() -> None:
    identity = ed25519.Ed25519PublicKey.from_public_bytes(b"\x01" + bytes(31))
    identity.verify(b"\x01" + bytes(63), b"a message that nobody signed")


@BOUNDED
@given(st.binary(max_size=80))
def test_random_wire_forms_raise_nothing_but_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        PublicKey.parse_wire(data)


@BOUNDED
@given(st.text(max_size=200))
def test_random_lines_raise_nothing_but_damaged(text: str) -> None:
    with pytest.raises(DamagedError):
        PublicKey.parse_openssh(text)
