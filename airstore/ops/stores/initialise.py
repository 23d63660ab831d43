"""``airstore init``: a publisher's store, or a site's that trusts one publisher."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.model.product import load_product
from airstore.ops.stores.directory import (
    PUBLISHER,
    SITE,
    SITE_KEY,
    StoreDirectory,
    check_site_name,
    create_directory,
)
from airstore.ops.stores.releases.trusted import read_root
from airstore.ops.stores.site.anchors import place_anchor
from airstore.ops.stores.site.ledgers import write_mark
from airstore.trust.root.sign import allowed_signers
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.state import TrustState


def init_publisher(path: Path, product_file: Path) -> StoreDirectory:
    """Make a publisher's store.

    Raises:
        UsageError: the product file is wrong, or ``path`` is in use.
    """
    product = load_product(product_file)
    relative = os.path.relpath(product_file.resolve(), path.resolve())
    return create_directory(path, {"side": PUBLISHER, "name": product.name, "productFile": relative})


def init_site(
    path: Path, name: str, root_file: Path, now: int, anchor: str = "", kubeconfig: Path | None = None
) -> StoreDirectory:
    """Make a site's store; the trust root given here is the one thing that is believed unseen.

    Args:
        path: where.
        name: of the site.
        root_file: the trust root.
        now: seconds since the epoch.
        anchor: where to keep a mark of how far the site has come, outside of the store; empty for nowhere.
        kubeconfig: of the cluster that has the anchor, if one does.

    Raises:
        NotFoundError: no such trust root.
        DamagedError, NotTrustedError: it is no trust root, or not signed by its own keys.
        UsageError: ``path`` is in use, or the name cannot be used.
        NotTrustedError: the anchor is another store's.
        StorageError, TransferError: it cannot be written.
    """
    check_site_name(name)
    envelope, root = read_root(root_file)

    def enrol(store: StoreDirectory) -> None:
        write_file(store.root_file, envelope, mode=0o644)
        TrustState(root.version).save(store.state_file)
        _make_key(store)
        write_mark(store)
        store.history.trust_signers(allowed_signers(root))
        if anchor:
            place_anchor(replace(store, kubeconfig=kubeconfig), anchor, now)

    chosen = {"anchor": anchor} if anchor else {}
    return create_directory(path, {"side": SITE, "name": name, "marked": True, **chosen}, enrol)


def _make_key(store: StoreDirectory) -> None:
    private, public = store.keys / SITE_KEY, store.keys / f"{SITE_KEY}.pub"
    if not private.exists():
        PrivateKey.generate().save(private, None)
    public.unlink(missing_ok=True)  # an interrupted call may have left half of it
    PrivateKey.load(private).public.save(public, store.name)
