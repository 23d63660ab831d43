"""Upstream signatures that the product file asks for: verified before anything is taken in, recorded."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from airstore.core.errors import NotTrustedError
from airstore.core.image.digest import Digest
from airstore.ops.publish.upstream.signatures import Vouched, with_signatures
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.trusted import verified
from airstore.trust.upstream.key import UpstreamKey
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import done, refused, sound, unchanged
from tests.support.product.tiny_product import IMAGE, POD, Tiny, site_of
from tests.support.product.upstream_parts import NAME, VECTORS, ask, released, write
from tests.support.registry import layouts, signatures
from tests.support.registry.layouts import Node
from tests.support.registry.servers import RegistryServer
from tests.support.registry.signatures import UpstreamSigner, ecdsa

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def signer() -> UpstreamSigner:
    return ecdsa()


def test_a_verified_signature_is_signed_into_the_release_and_shown_at_the_site(
    tiny: Tiny, signer: UpstreamSigner
) -> None:
    writer, root = write(tiny)
    made = signatures.signed(writer, root, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    assert tiny.create("1.0.0", "-o", "json").json()["signed_images"] == 1
    assert released(tiny)["signatures"] == [
        {
            "rule": "registry.example.com/tiny/*",
            "key": "signers/keys/up.pub",
            "fingerprint": signer.fingerprint,
            "digest": made["digest"],
            "form": "simple-signing",
            "signedAs": NAME,
        }
    ]
    site = site_of(tiny)
    sound(site, "1.0.0")
    shown = done("-C", site, "release", "show", "1.0.0").out
    assert f"{IMAGE} is signed upstream by signers/keys/up.pub ({signer.fingerprint[:19]})" in shown
    tree = done("-C", site, "release", "diff", "1.0.0", "1.0.0", "-o", "json").json()
    assert tree["files"] == []
    assert "unchanged" in tiny.create().out


@pytest.mark.parametrize(
    "make",
    [
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=["ed25519", "rsa", "p384"],
)
def test_keys_of_every_kind_that_cosign_makes(make: object, tiny: Tiny) -> None:
    one = UpstreamSigner(make())  # type: ignore[operator]
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, one)
    writer.finish()
    ask(tiny, one)
    assert tiny.create().code == 0
    assert released(tiny)["signatures"][0]["fingerprint"] == one.fingerprint


def test_a_bundle_that_refers_to_the_image(tiny: Tiny, signer: UpstreamSigner) -> None:
    writer, root = write(tiny)
    signatures.refer(writer, root, signatures.bundle(root, signer, predicate="https://example.com/attests"))
    made = signatures.refer(writer, root, signatures.bundle(root, signer))
    writer.finish()
    ask(tiny, signer)
    assert tiny.create().code == 0
    (found,) = released(tiny)["signatures"]
    assert (found["form"], found["digest"], "signedAs" in found) == ("bundle", made["digest"], False)


def test_of_two_signatures_one_is_bad_and_the_good_one_counts(tiny: Tiny, signer: UpstreamSigner) -> None:
    writer, root = write(tiny)
    data = signatures.payload(root["digest"], NAME)
    bad = signatures.signature_layer(writer, data, ecdsa().sign(data))
    torn = signatures.signature_layer(writer, data, "no base64!")
    good = signatures.signature_layer(writer, data, signer.sign(data))
    signatures.by_tag(writer, root, [bad, good])
    signatures.by_tag(writer, root, [torn])
    writer.finish()
    ask(tiny, signer)
    assert tiny.create().code == 0
    assert len(released(tiny)["signatures"]) == 1


def nothing(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    return "no signature is attached; signers/keys/up.pub must sign"


def another_key(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    signatures.signed(writer, root, NAME, ecdsa())
    return "1 signature is attached; none by signers/keys/up.pub fits"


def another_digest(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    """Genuine, of another image, put under this image's tag."""
    other = "sha256:" + "ab" * 32
    data = signatures.payload(other, NAME)
    signatures.by_tag(writer, root, [signatures.signature_layer(writer, data, signer.sign(data))])
    return f"is for {other}, and the image is {root['digest']}"


def another_name(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    signatures.signed(writer, root, "docker.io/library/redis", signer)
    return "is for docker.io/library/redis: write signedAs: ['docker.io/library/redis'] if that is meant"


def changed_payload(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    signature = signer.sign(signatures.payload("sha256:" + "cd" * 32, NAME))
    data = signatures.payload(root["digest"], NAME)
    signatures.by_tag(writer, root, [signatures.signature_layer(writer, data, signature)])
    return "none by signers/keys/up.pub fits"


def keyless(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    data = signatures.bundle(root, ecdsa(), certificate={"rawBytes": "AAAA"})
    signatures.refer(writer, root, data)
    return "1 of them with a certificate, which a rule with identity takes"


def an_attestation(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    """By the right key, over the right digest: but it says something else than that the image is good."""
    data = signatures.bundle(root, signer, predicate="https://cosign.sigstore.dev/attestation/vuln/v1")
    signatures.refer(writer, root, data)
    return "no signature is attached"


def nonsense(writer: LayoutWriter, root: Node, signer: UpstreamSigner) -> str:
    signatures.refer(writer, root, b'{"a": 1, "a": 2}')
    whole = signatures.bundle(root, signer)
    for old, new in ((b"vnd.in-toto", b"vnd.other"), (b'"signatures": [', b'"signatures": [], "x": [')):
        signatures.refer(writer, root, whole.replace(old, new))
    signatures.by_tag(writer, root, [signatures.signature_layer(writer, b"{}", signer.sign(b"{}"))])
    return "cannot be read: attachment"


@pytest.mark.parametrize(
    "spoil",
    [
        nothing,
        another_key,
        another_digest,
        another_name,
        changed_payload,
        keyless,
        an_attestation,
        nonsense,
    ],
)
def test_what_is_no_signature_of_the_image_stops_the_release(
    spoil: object, tiny: Tiny, signer: UpstreamSigner
) -> None:
    writer, root = write(tiny)
    reason = spoil(writer, root, signer)  # type: ignore[operator]
    writer.finish()
    ask(tiny, signer)
    with unchanged(tiny.store):
        refused(tiny.create(), 30, f"  {IMAGE}: ", reason)
        refused(tiny.create("1.0.0", "--dry-run"), 30, reason)


def test_all_images_that_fail_are_named_at_once(tiny: Tiny, signer: UpstreamSigner) -> None:
    other = "registry.example.com/tiny/side:2"
    (tiny.base / "app/templates/side.yaml").write_text(POD.replace("name: app", "name: side") % other)
    writer, _ = write(tiny)
    side = layouts.image(writer, "side")
    writer.name(side, other)
    signatures.signed(writer, side, "registry.example.com/tiny/elsewhere", signer)
    writer.finish()
    ask(tiny, signer)
    with unchanged(tiny.store):
        refused(tiny.create(), 30, "2 of 2 images", f"{IMAGE}: no signature", f"{other}: 1 signature")


def test_the_index_is_signed_or_its_manifests_are(tiny: Tiny, signer: UpstreamSigner) -> None:
    """What a tag leads to is the index: its signature covers its manifests, not the other way round."""
    writer = LayoutWriter(tiny.layout)
    child = layouts.image(writer, "child")
    root = layouts.index(writer, [layouts.on(child, "linux/amd64")])
    writer.name(root, IMAGE)
    signatures.signed(writer, child, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    refused(tiny.create(), 30, "what is signed is not the index but its manifest for linux/amd64")
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    assert tiny.create().code == 0

    pinned = f"{NAME}@{child['digest']}"  # a manifest of it is another image
    (tiny.base / "app/templates/pod.yaml").write_text(POD % pinned)
    assert tiny.create("1.1.0").code == 0


def test_a_mirror_says_whose_signatures_it_takes(tiny: Tiny, signer: UpstreamSigner) -> None:
    writer, root = write(tiny)
    signatures.signed(writer, root, "index.docker.io/library/redis", signer)
    writer.finish()
    ask(tiny, signer, ", signedAs: [docker.io/library/*]")
    assert tiny.create().code == 0
    assert released(tiny)["signatures"][0]["signedAs"] == "docker.io/library/redis"


def test_every_rule_that_fits_an_image_must_be_met(tiny: Tiny, signer: UpstreamSigner) -> None:
    """A narrower rule never makes a wider one void."""
    second = ecdsa()
    ask(tiny, signer)
    (tiny.base / "keys/second.pub").write_bytes(second.pem)
    tiny.edit("signatures: [", 'signatures: [{images: ["*"], keys: [keys/second.pub, keys/up.pub]}, ')
    tiny.edit("keys: [keys/up.pub]}]", "keys: [keys/second.pub]}]")
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    refused(tiny.create(), 30, "none by signers/keys/second.pub fits (rule 'registry.example.com/tiny/*')")
    signatures.signed(writer, root, NAME, second)
    writer.finish()
    assert tiny.create().code == 0
    found = {(each["rule"], each["key"]) for each in released(tiny)["signatures"]}
    assert {rule for rule, _ in found} == {"*", "registry.example.com/tiny/*"}
    assert ("registry.example.com/tiny/*", "signers/keys/second.pub") in found


def test_a_tag_that_moves_between_looking_and_taking_is_noticed(tiny: Tiny, signer: UpstreamSigner) -> None:
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    assert tiny.create().code == 0
    (image,) = verified(open_directory(tiny.store), "1.0.0").release.images
    moved = {image.reference: Vouched(Digest.of(b"other"), image.signatures)}
    with pytest.raises(NotTrustedError, match="when its signatures were verified"):
        with_signatures([image], moved)
    bare = type(image)(image.reference, image.root, image.blobs)
    with pytest.raises(NotTrustedError, match="could not be imported"):
        with_signatures([bare], {image.reference: Vouched(image.root.digest, image.signatures)})


def test_the_same_signature_is_recorded_whatever_order_they_are_listed_in(
    tiny: Tiny, signer: UpstreamSigner
) -> None:
    writer, root = write(tiny)
    data = signatures.payload(root["digest"], NAME)
    for _ in range(3):  # ECDSA signs anew each time
        layer = signatures.signature_layer(writer, data, signer.sign(data))
        signatures.by_tag(writer, root, [layer])
    writer.finish()
    ask(tiny, signer)
    assert tiny.create().code == 0
    index = tiny.layout / "index.json"
    document = json.loads(index.read_text())
    document["manifests"].reverse()
    index.write_text(json.dumps(document))
    assert tiny.create("1.1.0").code == 0
    assert released(tiny, "1.1.0")["signatures"] == released(tiny)["signatures"]


def test_signatures_by_the_real_cosign_in_a_real_registry(tiny: Tiny, registry: RegistryServer) -> None:
    """What scripts/vectors/cosign.py kept goes back into a registry: image, and the tag of its signature."""
    source, name = VECTORS / "images", "127.0.0.1:5055/vectors/p256-simple"
    verdict = next(
        each for each in json.loads((VECTORS / "verdicts.json").read_text()) if each["image"] == name
    )
    tag = verdict["digest"].replace(":", "-") + ".sig"
    target = f"docker://{registry.host}/vectors/p256-simple"
    for source_name, wanted in ((f"{name}:1", "1"), (tag, tag)):
        copied = ("--dest-tls-verify=false", f"oci:{source}:{source_name}", f"{target}:{wanted}")
        layouts.run("skopeo", "copy", *copied)
    (tiny.base / "app/templates/pod.yaml").write_text(POD % f"{name}:1")
    key = UpstreamKey.parse((VECTORS / "p256.pub").read_bytes(), "p256.pub", "")
    ask(tiny, ecdsa(), pem=key.pem)
    tiny.edit('"oci:./images"', f'"docker://{registry.host}"')
    tiny.edit("registry.example.com/tiny/*", "127.0.0.1:5055/*")
    create = ("1.0.0", "--plain-http", registry.host)
    assert tiny.create(*create).code == 0
    (signature,) = released(tiny)["signatures"]
    assert (signature["fingerprint"], signature["signedAs"]) == (key.fingerprint, name)
    (tiny.base / "keys/up.pub").write_bytes((VECTORS / "other.pub").read_bytes())
    with unchanged(tiny.store):
        refused(tiny.create("1.1.0", *create[1:]), 30, f"{name}:1: 1 signature is attached; none by")
