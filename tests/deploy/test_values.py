"""What a site adds: bindings into nested values, and its own overrides on top."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.rendering.render import merge
from airstore.core.errors import UsageError
from airstore.core.model.release import HelmRelease
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import registry_from_section
from airstore.deploy.plan.values import site_values

names = st.text("ab.-1", min_size=1, max_size=3)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)
mappings = st.dictionaries(names, values, max_size=3)


def helm(bind: dict[str, str]) -> HelmRelease:
    return HelmRelease("shop", "shop", "shop", bind=bind)


def escaped(path: tuple[str, ...]) -> str:
    return ".".join(part.replace(".", "\\.") for part in path)


def at(document: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


@given(bound=st.dictionaries(paths, values, max_size=4))
def test_every_binding_is_where_it_says_or_two_collide(bound: dict[tuple[str, ...], Any]) -> None:
    variables = {f"v{number}": value for number, value in enumerate(bound.values())}
    site = SiteFile(variables=variables)
    before = copy.deepcopy(variables)
    wanted = helm({escaped(path): f"site.v{number}" for number, path in enumerate(bound)})
    inside = any(path != other and path[: len(other)] == other for path in bound for other in bound)
    if inside:
        with pytest.raises(UsageError, match="bind"):
            site_values(wanted, site)
    else:
        found = site_values(wanted, site)
        assert all(at(found, path) == value for path, value in bound.items())
        assert set(found) == {path[0] for path in bound}
    assert variables == before  # the site file is the site's


@given(base=mappings, over=mappings)
def test_merging_is_as_helm_merges(base: dict[str, Any], over: dict[str, Any]) -> None:
    """Mappings key by key, anything else replaced; nothing given is changed."""
    given_base, given_over = copy.deepcopy(base), copy.deepcopy(over)
    found = merge(base, over)
    assert set(found) == set(base) | set(over)
    for key in found:
        if key not in over:
            assert found[key] == base[key]
        elif isinstance(over[key], dict) and isinstance(base.get(key), dict):
            assert found[key] == merge(base[key], over[key])
        else:
            assert found[key] == over[key]
    assert (base, over) == (given_base, given_over)
    assert merge(base, {}) == base
    assert merge({}, over) == over


def test_the_sites_own_values_win_over_bindings() -> None:
    site = SiteFile(
        registry=registry_from_section({"host": "r.acme"}),
        variables={"class": "fast"},
        values={"shop": {"storage": {"class": "slow", "size": 1}}, "other": {"x": 1}},
    )
    wanted = helm({"storage.class": "site.class", "image\\.registry": "registry.host"})
    assert site_values(wanted, site) == {
        "storage": {"class": "slow", "size": 1},
        "image.registry": "r.acme",
    }


@pytest.mark.parametrize(
    ("name", "word"), [("site.none", "'vars'"), ("registry.none", "'registry'"), ("site.", "'vars'")]
)
def test_a_variable_that_is_not_set_is_named_with_its_place(name: str, word: str) -> None:
    with pytest.raises(UsageError, match=name) as fault:
        site_values(helm({"a": name}), SiteFile())
    assert word in fault.value.hint
    assert "site.yaml" in fault.value.hint


@pytest.mark.parametrize("bind", [["a", "a.b"], ["a.b.c", "a"], ["x", "a.b", "a.b.c.d"]])
def test_a_binding_inside_another_is_refused_in_any_order(bind: list[str]) -> None:
    """release.json sorts its keys, the product file does not: both must mean the same."""
    site = SiteFile(variables={"v": "1"})
    for order in (bind, bind[::-1]):
        with pytest.raises(UsageError, match="set the same value"):
            site_values(helm(dict.fromkeys(order, "site.v")), site)


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ({"host": "reg.site.example"}, "registry-pull"),  # one in the cluster knows nobody without a password
        (
            {"host": "reg.site.example", "mode": "external", "pullUser": "puller", "pullPasswordFile": "p"},
            "registry-pull",
        ),
        ({"host": "reg.site.example", "mode": "external", "pullSecret": "ours"}, "ours"),
        ({"host": "reg.site.example", "mode": "external"}, ""),
        ({"host": "reg.site.example", "mode": "serve"}, ""),
    ],
)
def test_pull_secrets_as_pods_write_them(registry: dict[str, str], name: str) -> None:
    site = SiteFile(registry_from_section(registry))
    bound = site_values(helm({"imagePullSecrets": "registry.pullSecrets"}), site)
    assert bound == {"imagePullSecrets": [{"name": name}] if name else []}
