"""The product file and the site file."""

from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.descriptor import Platform
from airstore.core.model.gates import HttpGate, WorkloadGate
from airstore.core.model.product import ChartSource, Product, load_product
from airstore.core.model.sections import ProductRegistry
from airstore.core.model.site import SiteFile, load_site_file
from airstore.core.model.site_registry import ClusterRegistry, registry_from_section
from airstore.core.parsing import yamlfile

# The example of the design, section 11.
SHOP = """\
apiVersion: airstore/v1
kind: Product
name: shop
platforms: [linux/amd64]
charts:
  - {name: postgres, source: oci://registry.example.com/charts/postgres, version: 15.2.1}
  - {name: shop, source: ./charts/shop}
discover:
  values: [values/small.yaml, values/large.yaml]   # every variant a site may choose
images:
  include: [registry.example.com/shop/debug-tools:1.4]
  exclude: ["*/istio/auto"]
  sources: {"registry.example.com/shop/*": "oci:./build/images"}
releases:
  - name: db
    namespace: shop
    chart: postgres
    values: [values/db.yaml]
    bind: {global.imageRegistry: registry.host, primary.persistence.storageClass: site.storageClass}
    hooks: {preUpgrade: hooks/backup.sh, verifyBackup: hooks/verify.sh, rollback: hooks/restore.sh}
  - name: shop
    namespace: shop
    chart: shop
    needs: [db]
    bind: {global.imageRegistry: registry.host, ingress.host: site.hostname}
    health: [{deployment: shop-api}, {http: "http://shop-api.shop/healthz"}]
    timeout: 10m
registry: {image: docker.io/library/registry:2, replicas: 3, storage: 20Gi}
"""


def product(directory: Path, text: str = SHOP) -> Product:
    path = directory / "airstore.yaml"
    path.write_text(text)
    return load_product(path)


def test_the_product_file_of_the_design(tmp_path: Path) -> None:
    shop = product(tmp_path)
    assert shop.directory == tmp_path
    assert shop.platforms == (Platform("linux", "amd64"),)
    assert shop.charts[1] == ChartSource("shop", "./charts/shop")
    assert shop.variants == ("values/small.yaml", "values/large.yaml")
    assert (shop.include, shop.exclude) == (("registry.example.com/shop/debug-tools:1.4",), ("*/istio/auto",))
    assert shop.sources == {"registry.example.com/shop/*": "oci:./build/images"}
    assert shop.registry.replicas == 3
    database, api = shop.helm_releases
    assert database.hooks["verifyBackup"] == "hooks/verify.sh"
    assert (database.timeout, api.timeout) == ("5m", "10m")
    assert api.needs == ("db",)
    assert api.health == (WorkloadGate("deployment", "shop-api"), HttpGate("http://shop-api.shop/healthz"))


def test_the_fixtures_are_valid() -> None:
    fixture = Path(__file__).parents[2] / "fixtures" / "shop" / "airstore.yaml"
    assert load_product(fixture).name == "shop"


def test_a_small_product_file(tmp_path: Path) -> None:
    text = "apiVersion: airstore/v1\nkind: Product\nname: x\ncharts: []\nreleases: []\n"
    small = product(tmp_path, text)
    assert (small.platforms, small.charts, small.helm_releases, small.variants) == ((), (), (), ())
    assert (small.registry, small.applier, small.sources) == (ProductRegistry(), None, {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "name: shop, source",
            "name: postgres, source",
            ":7: charts[1].name: there is another chart 'postgres'",
        ),
        (
            ", version: 15.2.1",
            "",
            ":6: charts[0].source: a chart from a registry or repository needs an exact",
        ),
        ("- name: db", "- name: shop", ":21: releases[1].name: there is another release 'shop'"),
        ("chart: shop\n", "chart: api\n", ":23: releases[1].chart: no chart 'api' under charts"),
        ("needs: [db]", "needs: [cache]", ":24: releases[1].needs: 'cache' is not a release listed before"),
        ("needs: [db]", "needs: [shop]", ":24: releases[1].needs: 'shop' is not a release listed before"),
        (
            "chart: postgres\n",
            "chart: postgres\n    needs: [shop]\n",
            ":18: releases[0].needs: 'shop' is not",
        ),
        ("needs: [db]", "needs: [db, db]", ":24: releases[1].needs: ['db', 'db'] has non-unique elements"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError) as fault:
        product(tmp_path, SHOP.replace(old, new, 1))
    assert str(fault.value).startswith(f"{tmp_path}/airstore.yaml{message}")


def test_a_product_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"cannot read the product file .*airstore\.yaml: No such file"):
        load_product(tmp_path / "airstore.yaml")
    with pytest.raises(NotFoundError, match="Is a directory"):
        load_product(tmp_path)


def test_files_of_the_product_stay_inside_it(tmp_path: Path) -> None:
    inside = tmp_path / "product"
    (inside / "values").mkdir(parents=True)
    (inside / "values" / "db.yaml").touch()
    (tmp_path / "secret").touch()
    (inside / "link").symlink_to(tmp_path / "secret")
    shop = product(inside)
    assert shop.path("values/db.yaml") == inside / "values" / "db.yaml"
    assert shop.path("./values/../values/db.yaml") == inside / "values" / "db.yaml"
    for outside in ("../secret", str(tmp_path / "secret"), "link"):
        with pytest.raises(UsageError, match="is outside the product's directory") as caught:
            shop.path(outside)
        assert "copy it there" in caught.value.hint
    with pytest.raises(NotFoundError, match=r"names values/api\.yaml, which is not in"):
        shop.path("values/api.yaml")


SITE: dict[str, Any] = {
    "apiVersion": "airstore/v1",
    "kind": "Site",
    "registry": {"mode": "cluster", "host": "registry.site.example:5000", "ca": "ca.pem"},
    "vars": {"hostname": "shop.site.example", "nodes": 3, "tls": True, "tolerations": [{"key": "a"}]},
    "values": {"shop": {"replicas": 2, "extra": None}},
}


def site(directory: Path, **change: Any) -> SiteFile:
    path = directory / "site.yaml"
    path.write_text(yamlfile.dump({**SITE, **change}))
    return load_site_file(path)


def test_a_site_file(tmp_path: Path) -> None:
    found = site(tmp_path)
    assert found.lookup("registry.host") == "registry.site.example:5000"
    assert found.lookup("site.hostname") == "shop.site.example"
    assert found.lookup("site.tolerations") == [{"key": "a"}]
    assert found.values == {"shop": {"replicas": 2, "extra": None}}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("registry.storageClass", "add 'storageClass' under 'registry' in "),
        ("site.hostnam", "add 'hostnam' under 'vars' in "),
    ],
)
def test_a_variable_that_the_site_does_not_set(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"the product binds '{name}'") as fault:
        site(tmp_path).lookup(name)
    assert fault.value.hint == f"{hint}{tmp_path / 'site.yaml'}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"registry": {"mode": "magic"}}, "registry.mode: 'magic' is not one of"),
        (
            {"registry": {"host": "https://registry"}},
            "registry.host: 'https://registry' is not a registry host",
        ),
        ({"vars": {"9": 1}}, "vars: '9' is not a variable name"),
        ({"values": {"shop": {1: 2}}}, "values.shop: 1 is not text here; put it in quotes"),
        ({"values": {"shop": []}}, "values.shop: [] is not of type 'object'"),
        ({"var": {}}, "var: unknown field; did you mean 'vars'?"),
    ],
)
def test_a_wrong_site_file(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as fault:
        site(tmp_path, **change)
    assert message in str(fault.value)
    assert str(fault.value).startswith(f"{tmp_path}/site.yaml:")


@pytest.mark.parametrize("text", ["", "[]", "0", "# nothing\n"])
def test_a_site_file_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"site\.yaml:1: "):
        load_site_file(path)


def test_a_site_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot read the site file"):
        load_site_file(tmp_path / "site.yaml")


def test_a_site_can_begin_without_a_file() -> None:
    assert SiteFile().registry == ClusterRegistry()
    assert SiteFile().variables == SiteFile().values == {}


def test_a_prefix_is_part_of_the_address_that_charts_are_given() -> None:
    below = SiteFile(registry_from_section({"host": "registry.acme.example", "prefix": "team/shop"}))
    assert below.lookup("registry.host") == below.registry.address == "registry.acme.example/team/shop"
    assert registry_from_section({"host": "registry.acme.example"}).address == "registry.acme.example"
    assert SiteFile().registry.address is None
