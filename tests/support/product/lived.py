"""Stores with what years leave in them: earlier roots, a draft, sites, an anchor, ledger, runs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from airstore.charts.images.rewrite import Rewriting
from airstore.core.image.digest import Digest
from airstore.deploy.helm.kept import Kept
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import End, Mode, Status, Step, StepKind
from airstore.history.ledger import Running
from airstore.ops.apply.adopt import adopt
from airstore.ops.apply.session.ending.record import end_run
from airstore.ops.apply.session.handover import Moved, mark
from airstore.ops.apply.session.installations import Adopted, Installations
from airstore.ops.apply.session.prepare import PreparedRelease
from airstore.ops.registry.incluster.shared import RegistryAccess, keep_access
from airstore.ops.stores.directory import open_directory
from tests.support.product.collected import helm_of
from tests.support.product.road_parts import Road, done
from tests.support.product.rotation import Rotation
from tests.support.product.sessions import session

ENDED, UNDER_WAY = "20260101T000000Z-0000000a", "20260102T000000Z-0000000b"
_SECOND = 1_767_225_600
_MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {greeting: hello}\n"
_REWRITING = Rewriting(
    "registry.acme.example", {"registry.example.com/shop/api:1.0.0": "sha256:" + "ab" * 32}
)
_ACCESS = RegistryAccess("shop", "registry.acme.example", "shop", "", "s3cret-pull", "s3cret-push", "a CA")


@dataclass(frozen=True)
class Lived:
    """What a road came to.

    Attributes:
        media: full ones of the last release, 1.2.0.
        anchor: of the site, outside of its store.
        receipt: of the site, on its way to the publisher.
    """

    media: Path
    anchor: Path
    receipt: Path


def lived(road: Road) -> Lived:
    """Have both stores of a road go on."""
    rotation = Rotation.of(road)
    rotation.replace("release", "second")
    rotation.release("1.2.0", "second")
    media = rotation.media("1.2.0", "second")
    for each in (road.delta, media):
        done("-C", road.site, "media", "import", each)
    found = Lived(media, road.base / "anchor.json", road.base / "receipt.json")
    _at_the_site(road.site, found)
    _at_the_publisher(road, rotation, found)
    return found


def _at_the_site(site: Path, found: Lived) -> None:
    adopted(site)
    run(site, ENDED, "1.1.0", "1.0.0", end=True)
    run(site, UNDER_WAY, "1.2.0", "1.1.0", end=False)
    keep_access(open_directory(site), _ACCESS)
    mark(open_directory(site), Moved("https://192.0.2.1:6443", "shop", "applier"), _SECOND, arrived=True)
    done("-C", site, "anchor", "set", f"file://{found.anchor}")
    done("-C", site, "receipt", "-o", found.receipt)


def _at_the_publisher(road: Road, rotation: Rotation, found: Lived) -> None:
    publisher = ("-C", road.publisher)
    done(*publisher, "site", "add", "acme", road.site / "keys" / "site.pub")
    done(*publisher, "fleet", found.receipt)
    done(*publisher, "key", "generate", "third")
    rotation.change("add-key", "third")
    _token(road)
    rotation.change("add-key", "token")
    shared = ("--git", "file:///srv/shop.git", "--objects", "oci://registry.example.com/shop")
    done(*publisher, "remote", "add", "origin", *shared)
    done(*publisher, "gc", "--keep", "2")


def _token(road: Road) -> None:
    """The public half of a key that is in a token, as its driver writes it."""
    key = road.base / "token"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "token", "-f", key], check=True)
    key.with_suffix(".pub").rename(road.publisher / "keys" / "token.pub")


def run(site: Path, name: str, version: str, previous: str, *, end: bool) -> None:
    """A run of one Helm release, as it lies at a site: journal, manifests, values, backup, what is kept."""
    store, directory = open_directory(site), site / "deploy" / "runs" / name
    prepared = PreparedRelease(
        helm_of(site, version), (b"greeting: hello\n",), frozenset({"s3cret"}), _REWRITING
    )
    installations = Installations(store)
    new, old = installations.keep_values(name, prepared), helm_of(site, previous)
    installations.keep(new, Kept(1, f"{new.chart}-{new.chart_version}", _MANIFEST))
    intent = Intent(Mode.APPLY, version, previous, ((new.key, "change", ""),), (new,), (old,))
    journal = intent.begin(directory)
    backup = directory / "backup" / new.key.replace("/", "_")
    backup.mkdir(parents=True)
    (backup / "data").write_text("rows\n")
    for status in (Status.BEGIN, Status.DONE):
        journal.record(status, Step(StepKind.BACKUP, new.key), "backed up")
    if end:
        end_run(session(site, now=_SECOND), journal, intent, End.SUCCEEDED)


def adopted(site: Path) -> str:
    """A Helm release that somebody else had installed; returns the run that it is kept with."""
    chart = b"a chart that renders to what was found"
    found = Running("cache", "apps", "cache", "1.0.0", str(Digest.of(chart)), "")
    what = Adopted(found, Kept(1, "cache-1.0.0", _MANIFEST), chart, b"greeting: hello\n", frozenset())
    (taken,) = adopt(session(site, now=_SECOND - 1), (what,))
    return taken.values.partition("/")[0]
