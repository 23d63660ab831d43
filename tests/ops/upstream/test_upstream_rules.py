"""Rules for upstream signatures that cannot be meant, and keys that nobody can rely on."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import done, refused, unchanged
from tests.support.product.tiny_product import Tiny
from tests.support.product.upstream_parts import NAME, ask, write
from tests.support.registry import layouts, signatures
from tests.support.registry.signatures import UpstreamSigner, ecdsa


@pytest.fixture(scope="module")
def signer() -> UpstreamSigner:
    return ecdsa()


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("registry.example.com/tiny/app", "'registry.example.com/tiny/app:*'"),
        ("registry.example.com/tinny/app:1", "'registry.example.com/tiny/app:1'"),
    ],
)
def test_a_pattern_that_fits_no_image_protects_none_and_is_refused(
    pattern: str, meant: str, tiny: Tiny, signer: UpstreamSigner
) -> None:
    ask(tiny, signer)
    tiny.edit('images: ["registry.example.com/tiny/*"]', f'images: ["{pattern}"]')
    with unchanged(tiny.store):
        refused(tiny.create(), 2, f"'{pattern}' fits no image of the product; did you mean {meant}?")


def test_line_ends_and_space_around_a_key_do_not_matter_and_do_not_travel(
    tiny: Tiny, signer: UpstreamSigner
) -> None:
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    spoilt = b"\xef\xbb\xbf\r\n  " + signer.pem.replace(b"\n", b"  \r\n") + b"\r\n\r\n"
    ask(tiny, signer, pem=spoilt)
    assert tiny.create().code == 0
    kept = done("-C", tiny.store, "release", "show", "1.0.0", "-o", "json").json()["commit"]
    history = open_directory(tiny.store).history.path
    shown = layouts.run("git", "-C", history, "show", f"{kept}:signers/keys/up.pub")
    assert shown.stdout == signer.pem


def a_private_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "fault"),
    [
        (a_private_key(), "has no public key but: private key (keep it secret"),
        (b"-----BEGIN SIGSTORE PRIVATE KEY-----\nAA==\n-----END SIGSTORE PRIVATE KEY-----\n",
         "sigstore private key"),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "openssl x509 -pubkey"),
        (b"ssh-ed25519 AAAA someone\n", "ssh-keygen -e -m PKCS8"),
        (ecdsa().pem + ecdsa().pem, "holds 2 things"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is not a public key"),
        (ecdsa(ec.SECP256K1()).pem, "keys on the curve secp256k1 are not accepted"),
        (UpstreamSigner(rsa.generate_private_key(65537, 1024)).pem, "1024 bits is too weak"),  # noqa: S505
        (b"\0" * 70000, "70000 bytes"),
    ],
    ids=["private", "sigstore", "certificate", "openssh", "two", "garbage", "curve", "weak", "large"],
)  # fmt: skip
def test_files_that_hold_no_key_to_rely_on(
    pem: bytes, fault: str, tiny: Tiny, signer: UpstreamSigner
) -> None:
    ask(tiny, signer, pem=pem)
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "keys/up.pub", fault)


def test_keys_outside_the_product_and_missing_ones_are_named_together(
    tiny: Tiny, signer: UpstreamSigner
) -> None:
    ask(tiny, signer)
    tiny.edit("keys: [keys/up.pub]", "keys: [keys/none.pub, keys/link.pub]")
    (tiny.base.parent / "out.pub").write_bytes(signer.pem)
    (tiny.base / "keys/link.pub").symlink_to(tiny.base.parent / "out.pub")
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "2 faults", "keys/none.pub, which is not in", "keys/link.pub is outside")
