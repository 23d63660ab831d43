"""A token server as the distribution spec wants one: RS256 tokens that the real registry verifies."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.tools.http_server import listening

REFRESH_TOKEN = "refresh-me"
_ISSUER, _SERVICE = "airstore test tokens", "airstore test registry"


@dataclass
class TokenServer:
    """A running token server.

    Attributes:
        lifetime: seconds that tokens live; the registry allows 60 more.
        asked: the scopes of every request, in order.
        failures: statuses to answer the next requests with instead.
    """

    user: str
    password: str
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    bundle: Path
    realm: str = ""
    lifetime: int = 300
    asked: list[list[str]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    @property
    def registry_settings(self) -> dict[str, str]:
        """The registry's ``auth.token`` section."""
        return {
            "realm": self.realm,
            "service": _SERVICE,
            "issuer": _ISSUER,
            "rootcertbundle": str(self.bundle),
        }

    def token(self, scopes: list[str]) -> str:
        """A signed token for scopes such as ``repository:shop/api:pull,push``."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        times = {"iat": now, "nbf": now - 5, "exp": now + self.lifetime}
        claims = {"iss": _ISSUER, "sub": self.user, "aud": _SERVICE, "jti": str(len(self.asked)), **times}
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims | _access(scopes)))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(signature)}"


@contextmanager
def token_server(directory: Path, user: str, password: str) -> Iterator[TokenServer]:
    """Run one for the length of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _certificate(key)
    bundle = directory / "tokens.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    tokens = TokenServer(user, password, key, certificate, bundle)
    handler = type("Handler", (_Handler,), {"tokens": tokens})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with listening(server) as host:
        tokens.realm = f"http://{host}/token"
        yield tokens


class _Handler(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        basic = base64.b64encode(f"{self.tokens.user}:{self.tokens.password}".encode()).decode()
        self._answer(self.headers.get("Authorization") == f"Basic {basic}", query.get("scope", []))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        allowed = form.get("refresh_token") == [REFRESH_TOKEN] and form["grant_type"] == ["refresh_token"]
        self._answer(allowed, [part for scope in form.get("scope", []) for part in scope.split()])

    def log_message(self, *_arguments: object) -> None:
        pass

    def _answer(self, allowed: bool, scopes: list[str]) -> None:
        self.tokens.asked.append(scopes)
        status = self.tokens.failures.pop(0) if self.tokens.failures else 200 if allowed else 401
        body = b'{"errors":[{"code":"UNAUTHORIZED","message":"not you"}]}'
        if status == 200:
            body = json.dumps({"token": self.tokens.token(scopes)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _access(scopes: list[str]) -> dict[str, object]:
    entries = [scope.rsplit(":", 1) for scope in scopes]
    return {
        "access": [
            {"type": name.partition(":")[0], "name": name.partition(":")[2], "actions": actions.split(",")}
            for name, actions in entries
        ]
    }


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ISSUER)])
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
