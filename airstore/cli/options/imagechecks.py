"""Options about the images of what is going to run, and pushing what the site's registry lacks of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from airstore.cli.context import Context
from airstore.cli.options.registries import make_access
from airstore.cli.text import human
from airstore.core.release import Release
from airstore.core.site import SiteFile
from airstore.ops.apply.checks.pullable import ImageChecks
from airstore.ops.apply.session.drive import Site
from airstore.ops.registry.images import image_problems
from airstore.ops.registry.own_registry import Target, own_registry
from airstore.ops.registry.push import Run, plan_registry, push_release
from airstore.ops.stores.trusted import is_held

_F = TypeVar("_F", bound=Callable[..., Any])
_JOBS = 4  # transfers at once


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
    return push and bool(site_file.registry_address) and site_file.registry.get("mode") != "serve"


def image_checks(
    site_file: SiteFile,
    reach: tuple[tuple[str, ...], Path | None, bool, Path | None],
    checked: tuple[bool, str],
    *,
    pushed: bool,
) -> ImageChecks:
    """From the options.

    Args:
        site_file: of the site.
        reach: ``--plain-http``, ``--ca``, ``--insecure-skip-tls-verify``, ``--registry-config``.
        checked: ``--check-images``, ``--check-nodes``.
        pushed: what the registry lacks would be pushed first, but is not now.
    """
    plain_http, ca, insecure, registry_config = reach
    access = make_access(plain_http, ca, insecure=insecure, registry_config=registry_config)
    wanted, nodes = checked
    return ImageChecks(site_file, access, wanted, not pushed, nodes)


def push_lacking(
    context: Context, site: Site, checks: ImageChecks, release: Release, *, always: bool
) -> None:
    """Push what the site's registry lacks of a release.

    Args:
        context: of the command.
        site: store and cluster.
        checks: how to reach the registry.
        release: to push.
        always: have the ledger say so even where nothing is lacking.
    """
    if not is_held(site.blobs, release):
        context.say(f"the store no longer has everything of {release.version}; it is not pushed")
        return
    with own_registry(site.store, release, checks.site_file, checks.access, site.kubeconfig) as target:
        place = (target.url, target.access)
        if not always and _has_all(site, checks, release, target):
            return
        run = Run(context.progress, _JOBS, context.now(), keep_tags=target.ours)
        summary, _ = push_release(site.store, site.blobs, release, *place, run, target.name)
    context.say(f"pushed {release.version} to {target.name}: {summary.upload_blobs} blobs were missing")


def _has_all(site: Site, checks: ImageChecks, release: Release, target: Target) -> bool:
    """Whether the registry has every blob of a release, and each image under its tag."""
    if plan_registry(site.blobs, release, target.url, target.access).upload_blobs:
        return False
    where = (checks.site_file, checks.access, site.kubeconfig)
    return not image_problems(site.store, release, *where, release.images)


def lacking(site: Site, checks: ImageChecks, release: Release) -> str:
    """What a push would send, for people."""
    with own_registry(site.store, release, checks.site_file, checks.access, site.kubeconfig) as target:
        planned = plan_registry(site.blobs, release, target.url, target.access)
    size = human(planned.upload_bytes)
    return f"registry: {target.name}; to upload: {planned.upload_blobs} blobs, {size}"
