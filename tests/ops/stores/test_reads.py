"""What commands read of a long history: as much as of a short one. Counted, for seconds prove nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airstore.history.git.objects import ObjectDatabase
from airstore.history.git.program import Git
from airstore.history.git.refs import Refs
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases import remembered
from airstore.ops.stores.releases.trusted import held_release
from scripts.growing import growth
from tests.ops.stores.test_growth import KUBECONFIG, SITE_FILE
from tests.support.product.road_parts import airstore, done
from tests.support.product.tiny_product import make_tiny, site_of

pytestmark = pytest.mark.slow

SHORT, LONG = 3, 12


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Publishers of few and of many releases, and a site that follows each."""
    made = {}
    for count in (SHORT, LONG):
        tiny = make_tiny(tmp_path_factory.mktemp("reads") / "tiny")
        (tiny.base / "app" / "values.yaml").write_text("n: 1\n")
        assert tiny.create("1.0.1").code == 0
        growth.grow(tiny.store, count)
        site = site_of(tiny, f"1.0.{count}")
        (site / "site.yaml").write_text(SITE_FILE)
        (tiny.base / "kubeconfig").write_text(KUBECONFIG)
        made[count] = tiny.base
    return made


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Objects and refs that are read, releases that are recalled, and what git is told to leave out."""
    found: Counter[str] = Counter()
    with monkeypatch.context() as patch:
        for owner, name in (
            (ObjectDatabase, "_find"),
            (Refs, "get"),
            (remembered, "_parse"),
            (Git, "_run"),
        ):
            patch.setattr(owner, name, _counting(getattr(owner, name), found, name))
        yield found


def _counting(real: Any, found: Counter[str], name: str) -> Any:
    def counting(*arguments: Any) -> Any:
        found[name] += 1
        if name == "_run" and "rev-list" in arguments[2]:
            found["commits that git need not walk"] += arguments[3].read().count(b"^")
            arguments[3].seek(0)
        return real(*arguments)

    return counting


def commands(base: Path, count: int) -> list[tuple[object, ...]]:
    """One release more, brought to the site; no cluster answers there."""
    store, site, media = base / "store", base / "site", base / "delta"
    return [
        ("-C", store, "release", "create", "--version", "2.0.0"),
        ("-C", store, "release", "show", "2.0.0"),
        ("-C", store, "release", "diff", f"1.0.{count}", "2.0.0"),
        ("-C", store, "release", "notes", "2.0.0"),
        ("-C", store, "media", "create", "--to", "2.0.0", "--from", f"1.0.{count}", media),
        ("-C", site, "media", "import", "--dry-run", media),
        ("-C", site, "media", "import", media),
        ("-C", site, "status"),
    ]


def test_a_long_history_is_read_no_more_than_a_short_one(
    sides: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: dict[int, dict[object, Counter[str]]] = {}
    for count, base in sides.items():
        monkeypatch.setenv("KUBECONFIG", str(base / "kubeconfig"))
        (base / "app" / "values.yaml").write_text("n: last\n")
        reads[count] = {}
        for command in commands(base, count):
            with counted(monkeypatch) as found:
                outcome = airstore(*command)  # type: ignore[arg-type]
            assert outcome.code in {0, 40}, (command, outcome)
            reads[count][command[2:4]] = found
        with counted(monkeypatch) as found, (site := open_directory(base / "site")).open_blobs() as blobs:
            assert held_release(site, blobs).version == "2.0.0"
        reads[count]["what plan, apply and registry push begin with"] = found
    assert reads[SHORT] == reads[LONG]
    assert all(found["_find"] for found in reads[LONG].values()), "it counts at all"
    for base in sides.values():
        kept = (base / "site" / "verified.json").read_bytes()
        (base / "site" / "verified.json").unlink()
        done("-C", base / "site", "release", "list")
        assert (base / "site" / "verified.json").read_bytes() == kept, "a line was added, the right one"
