"""What a person must decide is said aloud, what cannot work is refused, all of it at once."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import airstore, done, refused, sound, unchanged
from tests.support.product.tiny_product import CHART, IMAGE, POD, Tiny, site_of

pytestmark = pytest.mark.slow

RESOURCE = """\
apiVersion: db.example.com/v1
kind: Cluster
metadata: {name: main}
spec: {version: 9.2.0}
"""


def template(tiny: Tiny, text: str, name: str = "more.yaml") -> None:
    (tiny.base / "app" / "templates" / name).write_text(text)


UNREADABLE = [
    "registry.example.com/t/app:",
    ":1.0",
    "registry.example.com/T/App:1",
    "registry.example.com/t/app:1.0+b",
    "registry.example.com/t//app:1",
    "https://registry.example.com/t/app:1",
    "a b",
]


@pytest.mark.parametrize("image", UNREADABLE)
def test_a_containers_image_that_nobody_can_read_is_named_and_stops_the_release(
    image: str, tiny: Tiny
) -> None:
    template(tiny, POD.replace("name: app}\n", "name: other}\n", 1) % f'"{image}"')
    with unchanged(tiny.store):
        refused(tiny.create(), 2, repr(image), "Pod other", "spec.containers[0].image", "more.yaml", "hint: ")
    found = done("-C", tiny.store, "images", "find")
    assert f"warning: {image!r} is no image reference" in found.err


def test_an_image_that_nobody_can_read_is_told_and_may_be_excluded(tiny: Tiny) -> None:
    image = UNREADABLE[0]
    template(tiny, POD.replace("name: app}\n", "name: other}\n", 1) % f'"{image}"')
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--dry-run"), 2, repr(image))
    notices = json.loads(done("-C", tiny.store, "images", "find", "-o", "json").out)["notices"]
    assert "unreadable-image" in {notice["topic"] for notice in notices}
    why = done("-C", tiny.store, "images", "find", "--why", image, "-o", "json").json()
    assert [row["confidence"] for row in why] == ["unreadable"]
    tiny.edit("images:\n", f"images:\n  exclude: ['{image}']\n")
    assert tiny.create("1.0.0", "--strict").code == 0


def test_an_address_of_version_six_is_an_image(tiny: Tiny) -> None:
    image = "[fd00::10]:5000/tiny/app:1"
    template(tiny, POD % f'"{image}"', "pod.yaml")
    layout = json.loads((tiny.layout / "index.json").read_text())
    layout["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = image
    (tiny.layout / "index.json").write_text(json.dumps(layout))
    assert tiny.create().code == 0
    assert image in done("-C", tiny.store, "release", "show", "1.0.0").out
    sound(site_of(tiny), "1.0.0")


def test_a_program_that_is_no_helm_makes_no_release(tiny: Tiny) -> None:
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--helm", "/bin/true"), 2, "/bin/true", "Helm 3 or 4")
        refused(airstore("-C", tiny.store, "images", "find", "--helm", "/bin/echo"), 2, "/bin/echo")
        refused(tiny.create("1.0.0", "--helm", "no-such-helm"), 10, "no-such-helm", "PATH")


def test_helm_is_looked_up_by_name(tiny: Tiny) -> None:
    assert tiny.create("1.0.0", "--helm", "helm3").code == 0
    found = airstore("-C", tiny.store, "images", "find", env={"AIRSTORE_HELM": "helm3"})
    assert found.code == 0


def test_a_release_without_images_is_said_aloud(tiny: Tiny) -> None:
    template(tiny, "{{- if .Values.never }}\n" + POD % IMAGE + "{{- end }}\n", "pod.yaml")
    (tiny.base / "app" / "values.yaml").write_text("never: false\n")
    made = tiny.create("1.0.0", "--dry-run")
    assert made.code == 0
    assert "warning: no image was found" in made.err
    assert "renders no object" in made.err
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--strict"), 2, "no image was found", "renders no object")


PATTERNS = {
    "an exclude": ("exclude: ['*/nothing/*']", "images.exclude: '*/nothing/*' matches nothing"),
    "an include that is excluded": (
        f"include: ['{IMAGE}']\n  exclude: ['{IMAGE}']",
        f"images.include names {IMAGE}, and images.exclude",
    ),
}


@pytest.mark.parametrize("case", PATTERNS)
def test_a_pattern_that_does_nothing_is_said_aloud(case: str, tiny: Tiny) -> None:
    lines, said = PATTERNS[case]
    tiny.edit("images:\n", f"images:\n  {lines}\n")
    assert said in done("-C", tiny.store, "images", "find").err
    refused(tiny.create("1.0.0", "--strict"), 2, said)


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("registry.example.com/tiny/app", "registry.example.com/tiny/app:*"),
        ("other.example.com/*", "correct it"),
    ],
)
def test_a_source_that_no_image_fits_is_said_aloud(pattern: str, hint: str, tiny: Tiny) -> None:
    tiny.edit('{"*": "oci:./images"}', f'{{"*": "oci:./images", "{pattern}": "oci:./elsewhere"}}')
    made = tiny.create("1.0.0", "-o", "json")
    assert f"images.sources: '{pattern}' matches nothing" in made.err
    assert hint in made.err
    assert [notice["topic"] for notice in made.json()["notices"]] == ["pattern"]


def test_an_image_without_a_tag_is_said_aloud(tiny: Tiny) -> None:
    template(tiny, POD % "registry.example.com/tiny/app", "pod.yaml")
    tiny.edit('{"*": "oci:./images"}', '{"*": "oci:./images"}')
    found = done("-C", tiny.store, "images", "find")
    assert "'registry.example.com/tiny/app' has no tag (Pod app" in found.err


def test_a_custom_resource_without_an_image_is_said_aloud(tiny: Tiny) -> None:
    template(tiny, RESOURCE + "---\n" + RESOURCE.replace("db.example.com/v1", "cert-manager.io/v1"))
    found = done("-C", tiny.store, "images", "find")
    assert found.err.count("names no image") == 1
    assert "Cluster main (app/templates/more.yaml) names no image" in found.err
    refused(tiny.create("1.0.0", "--strict"), 2, "Cluster.db.example.com")
    tiny.edit("images:\n", "images:\n  noImages: ['*.db.example.com', Cluster.db.example.com]\n")
    assert tiny.create("1.0.0", "--strict").code == 0


def test_a_chart_that_refuses_to_be_upgraded_is_still_shipped(tiny: Tiny) -> None:
    template(tiny, '{{ if .Release.IsUpgrade }}{{ fail "give your current passwords" }}{{ end }}\n')
    made = tiny.create("1.0.0", "-o", "json")
    assert "warning: chart app refuses to be rendered as an upgrade" in made.err
    assert "give your current passwords" in made.err
    assert made.json()["images"] == 1
    refused(tiny.create("1.1.0", "--strict"), 2, "give your current passwords")


def test_a_chart_that_cannot_be_installed_is_refused(tiny: Tiny) -> None:
    template(tiny, '{{ fail "give a password" }}\n')
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "give a password", "chart app")


CAPABLE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: capable}
data:
  image: "registry.k8s.io/kubectl:{{ .Capabilities.KubeVersion.Version }}"
  more: |
    a: 1
    {{- if .Capabilities.APIVersions.Has "extra.example.com/v1" }}
    extra: registry.example.com/tiny/extra:1.0
    {{- end }}
"""


def test_charts_are_rendered_for_every_kubernetes_that_sites_run(tiny: Tiny) -> None:
    template(tiny, CAPABLE)
    versions = "kubeVersions: ['1.29', '1.33.1']\napiVersions: [extra.example.com/v1]\n"
    tiny.edit("charts:\n", f"{versions}charts:\n")
    rows = done("-C", tiny.store, "images", "find", "-o", "json").json()
    names = {row["image"] for row in rows}
    assert {"registry.k8s.io/kubectl:v1.29.0", "registry.k8s.io/kubectl:v1.33.1"} <= names
    assert "registry.example.com/tiny/extra:1.0" in names
    rows = done("-C", tiny.store, "images", "find", "--kube-version", "1.31.4", "-o", "json").json()
    kubectl = {row["image"] for row in rows if "kubectl" in row["image"]}
    assert kubectl == {"registry.k8s.io/kubectl:v1.31.4"}


@pytest.mark.parametrize(("wanted", "version"), [(">=1.99.0-0", "1.99.0"), ("< 1.20.0-0", "1.19.0")])
def test_a_chart_for_another_kubernetes_than_helms_own_is_shipped(
    wanted: str, version: str, tiny: Tiny
) -> None:
    (tiny.base / "app" / "Chart.yaml").write_bytes(CHART + f"kubeVersion: '{wanted}'\n".encode())
    made = tiny.create("1.0.0", "-o", "json")
    assert f"was rendered for {version}" in made.err
    assert made.json()["images"] == 1
    tiny.edit("charts:\n", f"kubeVersions: ['{version}']\ncharts:\n")
    assert tiny.create("1.1.0", "--strict").code == 0
    tiny.edit(f"['{version}']", "['1.30']")
    refused(tiny.create("1.2.0"), 2, "kubeVersion", "hint: the product file's kubeVersions")


RANDOM = """\
apiVersion: v1
kind: Secret
metadata: {name: s, annotations: {checksum: "{{ randAlphaNum 5 | sha256sum }}"}}
stringData:
  password: "{{ randAlphaNum 12 }}"
  fixed: kept
  file: |
    user=admin
    password={{ randAscii 20 | b64enc }}
  key: |
{{ genPrivateKey "ecdsa" | indent 4 }}
  minute: "{{ randNumeric 2 }}"
"""


def test_random_values_do_not_travel_and_do_not_make_a_release_differ_from_itself(tiny: Tiny) -> None:
    template(tiny, RANDOM)
    first = tiny.create()
    assert first.code == 0
    assert "differ at each rendering" in first.err
    assert tiny.create().code == 0
    shown = airstore("-C", tiny.store, "release", "create", "--version", "1.0.0", "--strict")
    assert (shown.code, "unchanged" in shown.out) == (0, True)
    history = open_directory(tiny.store).history
    text = history.read(history.find("1.0.0").commit, "rendered/app.yaml").decode()
    assert "fixed: kept" in text
    assert "user=admin" in text
    secret = text.partition("kind: Secret")[2].partition("---\n# Source")[0]
    assert "password: <random>" in secret
    assert "password=" not in secret
    sound(site_of(tiny), "1.0.0")


def test_every_image_that_cannot_be_had_is_named_at_once(tiny: Tiny) -> None:
    pods = [
        POD.replace("{name: app}", f"{{name: p{number}}}") % f"registry.example.com/none/{number}:1"
        for number in range(3)
    ]
    template(tiny, "---\n".join(pods))
    with unchanged(tiny.store):
        for options in ((), ("--dry-run",)):
            outcome = tiny.create("1.0.0", *options)
            refused(outcome, 10, "3 of 4 images cannot be had", "hint: ", "images.exclude: [")
            for number in range(3):
                assert f"  registry.example.com/none/{number}:1: " in outcome.err
                assert f"Pod p{number} spec.containers[0].image" in outcome.err
            line = outcome.err.partition("images.exclude: ")[2].partition("\n")[0]
    tiny.edit("images:\n", f"images:\n  exclude: {line}\n")
    assert tiny.create().code == 0


def test_a_record_that_helm_could_not_keep_stops_the_release_and_not_the_search(tiny: Tiny) -> None:
    noise = random.Random(1).randbytes(900_000)  # noqa: S311 - the same each time
    (tiny.base / "app" / "notes.bin").write_bytes(noise)
    with unchanged(tiny.store):
        for options in ((), ("--dry-run",)):
            refused(tiny.create("1.0.0", *options), 2, "app: about 12", "notes.bin", ".helmignore")
        found = done("-C", tiny.store, "images", "find", "-o", "json")
        assert "`release create` refuses it: about 12" in found.err
        document = json.loads(found.out)
    assert [row["image"] for row in document["items"]] == [IMAGE]
    assert [notice["topic"] for notice in document["notices"]] == ["record-size"]
    (tiny.base / "app" / "notes.bin").write_bytes(noise[:750_000])  # nearly too much
    dry = tiny.create("1.0.0", "--dry-run", "-o", "json")
    assert [notice["topic"] for notice in json.loads(dry.out)["notices"]] == ["record-size"]


def test_a_dry_run_finds_what_the_run_would(tiny: Tiny) -> None:
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", "--dry-run", "--image-source", "*=oci:nowhere"), 10, "nowhere")
        refused(tiny.create("not a version", "--dry-run"), 2, "not a version")
        refused(tiny.create("1.0.0", "--dry-run", "--key", "none"), 10, "none")
        assert IMAGE in tiny.create("1.0.0", "--dry-run").out


def test_a_chart_that_every_site_would_refuse_is_refused_before_it_is_signed(tiny: Tiny) -> None:
    attributes = Path(tiny.base / "app" / ".gitattributes")
    attributes.write_text("*.txt " + "x" * 3000 + "\n")
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "every site would refuse", "gitattributes", "hint: ")
        refused(tiny.create("1.0.0", "--dry-run"), 2, "gitattributes")
    attributes.write_text("*.txt text\n")
    assert tiny.create().code == 0


def test_a_schema_that_lies_elsewhere_is_named(tiny: Tiny) -> None:
    schema = '{"properties": {"a": {"$ref": "https://schemas.example/v1.json#/a"}}}'
    (tiny.base / "app" / "values.schema.json").write_text(schema)
    made = tiny.create()
    assert made.code == 0, made
    assert "its values schema refers to https://schemas.example/v1.json" in made.err
