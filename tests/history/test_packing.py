"""Loose objects become packs: nothing is lost, whoever reads meanwhile and whenever it ends."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from airstore.core.durable import Disk, exclusive_lock
from airstore.core.errors import DamagedError, LockedError, StorageError
from airstore.history import packing
from airstore.history.exchange.bundle import create_bundle
from airstore.history.git.scratch import publish_packs
from airstore.history.packing import loose_objects, pack_loose
from airstore.history.repository import History
from tests.history.history_parts import FullDisk, Publish, Run, take, versions
from tests.support.product.tiny_product import Tiny

pytest_plugins = ["tests.history.history_fixtures"]
VERSIONS = ["1.0.0", "1.1.0", "2.0.0"]


def loose(history: History) -> dict[str, Path]:
    return loose_objects(history.path / "objects")


def packs(history: History) -> list[str]:
    return sorted(path.suffix for path in (history.path / "objects" / "pack").iterdir())


def everything(history: History) -> dict[str, dict[str, bytes]]:
    return {version: dict(history.files(version)) for version in versions(history)}


def test_everything_reads_as_before_and_bundles_are_the_same_bytes(
    history: History, tmp_path: Path, git: Run
) -> None:
    before, count = everything(history), len(loose(history))
    create_bundle(history, tmp_path / "before", "2.0.0", "1.0.0")
    assert pack_loose(history, enough=1) == count
    assert not loose(history)
    assert {".pack", ".idx"} <= set(packs(history))
    assert everything(History(history.path)) == before
    create_bundle(history, tmp_path / "after", "2.0.0", "1.0.0")
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()
    git(f"--git-dir={history.path}", "fsck", "--full", "--strict")
    assert pack_loose(history, enough=1) == 0
    assert not (history.path / "packing").exists()


def test_a_packed_history_goes_on_and_is_imported(history: History, tmp_path: Path, publish: Publish) -> None:
    pack_loose(history, enough=1)
    publish(history, "2.1.0")
    assert pack_loose(history, enough=1) < 20, "what is packed stays as it is"
    create_bundle(history, tmp_path / "bundle", "2.1.0", None)
    site = History.create(tmp_path / "site.git")
    take(site, tmp_path / "bundle")
    assert everything(site) == everything(history)


def test_few_objects_stay_loose(history: History) -> None:
    count = len(loose(history))
    assert pack_loose(history, enough=count + 1) == 0
    assert len(loose(history)) == count


def test_damage_stays_where_it_is_and_is_still_named(history: History) -> None:
    oid = history.paths("1.1.0")["values/large.yaml"]
    path = loose(history)[oid]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 4\0evil"))
    count = len(loose(history))
    assert pack_loose(history, enough=1) == count - 1
    assert list(loose(history)) == [oid]
    with pytest.raises(DamagedError, match=oid):
        history.files("1.1.0")


def test_a_pack_that_lost_an_object_keeps_its_file(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage between the two steps: a disk that lies."""

    def lying(directory: Path, to: Path, disk: Disk) -> None:
        publish_packs(directory, to, disk)
        pack = next((to / "objects" / "pack").glob("*.pack"))
        pack.chmod(0o644)
        data = pack.read_bytes()
        pack.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))

    before = everything(history)
    monkeypatch.setattr(packing, "publish_packs", lying)
    pack_loose(history, enough=1)
    assert loose(history), "files whose objects the pack does not give back stay"
    assert everything(History(history.path)) == before


def test_whenever_it_ends_the_history_is_whole_and_the_next_run_finishes(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(history)
    for good in range(3):
        broken = History(history.path, disk=FullDisk(good))
        if good < 2:
            with pytest.raises(StorageError):
                pack_loose(broken, enough=1)
        assert everything(History(history.path)) == before
        assert not (history.path / "packing").exists()

    remove = Path.unlink

    def killed(path: Path) -> None:
        if len(loose(history)) == 5:
            raise OSError(5, os.strerror(5), str(path))
        remove(path)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(StorageError):
        pack_loose(history, enough=1)
    monkeypatch.undo()
    assert everything(History(history.path)) == before
    (history.path / "packing").mkdir()
    (history.path / "packing" / "left").touch()
    made = packs(history)
    assert pack_loose(history, enough=1) == 5
    assert packs(history) == made, "what is packed is not packed again"
    assert everything(History(history.path)) == before


def test_a_reader_that_looked_for_packs_before_there_was_one_finds_the_object(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(history)
    reader = History(history.path)
    objects = reader._objects
    look = objects._loose

    def meanwhile(oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
        pack_loose(history, enough=1)
        return look(oid, limit, what)

    monkeypatch.setattr(objects, "_loose", meanwhile)
    assert everything(reader) == before


def test_one_at_a_time(history: History) -> None:
    with exclusive_lock(history.path / "packing.lock"), pytest.raises(LockedError):
        pack_loose(history, enough=1)


def test_a_release_packs_what_many_before_it_left(tiny: Tiny) -> None:
    assert tiny.create("1.0.0").code == 0
    objects = tiny.store / "history.git" / "objects"
    for number in range(packing.ENOUGH):
        content = b"blob %d\0%d" % (len(str(number)), number)
        oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        (objects / oid[:2]).mkdir(exist_ok=True)
        (objects / oid[:2] / oid[2:]).write_bytes(zlib.compress(content))
    assert tiny.create("1.1.0").code == 0
    assert len(loose_objects(objects)) < 20
    assert tiny.create("1.2.0").code == 0
