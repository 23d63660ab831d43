"""Options about the images of what is going to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from airstore.cli.options.registries import make_access
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ServedRegistry
from airstore.ops.apply.checks.pullable import ImageChecks

_F = TypeVar("_F", bound=Callable[..., Any])


def image_options(command: _F) -> _F:
    """``--push``, ``--check-images``, ``--check-nodes``."""
    options = (
        click.option(
            "--push/--no-push", default=True, help="Push to the site's registry first what it lacks."
        ),
        click.option(
            "--check-images/--no-check-images",
            default=True,
            help="See first whether nodes can pull every image.",
        ),
        click.option(
            "--check-nodes",
            type=click.Choice(("one", "all", "none")),
            default="one",
            help="What every node has to pull first: the smallest image of each registry host, all, or none.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def pushes(site_file: SiteFile, *, push: bool) -> bool:
    """Whether there is a registry to push to, and that is wanted."""
    return push and site_file.registry.host is not None and not isinstance(site_file.registry, ServedRegistry)


def image_checks(
    reach: tuple[tuple[str, ...], Path | None, bool, Path | None],
    checked: tuple[bool, str],
    *,
    pushed: bool,
) -> ImageChecks:
    """From the options.

    Args:
        reach: ``--plain-http``, ``--ca``, ``--insecure-skip-tls-verify``, ``--registry-config``.
        checked: ``--check-images``, ``--check-nodes``.
        pushed: what the registry lacks would be pushed first, but is not now.
    """
    plain_http, ca, insecure, registry_config = reach
    access = make_access(plain_http, ca, insecure=insecure, registry_config=registry_config)
    enabled, nodes = checked
    return ImageChecks(access, enabled, not pushed, nodes)
