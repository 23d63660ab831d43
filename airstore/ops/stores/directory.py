"""The store directory: what is where, how it is made, and how a command opens it.

::

    airstore.json   which side this is, and its name
    lock            held by whoever changes the store
    packs/ tmp/ index.sqlite     blobs
    verified.json   a cache: releases that were verified, for listings
    noted.json      public keys, and digests of what nothing else here names (`.noted`)
    history.git/    releases; at a site the ledger too
    trust/          root.json, roots/ with the earlier ones, at a site state.json, at a publisher next.json
    keys/           private keys, mode 0600
    sites/          at a publisher: public keys of sites, for receipts
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from airstore.core.durable import LOCAL_DISK, Disk, exclusive_lock, storage_errors, write_file
from airstore.core.errors import DamagedError, LockedError, NotFoundError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.location import CONFIG, absolute
from airstore.core.parsing import strictjson
from airstore.history.repository import History
from airstore.ops.stores.configuration import CONFIG_HINT, PUBLISHER, SITE, SITE_KEY, read_config
from airstore.ops.stores.verify import VerifiedRelease
from airstore.store.blobs import BlobStore, FarPacks, StoreLayout
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot, verify_first

__all__ = [
    "PUBLISHER",
    "RECEIPT_FILE",
    "SITE",
    "SITE_KEY",
    "StoreDirectory",
    "check_site_name",
    "create_directory",
    "open_directory",
]

RECEIPT_FILE = ".receipt.json"  # behind the name of a site
_ROOT_HINT = "run `airstore repair --from PLACE`: another store of this product, or its media"


@frozen
class StoreDirectory:
    """An existing store.

    Attributes:
        path: absolute, whatever it was made with: programs that are run work in directories of their own.
        side: `PUBLISHER` or `SITE`.
        name: the product at a publisher, the site's name at a site.
        product_file: at a publisher, where the product file is.
        disk: makes everything in the store durable.
        marked: a site's, made with a mark of how far it has come, which it therefore has to have.
        anchor: where else that mark is, outside of the store; empty for nowhere.
        kubeconfig: of the cluster that has the anchor, if one does; None for the default.
        far: gives the source of packs that are here only in part; None where none can be.
        verified: releases that were verified since the store was opened, by commit; see `.trusted`.
    """

    path: Path
    side: str
    name: str
    product_file: Path | None
    disk: Disk = LOCAL_DISK
    marked: bool = False
    anchor: str = ""
    kubeconfig: Path | None = None
    far: Callable[[], FarPacks] | None = field(default=None, repr=False, compare=False)
    verified: dict[str, tuple[RootChain, VerifiedRelease]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def author(self) -> tuple[str, str]:
        """Who writes a site's ledger: name and mail address."""
        return self.name, f"airstore@{self.name}.invalid"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", absolute(self.path))

    @property
    def layout(self) -> StoreLayout:
        """Where everything is."""
        return StoreLayout(self.path)

    @property
    def history(self) -> History:
        """The history repo; a site's state and mark say where its branches end, a publisher notes it."""
        return History(self.layout.history, disk=self.disk, noting=self.side == PUBLISHER)

    @property
    def keys(self) -> Path:
        """Directory of private keys."""
        return self.layout.keys

    @property
    def sites(self) -> Path:
        """Directory of the public keys of sites."""
        return self.layout.sites

    def receipt_file(self, site: str) -> Path:
        """At a publisher, the newest receipt of a site."""
        return self.sites / f"{site}{RECEIPT_FILE}"

    @property
    def root_file(self) -> Path:
        """The trust root."""
        return self.layout.root_file

    @property
    def state_file(self) -> Path:
        """What a site trusts so far."""
        return self.layout.state_file

    @contextmanager
    def open_blobs(self) -> Iterator[BlobStore]:
        """The blob store for the length of the block."""
        with BlobStore(self.path, disk=self.disk, far=self.far) as store:
            yield store

    @contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[None]:
        """Keep other airstore processes from changing this store; ``wait`` so many seconds for one.

        Raises:
            LockedError: another process holds the lock.
        """
        with exclusive_lock(self.layout.lock, wait):
            self._close_history()
            yield

    def _close_history(self) -> None:
        """Older versions left it to the umask who may read what is in the history."""
        path = self.layout.history
        with suppress(FileNotFoundError):
            found = path.stat()
            if found.st_mode & 0o077 and found.st_uid == os.geteuid():
                path.chmod(0o700)

    @property
    def busy(self) -> bool:
        """Whether another airstore process is changing this store now."""
        try:
            with self.locked():
                return False
        except LockedError:
            return True

    def trust_root(self) -> TrustRoot:
        """The trust root in force.

        Raises:
            NotFoundError: a publisher without keys yet.
            DamagedError, NotTrustedError: the file is not a trust root signed by its own keys.
        """
        if not self.root_file.is_file():
            raise NotFoundError(
                f"{self.path} has no trust root yet",
                hint="make the first key with `airstore key generate NAME`",
            )
        return verify_first(self.root_file.read_bytes())

    def trust(self) -> RootChain:
        """The trust root in force and the earlier ones at hand, each of which the next names by content.

        Raises:
            NotFoundError, DamagedError, NotTrustedError: as `trust_root`, or an earlier one is another.
        """
        chain = RootChain((self.trust_root(),))
        while (file := self.layout.earlier_root(chain.oldest.version - 1)).is_file():
            try:
                chain = chain.preceded_by(file.read_bytes())
            except (DamagedError, NotTrustedError) as fault:
                raise DamagedError(f"{file}: {fault}", hint=_ROOT_HINT) from fault
        return chain

    def require(self, side: str, what: str) -> None:
        """Refuse commands of the other side.

        Raises:
            UsageError: this is the other side.
        """
        if self.side != side:
            raise UsageError(f"{what} is for a {side}; {self.path} is the store of a {self.side}")


def open_directory(path: Path) -> StoreDirectory:
    """Open the store at ``path``.

    Raises:
        NotFoundError: there is none.
        DamagedError: its configuration is unreadable, or has another name than what the store signed.
    """
    path = absolute(path)
    config = StoreLayout(path).config
    if not config.is_file():
        half = StoreLayout(path).history.is_dir()
        raise NotFoundError(
            f"{path} is not an airstore store: there is no {CONFIG}",
            hint=f"run the `airstore init` again that was interrupted; was it a store: {CONFIG_HINT}"
            if half
            else "name one with `airstore -C STORE`, or make one with `airstore init`",
        )
    document = read_config(StoreLayout(path))
    product_file = document.get("productFile")
    return StoreDirectory(
        path=path,
        side=document["side"],
        name=document["name"],
        product_file=(path / product_file).resolve() if product_file else None,
        marked=bool(document.get("marked")),
        anchor=document.get("anchor", ""),
    )


def create_directory(
    path: Path, document: dict[str, Any], fill: Callable[[StoreDirectory], None] = lambda _store: None
) -> StoreDirectory:
    """Make a new store; its configuration is written last, so that half a store is none and is made again.

    Args:
        path: a directory that is empty, or does not exist, or holds what an interrupted call left.
        document: the configuration.
        fill: adds what this side needs besides; it may find its own work done already.

    Raises:
        UsageError: there is something else already.
        StorageError: it cannot be written.
    """
    path = absolute(path)
    layout = StoreLayout(path)
    if layout.config.exists():
        raise UsageError(f"{path} is a store already")
    with storage_errors(path):
        if path.is_dir() and not all(_PART.fullmatch(entry.name) for entry in path.iterdir()):
            raise UsageError(f"{path} is not empty", hint="name a new directory")
        path.mkdir(parents=True, exist_ok=True)
    BlobStore.create(path).close()
    history = layout.history
    if (History(history) if history.exists() else History.create(history)).tip:
        raise UsageError(f"{history} holds releases already", hint="name a new directory")
    fill(StoreDirectory(path, document["side"], document["name"], None))
    write_file(layout.config, strictjson.dumps({"format": 1, **document}), mode=0o644)
    return open_directory(path)


def check_site_name(name: str) -> None:
    """Refuse what cannot name a site: the name goes into file names, addresses and commits.

    Raises:
        UsageError: it cannot.
    """
    if not _SITE_NAME.fullmatch(name):
        raise UsageError(
            f"{name[:100]!r} cannot name a site",
            hint="use lower-case letters, digits, '-' and '.', such as acme or plant-7.acme",
        )


_SITE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # as in schemas/store.schema.json
# What an interrupted `init` may have left, temporary names included.
_PART = re.compile(r"packs|packs\.lock|tmp|index\.sqlite.*|history\.git|trust|keys|\.history-.*|\.tmp-.*")
