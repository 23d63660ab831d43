"""Public keys of a store, restored from the private ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, NotFoundError, NotTrustedError, UsageError
from airstore.ops.stores.directory import StoreDirectory
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


def _read(path: Path) -> PublicKey | None:
    with suppress(DamagedError, OSError):
        return PublicKey.parse_openssh(path.read_text(errors="replace"))
    return None
