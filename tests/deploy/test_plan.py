"""The plan: what would be installed, changed, removed or left alone; and no Secret in any of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.image.digest import Digest
from airstore.deploy.model.redact import page_mark, redact
from airstore.deploy.plan.plan import normalise, plan
from airstore.history.ledger import Running

CANARY = "hunter2-canary"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, **fields}


def running(
    name: str = "shop", rendered: str = "a: 1\n", chart: bytes = b"chart", namespace: str = "shop"
) -> Running:
    return Running(
        name=name,
        namespace=namespace,
        chart="shop",
        chart_version="1",
        archive=Digest.of(chart),
        rendered=rendered,
    )


def actions(wanted: list[Running], now: list[Running]) -> list[tuple[str, str]]:
    return [(step.action, step.key) for step in plan(wanted, now)]


def test_what_is_new_is_installed_in_the_products_order() -> None:
    wanted = [running("b"), running("a"), running("c")]
    assert actions(wanted, []) == [("install", "shop/b"), ("install", "shop/a"), ("install", "shop/c")]
    step = plan([running(rendered="a: 1\nb: 2\n")], [])[0]
    assert (step.added, step.removed) == (2, 0)
    assert "+a: 1" in step.diff


def test_what_is_the_same_is_unchanged() -> None:
    (step,) = plan([running()], [running()])
    assert (step.action, step.diff, step.added, step.removed) == ("unchanged", "", 0, 0)


def test_what_renders_differently_is_changed() -> None:
    (step,) = plan([running(rendered="a: 2\n")], [running(rendered="a: 1\n")])
    assert (step.action, step.added, step.removed) == ("change", 1, 1)
    assert step.diff.splitlines()[:2] == ["--- running/shop.yaml", "+++ planned/shop.yaml"]


def test_another_chart_is_a_change_even_where_it_renders_the_same() -> None:
    """Its hooks may differ."""
    (step,) = plan([running(chart=b"new")], [running(chart=b"old")])
    assert (step.action, step.diff) == ("change", "")


def test_what_left_the_product_is_removed_last() -> None:
    assert actions([running("b")], [running("a"), running("b")]) == [
        ("unchanged", "shop/b"),
        ("remove", "shop/a"),
    ]
    step = plan([], [running(rendered="a: 1\n")])[0]
    assert (step.action, step.removed) == ("remove", 1)


def test_another_namespace_is_another_helm_release() -> None:
    moved = replace(running(), namespace="elsewhere")
    assert actions([moved], [running()]) == [("install", "elsewhere/shop"), ("remove", "shop/shop")]


releases = st.lists(
    st.builds(
        lambda name, text, namespace: running(name, text, namespace=namespace),
        st.sampled_from("abcd"),
        st.sampled_from(["a: 1\n", "a: 2\n"]),
        st.sampled_from(["x", "y"]),
    ),
    unique_by=lambda each: each.key,
    max_size=5,
)


@given(wanted=releases, now=releases)
def test_a_plan_names_everything_once_and_is_empty_when_carried_out(
    wanted: list[Running], now: list[Running]
) -> None:
    steps = plan(wanted, now)
    assert sorted(step.key for step in steps) == sorted({each.key for each in [*wanted, *now]})
    assert [step.key for step in steps][: len(wanted)] == [each.key for each in wanted]
    assert {step.action for step in plan(wanted, wanted)} <= {"unchanged"}


def test_manifests_have_one_order_and_form() -> None:
    other = MAP | {"metadata": {"name": "another"}}
    assert normalise([MAP, other]) == normalise([other, MAP])
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(normalise([MAP, other]))] == [
        "another",
        "settings",
    ]
    assert normalise([]) == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"password": CANARY}},
        {"stringData": {"password": CANARY}},
        {"data": {"password": [CANARY]}},
        {"data": [CANARY]},
        {"stringData": CANARY},
        {"metadata": "login", "data": {"password": CANARY}},
        {"metadata": None, "data": {"password": CANARY}},
        {"data": {1: CANARY}},
    ],
)
def test_no_value_of_a_secret_is_shown(fields: dict[str, Any]) -> None:
    for document in (secret(**fields), {"kind": "List", "items": [MAP, secret(**fields)]}):
        shown = normalise([document])
        assert CANARY not in shown
        assert "(redacted, mark " in shown
        changed = yaml.safe_load(yaml.safe_dump(document).replace(CANARY, CANARY + "x"))
        assert normalise([changed]) != shown  # a digest still tells that something changed


def test_equal_values_of_two_secrets_do_not_look_equal() -> None:
    one = redact(secret(data={"a": CANARY, "b": CANARY}), page_mark)["data"]
    assert one["a"] != one["b"]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_no_secret_stays_as_it_is(document: Any) -> None:
    assert redact(document, page_mark) == document


def test_a_document_that_only_helm_can_read_is_not_left_out() -> None:
    """It may be a Secret, so it shows as a digest; but when it changes the plan says so."""
    text = f"kind: Secret\nstringData: {{password: {CANARY}, date: !odd 1}}\n"
    shown = normalise([MAP, text])
    assert CANARY not in shown
    assert normalise([MAP, text + " "]) != shown
    assert normalise([text, MAP]) == shown
    assert normalise([MAP]) != shown
