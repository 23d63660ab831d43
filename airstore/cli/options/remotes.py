"""How the remotes of a store are reached: credentials and the environment, read here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airstore.cli.context import system_now
from airstore.cli.options.files.kubeconfig import find_kubeconfig

if TYPE_CHECKING:
    from airstore.ops.share.access import Access
    from airstore.ops.stores.directory import StoreDirectory

_F = TypeVar("_F", bound=Callable[..., Any])


def registry_config_option(command: _F) -> _F:
    """``--registry-config``, for commands that speak to a remote."""
    return click.option(
        "--registry-config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Credentials of the registry; default: docker's config.json.",
    )(command)


def place_options(command: _F) -> _F:
    """``--git``, ``--objects``, ``--plain-http``, ``--ca``: where a store is shared."""
    options = (
        click.option(
            "--git", "git_url", required=True, metavar="URL", help="The history: an https, ssh or file URL."
        ),
        click.option("--objects", required=True, metavar="oci://HOST/REPOSITORY", help="The packs."),
        click.option("--plain-http", is_flag=True, help="Speak HTTP to the registry."),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Trust this CA (PEM) of the registry.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def make_remote_access(registry_config: Path | None = None) -> Access:
    """Who we are at registries and git servers."""
    from airstore.cli.options.registries import make_access  # noqa: PLC0415 - loads what few commands need
    from airstore.ops.share.access import Access  # noqa: PLC0415

    options = make_access((), None, insecure=False, registry_config=registry_config)
    return Access(options, dict(os.environ), system_now())


def connected(store: StoreDirectory) -> StoreDirectory:
    """The store, with the source of packs that are here only in part, if it has remotes."""
    if store.anchor:
        store = replace(store, kubeconfig=find_kubeconfig(None))
    if not store.layout.remotes.exists():
        return store

    from airstore.ops.share.access import far_packs  # noqa: PLC0415 - loads requests

    return replace(store, far=lambda: far_packs(store, make_remote_access().registries))
