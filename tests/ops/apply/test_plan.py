"""`plan` and `history` at a site: against nothing, against the ledger, against another release."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airstore.charts.helm.command import Helm
from airstore.core.errors import NotFoundError
from airstore.core.model.site import SiteFile, load_site_file
from airstore.deploy.model.redact import UNKEYED
from airstore.history import ledger
from airstore.history.ledger import Entry, Running
from airstore.ops.apply.session.plan import make_plan
from airstore.ops.apply.session.prepare import Rendering
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from airstore.ops.stores.site.ledgers import redaction
from tests.ops.review.test_report import self_contained
from tests.support.product.road_parts import Road, airstore, done, refused, unchanged, write_site_file
from tests.support.product.tiny_product import IMAGE, POD, Tiny, make_tiny, site_of

pytestmark = pytest.mark.slow

CANARY = "hunter2-canary"
AUTHOR = ("acme", "airstore@acme.invalid")


@pytest.fixture
def ready(site: Path) -> Path:
    """A site with everything the product binds."""
    write_site_file(site)
    return site


def plan(site: Path, *more: str | Path) -> Any:
    return done("-C", site, "plan", "-o", "json", *more).json()


def actions(planned: Any) -> dict[str, str]:
    return {step["name"]: step["action"] for step in planned["steps"]}


def apply(site: Path, helm: Path, version: str = "") -> tuple[Running, ...]:
    """Write into the ledger what an apply would; returns what runs then."""
    store = open_directory(site)
    file = site / "site.yaml"
    site_file = load_site_file(file) if file.exists() else SiteFile()
    with store.open_blobs() as blobs:
        planned = make_plan(store, blobs, Rendering(Helm(helm)), site_file, version)
    running = tuple(each.running for each in planned.wanted)
    entry = Entry("apply", planned.plan.version, "succeeded", 1_767_225_600, {}, running)
    anchors.record(store, entry)
    return running


def test_at_first_everything_is_installed_in_order(ready: Path) -> None:
    with unchanged(ready):
        planned = plan(ready)
    assert (planned["version"], planned["running"]) == ("1.0.0", "")
    assert [(step["name"], step["namespace"], step["action"]) for step in planned["steps"]] == [
        ("db", "shop", "install"),
        ("shop", "shop", "install"),
    ]
    assert planned["push"]["upload_blobs"] == 39
    text = "".join(step["diff"] for step in planned["steps"])
    assert "registry.acme.example/shop/api:1.0.0" in text
    assert "shop.acme.example" in text
    assert "storageClassName: fast" in text
    shown = done("-C", ready, "plan").out
    assert "release 1.0.0; running: nothing\n" in shown
    assert "to upload: 39 blobs" in shown
    assert "+++ planned/db.yaml" in shown
    assert "+++" not in done("-C", ready, "plan", "--no-diff").out


def test_what_the_ledger_says_runs_is_what_a_plan_compares_with(road: Road, ready: Path, helm4: Path) -> None:
    apply(ready, helm4)
    planned = plan(ready)
    assert (planned["running"], actions(planned)) == ("1.0.0", {"db": "unchanged", "shop": "unchanged"})
    done("-C", ready, "media", "import", road.delta)
    planned = plan(ready)
    assert (planned["version"], planned["running"]) == ("1.1.0", "1.0.0")
    assert actions(planned) == {"db": "unchanged", "shop": "change"}
    changed = [line for line in planned["steps"][1]["diff"].splitlines()[2:] if line[0] in "+-"]
    assert "-        image: registry.acme.example/shop/api:1.0.0" in changed
    assert "+        image: registry.acme.example/shop/api:1.1.0" in changed
    assert actions(plan(ready, "--release", "1.0.0")) == {"db": "unchanged", "shop": "unchanged"}
    assert actions(plan(ready, "--compare", "1.1.0")) == {"db": "unchanged", "shop": "unchanged"}
    write_site_file(ready, "values: {db: {persistence: {size: 77Gi}}}\n")
    planned = plan(ready, "--release", "1.0.0")
    assert actions(planned) == {"db": "change", "shop": "unchanged"}
    assert "77Gi" in planned["steps"][0]["diff"]


def test_what_left_the_product_is_removed(ready: Path, helm4: Path) -> None:
    running = apply(ready, helm4)
    gone = Running("gone", "shop", "gone", "1", running[0].archive, "kind: Gone\n")
    store = open_directory(ready)
    entry = Entry("apply", "1.0.0", "succeeded", 1, {}, (gone, *running))
    anchors.record(store, entry)
    planned = plan(ready)
    assert actions(planned) == {"db": "unchanged", "shop": "unchanged", "gone": "remove"}
    assert planned["steps"][-1]["name"] == "gone"
    assert "-kind: Gone" in planned["steps"][-1]["diff"]


def test_failed_actions_and_pushes_say_nothing_about_what_runs(ready: Path, helm4: Path) -> None:
    running = apply(ready, helm4)
    store = open_directory(ready)
    anchors.record(store, Entry("apply", "1.0.0", "failed", 2, {}, running[:1]))
    anchors.record(store, Entry("push", "1.0.0", "succeeded", 3, {"registry": "r"}))
    assert actions(plan(ready)) == {"db": "unchanged", "shop": "unchanged"}
    anchors.record(store, Entry("uninstall", "1.0.0", "succeeded", 4))
    assert actions(plan(ready)) == {"db": "install", "shop": "install"}
    rows = done("-C", ready, "history", "-o", "json").json()
    assert [(row["action"], row["result"], row["release"]) for row in rows] == [
        ("uninstall", "succeeded", "1.0.0"),
        ("push", "succeeded", "1.0.0"),
        ("apply", "failed", "1.0.0"),
        ("apply", "succeeded", "1.0.0"),
    ]
    assert rows[-1]["when"] == "2026-01-01T00:00:00+00:00"
    assert "registry r" in done("-C", ready, "history").out


def test_history_says_when_nothing_was_done(ready: Path) -> None:
    assert "nothing" in done("-C", ready, "history").out
    assert done("-C", ready, "history", "-o", "json").json() == []


def test_the_ledger_travels_nowhere_and_disturbs_nothing(road: Road, ready: Path, helm4: Path) -> None:
    """It is a branch of its own; imports and checks go on as before."""
    apply(ready, helm4)
    done("-C", ready, "media", "import", road.delta)
    done("-C", ready, "check")
    assert len(done("-C", ready, "history", "-o", "json").json()) == 1
    assert [row["version"] for row in done("-C", ready, "log", "-o", "json").json()] == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 2, ["site.yaml"]),
        ("kind: Site\n", 2, ["'apiVersion' must be given"]),
        ("apiVersion: airstore/v1\nkind: Site\nvars: {hostname: x}\n", 2, ["'registry.host'", "add 'host'"]),
        (
            "apiVersion: airstore/v1\nkind: Site\nregistry: {host: r.example}\nvars: {storageClass: x}\n",
            2,
            ["'site.hostname'", "add 'hostname' under 'vars'"],
        ),
        (
            "apiVersion: airstore/v1\nkind: Site\nregister: {}\n",
            2,
            [":3: register", "did you mean 'registry'"],
        ),
        ("a: [", 2, ["site.yaml:2"]),
    ],
)
def test_a_site_file_that_does_not_do_names_what_is_missing(
    text: str, code: int, words: list[str], site: Path
) -> None:
    (site / "site.yaml").write_text(text)
    with unchanged(site):
        outcome = airstore("-C", site, "plan")
        assert outcome.code == code, outcome
        for word in words:
            assert word in outcome.err
    refused(airstore("-C", site, "plan", "--site-file", site / "none.yaml"), 10, "none.yaml")


def test_no_secret_is_shown_by_a_plan_or_kept_in_the_ledger(tmp_path: Path, helm4: Path) -> None:
    """Neither the vendor's nor the site's own, in clear text or in base64; and no file of ours holds it."""
    tiny: Tiny = make_tiny(tmp_path / "tiny")
    (tiny.base / "app" / "templates" / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n"
        "stringData: {password: {{ .Values.password | quote }}}\n"
        "data: {token: {{ .Values.password | b64enc | quote }}}\n"
    )
    (tiny.base / "app" / "values.yaml").write_text("password: default\n")
    (tiny.base / "app" / "templates" / "pod.yaml").write_text(
        POD % "registry.example.com/tiny/app:1" + "---\napiVersion: v1\nkind: List\nitems:\n"
        "- apiVersion: v1\n  kind: Secret\n  metadata: {name: more}\n"
        "  stringData: {again: {{ .Values.password }}}\n"
    )
    assert tiny.create().code == 0
    done("-C", tiny.store, "media", "create", "--to", "1.0.0", tmp_path / "media")
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    done("-C", site, "media", "import", tmp_path / "media")
    (site / "site.yaml").write_text(
        f"apiVersion: airstore/v1\nkind: Site\nvalues: {{app: {{password: {CANARY}}}}}\n"
    )
    hidden = (CANARY, base64.b64encode(CANARY.encode()).decode())
    for form in ("table", "json", "yaml"):
        outcome = done("-v", "-C", site, "plan", "-o", form)
        assert outcome.out.count("redacted,hmac-sha256:") >= 3
        assert not any(text in outcome.out + outcome.err for text in hidden)
    apply(site, helm4)
    history = open_directory(site).history
    for name, data in history.files(next(history.entries(ledger.BRANCH))).items():
        assert not any(text.encode() in data for text in hidden), name
    (site / "site.yaml").write_text(
        f"apiVersion: airstore/v1\nkind: Site\nvalues: {{app: {{password: {CANARY}2}}}}\n"
    )
    planned = plan(site)
    assert actions(planned) == {"app": "change"}
    assert CANARY not in str(planned)


def test_a_site_value_cannot_become_an_argument(ready: Path) -> None:
    """Values travel in files: commas, dashes and braces are only text."""
    nasty = "--post-renderer=/bin/sh,a={b},$(id)"
    write_site_file(ready, f'values: {{shop: {{ingress: {{host: "{nasty}"}}}}}}\n')
    assert nasty in plan(ready)["steps"][1]["diff"]


def test_a_plan_is_a_page_with_what_the_site_holds_and_the_last_runs(
    road: Road, ready: Path, helm4: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plan.html"
    done("-C", ready, "plan", "--html", file)
    first = self_contained(file.read_text())
    assert "Nothing was applied or pushed yet." in first.text
    apply(ready, helm4)
    failed = Entry("apply", "1.1.0", "failed", 1_767_312_000, {"ended": "<b>broken</b>"}, ())
    anchors.record(open_directory(ready), failed)
    done("-C", ready, "media", "import", road.delta)
    with unchanged(ready):
        shown = done("-C", ready, "plan", "--html", file).out
    page = self_contained(file.read_text())
    assert "MANIFEST LINES" in shown
    for fact in (
        "shop 1.0.0 → 1.1.0",
        "1 of 2 Helm releases would change.",
        "+ image: registry.acme.example/shop/api:1.1.0",
        "2026-01-02 00:00 UTC apply 1.1.0 failed \N{EN DASH} ended: <b>broken</b>",
        "2026-01-01 00:00 UTC apply 1.0.0 succeeded",
    ):
        assert fact in page.text
    receipt = done("-C", ready, "receipt").json()
    held = json.loads(base64.b64decode(receipt["payload"]))["predicate"]
    assert f"{len(held['blobs'])} blobs" in page.text
    assert held["release"]["digest"] in page.text
    alone = done("-C", ready, "plan", "--html", "-").out
    assert self_contained(alone).text.split("UTC", 1)[1] == page.text.split("UTC", 1)[1]


def test_no_secret_is_in_the_page_of_a_plan(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path / "tiny")
    templates = tiny.base / "app" / "templates"
    environment = f"env: [{{name: DB_PASSWORD, value: {CANARY}-1}}]"
    (templates / "pod.yaml").write_text(POD % f"{IMAGE}, {environment}")
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: |\n    db.password="
    (templates / "config.yaml").write_text(f"{config}{CANARY}-2\n")
    done("-C", tiny.store, "release", "create", "--version", "1.0.0")
    site = site_of(tiny)
    found = done("-C", site, "plan", "--html", "-").out
    assert "DB_PASSWORD" in self_contained(found).text
    assert CANARY not in found


@pytest.fixture
def secretive(tmp_path: Path, helm4: Path) -> Path:
    """A site whose one Helm release has a Secret with a PIN, and runs."""
    tiny: Tiny = make_tiny(tmp_path / "tiny")
    (tiny.base / "app" / "templates" / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {pin: '1234'}\n"
    )
    assert tiny.create().code == 0
    done("-C", tiny.store, "media", "create", "--to", "1.0.0", tmp_path / "media")
    done("init", tmp_path / "site", "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    done("-C", tmp_path / "site", "media", "import", tmp_path / "media")
    return tmp_path / "site"


def test_no_pin_can_be_found_from_the_ledger(secretive: Path, helm4: Path) -> None:
    """Digests are keyed and whole: who reads the ledger cannot try every PIN, as one could before."""
    (running,) = apply(secretive, helm4)
    assert UNKEYED not in running.rendered
    (found,) = re.findall(r"hmac-sha256:([0-9a-f]{64})\)", running.rendered)
    for place in ("login", ""):
        for name in ("pin", ""):
            tried = f"{place}\0{name}\0{1234}".encode()
            assert found != hashlib.sha256(tried).hexdigest()
    (secretive / "keys" / "site").unlink()
    with pytest.raises(NotFoundError):  # nothing stands in for the key
        apply(secretive, helm4)


def test_sites_hide_the_same_secret_each_in_its_own_way(tmp_path: Path, secretive: Path) -> None:
    done("init", tmp_path / "b", "--site", "b", "--trust", secretive / "trust" / "root.json")
    one, other = (redaction(open_directory(site)) for site in (secretive, tmp_path / "b"))
    assert one("login", "pin", "1234") != other("login", "pin", "1234")
    assert one("login", "pin", "1234") == redaction(open_directory(secretive))("login", "pin", "1234")


def test_what_ledgers_of_before_say_of_secrets_is_compared(secretive: Path, helm4: Path) -> None:
    """Short digests without a key: the same secret is no change, another one is."""
    store = open_directory(secretive)
    with store.open_blobs() as blobs:
        planned = make_plan(store, blobs, Rendering(Helm(helm4)), SiteFile(), "")
    (wanted,) = (each.running for each in planned.wanted)
    assert wanted.unkeyed
    before = replace(wanted, rendered=wanted.unkeyed(), unkeyed=None)
    assert UNKEYED in before.rendered
    entry = Entry("apply", "1.0.0", "succeeded", 1, {}, (before,))
    anchors.record(store, entry)
    assert actions(plan(secretive)) == {"app": "unchanged"}
    changed = replace(before, rendered=re.sub(r"sha256 .", "sha256 x", before.rendered))
    anchors.record(store, replace(entry, running=(changed,)))
    planned_again = plan(secretive)
    assert actions(planned_again) == {"app": "change"}
    assert planned_again["steps"][0]["added"] == 1  # the one value, not the form of its digest besides
