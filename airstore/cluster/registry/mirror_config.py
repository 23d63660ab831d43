"""Configuration that makes nodes pull every image from the site's registry and from nowhere else; pure.

Sources: containerd docs/hosts.md, k3s "Private Registry Configuration", containers-registries.conf(5),
OpenShift config.openshift.io/v1 (ImageDigestMirrorSet, ImageTagMirrorSet).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.parsing import yamlfile

_CERTS = "/etc/containerd/certs.d"
_AUTH_FILE = "/etc/airstore/registry-auth.json"
_OPENSHIFT_HEAD = """\
# oc apply -f; the machine config operator then rolls the nodes.
# An airstore before product names called these objects `airstore`: once this is applied,
# oc delete imagedigestmirrorset/airstore imagetagmirrorset/airstore
"""
# The cluster has one list of authorities, which may be another product's or the site's own.
_TRUST_HEAD = """\
# To merge: the cluster trusts the authorities of one ConfigMap, for all who need one. Is there one already?
#   oc get image.config.openshift.io/cluster -o jsonpath='{{.spec.additionalTrustedCA.name}}'
# If it names one other than {1}, do not apply this: add the key for {0} below to that ConfigMap of
# namespace openshift-config (oc edit). If it names none, oc apply -f this file.
"""
_NOTE = """\
# For nodes with containerd. /etc/containerd/config.toml must say where these files are, once:
#   version 2:  [plugins."io.containerd.grpc.v1.cri".registry]    config_path = "/etc/containerd/certs.d"
#   version 3:  [plugins."io.containerd.cri.v1.images".registry]  config_path = "/etc/containerd/certs.d"
"""


@frozen
class Mirror:
    """The site's registry as nodes use it.

    Attributes:
        host: with a port where it is not 443.
        upstreams: registry hosts whose images it holds.
        ca: certificate authority (PEM) to trust; None where nodes trust it already.
        user: who to be; empty: pods bring imagePullSecrets.
        prefix: path below which it keeps everything; may be empty.
        product: whose images it holds.
    """

    host: str
    upstreams: tuple[str, ...]
    ca: str | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    prefix: str = ""
    product: str = ""

    @property
    def place(self) -> str:
        """Host and prefix."""
        return f"{self.host}/{self.prefix}" if self.prefix else self.host

    @property
    def token(self) -> str:
        """User and password as basic authentication has them."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@frozen
class NodeFile:
    """A file on every node, or for OpenShift a file of objects to apply.

    Attributes:
        path: absolute, or a plain name.
        private: it holds a password and must have mode 0600.
        form: ``hosts``, ``k3s``, ``crio``, ``auths`` and ``ca`` may have others' content, too; ``plain`` and
            ``objects`` are the same for all, or this product's own.
    """

    path: str
    text: str = field(repr=False)
    private: bool = False
    form: str = "plain"


def mirror_files(runtime: str, mirror: Mirror) -> list[NodeFile]:
    """The files for a runtime: ``containerd``, ``k3s``, ``crio`` or ``openshift``.

    Raises:
        KeyError: no such runtime.
    """
    return list(_RUNTIMES[runtime](mirror))


def _containerd(mirror: Mirror) -> Iterator[NodeFile]:
    ca = f"{_CERTS}/{mirror.host}/ca.pem"
    for host in _hosts(mirror):
        text = _hosts_toml(mirror, ca, own=host == mirror.host)
        yield NodeFile(f"{_CERTS}/{host}/hosts.toml", text, bool(mirror.user), "hosts")
    if mirror.ca:
        yield NodeFile(ca, mirror.ca, form="ca")


def _hosts_toml(mirror: Mirror, ca: str, *, own: bool) -> str:
    below = bool(mirror.prefix) and not own  # references to the registry itself have the prefix already
    url = _quoted(f"https://{mirror.host}/v2/{mirror.prefix}" if below else f"https://{mirror.host}")
    trust = [f"ca = {_quoted(ca)}"] if mirror.ca else []
    trust += ["override_path = true"] if below else []
    login = [f"authorization = {_quoted(f'Basic {mirror.token}')}"] if mirror.user else []
    # The mirror is the `server` too, which is asked last: by default that is upstream. Containerd 1.6 refuses
    # files without a host table, and the server has settings of its own.
    lines = [_NOTE.rstrip(), f"server = {url}", *trust]
    lines += ["", "[header]", *login] if login else []
    lines += ["", f"[host.{url}]", 'capabilities = ["pull", "resolve"]', *trust]
    lines += ["", f"[host.{url}.header]", *login] if login else []
    return "\n".join(lines) + "\n"


def _k3s(mirror: Mirror) -> Iterator[NodeFile]:
    ca = f"/etc/rancher/k3s/airstore-{mirror.host.replace(':', '-')}-ca.pem"
    config: dict[str, Any] = {}
    if mirror.ca:
        config["tls"] = {"ca_file": ca}
        yield NodeFile(ca, mirror.ca, form="ca")
    if mirror.user:
        config["auth"] = {"username": mirror.user, "password": mirror.password}
    rewrite = {"rewrite": {"^(.*)$": f"{mirror.prefix}/$1"}} if mirror.prefix else {}
    document: dict[str, Any] = {
        "mirrors": {host: {"endpoint": [f"https://{mirror.host}"], **rewrite} for host in mirror.upstreams}
    }
    if config:
        document["configs"] = {mirror.host: config}
    head = "# For k3s; RKE2 reads /etc/rancher/rke2/registries.yaml. Restart the service on each node.\n"
    text = head + yamlfile.dump(document)
    yield NodeFile("/etc/rancher/k3s/registries.yaml", text, bool(mirror.user), "k3s")
    # Otherwise k3s tries upstream last.
    no_fallback = yamlfile.dump({"disable-default-registry-endpoint": True})
    yield NodeFile("/etc/rancher/k3s/config.yaml.d/airstore.yaml", no_fallback)


def _crio(mirror: Mirror) -> Iterator[NodeFile]:
    # Another location instead of a mirror: CRI-O tries upstream after mirrors.
    tables = [f'[[registry]]\nprefix = "{host}"\nlocation = "{mirror.place}"\n' for host in mirror.upstreams]
    head = "# For nodes with CRI-O; reload it: systemctl reload crio\n"
    yield NodeFile(
        "/etc/containers/registries.conf.d/50-airstore.conf", head + "\n".join(tables), form="crio"
    )
    if mirror.ca:
        yield NodeFile(f"/etc/containers/certs.d/{mirror.host}/ca.crt", mirror.ca, form="ca")
    if mirror.user:
        auths = {host: {"auth": mirror.token} for host in _hosts(mirror)}
        yield NodeFile(_AUTH_FILE, json.dumps({"auths": auths}, indent=2) + "\n", True, "auths")
        setting = f'[crio.image]\nglobal_auth_file = "{_AUTH_FILE}"\n'
        yield NodeFile("/etc/crio/crio.conf.d/50-airstore.conf", setting)


def _openshift(mirror: Mirror) -> Iterator[NodeFile]:
    sets = (
        ("ImageDigestMirrorSet", "imageDigestMirrors"),
        ("ImageTagMirrorSet", "imageTagMirrors"),
    )
    documents = [_mirror_set(kind, name, mirror) for kind, name in sets]
    yield NodeFile(f"airstore-{mirror.product}-mirrors.yaml", _OPENSHIFT_HEAD + _stream(documents))
    if mirror.ca:
        text = _TRUST_HEAD.format(mirror.host, _trust_name(mirror)) + _stream(_trusted(mirror))
        yield NodeFile(f"airstore-{mirror.product}-trust-to-merge.yaml", text)
    if mirror.user:
        auths = {mirror.host: {"auth": mirror.token}}
        text = json.dumps({"auths": auths}, indent=2) + "\n"
        # It has to be merged into Secret openshift-config/pull-secret, which holds others' passwords too.
        yield NodeFile(f"airstore-{mirror.product}-pull-secret-to-merge.json", text, private=True)


def _mirror_set(kind: str, name: str, mirror: Mirror) -> dict[str, Any]:
    entries = [
        {"source": host, "mirrors": [mirror.place], "mirrorSourcePolicy": "NeverContactSource"}
        for host in mirror.upstreams
    ]
    return {
        "apiVersion": "config.openshift.io/v1",
        "kind": kind,
        "metadata": {"name": f"airstore-{mirror.product}"},
        "spec": {name: entries},
    }


def _trust_name(mirror: Mirror) -> str:
    return f"airstore-{mirror.product}-ca"


def _trusted(mirror: Mirror) -> list[dict[str, Any]]:
    metadata = {"name": _trust_name(mirror), "namespace": "openshift-config"}
    key = mirror.host.replace(":", "..")
    image = {"additionalTrustedCA": {"name": metadata["name"]}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: mirror.ca}},
        {
            "apiVersion": "config.openshift.io/v1",
            "kind": "Image",
            "metadata": {"name": "cluster"},
            "spec": image,
        },
    ]


_RUNTIMES: dict[str, Callable[[Mirror], Iterator[NodeFile]]] = {
    "containerd": _containerd,
    "k3s": _k3s,
    "crio": _crio,
    "openshift": _openshift,
}
RUNTIMES = tuple(_RUNTIMES)


def _hosts(mirror: Mirror) -> tuple[str, ...]:
    return tuple(dict.fromkeys((mirror.host, *mirror.upstreams)))


def _quoted(text: str) -> str:
    return json.dumps(text)  # a TOML basic string, for texts without control characters


def _stream(documents: Sequence[dict[str, Any]]) -> str:
    return "".join(f"---\n{yamlfile.dump(document)}" for document in documents)
