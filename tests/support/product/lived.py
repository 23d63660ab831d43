"""Stores with what years leave in them: earlier trust roots, a draft, sites, a ledger, runs, gc."""

from __future__ import annotations

from pathlib import Path

from airstore.charts.images.rewrite import Rewriting
from airstore.deploy.helm.kept import Kept
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import End, Mode, Status, Step, StepKind
from airstore.history.ledger import Entry
from airstore.ops.apply.session.installations import Installations
from airstore.ops.apply.session.prepare import PreparedRelease
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from tests.support.product.collected import helm_of
from tests.support.product.road_parts import Road, done
from tests.support.product.rotation import Rotation

ENDED, UNDER_WAY = "20260101T000000Z-0000000a", "20260102T000000Z-0000000b"
_MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {greeting: hello}\n"
_REWRITING = Rewriting(
    "registry.acme.example", {"registry.example.com/shop/api:1.0.0": "sha256:" + "ab" * 32}
)


def lived(road: Road) -> Path:
    """Have both stores of a road go on; returns full media of the last release, 1.2.0."""
    rotation = Rotation.of(road)
    rotation.replace("release", "second")
    rotation.release("1.2.0", "second")
    media = rotation.media("1.2.0", "second")
    for each in (road.delta, media):
        done("-C", road.site, "media", "import", each)
    run(road.site, ENDED, "1.1.0", "1.0.0", end=True)
    run(road.site, UNDER_WAY, "1.2.0", "1.1.0", end=False)
    publisher = ("-C", road.publisher)
    done(*publisher, "site", "add", "acme", road.site / "keys" / "site.pub")
    done(*publisher, "key", "generate", "third")
    rotation.change("add-key", "third")
    done(*publisher, "gc", "--keep", "2")
    return media


def run(site: Path, name: str, version: str, previous: str, *, end: bool) -> None:
    """A run of one Helm release, as it lies at a site: journal, manifests, values, what Helm installed."""
    store = open_directory(site)
    prepared = PreparedRelease(
        helm_of(site, version), (b"greeting: hello\n",), frozenset({"s3cret"}), _REWRITING
    )
    installations = Installations(store)
    new, old = installations.keep_values(name, prepared), helm_of(site, previous)
    installations.keep(new, Kept(1, f"{new.chart}-{new.chart_version}", _MANIFEST))
    intent = Intent(Mode.APPLY, version, previous, ((new.key, "change", ""),), (new,), (old,))
    journal = intent.begin(site / "deploy" / "runs" / name)
    for status in (Status.BEGIN, Status.DONE):
        journal.record(status, Step(StepKind.BACKUP, new.key), "backed up")
    if end:
        anchors.record(store, Entry("apply", version, "succeeded", 1_767_225_600, {"run": name}, (new,)))
        journal.close(End.SUCCEEDED)
