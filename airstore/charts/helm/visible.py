"""The files of this machine that Helm may see: what it is made of, its own, and what one call is about.

The rest is closed by the kernel, where it can (`airstore.process.landlock`): a chart, its schema or a link in
it that names a file of the machine finds nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.parsing import yamlfile
from airstore.process.confinement import Confinement, PathRules

_PROGRAMS = (
    *("/bin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store", "/usr/bin", "/usr/lib"),
    *("/usr/lib32", "/usr/lib64", "/usr/local/bin", "/usr/local/lib"),
)
_SYSTEM = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/urandom")
_NETWORK = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")
# Where Go looks for certificate authorities (crypto/x509 root_linux.go), and what links there lead to; never
# /etc/ssl as a whole, which has private keys.
_AUTHORITIES = (
    *("/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/certs"),
    *("/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted", "/etc/pki/tls/cert.pem"),
    *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki"),
    *("/etc/ca-certificates", "/var/lib/ca-certificates"),
)
_POD = "/var/run/secrets/kubernetes.io/serviceaccount"
_IN_USERS = ("certificate-authority", "client-certificate", "client-key")  # of clusters and users


@frozen
class HelmView:
    """What a Helm sees, by what is asked of it.

    Attributes:
        binary: Helm. What a script in its place would run cannot be known, so nothing is closed to that.
    """

    binary: Path

    def offline(self, own: Sequence[Path], read: Sequence[Path] = ()) -> Confinement:
        """Without network.

        Args:
            own: directories that it writes.
            read: what the call is about.
        """
        return Confinement(offline=True, files=self._rules(own, (*map(Path, _SYSTEM), *read)))

    def online(self, own: Sequence[Path], read: Sequence[Path] = ()) -> Confinement:
        """With network: also names of hosts, and certificate authorities."""
        return Confinement(files=self._rules(own, (*map(Path, (*_SYSTEM, *_NETWORK, *_AUTHORITIES)), *read)))

    def with_cluster(
        self, own: Sequence[Path], kubeconfig: Path | None, read: Sequence[Path] = ()
    ) -> Confinement:
        """With a cluster, and with a post-renderer, which is airstore itself.

        Args:
            own: directories that it writes.
            kubeconfig: None in a pod. Where one names a program for credentials nothing is closed: that may
                read and write what it likes.
            read: what the call is about.
        """
        access = _of_kubeconfig(kubeconfig) if kubeconfig else [Path(_POD)]
        if access is None:
            return Confinement()
        files = self.online(own, (*access, *read)).files
        if files is None:
            return Confinement()
        return Confinement(files=replace(files, run=(*files.run, *_of_airstore())))

    def _rules(self, own: Sequence[Path], read: Sequence[Path]) -> PathRules | None:
        if _is_script(self.binary):
            return None
        return PathRules((*map(Path, _PROGRAMS), self.binary), tuple(read), (Path("/dev/null"), *own))


def _of_airstore() -> Iterator[Path]:
    for prefix in {sys.prefix, sys.base_prefix}:
        yield from (Path(prefix, part) for part in ("bin", "lib", "lib64", "pyvenv.cfg"))
    yield Path(__file__).parents[3]
    # Libraries lie where `.pth` files say, too: in the applier's image below /opt. The first entry is the
    # working directory, or where a script lies, unless Python was told to leave that out.
    yield from map(Path, filter(None, sys.path if sys.flags.safe_path else sys.path[1:]))


def _of_kubeconfig(path: Path) -> list[Path] | None:
    """A kubeconfig, and the files it names; None where it has a program run, or cannot be read by us."""
    try:
        with path.open("rb") as file:
            document = yamlfile.load(file.read(LIMITS.yaml_document), str(path))
        entries = [
            entry.get(kind) or {}
            for kind in ("cluster", "user")
            for entry in (document or {}).get(f"{kind}s") or ()
        ]
        if any("exec" in entry or "auth-provider" in entry for entry in entries):
            return None
        return [path, *(path.parent / each for entry in entries for each in _named(entry))]
    except (AirstoreError, OSError, AttributeError, TypeError):
        return None  # Helm says better than we what is wrong with it


def _named(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(entry[name]) for name in _IN_USERS if entry.get(name))
    if entry.get("tokenFile"):  # a new one is put in its place while Helm waits
        yield str(Path(entry["tokenFile"]).parent)


def _is_script(binary: Path) -> bool:
    try:
        with binary.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False
