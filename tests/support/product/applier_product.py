"""A product of one Helm release that brings the applier: its chart, hooks and product file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.images import fixture_images
from tests.support.product.e2e_road import write_product

APPLIER = "registry.example.com/airstore/applier:1"
HOOKS = {
    "backup.sh": """#!/bin/sh
set -eu
kubectl get configmap web-config -n "$AIRSTORE_NAMESPACE" -o 'jsonpath={.data.version}' > "$AIRSTORE_BACKUP/v"
""",
    "verify.sh": '#!/bin/sh\nset -eu\ntest -s "$AIRSTORE_BACKUP/v"\n',
    "look.sh": """#!/bin/sh
set -eu
kubectl exec -n "$AIRSTORE_NAMESPACE" deployment/web -- /bin/busybox cat /srv/version
""",
}
_WEB = """apiVersion: v1
kind: ConfigMap
metadata: {name: web-config}
data: {version: {{ .Chart.Version | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
        - name: web
          image: "registry.example.com/shop/api:{{ .Chart.Version }}"
          {{- if .Values.broken }}
          command: [/bin/busybox, "false"]
          {{- end }}
"""
_ROLES = """apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules:
  - {apiGroups: [""], resources: [endpoints], verbs: [get, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web, namespace: {{ .Release.Namespace }}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web-view}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: web, namespace: {{ .Release.Namespace }}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "{{ .Release.Namespace }}-nodes"}
rules:
  - {apiGroups: [""], resources: [nodes], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "{{ .Release.Namespace }}-nodes"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "{{ .Release.Namespace }}-nodes"}
subjects: [{kind: ServiceAccount, name: web, namespace: {{ .Release.Namespace }}}]
"""
_CRON = """apiVersion: batch/v1
kind: CronJob
metadata: {{name: night}}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate:
    spec:
      template: {{spec: {{restartPolicy: Never, containers: [{{name: night, image: none.invalid/a:1}}]}}}}
"""
_SHELF = """apiVersion: {0}.example.com/v1
kind: Shelf
metadata: {{name: first}}
"""
_SHELVES = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: shelves.{0}.example.com}}
spec:
  group: {0}.example.com
  scope: Namespaced
  names: {{kind: Shelf, plural: shelves}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
"""
_MORE = {
    "web/templates/cron.yaml": _CRON,
    "web/templates/shelf.yaml": _SHELF,
    "web/crds/shelves.yaml": _SHELVES,
}


def describe(
    product: Path, namespace: str, own: str, version: str, *, broken: bool = False, more: bool = False
) -> None:
    """Write the product file, its chart and hooks."""
    files = {
        "web/Chart.yaml": f"apiVersion: v2\nname: web\nversion: {version}\n",
        "web/values.yaml": f"broken: {str(broken).lower()}\n",
        "web/templates/web.yaml": _WEB,
        "web/templates/roles.yaml": _ROLES,
        **({path: text.format(namespace) for path, text in _MORE.items()} if more else {}),
        **{f"hooks/{name}": text for name, text in HOOKS.items()},
    }
    for path, text in files.items():
        (product / path).parent.mkdir(parents=True, exist_ok=True)
        (product / path).write_text(text)
    fixture_images.build(product / "images", [f"registry.example.com/shop/api:{version}"])
    write_product(product, make_product(namespace, own))


def make_product(namespace: str, own: str) -> dict[str, Any]:
    hooks = {"preUpgrade": "backup.sh", "verifyBackup": "verify.sh", "postUpgrade": "look.sh"}
    web = {
        "name": "web",
        "namespace": namespace,
        "chart": "web",
        "timeout": "40s",
        "references": "rewrite",
        "hooks": {hook: f"hooks/{name}" for hook, name in hooks.items()},
        "health": [{"http": f"http://web.{namespace}/healthz"}],
    }
    return {
        "name": namespace,
        "platforms": ["linux/amd64"],
        "charts": [{"name": "web", "source": "./web"}],
        "releases": [web],
        "images": {
            "sources": {
                "registry.example.com/airstore/*": "oci:./applier",
                "registry.example.com/shop/*": "oci:./images",
            },
            "exclude": ["none.invalid/*"],
        },
        "applier": {"image": APPLIER, "namespace": own, "storage": "2Gi"},
    }
