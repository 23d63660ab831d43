"""Do cosign and airstore say the same of signatures in annotations, as cosign 2 writes them?

    GOBIN=DIR go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
    python -m scripts.vectors.annotations DIR/cosign fixtures/cosign/annotations.json

Good ones and each damage, by a key and by certificates of the tests' own sigstore, go into a real
docker-registry, where `cosign verify` looks at them without network. What it says is kept for
tests/ops/upstream/test_upstream_annotated.py. Exits 1 where two verdicts differ that should not.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airstore.trust.upstream.claim import CERTIFICATE, LOGGED, SIGNATURE
from scripts.images.fixture_images import LayoutWriter
from scripts.vectors.cosign import HOST, registry
from scripts.vectors.keyless import of_certificates
from tests.support.registry import annotated, layouts
from tests.support.registry.keyless import Making
from tests.support.registry.layouts import Node
from tests.support.registry.signatures import UpstreamSigner, ecdsa, payload
from tests.support.registry.sigstore import IDENTITY, ISSUER, Sigstore
from tests.trust.upstream import test_upstream_annotations as damages

_ROOT = "root.json"
_ALL_TIME = {"start": "2020-01-01T00:00:00Z"}
_PAST = {**_ALL_TIME, "end": "2023-01-01T00:00:00Z"}
_DAMAGES = (
    damages.of_another_time,
    damages.of_another_place,
    damages.of_another_log,
    damages.of_another_body,
    damages.without_a_promise,
    damages.cut,
    damages.another_signature,
    damages.another_that_holds,
    damages.another_certificate,
    damages.no_certificate,
    damages.left_out,
)


def by_key(signer: UpstreamSigner, other: UpstreamSigner) -> Iterator[tuple[str, list[Node]]]:
    """Layers by the name of a case; the verdict is asked for ``signer``'s."""

    def layer(name: str, by: UpstreamSigner = signer, **how: Any) -> Node:
        digest = how.get("digest", _digest(name))
        kind = how.get("kind", "cosign container image signature")
        data = how.get("payload") or payload(digest, how.get("repository", f"{annotated.PLACE}/{name}"), kind)
        text = how.get("text", base64.b64encode(by.sign(how.get("signs", data))).decode())
        return {"payload": data.decode(), "signature": text, "more": how.get("more", {})}

    changes: dict[str, dict[str, Any]] = {
        "good": {},
        "by-another": {"by": other},
        "of-another-image": {"digest": "sha256:" + "ab" * 32},
        "of-another-repository": {"repository": "registry.example.com/other/app"},
        "of-another-payload": {"signs": b"another"},
        "of-another-type": {"kind": "cosign container image attestation"},
        "of-atomic": {"kind": "atomic container signature"},
        "of-no-json": {"payload": b"{"},
        "of-nothing": {"payload": b"{}"},
        "no-base64": {"text": "%%%"},
        "empty": {"text": ""},
        "with-a-certificate-that-is-none": {"more": {CERTIFICATE: "rubbish"}},
        "with-an-entry-that-is-none": {"more": {LOGGED: "rubbish"}},
    }
    for name, change in changes.items():
        yield f"key-{name}", [layer(f"key-{name}", **change)]
    yield "key-one-of-two", [layer("key-one-of-two", other), layer("key-one-of-two")]
    yield "key-a-bad-one-first", [layer("key-a-bad-one-first", text="%%%"), layer("key-a-bad-one-first")]


def by_identity(making: Making) -> Iterator[tuple[str, list[Node]]]:
    """The same with a certificate and an entry of the log."""

    def layer(name: str, how: Making, damage: Callable[[Making, Node], None] | None = None) -> Node:
        with tempfile.TemporaryDirectory() as scratch:
            writer = LayoutWriter(Path(scratch))
            root = layouts.image(writer, name)
            data = payload(root["digest"], f"{annotated.PLACE}/{name}").decode()
            notes = how.annotated(writer, root, f"{annotated.PLACE}/{name}")["annotations"]
        if damage:
            damage(making, notes)
        text = notes.pop(SIGNATURE)
        return {"payload": data, "signature": text, "more": notes}

    yield "good", [layer("good", making)]
    for name, change in of_certificates(making.sigstore).items():
        yield name.replace(" ", "-"), [layer(name.replace(" ", "-"), making.but(**change))]
    for damage in _DAMAGES:
        name = damage.__name__.replace("_", "-")
        yield name, [layer(name, making, damage)]
    for name in ("old-logs", "old-authorities", "old-ctlogs"):
        yield name, [layer(name, making)]
    unlogged = layer("one-of-two", making.but(logged=False))
    yield "one-of-two", [unlogged, layer("one-of-two", making)]


def vectors(making: Making) -> dict[str, Any]:
    """Files and cases, without cosign's verdicts."""
    signer = ecdsa()
    cases = [
        {"name": name, "by": annotated.KEY, "layers": layers} for name, layers in by_key(signer, ecdsa())
    ]
    files = {annotated.KEY: signer.pem.decode(), _ROOT: _trusted(making.sigstore)}
    for name, layers in by_identity(making):
        period = name.removeprefix("old-") if name.startswith("old-") else ""
        by = f"{name}.json" if period else _ROOT
        files |= {by: _trusted(making.sigstore, period)} if period else {}
        cases.append({"name": name, "by": by, "layers": layers})
    return {"files": files, "cases": cases}


def ask(cosign: Path, base: Path, case: Node, digest: str) -> dict[str, Any]:
    """What cosign says."""
    by: tuple[str, ...] = ("--key", annotated.KEY, "--insecure-ignore-tlog")
    if case["by"] != annotated.KEY:
        whose = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
        by = (*whose, "--trusted-root", case["by"])
    common = ("--new-bundle-format=false", "--allow-http-registry", "--offline")
    command = (str(cosign), "verify", *by, *common, f"{annotated.PLACE}/{case['name']}@{digest}")
    env = {"HOME": str(base), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=base, env=env, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if line.lower().startswith(("error", "main.go"))]
    return {"good": done.returncode == 0, "says": (said or [""])[0][:160]}


def _trusted(sigstore: Sigstore, period: str = "") -> str:
    return json.dumps(sigstore.trusted_root(**({period: _PAST} if period else {})), sort_keys=True)


def _digest(name: str) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return str(layouts.image(LayoutWriter(Path(scratch)), name)["digest"])


def _push(images: Path, name: str, digest: str) -> None:
    tag = f"{digest.replace(':', '-')}.sig"
    for source, wanted in ((f"{annotated.PLACE}/{name}:1", "1"), (tag, tag)):
        target = f"docker://{annotated.PLACE}/{name}:{wanted}"
        layouts.run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{images}:{source}", target)


def main() -> None:
    cosign, out = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    found = vectors(Making())
    assert HOST in annotated.PLACE  # noqa: S101 - both are constants
    with tempfile.TemporaryDirectory() as place, registry(Path(place)):
        base = Path(place) / "work"
        base.mkdir()
        with annotated.verdicts(base, found) as ours:
            for case in found["cases"]:
                digest = _digest(case["name"])
                _push(base / "images", case["name"], digest)
                case |= ask(cosign, base, case, digest)  # noqa: PLW2901
    out.write_text(json.dumps(found, indent=1) + "\n")
    differ = 0
    for case in found["cases"]:
        name, why = case["name"], ours[case["name"]]
        same = (why is None) == annotated.OTHERWISE.get(name, case["good"])
        differ += not same
        last = (why or "good").splitlines()[-1].strip()
        print(f"{'same' if same else 'DIFFERS':8}{name:34} {last[:70]} | {case['says'] or 'good'}")
    print(f"{len(found['cases'])} signatures, {differ} verdicts differ")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
