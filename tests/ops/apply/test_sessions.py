"""What apply, rollback and uninstall ask of the store before anybody touches the cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import AirstoreError, NotFoundError, NotTrustedError, SequenceError, UsageError
from airstore.core.model.site import SiteFile
from airstore.history import ledger
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from tests.support.product.road_parts import done
from tests.support.product.sessions import session


def cut(site: Path) -> None:
    (site / "history.git" / "refs" / "heads" / "ledger").unlink()


def lose_key(site: Path) -> None:
    (site / "keys" / "site").unlink()


def set_back(site: Path) -> None:
    """As a snapshot does: the anchor knows a later entry."""
    snapshot = shutil.copytree(site, site.with_name("snapshot"))
    store = open_directory(site)
    anchors.record(store, ledger.Entry("push", "1.0.0", "succeeded", 2))
    shutil.rmtree(site)
    snapshot.rename(site)


def lose_anchor(site: Path) -> None:
    (site.parent / "mark.json").unlink()


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (cut, SequenceError),
        (lose_key, NotFoundError),
        (set_back, SequenceError),
        (lose_anchor, NotTrustedError),
    ],
)
def test_the_cluster_is_not_touched_by_a_store_that_cannot_say_what_runs(
    harm: Callable[[Path], None], error: type[AirstoreError], site: Path
) -> None:
    anchors.record(open_directory(site), ledger.Entry("push", "1.0.0", "succeeded", 1))
    done("-C", site, "anchor", "set", f"file://{site.parent}/mark.json")
    with pytest.raises(AssertionError, match="the cluster was asked for lease"), session(site).alone():
        raise RuntimeError("the cluster let us in")
    harm(site)
    with pytest.raises(error), session(site).alone():
        raise RuntimeError("the store let us in")


def test_the_first_apply_writes_the_anchor_that_the_site_file_names(site: Path) -> None:
    file = SiteFile(anchor=f"file://{site.parent}/mark.json")
    with pytest.raises(AssertionError, match="asked for lease"), session(site, file).alone():
        pass
    assert open_directory(site).anchor == file.anchor
    assert anchors.read_anchor(open_directory(site)) is not None
    anchors.record(open_directory(site), ledger.Entry("push", "1.0.0", "succeeded", 1))
    lose_anchor(site)
    with pytest.raises(NotTrustedError, match="is gone"), session(site, file).alone():
        pass


def test_a_store_from_before_it_had_the_anchor_of_its_site_file_is_noticed(site: Path) -> None:
    """The site file is kept elsewhere, so it knows of an anchor that the restored store does not."""
    file = SiteFile(anchor=f"file://{site.parent}/mark.json")
    snapshot = shutil.copytree(site, site.with_name("snapshot"))
    with pytest.raises(AssertionError, match="asked for lease"), session(site, file).alone():
        pass
    anchors.record(open_directory(site), ledger.Entry("push", "1.0.0", "succeeded", 1))
    shutil.rmtree(site)
    snapshot.rename(site)
    with pytest.raises(SequenceError, match="the ledger had 1 entries"), session(site, file).alone():
        pass
    assert not open_directory(site).anchor
    with pytest.raises(SequenceError, match="the ledger had 1 entries"):
        anchors.require_anchored(anchors.anchored_by(open_directory(site), file.anchor))


def test_another_anchor_than_that_of_the_store_is_refused(site: Path) -> None:
    done("-C", site, "anchor", "set", f"file://{site.parent}/mark.json")
    with pytest.raises(UsageError, match="has its anchor at"):
        session(site, SiteFile(anchor=f"file://{site.parent}/other.json"))
    with pytest.raises(UsageError, match="within the store"):
        anchors.anchored_by(replace(open_directory(site), anchor=""), f"file://{site}/mark.json")
