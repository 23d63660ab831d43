"""Certificates, checked by OpenSSL's program and by a real TLS handshake."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError, UsageError
from airstore.tls.certificates import KeyPair, create_authority, days_left, issue, unusable

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return create_authority("acme registry", NOW)


@pytest.fixture(scope="module")
def server(authority: KeyPair) -> KeyPair:
    return issue(authority, ["registry.acme.example", "localhost", "10.0.0.7"], NOW)


def test_openssl_verifies_chain_name_and_key(authority: KeyPair, server: KeyPair, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    (tmp_path / "server.pem").write_bytes(server.certificate)

    def openssl(*words: str) -> str:
        done = subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    purpose = ("-purpose", "sslserver", "-x509_strict", "-verify_hostname", "registry.acme.example")
    openssl("verify", "-CAfile", "ca.pem", *purpose, "server.pem")
    openssl("verify", "-CAfile", "ca.pem", "-verify_ip", "10.0.0.7", "server.pem")
    shown = openssl("x509", "-in", "server.pem", "-noout", "-text")
    assert "prime256v1" in shown
    assert "CA:TRUE, pathlen:0" in openssl("x509", "-in", "ca.pem", "-noout", "-text")


def test_a_handshake_needs_the_right_name_and_authority(
    authority: KeyPair, server: KeyPair, tmp_path: Path
) -> None:
    ca, pem = tmp_path / "ca.pem", tmp_path / "server.pem"
    ca.write_bytes(authority.certificate)
    pem.write_bytes(server.certificate + server.key)
    assert _shake(pem, ssl.create_default_context(cafile=str(ca)), "localhost")
    assert not _shake(pem, ssl.create_default_context(cafile=str(ca)), "other.example")
    assert not _shake(pem, ssl.create_default_context(), "localhost")


def _shake(pem: Path, trust: ssl.SSLContext, name: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            context.wrap_socket(far, server_side=True).close()
        except OSError:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        trust.wrap_socket(near, server_hostname=name).close()
    except ssl.SSLError:
        return False
    finally:
        near.close()
        thread.join()
    return True


def test_why_a_certificate_cannot_be_used(authority: KeyPair, server: KeyPair) -> None:
    names = ["registry.acme.example", "10.0.0.7"]
    assert unusable(server, names, NOW, authority.certificate) is None
    assert "not valid for other" in str(unusable(server, ["other"], NOW))
    assert "expired" in str(unusable(server, names, NOW + 1000 * DAY))
    assert "valid from" in str(unusable(server, names, NOW - 2 * DAY))
    stranger = create_authority("acme registry", NOW)
    assert "not signed" in str(unusable(server, names, NOW, stranger.certificate))
    assert "another certificate" in str(unusable(KeyPair(server.certificate, stranger.key), names, NOW))
    assert days_left(server.certificate, NOW) == 825


def test_wildcards_cover_one_label(authority: KeyPair) -> None:
    pair = issue(authority, ["*.acme.example"], NOW)
    assert unusable(pair, ["registry.acme.example"], NOW) is None
    assert unusable(pair, ["a.b.acme.example"], NOW)


def test_unreadable_input(authority: KeyPair, server: KeyPair) -> None:
    with pytest.raises(DamagedError):
        unusable(KeyPair(b"no", server.key), ["a"], NOW)
    with pytest.raises(DamagedError):
        unusable(KeyPair(server.certificate, b"no"), ["a"], NOW)
    with pytest.raises(UsageError):
        issue(authority, [], NOW)
    with pytest.raises(UsageError, match="not a host name"):
        issue(authority, ["bücher.example"], NOW)
