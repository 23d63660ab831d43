"""``airstore clone``: a publisher's store from a remote, with a trust root that somebody vouches for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.location import absolute
from airstore.core.model.product import load_product
from airstore.core.progress import Progress
from airstore.ops.share.access import Access
from airstore.ops.share.pull import Pulled, PullScope, pull_store
from airstore.ops.share.remotes import Remote, add_remote, check_git, parse_objects
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory, create_directory
from airstore.ops.stores.releases.trusted import read_root
from airstore.store.blobs import StoreLayout
from airstore.trust.root.sign import TrustRoot, allowed_signers


@frozen
class Beginning:
    """What a clone begins with.

    Attributes:
        trust: the file of the trust root; what the remote has must follow from it.
        product_file: of the product, for a store that makes releases; None for one that does not.
    """

    trust: Path
    product_file: Path | None = None


def clone_store(
    path: Path,
    beginning: Beginning,
    remote: Remote,
    access: Access,
    progress: Progress,
    wanted: PullScope,
) -> tuple[StoreDirectory, Pulled]:
    """Make a store of what a remote has.

    Args:
        path: a new or empty directory.
        beginning: what is believed unseen, and the product file.
        remote: where from; kept in the store.
        access: how it is reached.
        progress: shows what is fetched.
        wanted: what besides history, indexes and recipes.

    Raises:
        UsageError: ``path`` is in use, or the product file is another product's.
        NotFoundError, DamagedError, NotTrustedError: no such trust root, or it is none.
        AirstoreError: as `pull_store`; nothing of the store is left then.
    """
    path = absolute(path)
    check_git(remote.git)
    parse_objects(remote.objects)
    if StoreLayout(path).config.exists():
        raise UsageError(
            f"{path} is a store already",
            hint=f"to go on with a clone that was ended early: airstore -C {path} pull",
        )
    signed, root = read_root(beginning.trust)
    document = {"side": PUBLISHER, "name": root.product, **_product(path, root, beginning.product_file)}
    there = path.exists()

    def enrol(store: StoreDirectory) -> None:
        write_file(store.root_file, signed, mode=0o644)
        store.history.trust_signers(allowed_signers(root))
        store.keys.mkdir(mode=0o700, exist_ok=True)

    store = create_directory(path, document, enrol)
    try:
        add_remote(store, remote)
        return store, pull_store(store, remote, access, progress, wanted)
    except BaseException:
        _remove(path, keep=there)
        raise


def _product(path: Path, root: TrustRoot, product_file: Path | None) -> dict[str, str]:
    if product_file is None:
        return {}
    product = load_product(product_file)
    if product.name != root.product:
        raise UsageError(
            f"{product_file} is of product {product.name!r}; the trust root is of {root.product!r}",
            hint="name the product file and the trust root of the same product",
        )
    return {"productFile": os.path.relpath(product_file.resolve(), path.resolve())}


def _remove(path: Path, *, keep: bool) -> None:
    """Remove what was made; the directory itself only if it was made, too."""
    for entry in list(path.iterdir()):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if not keep:
        path.rmdir()
