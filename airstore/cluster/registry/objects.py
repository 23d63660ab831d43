"""The objects of the registry in the cluster, as documents; pure.

Two servers share one volume in each pod: one read-only, which nodes pull from, and one that takes uploads and
knows the push user alone. A registry with htpasswd gives every user every right, so with one server the
password on each node could replace the images of all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.cluster.api.labels import PASSWORDS, PRODUCT
from airstore.cluster.registry.settings import RegistrySettings
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Manifest
from airstore.core.model.site_registry import REGISTRY_PULL
from airstore.tls.certificates import KeyPair

NAME = "registry"
HTPASSWD, TLS, PULL_SECRET = "registry-htpasswd", "registry-tls", REGISTRY_PULL
PUSH_SECRET = "registry-push"  # noqa: S105 - its name; no pod has it, products that share the registry read it
PULL_USER, PUSH_USER = "pull", "push"
PULL_PORT, PUSH_PORT = 5000, 5010
NODE_LABEL = {"primary-registry": "true"}
SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "airstore"}
_READ_ONLY = {"REGISTRY_STORAGE_MAINTENANCE_READONLY": '{"enabled": true}'}
_DATA, _AUTH = "/var/lib/registry", "/auth"
# No limit of a request's size and no copy of it on the controller's disk, for the common controllers.
_UNLIMITED = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
    "nginx.org/client-max-body-size": "0",
    "nginx.org/proxy-read-timeout": "900s",
    "haproxy-ingress.github.io/proxy-body-size": "unlimited",
    "haproxy.org/timeout-server": "900s",
    "haproxy.router.openshift.io/timeout": "900s",
}


@frozen
class RegistrySecrets:
    """What only the cluster and the store's private files may know.

    Attributes:
        htpasswd_pull: htpasswd text of the server that nodes pull from.
        htpasswd_push: of the one that takes uploads.
        http_secret: shared by all pods, for uploads that go on at another one.
        tls: certificate and key; None where the site provides the Secret.
        secret_uid: of the Secret in the cluster that holds the first three; empty before there is one.
    """

    pull_password: str = field(repr=False)
    push_password: str = field(repr=False)
    htpasswd_pull: str = field(repr=False)
    htpasswd_push: str = field(repr=False)
    http_secret: str = field(repr=False)
    tls: KeyPair | None = None
    secret_uid: str = ""


def namespace(name: str, product: str) -> Manifest:
    """A Namespace that is made for a product; nothing else in it is ours."""
    metadata = {"name": name, "annotations": {PRODUCT: product}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def htpasswd_secret(settings: RegistrySettings, secrets: RegistrySecrets) -> Manifest:
    """The Secret that the servers read their users from."""
    data = {
        "htpasswd-pull": secrets.htpasswd_pull,
        "htpasswd-push": secrets.htpasswd_push,
        "http-secret": secrets.http_secret,
    }
    return _object("v1", "Secret", settings, HTPASSWD, type="Opaque", data=encoded(data))


def push_secret(settings: RegistrySettings, secrets: RegistrySecrets, ca: str | None) -> Manifest:
    """What another product needs to share this registry, for those who may read this namespace's Secrets.

    Args:
        settings: of the registry.
        secrets: its passwords.
        ca: certificate authority (PEM) to trust, if one is needed.
    """
    data = {"username": PUSH_USER, "password": secrets.push_password}
    data |= {"host": settings.host, "push-host": settings.push_host or "", **({"ca.crt": ca} if ca else {})}
    return _object("v1", "Secret", settings, PUSH_SECRET, type="kubernetes.io/basic-auth", data=encoded(data))


def tls_secret(settings: RegistrySettings, pair: KeyPair) -> Manifest:
    """The Secret with the certificate that the Ingress presents."""
    data = {"tls.crt": pair.certificate.decode(), "tls.key": pair.key.decode()}
    return _object("v1", "Secret", settings, TLS, type="kubernetes.io/tls", data=encoded(data))


def claim(settings: RegistrySettings) -> Manifest:
    """The volume; its class cannot be changed later, its size can only grow."""
    spec: Manifest = {
        "accessModes": [settings.access_mode],
        "resources": {"requests": {"storage": settings.storage}},
    }
    if settings.storage_class:
        spec["storageClassName"] = settings.storage_class
    return _object("v1", "PersistentVolumeClaim", settings, NAME, spec=spec)


def service(settings: RegistrySettings) -> Manifest:
    """The address of both servers inside the cluster."""
    ports = [
        {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
        for name, port in (("pull", PULL_PORT), ("push", PUSH_PORT))
    ]
    return _object("v1", "Service", settings, NAME, spec={"selector": SELECTOR, "ports": ports})


def ingress(settings: RegistrySettings) -> Manifest:
    """How nodes reach the server they pull from; and, where there is a push host, uploads the other one."""
    ports = {settings.host: "pull", settings.push_host: "push"}
    rules = [
        {"host": host.partition(":")[0], "http": {"paths": [_backend(port)]}}
        for host, port in ports.items()
        if host
    ]
    tls = {"hosts": list(settings.host_names), "secretName": settings.tls_secret or TLS}
    spec: Manifest = {"tls": [tls], "rules": rules}
    if settings.ingress_class:
        spec["ingressClassName"] = settings.ingress_class
    document = _object("networking.k8s.io/v1", "Ingress", settings, NAME, spec=spec)
    document["metadata"]["annotations"] |= _UNLIMITED
    return document


def seed(settings: RegistrySettings, secrets: RegistrySecrets) -> Manifest:
    """The Deployment that starts from the image loaded into the labelled node, and from nothing else."""
    pod = _pod(settings.seed_reference, "Never")
    pod["nodeSelector"] = dict(NODE_LABEL)
    pod["imagePullSecrets"] = [{"name": PULL_SECRET}]
    return _deployment(settings, secrets, pod, 1)


def proper(settings: RegistrySettings, secrets: RegistrySecrets, replicas: int) -> Manifest:
    """The Deployment that runs from the registry's own copy of the image, on any node."""
    pod = _pod(settings.private_reference, "IfNotPresent")
    pod["imagePullSecrets"] = [{"name": PULL_SECRET}]
    pod["affinity"] = _spread() if settings.running > 1 else _stay()
    return _deployment(settings, secrets, pod, replicas)


def password_mark(secrets: RegistrySecrets) -> str:
    """What pods are annotated with: it changes with the passwords and says nothing about them.

    It changes with the Secret, too: one that somebody else had made held other passwords.
    """
    text = secrets.htpasswd_pull + secrets.htpasswd_push + secrets.http_secret + secrets.secret_uid
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _deployment(
    settings: RegistrySettings, secrets: RegistrySecrets, pod: Manifest, replicas: int
) -> Manifest:
    # Another password restarts the pods; without its digest here they would go on with the old one.
    metadata = {"labels": SELECTOR, "annotations": {PASSWORDS: password_mark(secrets)}}
    spec = {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": SELECTOR},
        # The new pod pulls its image from the old one, which therefore must not end before.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": metadata, "spec": pod},
    }
    return _object("apps/v1", "Deployment", settings, NAME, spec=spec)


def _pod(image: str, pull_policy: str) -> Manifest:
    return {
        "automountServiceAccountToken": False,
        # A Service's variables would be taken for settings: REGISTRY_PORT and the like.
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            _container("pull", PULL_PORT, _READ_ONLY, image, pull_policy),
            _container("push", PUSH_PORT, {}, image, pull_policy),
        ],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": NAME}},
            {
                "name": "auth",
                "secret": {"secretName": HTPASSWD, "items": [_item("htpasswd-pull"), _item("htpasswd-push")]},
            },
        ],
    }


def _container(name: str, port: int, more: Mapping[str, str], image: str, pull_policy: str) -> Manifest:
    settings = {
        "REGISTRY_HTTP_ADDR": f":{port}",
        "REGISTRY_HTTP_RELATIVEURLS": "true",  # clients reach it by other names than its own
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "registry",
        "REGISTRY_AUTH_HTPASSWD_PATH": f"{_AUTH}/htpasswd-{name}",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": _DATA,
        "OTEL_TRACES_EXPORTER": "none",  # version 3 would look for a collector
        **more,
    }
    secret = {"secretKeyRef": {"name": HTPASSWD, "key": "http-secret"}}
    environment: list[Manifest] = [{"name": key, "value": value} for key, value in settings.items()]
    probe = {"httpGet": {"path": "/", "port": name}, "periodSeconds": 5, "timeoutSeconds": 5}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "env": [*environment, {"name": "REGISTRY_HTTP_SECRET", "valueFrom": secret}],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"}],
        "readinessProbe": probe,
        "livenessProbe": {**probe, "periodSeconds": 20, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": _DATA, "readOnly": name == "pull"},
            {"name": "auth", "mountPath": _AUTH, "readOnly": True},
        ],
    }


def _stay() -> Manifest:
    # A volume of one node is best followed; but where that node is gone, another one may have the volume.
    term = {
        "matchExpressions": [{"key": key, "operator": "In", "values": [v]} for key, v in NODE_LABEL.items()]
    }
    preferred = [{"weight": 100, "preference": term}]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _spread() -> Manifest:
    term = {"labelSelector": {"matchLabels": SELECTOR}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _backend(port: str) -> Manifest:
    target = {"service": {"name": NAME, "port": {"name": port}}}
    return {"path": "/", "pathType": "Prefix", "backend": target}


def _item(key: str) -> dict[str, str]:
    return {"key": key, "path": key}


def encoded(data: Mapping[str, str]) -> dict[str, str]:
    """Texts as the ``data`` of a Secret has them."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}


def _object(api_version: str, kind: str, settings: RegistrySettings, name: str, **fields: Any) -> Manifest:
    labels = {**SELECTOR, "app.kubernetes.io/part-of": settings.product}
    metadata: Manifest = {"name": name, "namespace": settings.namespace, "labels": labels}
    metadata["annotations"] = {PRODUCT: settings.product}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
