"""Helm's record of a release: the Secret ``sh.helm.release.v1.NAME.vREVISION``, read and written. Pure.

Source: helm.sh/helm pkg/storage/driver (secrets.go, util.go): base64 of gzip of JSON, in a Secret's data and
so in base64 once more. Two things Helm has no command for are done here, and only under our own Lease: ending
a ``pending-*`` state that a killed run left behind, and keeping data when a release is uninstalled.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from collections.abc import Collection
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson, yamlfile

_CLAIM = "PersistentVolumeClaim"
KEEP = {"helm.sh/resource-policy": "keep"}
TYPE = "helm.sh/release.v1"
_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)


def secret_name(name: str, revision: int) -> str:
    """Name of the Secret that holds one revision."""
    return f"sh.helm.release.v1.{name}.v{revision}"


def reference(name: str, revision: int) -> dict[str, Any]:
    """The Secret as far as it takes to find it."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_name(name, revision)}}


def labels(name: str) -> dict[str, str]:
    """What Helm labels the Secrets of all revisions with."""
    return {"owner": "helm", "name": name}


def revision(secret: dict[str, Any]) -> int:
    """Helm's number of the revision that a Secret holds.

    Raises:
        DamagedError: it is not Helm's.
    """
    try:
        return int(secret["metadata"]["labels"]["version"])
    except (KeyError, TypeError, ValueError) as fault:
        name = (secret.get("metadata") or {}).get("name")
        raise DamagedError(f"Secret {name} has no revision that Helm wrote") from fault


def end_pending(secret: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a Secret to apply so that its release counts as failed; None if it is not pending.

    Raises:
        DamagedError: it is not Helm's.
    """
    info = decode(secret).get("info") or {}
    if not str(info.get("status", "")).startswith("pending-"):
        return None
    return with_status(secret, "failed", "ended by airstore: the run that began it is gone")


def with_status(secret: dict[str, Any], status: str, description: str) -> dict[str, Any]:
    """The part of a Secret to apply so that its release has this status.

    Raises:
        DamagedError: it is not Helm's.
    """
    release = decode(secret)
    info = {**(release.get("info") or {}), "status": status, "description": description}
    return _changed(secret, {**release, "info": info}, {"status": status})


def keep_data(secret: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a Secret to apply so that Helm keeps data on uninstall; None if there is nothing to keep.

    Data are volume claims, and the Secrets of a Helm release that has volumes: what was written to them with
    a generated password needs that password. Helm reads ``helm.sh/resource-policy`` from the manifest it
    stored, not from the live object.

    Raises:
        DamagedError: it is not Helm's.
    """
    release = decode(secret)
    parts = _SEPARATOR.split(str(release.get("manifest") or ""))
    kinds = {_CLAIM, "Secret"} if any(map(_has_volumes, parts)) else {_CLAIM}
    kept = [_kept(part, kinds) for part in parts]
    if kept == parts:
        return None
    return _changed(secret, {**release, "manifest": "---".join(kept)}, {})


def decode(secret: dict[str, Any]) -> dict[str, Any]:
    """The release that a Secret holds.

    Raises:
        DamagedError: it is not Helm's.
    """
    name = str((secret.get("metadata") or {}).get("name"))
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"], validate=True), validate=True)
        decoder = zlib.decompressobj(wbits=31)
        plain = decoder.decompress(packed, LIMITS.json_document)
        if not decoder.eof:
            raise DamagedError(f"Secret {name} holds more than {LIMITS.json_document} bytes, or is cut off")
    except (KeyError, TypeError, binascii.Error, zlib.error) as fault:
        raise DamagedError(f"Secret {name} is not a release that Helm wrote: {fault}") from fault
    return strictjson.load_object(plain, f"Secret {name}")


def _changed(secret: dict[str, Any], release: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    packed = gzip.compress(json.dumps(release).encode(), mtime=0)
    data = base64.b64encode(base64.b64encode(packed)).decode()
    metadata = {"name": secret["metadata"]["name"], **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"release": data}}


def _has_volumes(part: str) -> bool:
    return bool(re.search(rf"volumeClaimTemplates:|kind:\s*[\"']?{_CLAIM}\b", part))


def _kept(part: str, kinds: Collection[str]) -> str:
    if not any(re.search(rf"kind:\s*[\"']?{kind}\b", part) for kind in kinds):
        return part
    documents = yamlfile.load_manifests(part, "stored manifest")
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return part
    document = documents[0]
    if document.get("kind") not in kinds:
        return part
    metadata = document.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), **KEEP}
    if annotations == metadata.get("annotations"):
        return part
    kept = {**document, "metadata": {**metadata, "annotations": annotations}}
    return "\n" + yamlfile.dump(kept)
