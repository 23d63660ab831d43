"""``airstore.json``: what a store is. Its name is compared with what is signed of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from airstore.core.errors import AirstoreError, DamagedError
from airstore.core.location import CONFIG
from airstore.core.parsing import schema, strictjson
from airstore.store.blobs import StoreLayout
from airstore.trust.mark import Mark
from airstore.trust.root.sign import verify_first
from airstore.trust.ssh.publickey import PublicKey

PUBLISHER, SITE = "publisher", "site"
SITE_KEY = "site"  # the name of a site's own key
CONFIG_HINT = f"restore {CONFIG} from a backup, or write its few lines again (docs/repair.md)"


def read_config(layout: StoreLayout) -> dict[str, Any]:
    """The configuration of a store, as it is written.

    Raises:
        DamagedError: it is none, of another format, or has another name than what the store signed.
    """
    config = layout.config
    try:
        document = strictjson.load_object(config.read_bytes(), str(config))
        if document.get("format") == 1:
            schema.check_json(document, "store", str(config))
    except DamagedError as fault:
        raise DamagedError(str(fault), hint=CONFIG_HINT) from fault
    if document.get("format") != 1:
        raise DamagedError(
            f"{config}: store format {document.get('format')!r} is not known to this version of airstore",
            hint="use the airstore version that made the store, or a newer one",
        )
    _check_name(layout, document["side"], document["name"])
    return document


def _check_name(layout: StoreLayout, side: str, name: str) -> None:
    """A letter that changed would have a site sign receipts of another one, and `repair` its mark."""
    signed, file = _signed_name(layout, side)
    if signed not in {None, name}:
        raise DamagedError(
            f"{layout.config} has the name {name!r}; {file} is signed, and has {signed!r}",
            hint=f"correct name in {layout.config}, or put this store's own {file.name} back",
        )


def _signed_name(layout: StoreLayout, side: str) -> tuple[str | None, Path]:
    """The name in what is signed, and where that is; None where it is not there, or damaged itself."""
    file = layout.mark_file if side == SITE else layout.root_file
    with suppress(OSError, AirstoreError):  # `check` names it
        data = file.read_bytes()
        if side != SITE:
            return verify_first(data).product, file
        public = layout.keys / f"{SITE_KEY}.pub"
        key = PublicKey.parse_openssh(public.read_text(errors="replace"), str(public))
        return Mark.parse(data, key, str(file)).site, file
    return None, file
