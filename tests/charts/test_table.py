"""The table of cases that other tools were measured on, and what else must or must not be found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airstore.charts.images.documents import find_images
from airstore.charts.rendering.render import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


def found(body: Any, least: str = "likely") -> dict[str, str]:
    """References that a release would fetch (or list, with ``least="possible"``), with their confidence."""
    levels = ("certain", "likely", "possible")
    accepted = levels[: levels.index(least) + 1]
    return {str(hit.reference): hit.confidence for hit in find_images(body) if hit.confidence in accepted}


def pod(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "base:1", **container}]}}},
    }


def config(text: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"config.yaml": text}}


def resource(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


# Rows of the comparison; four of them no other tool finds.
TABLE = {
    "CR image host/app:tag": (resource({"image": "quay.io/app:1.2"}), "quay.io/app:1.2"),
    "CR image host/org/app:tag": (resource({"image": "quay.io/org/app:1.2"}), "quay.io/org/app:1.2"),
    "repository+tag split": (
        resource({"image": {"repository": "quay.io/org/app", "tag": "1.2"}}),
        "quay.io/org/app:1.2",
    ),
    "digest only": (resource({"image": f"quay.io/org/app@{DIGEST}"}), f"quay.io/org/app@{DIGEST}"),
    "tag@digest": (resource({"image": f"quay.io/org/app:1@{DIGEST}"}), f"quay.io/org/app:1@{DIGEST}"),
    "arg --x-image=ref": (pod({"args": ["--x-image=quay.io/a/b:v1.2"]}), "quay.io/a/b:v1.2"),
    "arg --image ref": (pod({"args": ["--image", "quay.io/a/b:v1.2"]}), "quay.io/a/b:v1.2"),
    "arg --cfg=image=ref,foo=1": (pod({"args": ["--cfg=image=quay.io/a/b:v1.2,foo=1"]}), "quay.io/a/b:v1.2"),
    "env value ref:v1.2": (
        pod({"env": [{"name": "SIDECAR", "value": "quay.io/a/b:v1.2"}]}),
        "quay.io/a/b:v1.2",
    ),
    "env value redis:7": (
        pod({"env": [{"name": "REDIS_IMAGE", "value": "redis:7"}]}),
        "docker.io/library/redis:7",
    ),
    "env value untagged": (
        pod({"env": [{"name": "RELATED_IMAGE_CACHE", "value": "redis"}]}),
        "docker.io/library/redis:latest",
    ),
    "ConfigMap block literal": (config("job:\n  image: quay.io/a/b:1.2\n"), "quay.io/a/b:1.2"),
    "ConfigMap embedded JSON": (config('{"image": "quay.io/a/b:1.2"}'), "quay.io/a/b:1.2"),
}


@pytest.mark.parametrize(("body", "image"), TABLE.values(), ids=TABLE.keys())
def test_every_row_of_the_comparison_is_found_and_nothing_else(body: dict[str, Any], image: str) -> None:
    assert set(found(body)) - {"docker.io/library/base:1"} == {image}


def test_the_comparisons_false_hit_is_not_even_listed() -> None:
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:auth-delegator",
        },
    }
    assert found(binding, "possible") == {}


MORE = {
    "image volume": (
        {"kind": "Pod", "spec": {"volumes": [{"name": "v", "image": {"reference": "quay.io/a/data:1"}}]}},
        "quay.io/a/data:1",
    ),
    "ephemeral container": (
        {"kind": "Pod", "spec": {"ephemeralContainers": [{"name": "d", "image": "busybox"}]}},
        "docker.io/library/busybox:latest",
    ),
    "pod template in a custom resource": (
        resource({"podTemplate": {"spec": {"initContainers": [{"name": "i", "image": "quay.io/a/i:1"}]}}}),
        "quay.io/a/i:1",
    ),
    "registry, repository, tag": (
        resource({"image": {"registry": "quay.io", "repository": "a/b", "tag": 7}}),
        "quay.io/a/b:7",
    ),
    "registry, name, tag": (
        resource({"image": {"registry": "quay.io", "name": "a/b", "tag": "7"}}),
        "quay.io/a/b:7",
    ),
    "repository and digest": (
        resource({"image": {"repository": "quay.io/a/b", "digest": DIGEST}}),
        f"quay.io/a/b@{DIGEST}",
    ),
    "digest in the tag": (
        resource({"image": {"repository": "quay.io/a/b", "tag": DIGEST}}),
        f"quay.io/a/b@{DIGEST}",
    ),
    "prefixed parts": (
        resource({"proxyImageRepository": "quay.io/a/proxy", "proxyImageTag": "2", "imagePullPolicy": "No"}),
        "quay.io/a/proxy:2",
    ),
    "image and tag apart": (resource({"image": "istio/proxy", "tag": "1.2"}), "docker.io/istio/proxy:1.2"),
    "image and version apart": (
        resource({"baseImage": "quay.io/prom/prom", "baseVersion": "v2.5"}),
        "quay.io/prom/prom:v2.5",
    ),
    "images as a list": (resource({"images": ["quay.io/a/b:1"]}), "quay.io/a/b:1"),
    "images as a mapping": (resource({"images": {"web": "shop/web:1.2"}}), "docker.io/shop/web:1.2"),
    "annotation": (
        {"kind": "Pod", "metadata": {"annotations": {"sidecar.istio.io/proxyImage": "quay.io/istio/p:1"}}},
        "quay.io/istio/p:1",
    ),
    "JSON in an annotation": (
        {"kind": "Pod", "metadata": {"annotations": {"x": '{"sidecar": {"image": "redis:7"}}'}}},
        "docker.io/library/redis:7",
    ),
    "variable in a custom resource": (
        resource({"config": {"env": [{"name": "RELATED_IMAGE_REGISTRY", "value": "quay.io/a/registry:2"}]}}),
        "quay.io/a/registry:2",
    ),
    "key of a ConfigMap": (
        {"kind": "ConfigMap", "data": {"SIDECAR_IMAGE": "redis:7"}},
        "docker.io/library/redis:7",
    ),
    "stringData of a Secret": (
        {"kind": "Secret", "stringData": {"c.yaml": "a:\n  image: quay.io/a/b:1\n"}},
        "quay.io/a/b:1",
    ),
    "data of a Secret": (
        {"kind": "Secret", "data": {"IMAGE": "cXVheS5pby9hL2I6MQ=="}},
        "quay.io/a/b:1",
    ),
    "properties file": (config("sidecar.image=quay.io/a/b:1.0\nport=80\n"), "quay.io/a/b:1.0"),
    "script": (config("#!/bin/sh\nexec docker run --rm quay.io/a/b:1.0 sh\n"), "quay.io/a/b:1.0"),
    "template that is not YAML": (
        config('containers:\n{{- range .C }}\n- image: "quay.io/a/b:1.0"\n{{- end }}\n'),
        "quay.io/a/b:1.0",
    ),
    "YAML in YAML": (config("inner: |\n  job:\n    image: quay.io/a/b:1.0\n"), "quay.io/a/b:1.0"),
    "several documents": (config("a: 1\n---\nimage: quay.io/a/b:1.0\n"), "quay.io/a/b:1.0"),
    "shell in an argument": (pod({"args": ["-c", "run --image quay.io/a/b:1.0 && true"]}), "quay.io/a/b:1.0"),
    "docker transport": (pod({"args": ["docker://quay.io/a/b:1.0"]}), "quay.io/a/b:1.0"),
    "registry with a port": (pod({"args": ["registry:5000/a/b:1.0"]}), "registry:5000/a/b:1.0"),
    "pinned in any text": (pod({"args": [f"app@{DIGEST}"]}), f"docker.io/library/app@{DIGEST}"),
    "OCI repository": (
        {"kind": "OCIRepository", "spec": {"url": "oci://quay.io/a/manifests", "ref": {"tag": "1"}}},
        "quay.io/a/manifests:1",
    ),
    "default of a definition": (
        {
            "kind": "CustomResourceDefinition",
            "spec": {"properties": {"image": {"default": "redis:7", "description": "such as a/b:1.0"}}},
        },
        "docker.io/library/redis:7",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "image"), MORE.values(), ids=MORE.keys())
def test_every_other_way_to_name_an_image(body: dict[str, Any], image: str) -> None:
    assert set(found(body)) - {"docker.io/library/base:1"} == {image}


NOISE = [
    "system:auth-delegator", "https://quay.io/a/b:1.0", "http://example.com:8080/x", "oci://quay.io/charts/x:1",
    "redis:6379", "localhost:8080", "127.0.0.1:9090", "[::1]:80", "0.0.0.0:8080", "db:5432",
    "default/shop:8080",
    "12:30", "12:30:45", "2024-01-01T12:30:45Z", "app:v1", "tier:backend", "team/frontend", "org/repo",
    "application/json", "text/html; charset=utf-8", "image/png", "/var/run/docker.sock", "./charts/shop",
    "/etc/app/config.yaml:ro", "/dev/sda:/dev/sda", "1.2.3", "v1.2.3", ">=1.24.0-0", "8080", "80:30080",
    "10.0.0.0/24", "fd00::/8", "arn:aws:iam::123456789012:role/shop", "arn:aws:s3:::bucket/key",
    "urn:uuid:123", "cosign.pub", "k8s://ns/secret", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
    "monitoring.coreos.com/v1", "monitoring.coreos.com/v1:Prometheus", "app.kubernetes.io/name",
    "sha256:abcd",
    DIGEST, "user:password", "postgres://u:p@db:5432/x", "mailto:a@b.example", "git@example.com:org/repo.git",
    "docker.io", "quay.io/org", "$(REGISTRY)/a:1.0", "${IMG}", "{{ .Values.image }}", "main.go:12",
    "src/main.go:12", "Always", "IfNotPresent", "cluster.local", "*.example.com:443", "a=b:1", "",
]  # fmt: skip


@pytest.mark.parametrize("text", NOISE)
def test_what_only_looks_like_an_image_is_not_even_listed(text: str) -> None:
    bodies = [
        pod({"args": [text], "env": [{"name": "ADDRESS", "value": text}]}),
        resource({"endpoint": text, "list": [text, text]}),
        {
            "kind": "ConfigMap",
            "data": {"endpoint": text, "c.properties": f"endpoint={text}\nother: {text}\n"},
        },
    ]
    for body in bodies:
        assert set(found(body, "possible")) - {"docker.io/library/base:1"} == set()


NOT_IMAGES = {
    "imagePullPolicy": "Always",
    "imagePullSecrets": "regcred",
    "imageTag": "1.2.3",
    "image": "1.2.3",
    "imageRegistry": "quay.io",
    "logoImage": "assets/logo.png",
    "imageType": "image/png",
    "imageGCHighThresholdPercent": "85",
    "backgroundImage": "https://example.com/a.png",
    "imageEnabled": "true",
}


@pytest.mark.parametrize(("key", "value"), NOT_IMAGES.items())
def test_keys_about_images_do_not_name_one(key: str, value: str) -> None:
    assert found(resource({key: value}), "possible") == {}


@pytest.mark.parametrize(
    "labels", [{"labels": {"image": "app:v1.2.3"}}, {"selector": {"matchLabels": {"image": "a/b:1.2"}}}]
)
def test_labels_are_names(labels: dict[str, Any]) -> None:
    assert found({"kind": "Service", "metadata": labels, "spec": labels}, "possible") == {}


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("redis:7.2-alpine", "docker.io/library/redis:7.2-alpine"),
        ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
    ],
)
def test_a_doubtful_value_is_listed_and_not_fetched(text: str, image: str) -> None:
    body = pod({"args": [text]})
    assert image not in found(body)
    assert found(body, "possible")[image] == "possible"


def test_typed_places_are_certain_whatever_is_written_there() -> None:
    body = resource({"pods": {"containers": [{"name": "x", "image": "default"}]}})
    assert found(body) == {"docker.io/library/default:latest": "certain"}


def test_a_path_leads_into_documents_within_documents() -> None:
    body = config("jobs:\n  - image: quay.io/a/b:1\n")
    assert [hit.path for hit in find_images(body)] == [("data", "config.yaml", "jobs", 0, "image")]


def test_a_manifest_beyond_this_reader_is_searched_as_text() -> None:
    text = "---\n# Source: c/templates/a.yaml\nkind: Thing\nspec: {a: @b}\nimage: quay.io/a/b:1\n"
    (document,) = parse(text, "chart c")
    assert found(document.body) == {"quay.io/a/b:1": "likely"}


def test_no_depth_is_too_deep() -> None:
    text = '{"a":' * 140 + '"quay.io/a/b:1.0"' + "}" * 140
    for _ in range(6):
        text = json.dumps({"x": text})
    (document,) = parse(f"---\n# Source: c/a.yaml\n{text}\n", "chart c")
    assert found(document.body) == {"quay.io/a/b:1.0": "likely"}
    (flat,) = parse("---\n# Source: c/a.yaml\n" + "[" * 5000 + "quay.io/a/b:1.0" + "]" * 5000, "chart c")
    assert found(flat.body) == {"quay.io/a/b:1.0": "likely"}


def test_aliases_of_aliases_are_not_followed_without_end() -> None:
    chain = "\n".join(f"a{level}: &a{level} [*a{level - 1}]" for level in range(1, 400))
    text = f"---\n# Source: c/a.yaml\na0: &a0 [quay.io/a/b:1.0]\n{chain}\n"
    (document,) = parse(text, "chart c")
    assert found(document.body) == {"quay.io/a/b:1.0": "likely"}
