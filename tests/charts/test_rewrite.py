"""Rewriting image references: every form that discovery finds, and nothing else."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.images.documents import find_images
from airstore.charts.images.rewrite import Rewriting, leftovers, rewrite
from airstore.charts.images.rewrite_stream import post_renderer, rewrite_stream
from airstore.core.parsing import strictjson, yamlfile

DIGEST, OTHER = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
API, REDIS, PROM = "registry.example.com/shop/api:1.0", "docker.io/library/redis:7", "quay.io/p/prom:v2.1"
PINNED = f"registry.example.com/shop/job@{OTHER}"
PLACE = "reg.site.example:5000/shop"
RULES = Rewriting(PLACE, {API: DIGEST, REDIS: DIGEST, PROM: "", PINNED: OTHER}, "registry-pull")
NO_SECRET = Rewriting(PLACE, RULES.images)


def pod(**container: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", **container}]}}


def custom(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "m.example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def configuration(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"file": text}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # containers: pinned, short names as Docker means them, tags where there are some
        (pod(image=API), pod(image=f"{PLACE}/shop/api:1.0@{DIGEST}")),
        (pod(image="redis:7"), pod(image=f"{PLACE}/library/redis:7@{DIGEST}")),
        (pod(image=PINNED), pod(image=f"{PLACE}/shop/job@{OTHER}")),
        # not where the registry may have another digest under the tag
        (pod(image=PROM), pod(image=f"{PLACE}/p/prom:v2.1")),
        # what the release does not have
        (pod(image="registry.example.com/shop/api:2.0"), pod(image="registry.example.com/shop/api:2.0")),
        # arguments and variables
        (
            pod(image=API, args=[f"--sidecar-image={API}", "--image", "redis:7", "--address=redis:7777"]),
            pod(
                image=f"{PLACE}/shop/api:1.0@{DIGEST}",
                args=[
                    f"--sidecar-image={PLACE}/shop/api:1.0",
                    "--image",
                    f"{PLACE}/library/redis:7",
                    "--address=redis:7777",
                ],
            ),
        ),
        (
            pod(image=API, env=[{"name": "A_IMAGE", "value": API}, {"name": "B", "value": "x"}]),
            pod(
                image=f"{PLACE}/shop/api:1.0@{DIGEST}",
                env=[{"name": "A_IMAGE", "value": f"{PLACE}/shop/api:1.0"}, {"name": "B", "value": "x"}],
            ),
        ),
        # custom resources: in one piece and in several
        (custom(image=API), custom(image=f"{PLACE}/shop/api:1.0")),
        (
            custom(image={"registry": "quay.io", "repository": "p/prom", "tag": "v2.1"}),
            custom(image={"registry": PLACE, "repository": "p/prom", "tag": "v2.1"}),
        ),
        (
            custom(image={"repository": "quay.io/p/prom", "tag": "v2.1"}),
            custom(image={"repository": f"{PLACE}/p/prom", "tag": "v2.1"}),
        ),
        (
            custom(url="oci://quay.io/p/prom", ref={"tag": "v2.1"}),
            custom(url=f"oci://{PLACE}/p/prom", ref={"tag": "v2.1"}),
        ),
        # documents and text within strings keep everything else as it was
        (
            configuration(f"# it's {API}\nimage: {API}   # trailing\nother: [1, 'x']\n"),
            configuration(
                f"# it's {PLACE}/shop/api:1.0\nimage: {PLACE}/shop/api:1.0   # trailing\nother: [1, 'x']\n"
            ),
        ),
        (
            configuration(f'docker run docker://{API}, "{API}".'),
            configuration(f'docker run docker://{PLACE}/shop/api:1.0, "{PLACE}/shop/api:1.0".'),
        ),
        # names that only look like images
        (custom(labels={"image": API}), custom(labels={"image": API})),
        (configuration("nothing here"), configuration("nothing here")),
        ("{{ not yaml: registry.example.com/shop/api:1.0", f"{{{{ not yaml: {PLACE}/shop/api:1.0"),
    ],
)
def test_every_form(before: Any, after: Any) -> None:
    assert rewrite(before, NO_SECRET) == after
    assert list(leftovers(after, NO_SECRET)) == []
    assert rewrite(after, NO_SECRET) is after


def test_a_name_whose_tag_stands_elsewhere_is_reached_by_its_name() -> None:
    inner = yamlfile.dump({"image": {"repository": "quay.io/p/prom", "tag": "v2.1"}})
    changed = rewrite(configuration(inner), RULES)
    assert list(leftovers(changed, RULES)) == []
    assert f"repository: {PLACE}/p/prom\n" in changed["data"]["file"]
    apart = custom(repository="quay.io/p", image="prom", version="v2.1")
    assert rewrite(apart, NO_SECRET) == custom(repository=f"{PLACE}/p", image="prom", version="v2.1")


def test_secrets_hold_documents_too() -> None:
    text = base64.b64encode(f"image: {API}\n".encode()).decode()
    changed = rewrite({"kind": "Secret", "data": {"a": text}}, RULES)
    assert base64.b64decode(changed["data"]["a"]).decode() == f"image: {PLACE}/shop/api:1.0\n"


def test_what_cannot_be_reached_is_said() -> None:
    inner = yamlfile.dump({"image": {"registry": "quay.io", "repository": "p/prom", "tag": "v2.1"}})
    document = configuration(inner)
    assert list(leftovers(rewrite(document, RULES), RULES)) == [
        f"data.file.image.repository: {PROM}",
    ]


TEMPLATE = {"template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}}
SECRET = [{"name": "registry-pull"}]


@pytest.mark.parametrize(
    ("version", "kind", "spec", "path"),
    [
        ("apps/v1", "Deployment", TEMPLATE, ("template", "spec")),
        ("batch/v1", "Job", TEMPLATE, ("template", "spec")),
        (
            "batch/v1",
            "CronJob",
            {"jobTemplate": {"spec": TEMPLATE}},
            ("jobTemplate", "spec", "template", "spec"),
        ),
        ("v1", "Pod", TEMPLATE["template"]["spec"], ()),
    ],
)
def test_pods_get_the_pull_secret_once(version: str, kind: str, spec: Any, path: tuple[str, ...]) -> None:
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"apiVersion": version, "kind": kind, "spec": spec}],
    }
    changed = rewrite(listed, RULES)
    found = changed["items"][0]["spec"]
    for part in path:
        found = found[part]
    assert found["imagePullSecrets"] == SECRET
    assert rewrite(changed, RULES) is changed


def test_kinds_of_others_get_none() -> None:
    strange = {"apiVersion": "m.example.com/v1", "kind": "Deployment", "spec": TEMPLATE}
    assert rewrite(strange, RULES) is strange


STREAM = f"""---
# Source: shop/templates/a.yaml
apiVersion: v1
kind: Pod
spec: {{containers: [{{name: a, image: "{API}"}}]}}
---
# Source: shop/templates/b.yaml
# a comment that stays, and 'quotes'
apiVersion: v1
kind: ConfigMap
data: {{a: "yes", b: 0644}}
"""


def test_a_post_renderer_of_its_own_process(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_bytes(strictjson.dumps(RULES.to_json()))
    done = subprocess.run(
        post_renderer(rules), input=STREAM, capture_output=True, text=True, check=True, env={}, cwd="/"
    )
    assert done.stdout == rewrite_stream(STREAM, RULES)
    assert "# Source: shop/templates/a.yaml\napiVersion: v1" in done.stdout
    assert f"image: {PLACE}/shop/api:1.0@{DIGEST}" in done.stdout
    assert done.stdout.endswith(STREAM[STREAM.index("# Source: shop/templates/b.yaml") :])
    rules.write_text("{}")
    broken = subprocess.run(post_renderer(rules), input=STREAM, capture_output=True, text=True, check=False)
    assert broken.returncode
    assert not broken.stdout


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([API, "redis:7", PROM]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "a", "env", "args", "repository", "tag", "data"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_anything_else_stays_and_twice_is_once(body: Any) -> None:
    changed = rewrite(body, RULES)
    assert rewrite(changed, RULES) == changed
    assert [hit.path for hit in find_images(changed)] == [hit.path for hit in find_images(body)]
    if not any(RULES.knows(hit.reference) for hit in find_images(body)):
        assert changed == body
