"""Fakes of key management services: HTTP servers with real keys that speak what signing takes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.tools.http_server import listening

TOKEN = "hvs.of-a-test"


@dataclass
class FakeService:
    """One that runs.

    Attributes:
        environment: what leads a client to it.
        signed: how many signatures it made.
    """

    environment: dict[str, str]
    signed: int = 0
    keys: list[Any] = field(default_factory=list)


class _Answering(BaseHTTPRequestHandler):
    service: FakeService

    def answer(self, code: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        return document

    def log_message(self, *_: Any) -> None:
        """Not to the terminal."""


class _Vault(_Answering):
    """developer.hashicorp.com/vault/api-docs/secret/transit: read key, sign data; a key ``release``."""

    def do_GET(self) -> None:
        if self._allowed("/v1/transit/keys/release"):
            versions = {
                str(number): {"public_key": b64encode(key.public_key().public_bytes_raw()).decode()}
                for number, key in enumerate(self.service.keys, 1)
            }
            self.answer(200, {"data": {"type": "ed25519", "keys": versions}})

    def do_POST(self) -> None:
        body = self.body()
        if self._allowed("/v1/transit/sign/release"):
            version = int(body["key_version"])
            signature = self.service.keys[version - 1].sign(b64decode(body["input"]))
            self.service.signed += 1
            self.answer(200, {"data": {"signature": f"vault:v{version}:{b64encode(signature).decode()}"}})

    do_PUT = do_POST  # noqa: N815 - the server's name for it

    def _allowed(self, path: str) -> bool:
        if self.headers.get("X-Vault-Token") != TOKEN:
            self.answer(403, {"errors": ["permission denied"]})
        elif self.path.partition("?")[0].rstrip("/") != path:
            self.answer(404, {"errors": []})
        else:
            return True
        return False


class _Aws(_Answering):
    """docs.aws.amazon.com/kms/latest/APIReference: GetPublicKey and Sign; a key called ``alias/release``."""

    def do_POST(self) -> None:
        body, action = self.body(), self.headers["X-Amz-Target"].removeprefix("TrentService.")
        if body.get("KeyId") != "alias/release":
            self.answer(400, {"__type": "NotFoundException", "message": "Alias is not found."})
        elif action == "GetPublicKey":
            der = (
                self.service.keys[0]
                .public_key()
                .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            )
            known = {"PublicKey": b64encode(der).decode(), "SigningAlgorithms": ["ECDSA_SHA_256"]}
            self.answer(200, {"KeyId": "alias/release", "KeySpec": "ECC_NIST_P256", **known})
        else:
            assert (body["MessageType"], body["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
            made = self.service.keys[0].sign(b64decode(body["Message"]), ECDSA(Prehashed(SHA256())))
            self.service.signed += 1
            self.answer(200, {"KeyId": "alias/release", "Signature": b64encode(made).decode()})


@contextmanager
def fake_vault() -> Iterator[FakeService]:
    """Its key ``release`` has two versions."""
    keys = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
    service = FakeService({"VAULT_TOKEN": TOKEN}, keys=keys)
    with _running(_Vault, service) as address:
        service.environment["VAULT_ADDR"] = address
        yield service


@contextmanager
def fake_aws() -> Iterator[FakeService]:
    """AWS KMS behind an endpoint of one's own."""
    access = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}
    service = FakeService({**access, "AWS_MAX_ATTEMPTS": "1"}, keys=[generate_private_key(SECP256R1())])
    with _running(_Aws, service) as address:
        service.environment["AWS_ENDPOINT_URL"] = address
        yield service


@contextmanager
def _running(kind: type[_Answering], service: FakeService) -> Iterator[str]:
    handler = type(kind.__name__, (kind,), {"service": service})
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as host:
        yield f"http://{host}"
