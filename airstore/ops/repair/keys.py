"""What a store has twice: public keys beside private ones or as they were noted, and journals of runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError, UsageError
from airstore.deploy.run.journal import restore_journal
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import is_same, note_again, read_noted
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.ssh.publickey import PublicKey


def restore_public_keys(store: StoreDirectory) -> Iterator[str]:
    """Write the public key again where it is not the private key's; yields what was restored.

    A private key behind a passphrase is left alone: nobody is asked for it here.
    """
    for path in sorted(store.keys.iterdir()) if store.keys.is_dir() else ():
        if path.suffix:
            continue
        public = path.with_name(f"{path.name}.pub")
        with suppress(DamagedError, NotFoundError, NotTrustedError, UsageError):
            key = PrivateKey.load(path).public
            if _read(public) != key:
                with storage_errors(public):
                    public.unlink(missing_ok=True)
                key.save(public, store.name)
                yield f"{public}"


def restore_noted(store: StoreDirectory) -> Iterator[str]:
    """Write public keys again as they were noted; yields what was restored, the list of them included.

    A private key that lies beside says what the public one is.

    Raises:
        StorageError: the disk is full or failed.
    """
    if again := note_again(store):
        yield f"{again}, of what is there"
    for name, content in read_noted(store).items():
        path = store.path / name
        if path.suffix != ".pub" or (path.is_file() and is_same(path, content)) or _is_another(path, content):
            continue
        with storage_errors(path):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        write_file(path, content.encode(), mode=0o644, disk=store.disk)
        yield f"{path}"


def restore_journals(store: StoreDirectory) -> Iterator[str]:
    """Write a run's journal again from its copy, or the copy from it; yields what was restored.

    Raises:
        StorageError: the disk is full or failed.
    """
    for run in sorted((store.path / "deploy" / "runs").glob("*/")):
        with suppress(DamagedError):  # `check` names it
            yield from map(str, restore_journal(run))


def _is_another(path: Path, noted: str) -> bool:
    """Whether what was noted is no key, or not that of the private one beside it."""
    private = path.with_suffix("")
    with suppress(DamagedError, UsageError, NotTrustedError):
        key = PublicKey.parse_openssh(noted)
        return private.exists() and not PrivateKey.names(private, key)
    return True


def _read(path: Path) -> PublicKey | None:
    with suppress(DamagedError, OSError):
        return PublicKey.parse_openssh(path.read_text(errors="replace"))
    return None
