"""The shop fixture, found in full, under both Helms."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.images.discover import discover
from airstore.charts.images.finding import ImageFinding, wanted, why
from airstore.charts.packages.resolve import FetchedChart, ResolvedChart, resolve
from airstore.charts.rendering.survey import survey
from airstore.core.errors import UsageError
from airstore.core.model.product import Product, load_product

FIXTURES = Path(__file__).parents[2] / "fixtures"
Survey = tuple[Product, dict[str, ResolvedChart], list[ImageFinding]]


def no_oci(source: str, version: str) -> FetchedChart:
    raise AssertionError(f"{source} {version} was asked for")


def examine(helm: Path, product: Product, exclude: Sequence[str] = ()) -> Survey:
    runner = Helm(helm)
    charts = {chart.name: resolve(runner, chart, product, no_oci) for chart in product.charts}
    rendered = survey(runner, product, charts).rendered
    image = product.registry.image
    assert image
    archives = [chart.read() for chart in charts.values()]
    return product, charts, discover(rendered, archives, [*product.include, image], exclude)


@pytest.fixture(scope="module")
def shop(helm: Path) -> Survey:
    return examine(helm, load_product(FIXTURES / "shop" / "airstore.yaml"))


def images(name: str) -> list[str]:
    return (FIXTURES / name / "images.txt").read_text().split()


def test_exactly_the_listed_images_are_fetched(shop: Survey) -> None:
    assert [str(reference) for reference in wanted(shop[2])] == images("shop")


POD = "spec.template.spec"
PLACES = {
    "Deployment": ("shop/api:1.0.0", "Deployment", f"{POD}.containers[0].image", "certain"),
    "init container": ("shop/migrate:1.0.0", "Deployment", f"{POD}.initContainers[0].image", "certain"),
    "argument": ("shop/sidecar:1.0.0", "Deployment", f"{POD}.containers[0].args[1]", "likely"),
    "variable": ("shop/worker:1.0.0", "Deployment", f"{POD}.containers[0].env[0].value", "likely"),
    "CronJob": (
        "shop/worker:1.0.0", "CronJob", "spec.jobTemplate.spec.template.spec.containers[0].image", "certain",
    ),
    "custom resource": ("shop/report:1.0.0", "Report", "spec.image", "likely"),
    "YAML in a ConfigMap": ("shop/report:1.0.0", "ConfigMap", 'data["jobs.yaml"].jobs[0].image', "likely"),
    "JSON in a ConfigMap": ("shop/tools:1.0.0", "ConfigMap", 'data["tools.json"].shell.image', "likely"),
    "hook": ("shop/migrate:1.0.0", "Job", f"{POD}.containers[0].image", "certain"),
    "annotation": ("shop/tools:1.0.0", "", 'annotations["helm.sh/images"][0]', "certain"),
    "StatefulSet": ("shop/db:15.2.0", "StatefulSet", f"{POD}.containers[0].image", "certain"),
}  # fmt: skip


@pytest.mark.parametrize(("image", "kind", "path", "confidence"), PLACES.values(), ids=PLACES.keys())
def test_every_way_of_the_fixture_is_explained(
    shop: Survey, image: str, kind: str, path: str, confidence: str
) -> None:
    places = {(f.kind, f.path, f.confidence) for f in why(shop[2], f"registry.example.com/{image}")}
    assert (kind, path, confidence) in places


def test_the_test_hook_is_flagged_and_its_image_fetched(shop: Survey) -> None:
    (source,) = {f.source for f in shop[2] if f.test}
    assert source == "shop/templates/tests/api.yaml"


def test_a_subchart_is_found_in_the_one_variant_that_turns_it_on(shop: Survey) -> None:
    places = why(shop[2], "*/shop/cache")
    assert {place.variant for place in places} == {"values/large.yaml", "values/large.yaml (upgrade)"}
    assert {place.source for place in places} == {"shop/charts/cache/templates/deployment.yaml"}


def test_excluded_images_stay_listed(helm: Path) -> None:
    product = load_product(FIXTURES / "shop" / "airstore.yaml")
    findings = examine(helm, product, ["*/shop/tools"])[2]
    excluded = why(findings, "registry.example.com/shop/tools:1.0.0")
    assert {place.excluded_by for place in excluded} == {"*/shop/tools"}
    assert [str(r) for r in wanted(findings)] == [i for i in images("shop") if "tools" not in i]


def test_version_1_1_changes_one_image_and_nothing_else(helm: Path, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "shop", tmp_path / "product")
    shutil.copytree(FIXTURES / "shop-1.1", tmp_path / "product", dirs_exist_ok=True)
    findings = examine(helm, load_product(tmp_path / "product" / "airstore.yaml"))[2]
    assert [str(reference) for reference in wanted(findings)] == images("shop-1.1")
    assert set(images("shop-1.1")) ^ set(images("shop")) == {
        "registry.example.com/shop/api:1.0.0",
        "registry.example.com/shop/api:1.1.0",
    }


def test_a_required_value_that_only_sites_set_is_hinted_at(helm: Path, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "shop", tmp_path / "product")
    template = tmp_path / "product" / "charts" / "shop" / "templates" / "x.yaml"
    template.write_text('kind: A\nx: {{ required "no url" .Values.ingress.url }}\n')
    with pytest.raises(UsageError, match=r"chart shop: helm: .*no url") as fault:
        examine(helm, load_product(tmp_path / "product" / "airstore.yaml"))
    assert "ingress.host" in fault.value.hint


def test_images_named_only_on_an_upgrade_are_found(helm: Path, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "shop", tmp_path / "product")
    template = tmp_path / "product" / "charts" / "shop" / "templates" / "x.yaml"
    template.write_text(
        "{{ if .Release.IsUpgrade }}\nkind: A\nspec: {image: quay.io/up/grade:1}\n{{ end }}\n"
    )
    findings = examine(helm, load_product(tmp_path / "product" / "airstore.yaml"))[2]
    assert "quay.io/up/grade:1" in [str(reference) for reference in wanted(findings)]
