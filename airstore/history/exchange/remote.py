"""The history on a git server: brought here as a bundle for `Quarantine`, pushed by compare-and-swap."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, SequenceError
from airstore.history.exchange.bundle import create_bundle
from airstore.history.git.names import MAIN, TAGS, is_version
from airstore.history.git.remote import RefUpdate, Rejection, RemoteGit
from airstore.history.git.scratch import scratch
from airstore.history.repository import History

__all__ = [
    "RefUpdate",
    "Rejection",
    "RemoteGit",
    "check_tags",
    "fetch_bundle",
    "forget_seen",
    "is_name",
    "push_history",
    "remember_seen",
    "seen",
    "seen_branches",
]


def fetch_bundle(history: History, remote: RemoteGit, out: Path) -> str | None:
    """Write what a server has beyond this history as a bundle.

    Args:
        history: read only.
        remote: the server.
        out: the bundle; begins after the newest commit that both have.

    Returns:
        The newest commit that both have; None where they have nothing in common.

    Raises:
        NotFoundError: no such repository, or it holds no release.
        TransferError: the server cannot be reached, or refused.
        DamagedError: what it has is no history of releases, or not the whole of one.
        StorageError: the disk is full or failed.
    """
    with storage_errors(out), tempfile.TemporaryDirectory(prefix="remote-", dir=out.parent) as temporary:
        made = scratch(Path(temporary) / "fetched.git", history.path)
        remote.fetch(made)
        fetched = History(made)
        tip = fetched.tip
        if tip is None:
            raise DamagedError(
                f"{remote.url} sends no main branch that can be used: is it a shallow copy?",
                hint="push to it from a store that has the whole history",
            )
        try:
            ours = set(history.ancestry(history.tip))
            base = next((commit for commit in fetched.ancestry(tip) if commit in ours), None)
            versions = {ref.commit: ref.version for ref in fetched.releases()}
            if tip != base:
                create_bundle(fetched, out, versions[tip], versions[base] if base else None)
        except (DamagedError, NotFoundError) as fault:
            raise _no_history(remote, fault) from fault
    return base


def _no_history(remote: RemoteGit, fault: AirstoreError) -> DamagedError:
    return DamagedError(
        f"{remote.url} does not hold a history of releases and nothing else: {fault}",
        hint="give the history a repository of its own; nothing was changed here",
    )


def push_history(
    history: History, remote: RemoteGit, theirs: Mapping[str, str], more: Sequence[RefUpdate] = ()
) -> Rejection | None:
    """Push main, the tags that a server lacks and other branches; all of it or nothing.

    Args:
        history: ours.
        remote: the server.
        theirs: its refs, as they were read before; main moves only if it is still there.
        more: of other branches.

    Returns:
        Why the server did not take it; None if it did.

    Raises:
        TransferError: the server cannot be reached, or refused.
    """
    tip, updates = history.tip, list(more)
    if tip and tip != theirs.get(MAIN):
        updates.append(RefUpdate(MAIN, tip, theirs.get(MAIN)))
    if not updates:
        return None
    lacking = [ref.version for ref in history.releases() if TAGS + ref.version not in theirs]
    return remote.push(history.path, updates, lacking)


def check_tags(history: History, remote: RemoteGit, theirs: Mapping[str, str]) -> None:
    """Refuse a server that has a tag of one of our releases, and means something else by it.

    Raises:
        SequenceError: it has.
    """
    for version, oid in history.refs.tags().items():
        if theirs.get(TAGS + version, oid) != oid:
            raise SequenceError(
                f"{remote.url} has a tag {version} that is not the one of release {version} here; nothing was"
                " pushed",
                hint="remove it there if airstore did not make it, else find out who made that release",
            )


def seen(history: History, name: str, branch: str = "main") -> str | None:
    """The commit that a branch of a remote was seen to end at; main never goes back behind that."""
    return history.refs.get(_seen(name, branch))


def seen_branches(history: History, name: str) -> list[str]:
    """Branches of a remote, main included, that were seen there when it was last looked at."""
    return [ref.removeprefix(_seen(name, "")) for ref in history.refs.below(_seen(name, ""))]


def remember_seen(history: History, name: str, commit: str | None, branch: str = "main") -> None:
    """Note where a branch of a remote ends, or that it is not there.

    Raises:
        StorageError: the disk is full or failed.
    """
    if commit is None:
        history.refs.remove(_seen(name, branch))
    elif seen(history, name, branch) != commit:
        history.refs.set(_seen(name, branch), commit)


def forget_seen(history: History, name: str) -> None:
    """A remote of that name is another one from now on."""
    noted = history.refs.noted.read() if history.refs.noted else {}
    lost = [ref for ref in noted if ref.startswith(_seen(name, ""))]
    for ref in {*history.refs.below(_seen(name, "")), *lost}:
        history.refs.remove(ref)


def is_name(text: str) -> bool:
    """Whether a remote can be called so."""
    return is_version(text)


def _seen(name: str, branch: str) -> str:
    return f"refs/remotes/{name}/{branch}"
