"""The cluster's own authority and the certificates it gives out, made by openssl and kept between runs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from settings import FIRST_SERVICE, NODE, NODE_IP, Cluster, ClusterError

_DAYS = "3650"
_CURVE = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
_API = (
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    f"DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:{NODE_IP},IP:{FIRST_SERVICE}"
)


@dataclass(frozen=True)
class Holder:
    """Whom a certificate names.

    Attributes:
        subject: in openssl's form, ``/O=group/CN=user``; Kubernetes takes user and groups from it.
        names: subject alternative names of a server; empty for clients.
    """

    subject: str
    names: str = ""


HOLDERS = {
    "loopback": Holder("/CN=loopback", "DNS:localhost,IP:127.0.0.1"),
    "apiserver": Holder("/CN=kube-apiserver", _API),
    "apiserver-kubelet": Holder("/O=system:masters/CN=kube-apiserver-kubelet"),
    "admin": Holder("/O=system:masters/CN=admin"),
    "controller-manager": Holder("/CN=system:kube-controller-manager"),
    "scheduler": Holder("/CN=system:kube-scheduler"),
    "proxy": Holder("/CN=system:kube-proxy"),
    "dns": Holder("/CN=coredns"),
    "node": Holder(f"/O=system:nodes/CN=system:node:{NODE}", f"DNS:{NODE},IP:{NODE_IP}"),
}


def create(cluster: Cluster) -> None:
    """Make what is missing; what is there stays, so that a running cluster can be brought up again."""
    pki = cluster.pki
    pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (pki / "ca.crt").exists():
        _authority(pki)
    if not (pki / "accounts.key").exists():
        _key(pki / "accounts.key", "-algorithm", "RSA")
        _openssl("pkey", "-in", pki / "accounts.key", "-pubout", "-out", pki / "accounts.pub")
    for name, holder in HOLDERS.items():
        if not (pki / f"{name}.crt").exists():
            _issue(pki, name, holder)


def _authority(pki: Path) -> None:
    _key(pki / "ca.key", *_CURVE)
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", _DAYS)
    _openssl("req", "-x509", "-new", "-key", pki / "ca.key", "-subj", "/CN=airstore-cluster", *usage,
             "-out", pki / "ca.crt")  # fmt: skip


def _key(path: Path, *kind: str) -> None:
    _openssl("genpkey", *kind, "-out", path)
    path.chmod(0o600)


def _issue(pki: Path, name: str, holder: Holder) -> None:
    key, request, extensions = pki / f"{name}.key", pki / f"{name}.csr", pki / f"{name}.ext"
    _key(key, *_CURVE)
    lines = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
    extensions.write_text("\n".join([*lines, *([f"subjectAltName={holder.names}"] if holder.names else [])]))
    _openssl("req", "-new", "-key", key, "-subj", holder.subject, "-out", request)
    authority = ("-CA", pki / "ca.crt", "-CAkey", pki / "ca.key", "-CAcreateserial", "-days", _DAYS)
    _openssl("x509", "-req", "-in", request, *authority, "-extfile", extensions, "-out", f"{pki / name}.new")
    request.unlink()
    extensions.unlink()
    (pki / f"{name}.new").rename(pki / f"{name}.crt")  # last: its presence says that all is there


def _openssl(*words: object) -> None:
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise ClusterError(f"openssl {words[0]} failed: {done.stderr.strip()}")
