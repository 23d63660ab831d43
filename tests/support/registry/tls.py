"""A certificate authority of our own, and a server certificate for localhost."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Files in PEM form."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Make keys and certificates that are valid for a day."""
        directory.mkdir(parents=True, exist_ok=True)
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca = _builder("airstore test CA", "airstore test CA", ca_key.public_key())
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        leaf = _builder("localhost", "airstore test CA", key.public_key())
        leaf = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False)
        files = cls(directory / "ca.pem", directory / "server.pem", directory / "server.key")
        pem = serialization.Encoding.PEM
        files.ca.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
        files.certificate.write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem))
        plain = serialization.NoEncryption()
        files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        return files


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    builder = x509.CertificateBuilder(_name(issuer), _name(subject), key, x509.random_serial_number())
    return builder.not_valid_before(now - day).not_valid_after(now + day)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
