"""Will every site accept a commit with this tree? Asked with a site's own checks, before it is signed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pygit2.enums import ObjectType

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, UsageError
from airstore.core.leftovers import scratch_directory
from airstore.core.limits import LIMITS
from airstore.history.git.commits import encode_commit, stamp
from airstore.history.git.objects import ObjectDatabase
from airstore.history.git.program import Git
from airstore.history.git.scratch import scratch
from airstore.history.git.trees import write_tree
from airstore.history.reader import Reader
from airstore.history.repository import History

_WHAT = "the history bundle of this release"
_NOBODY = ("rehearsal", "rehearsal@airstore.invalid")


def rehearse(history: History, files: Mapping[str, bytes], *, git: Git | None = None) -> None:
    """Pack a tree as media do and take it in as `Quarantine` does, both in throw-away repositories.

    Args:
        history: what the release continues; read only.
        files: the whole tree, path to content.
        git: the program to use.

    Raises:
        UsageError: a path cannot stand in a release, or a site would refuse the tree.
        NotFoundError: no usable git.
        StorageError: the disk is full or failed.
    """
    program = git or Git()
    with scratch_directory("rehearsal") as temporary, storage_errors(history.path):
        made = scratch(Path(temporary) / "made.git", history.path)
        objects = ObjectDatabase(made / "objects", history.disk)
        who = stamp(_NOBODY, 0)
        tree = encode_commit(write_tree(objects, files), history.tip, who, "rehearsal", None)
        commit = objects.write(ObjectType.COMMIT, tree)
        known = [history.tip] if history.tip else []
        try:
            _take_in(program, made, commit, known, Path(temporary), history.path)
        except DamagedError as fault:
            raise UsageError(
                f"every site would refuse this release: {fault}",
                hint="remove or correct that file of the chart; .helmignore leaves files out of a directory",
            ) from fault


def _take_in(git: Git, made: Path, commit: str, known: list[str], directory: Path, lender: Path) -> None:
    pack = directory / "pack"
    with pack.open("wb") as file:
        git.pack(made, [commit], known, file.write)
    taken = scratch(directory / "taken.git", lender)
    with pack.open("rb") as file:
        git.take_pack(taken, file, LIMITS.git_pack, _WHAT)
    git.check_connected(taken, commit, known, _WHAT)
    Reader(taken).files(commit)
