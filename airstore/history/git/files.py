"""The files of a bare repository besides loose objects and refs: are they what was written?

git's packs, their indexes and reverse indexes end with the SHA-1 of everything before. A flipped bit is found
by that even where no object lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pygit2

from airstore.core.durable import storage_errors
from airstore.core.pieces import pieces

_TRAILER = 20
SIGNERS_FILE = "allowed_signers"
CONFIG = {
    # Relative, so that a copied repository works with `git -C`, and never reads another one's keys.
    "gpg.format": "ssh",
    "gpg.ssh.allowedSignersFile": SIGNERS_FILE,
    # A stock git that an auditor runs here must not rewrite what airstore is writing.
    "gc.auto": "0",
    "gc.packRefs": "false",
    "maintenance.auto": "false",
}
DIRECTORIES = ("objects", "refs")
HEAD = b"ref: refs/heads/main\n"


def pack_faults(history: Path) -> Iterator[tuple[Path, str]]:
    """The pack files of git's that are damaged or incomplete, and what is wrong with each."""
    directory = history / "objects" / "pack"
    with storage_errors(directory):
        found = sorted(directory.iterdir()) if directory.is_dir() else []
    names = {path.name for path in found}
    for path in found:
        if path.suffix in {".pack", ".idx", ".rev"} and not has_own_checksum(path):
            yield path, "is damaged: its checksum does not hold"
        if path.suffix == ".idx" and path.with_suffix(".pack").name not in names:
            yield path, "lacks its pack"


def has_own_checksum(path: Path) -> bool:
    """Whether a file ends with the SHA-1 of everything before; one that cannot be read does not."""
    running = hashlib.sha1(usedforsecurity=False)
    try:
        end = path.stat().st_size - _TRAILER
        with path.open("rb") as file:
            for data in pieces(file, end):
                running.update(data)
            return file.tell() == end and file.read() == running.digest()
    except OSError:
        return False


def head_faults(history: Path) -> Iterator[tuple[Path, str]]:
    """What is wrong with HEAD, the configuration and the directories, which `History.create` made."""
    head, config = history / "HEAD", history / "config"
    with storage_errors(history):
        # Without them no git takes it for a repository.
        yield from ((history / name, "is missing") for name in DIRECTORIES if not (history / name).is_dir())
        if not head.is_file() or head.read_bytes() != HEAD:
            yield head, "does not say that main is the branch"
    try:
        found = pygit2.Config(str(config))
        wanted = {**CONFIG, "core.bare": "true", "core.repositoryformatversion": "0"}
        differs = [key for key, value in wanted.items() if key not in found or found[key] != value]
    except (pygit2.GitError, OSError, ValueError) as fault:
        yield config, f"cannot be read: {fault}"
        return
    if differs or not config.is_file():
        yield config, f"has lost what airstore wrote: {', '.join(differs)}"
