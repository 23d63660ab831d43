import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.durable import LocalDisk
from airstore.core.errors import DamagedError, NotTrustedError, SequenceError, StorageError
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.trust.state import TrustState
from tests.trust.trust_parts import BOUNDED

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")
COMMIT = "a" * 40


class FailingDisk(LocalDisk):
    """Fails at one of the three operations, the way a full disk does."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def _fail(self, operation: str) -> None:
        if operation == self.operation:
            raise OSError(28, "No space left on device")

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        self._fail("write")
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self._fail("sync")
        super().sync(file)

    def publish(self, temporary: Path, final: Path) -> None:
        self._fail("publish")
        super().publish(temporary, final)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trust" / "state.json"


def test_saved_state_loads_again(path: Path) -> None:
    for state in (TrustState(1), TrustState(1, 3, ONE, COMMIT), TrustState(2, 3, ONE, COMMIT)):
        state.save(path)
        assert TrustState.load(path) == state


@BOUNDED
@given(
    version=st.integers(1, 2**53 - 1),
    sequence=st.integers(1, 2**53 - 1),
    release=st.binary(min_size=32, max_size=32),
    commit=st.text("0123456789abcdef", min_size=40, max_size=40),
)
def test_any_state_comes_back(
    tmp_path_factory: pytest.TempPathFactory, version: int, sequence: int, release: bytes, commit: str
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    state = TrustState(version, sequence, Digest.from_raw(release), commit)
    state.save(path)
    assert TrustState.load(path) == state


def test_threat_trust_state_deleted(path: Path) -> None:
    """A missing file must never mean "trust from scratch": that would let every old release in again."""
    TrustState(1, 3, ONE, COMMIT).save(path)
    path.unlink()
    with pytest.raises(NotTrustedError, match=r"was deleted") as caught:
        TrustState.load(path)
    assert "airstore repair" in caught.value.hint


def test_state_never_goes_back(path: Path) -> None:
    TrustState(2, 5, ONE, COMMIT).save(path)
    for lower in (TrustState(2, 4, ONE, COMMIT), TrustState(1, 6, TWO, COMMIT), TrustState(2)):
        with pytest.raises(SequenceError, match="never goes back"):
            lower.save(path)
    with pytest.raises(SequenceError, match="another release with sequence 5"):
        TrustState(2, 5, TWO, COMMIT).save(path)
    assert TrustState.load(path) == TrustState(2, 5, ONE, COMMIT)


def test_saving_over_a_damaged_file_is_refused(path: Path) -> None:
    TrustState(1, 5, ONE, COMMIT).save(path)
    path.chmod(0o644)
    path.write_bytes(b"{}")
    with pytest.raises(DamagedError):
        TrustState(1, 6, TWO, COMMIT).save(path)


def test_every_changed_byte_is_noticed(path: Path) -> None:
    """A disk that turns sequence 9 into 8 would let release 9 be replayed."""
    TrustState(1, 9, ONE, COMMIT).save(path)
    content = path.read_bytes()
    for place in range(len(content)):
        for flip in (1, 0x20):
            damaged = bytearray(content)
            damaged[place] ^= flip
            path.write_bytes(damaged)
            with pytest.raises(DamagedError):
                TrustState.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": 0},
        {"release": None},
        {"commit": None},
        {"extra": 1},
        {"sequence": 9.0},
        {"rootVersion": 0},
    ],
)
def test_states_that_cannot_be_are_damage(path: Path, changes: dict[str, Any]) -> None:
    TrustState(1, 9, ONE, COMMIT).save(path)
    document = json.loads(path.read_bytes()) | changes
    del document["check"]
    document["check"] = Digest.of(strictjson.dumps(document))
    path.write_bytes(strictjson.dumps(document))
    with pytest.raises(DamagedError):
        TrustState.load(path)


def test_other_content_is_damage(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"", b"[]", b"null", b"\xff", b" " * 100_000, b"[" * 60_000):
        path.write_bytes(content)
        with pytest.raises(DamagedError):
            TrustState.load(path)


def test_unreadable_state_is_a_storage_fault(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match="Is a directory"):
        TrustState.load(path)


@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_full_disk_leaves_the_old_state(path: Path, operation: str) -> None:
    old = TrustState(1, 5, ONE, COMMIT)
    old.save(path)
    with pytest.raises(StorageError, match="No space left"):
        TrustState(1, 6, TWO, COMMIT).save(path, disk=FailingDisk(operation))
    assert TrustState.load(path) == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "parts",
    [(0, ONE, COMMIT), (1, None, COMMIT), (1, ONE, None), (0, ONE, None), (0, None, COMMIT), (1, None, None)],
)
def test_sequence_release_and_commit_belong_together(parts: tuple[int, Digest | None, str | None]) -> None:
    with pytest.raises(DamagedError, match="together"):
        TrustState(1, *parts)
