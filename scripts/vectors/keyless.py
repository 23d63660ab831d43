"""Do sigstore-go and airstore say the same of signatures without keys that the tests' own sigstore makes?

    (cd scripts/vectors/sigstore.d && go build -o DIR/judge .)
    python -m scripts.vectors.keyless DIR/judge

Good bundles, and each damage of tests/trust/upstream/test_upstream_logged.py and of a certificate's parts;
all by a trusted root in a file, without network. Exits 1 where two verdicts differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.registry.keyless import Making
from tests.support.registry.sigstore import IDENTITY, ISSUER, Sigstore
from tests.trust.upstream.test_upstream_logged import DAMAGE, FIRST, IMAGE, made, verdict

Case = tuple[str, dict[str, Any]]


def cases(making: Making) -> Iterator[Case]:
    """Bundles by name."""
    for kind in ("dsse", "intoto"):
        for place in ((0, 1), (0, 5), (4, 5), (63, 64)):
            yield f"{kind} {place}", made(making, kind=kind, place=place)[0]
        yield from damaged(making, kind)
    yield from first(making)
    for name, changes in of_certificates(making.sigstore).items():
        yield name, json.loads(making.but(**changes).bundle(IMAGE))


def damaged(making: Making, kind: str) -> Iterator[Case]:
    """The proof, or the entry as a whole."""
    for name, (damage, _) in DAMAGE.items():
        bundle, entry = made(making, kind=kind)
        damage(making, entry)
        yield f"{kind}, {name}", bundle
    yield f"{kind}, payload", made(making, kind=kind, logs=b"another")[0]
    yield f"{kind}, signed", made(making, kind=kind, signs=b"another")[0]
    (bundle, _), (other, _) = made(making, kind=kind), made(making, kind=kind)
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    yield f"{kind}, signature", bundle


def first(making: Making) -> Iterator[Case]:
    """Bundles 0.1, with a proof, a damaged one and none; and promises."""
    for name in ("good", "damaged", "none", "promise", "no promise"):
        bundle, entry = made(making)
        bundle["mediaType"] = FIRST
        if name == "damaged":
            entry["inclusionProof"]["hashes"].pop()
        elif name == "none":
            del entry["inclusionProof"]
        elif name == "promise":
            entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)
        elif name == "no promise":
            del entry["inclusionPromise"]
        yield f"0.1, {name}", bundle


def of_certificates(sigstore: Sigstore) -> dict[str, dict[str, Any]]:
    """What is wrong with the certificate, or with who made it."""
    other = Sigstore()
    return {
        "identity": {"identity": "https://github.com/mallory/app"},
        "issuer": {"issuer": "https://accounts.example.com"},
        "late": {"after": timedelta(minutes=11)},
        "early": {"after": timedelta(minutes=-1)},
        "no entry": {"logged": False},
        "purpose": {"purpose": ExtendedKeyUsageOID.CLIENT_AUTH},
        "no timestamp": {"sigstore": replace(sigstore, stamped=False)},
        "authority": {"sigstore": replace(sigstore, ca=other.ca, middle=other.middle)},
        "certificate log": {"sigstore": replace(sigstore, certificate_log=other.certificate_log)},
        "log": {"sigstore": replace(sigstore, log=other.log)},
    }


def main() -> None:
    judge, making = Path(sys.argv[1]).absolute(), Making()
    bundles = dict(cases(making))
    with tempfile.TemporaryDirectory() as base:
        root = Path(base) / "root.json"
        root.write_text(json.dumps(making.sigstore.trusted_root()))
        paths = [Path(base) / f"{number}.json" for number in range(len(bundles))]
        for path, bundle in zip(paths, bundles.values(), strict=True):
            path.write_text(json.dumps(bundle))
        command = [
            str(judge),
            str(root),
            IDENTITY,
            ISSUER,
            IMAGE["digest"].partition(":")[2],
            *map(str, paths),
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    differ = 0
    for (name, bundle), theirs in zip(bundles.items(), said, strict=True):
        ours = verdict(making, bundle) or "good"
        same = (ours == "good") == (theirs == "good")
        differ += not same
        print(f"{'same' if same else 'DIFFERS':8}{name:24} {ours[:80]} | {theirs[:80]}")
    print(f"{len(bundles)} bundles, {differ} verdicts differ")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
