"""A disk that loses what was not synced: what of a run may be there after a power cut at any moment.

What POSIX promises and no more: the bytes of a file are safe after fsync of the file, names after fsync of
their directory. Until then any of them may be there, in any order, and of each page of a file the old bytes,
the new ones or a part of them (ALICE, OSDI 2014).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.faults.traced import Call

_PAGE = 4096
_NONE_OF_IT = 0.3  # of files; all of some, and some of others
SYNCS = frozenset({"fsync", "fdatasync"})
_RENAMES = frozenset({"rename", "renameat", "renameat2"})


@dataclass(eq=False)
class Node:
    """A file, a link or a directory, as programs see it and as the device has it.

    Attributes:
        data: of a file; where a link leads.
        synced: the bytes that are safe.
        names: of a directory.
        safe: its names that are safe.
        offsets: of each descriptor; processes never have the same file open under one number at once.
    """

    kind: str
    mode: int
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    safe: dict[str, Node] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)

    def move(self, descriptor: int, count: int) -> int:
        """Move on; where the descriptor was. One inherited by another number is where the last one was."""
        at = self.offsets.get(descriptor, next(reversed(self.offsets.values()), 0))
        self.offsets[descriptor] = at + count
        return at


@dataclass(frozen=True, eq=False)
class Change:
    """Of names, as one: of those that it takes away and those that it gives."""

    taken: tuple[Node, str] | None
    given: tuple[Node, str, Node] | None

    def touches(self, directory: Node) -> bool:
        return any(side is not None and side[0] is directory for side in (self.taken, self.given))

    def before(self, done: Sequence[Change], order: Sequence[Change]) -> Change:
        """What is left of it once later ones are safe: a name that one of them took does not come after that.

        A file that was renamed into another directory has gone from the first one with that, synced or not.
        """
        later = order[order.index(self) + 1 :]
        took = [each.taken for each in done if each in later and each.taken]
        if self.given and any(self.given[0] is place and self.given[1] == name for place, name in took):
            return Change(self.taken, None)
        return self


class Disk:
    """The device and what programs see of it; begins with all of a directory safe."""

    def __init__(self, root: Path) -> None:
        self.root = _load(root)
        self._waiting: list[Change] = []

    def apply(self, call: Call, *, lies: bool = False) -> None:
        """Do what a call did; where the disk ``lies``, a sync does nothing."""
        if call.name in SYNCS:
            if not lies:
                self._sync(self._node(call.paths[0]))
        elif call.name in _RENAMES:
            self._rename(*call.paths)
        elif call.name in {"openat", "creat"}:
            self._open(call)
        elif call.name in {"mkdir", "mkdirat"}:
            self._change(given=self._place(call.paths[0], Node("directory", 0o755)))
        elif call.name in {"unlink", "unlinkat", "rmdir"}:
            self._change(taken=self._place(call.paths[0]))
        elif call.name in {"link", "linkat"}:
            source = self._node(call.paths[0])
            assert source
            self._change(given=self._place(call.paths[1], source))
        elif call.name in {"symlink", "symlinkat"}:
            link = Node("link", 0o777, bytearray(call.data), call.data)
            self._change(given=self._place(call.paths[-1], link))
        else:
            self._write(call)

    def after_cut(self, seed: int | None, *, all_names: bool = False) -> Node:
        """What is there after a cut now: only what is safe, or any of the rest, by chance.

        Args:
            seed: of chance; None for none of what is not safe.
            all_names: names are all there, as on file systems that write them first.
        """
        dice = random.Random(seed)  # noqa: S311 - a test's dice
        chosen = [
            change for change in self._waiting if all_names or (seed is not None and dice.random() < 0.5)
        ]
        names = _Names(chosen)
        return _rest(self.root, names, dice if seed is not None else None)

    # --- what calls do ----------------------------------------------------------------------------------

    def _node(self, path: str | None) -> Node | None:
        if path is None:
            return None
        node = self.root
        for part in Path(path).parts:
            if part not in node.names:
                return None
            node = node.names[part]
        return node

    def _place(self, path: str | None, *node: Node) -> tuple[Node, str, Node] | tuple[Node, str] | None:
        if path is None:
            return None
        directory = self._node(str(Path(path).parent))
        assert directory, path
        return (directory, Path(path).name, *node)  # type: ignore[return-value]

    def _change(self, taken: object = None, given: object = None) -> None:
        change = Change(taken, given)  # type: ignore[arg-type]
        if change.taken:
            change.taken[0].names.pop(change.taken[1])
        if change.given:
            change.given[0].names[change.given[1]] = change.given[2]
        self._waiting.append(change)

    def _rename(self, source: str | None, target: str | None) -> None:
        node = self._node(source)
        assert node or target is None, f"renamed from elsewhere to {target}"
        self._change(self._place(source), self._place(target, node) if node else None)

    def _open(self, call: Call) -> None:
        node = self._node(call.paths[0])
        if node is None and ("O_CREAT" in call.words or call.name == "creat"):
            node = Node("file", 0o644)
            self._change(given=self._place(call.paths[0], node))
        if node and "O_TRUNC" in call.words:
            node.data.clear()
        if node:
            node.offsets[call.result] = len(node.data) if "O_APPEND" in call.words else 0

    def _sync(self, node: Node | None) -> None:
        if node and node.kind == "file":
            node.synced = bytes(node.data)
        elif node:
            done = [change for change in self._waiting if change.touches(node)]
            _Names(done).make_safe()
            left = (change.before(done, self._waiting) for change in self._waiting if change not in done)
            self._waiting = [change for change in left if change.taken or change.given]

    def _write(self, call: Call) -> None:
        node = self._node(call.paths[0])
        assert call.name != "mmap" or "PROT_WRITE" not in call.words or "MAP_SHARED" not in call.words, call
        if node is None or call.name == "mmap":
            return
        if call.name == "lseek":
            node.offsets[call.descriptors[0]] = call.result
        elif call.name == "read":
            node.move(call.descriptors[0], call.result)
        elif call.name in {"ftruncate", "truncate"}:
            size = call.numbers[-1]
            del node.data[size:]
            node.data.extend(bytes(size - len(node.data)))
        elif call.name == "pwrite64":
            _put(node, call.data[: call.result], call.numbers[-1])
        elif call.name in {"write", "writev"}:
            _put(node, call.data[: call.result], node.move(call.descriptors[0], call.result))
        elif call.name == "sendfile":
            source = self._node(call.paths[1])
            assert source, f"{call.paths[0]} is copied from elsewhere"
            at = source.move(call.descriptors[1], call.result)
            _put(node, bytes(source.data[at : at + call.result]), node.move(call.descriptors[0], call.result))
        else:
            raise AssertionError(f"the simulated disk does not know {call}")


class _Names:
    """Names as they are once some changes are safe."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = list(changes)
        self._of: dict[Node, dict[str, Node]] = {}
        for change in self._changes:
            if change.taken:
                self.of(change.taken[0]).pop(change.taken[1], None)
            if change.given:
                self.of(change.given[0])[change.given[1]] = change.given[2]

    def of(self, directory: Node) -> dict[str, Node]:
        return self._of.setdefault(directory, dict(directory.safe))

    def make_safe(self) -> None:
        for directory, names in self._of.items():
            directory.safe = names


def _put(node: Node, data: bytes, at: int) -> None:
    node.data.extend(bytes(max(0, at - len(node.data))))
    node.data[at : at + len(data)] = data


def _load(path: Path) -> Node:
    mode = path.lstat().st_mode & 0o777
    if path.is_symlink():
        target = os.fsencode(path.readlink())
        return Node("link", mode, bytearray(target), target)
    if path.is_file():
        data = path.read_bytes()
        return Node("file", mode, bytearray(data), data)
    names = {child.name: _load(child) for child in path.iterdir() if child.is_file() or child.is_dir()}
    return Node("directory", mode, names=dict(names), safe=dict(names))


def _rest(node: Node, names: _Names, dice: random.Random | None) -> Node:
    """A copy of what is left of a tree, all of it safe."""
    if node.kind == "directory":
        kept = {name: _rest(child, names, dice) for name, child in names.of(node).items()}
        return Node("directory", node.mode, names=kept, safe=kept)
    data = _bytes_of(node, dice)
    return Node(node.kind, node.mode, bytearray(data), data)


def _bytes_of(node: Node, dice: random.Random | None) -> bytes:
    """What is left of a file: of each page that was not synced the old, the new, or a part of the new."""
    whole, safe = bytes(node.data), node.synced
    if dice is None or whole == safe or dice.random() < _NONE_OF_IT:
        return safe
    pages = range(0, len(whole), _PAGE)
    kept = b"".join(_page(whole[at : at + _PAGE], safe[at : at + _PAGE], dice) for at in pages)
    return kept[: dice.randint(min(len(safe), len(whole)), len(whole))]


def _page(new: bytes, old: bytes, dice: random.Random) -> bytes:
    old = old[: len(new)] + bytes(len(new) - len(old))
    cut = dice.choice((0, dice.randint(0, len(new)), len(new)))
    return new[:cut] + old[cut:]


def write(node: Node, path: Path) -> None:
    """Make a tree of files of it."""
    if node.kind == "link":
        path.symlink_to(os.fsdecode(bytes(node.data)))
    elif node.kind == "file":
        path.write_bytes(node.data)
        path.chmod(node.mode)
    else:
        path.mkdir()
        for name, child in node.names.items():
            write(child, path / name)


def files(node: Node, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Paths and bytes of all files, as programs see them."""
    for name, child in node.names.items():
        if child.kind == "directory":
            yield from files(child, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", bytes(child.data)
