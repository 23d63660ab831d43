"""A product of ConfigMaps: its charts, its hooks and its product file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The database is an object that no chart has: hooks make, back up, change and restore it, as with a real one.
HOOKS = {
    "backup.sh": """#!/bin/sh
set -eu
test ! -e "$AIRSTORE_BACKUP/table"
kubectl get configmap database -n "$AIRSTORE_NAMESPACE" -o 'jsonpath={.data.table}' > "$AIRSTORE_BACKUP/table"
""",
    "verify.sh": '#!/bin/sh\nset -eu\ntest -s "$AIRSTORE_BACKUP/table"\n',
    "migrate.sh": """#!/bin/sh
set -eu
kubectl create configmap database -n "$AIRSTORE_NAMESPACE" --from-literal="table=rows of $AIRSTORE_VERSION" \\
  --dry-run=client -o yaml | kubectl apply -f -
""",
    "restore.sh": """#!/bin/sh
set -eu
kubectl create configmap database -n "$AIRSTORE_NAMESPACE" --from-file="table=$AIRSTORE_BACKUP/table" \\
  --dry-run=client -o yaml | kubectl apply -f -
""",
}
_CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {version: {{ .Chart.Version | quote }}, password: {{ .Values.password | quote }}}
"""
_CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Release.Name }}-data}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Mi}}}
"""
# No server takes it, and says so in a dry run; and what none takes either, but only once it is real.
INVALID = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n"
REFUSED = """apiVersion: v1
kind: ConfigMap
metadata: {name: refused, labels: {airstore.example/refused: x}}
"""
_POLICY = "airstore-tests-refused"
POLICY = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": _POLICY},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "objectSelector": {"matchLabels": {"airstore.example/refused": "x"}},
                    "resourceRules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": ["configmaps", "services"],
                        }
                    ],
                },
                "validations": [
                    {"expression": "has(request.dryRun) && request.dryRun", "message": "Refused_When_Real"}
                ],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": _POLICY},
            "spec": {"policyName": _POLICY, "validationActions": ["Deny"]},
        },
    ],
}
# Helm waits for it, and nothing here runs it.
ENDLESS = """apiVersion: batch/v1
kind: Job
metadata: {name: endless, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "registry.example.com/a:1"}]}}}
"""


def write_charts(product: Path, versions: Mapping[str, str], more: Mapping[str, Mapping[str, str]]) -> None:
    """Charts of ConfigMaps, made anew; ``more`` adds files to them."""
    for name, version in versions.items():
        files = {
            "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
            "values.yaml": "password: none\n",
            "templates/config.yaml": _CONFIG,
            "templates/claim.yaml": _CLAIM,
            **more.get(name, {}),
        }
        shutil.rmtree(product / name, ignore_errors=True)
        for path, text in files.items():
            target = product / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


SCRIPTS = {
    "preUpgrade": "backup.sh",
    "verifyBackup": "verify.sh",
    "postUpgrade": "migrate.sh",
    "rollback": "restore.sh",
}


def make_product(
    namespace: str,
    releases: Mapping[str, tuple[str, ...]],
    timeout: str = "30s",
    hooks: Mapping[str, str] = SCRIPTS,
    others: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """A product file; each release's chart has its name, and the database has hooks; ``others`` may, too."""
    helms: list[dict[str, Any]] = [
        {"name": name, "namespace": namespace, "chart": name, "needs": list(needs), "timeout": timeout}
        for name, needs in releases.items()
    ]
    for helm in helms:
        scripts = {"db": hooks, **(others or {})}.get(helm["name"], {})
        if scripts:
            helm["hooks"] = {hook: f"hooks/{script}" for hook, script in scripts.items()}
    return {
        "name": namespace,  # appliers of one product wait for each other, in the whole cluster
        "charts": [{"name": name, "source": f"./{name}"} for name in releases],
        "releases": helms,
        "images": {"exclude": ["registry.example.com/*", "airstore.invalid/*", "127.0.0.1:*"]},
    }
