"""Options about the images of what is going to run."""

from __future__ import annotations

import click

from airstore.cli.options.gathered import gathered
from airstore.core.frozen import frozen
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ServedRegistry
from airstore.ops.apply.checks.pullable import ImageChecks
from airstore.ops.registry.access import RegistryOptions


@frozen
class ImageWishes:
    """``--push``, ``--check-images``, ``--check-nodes``."""

    push: bool
    check_images: bool
    check_nodes: str

    def pushes(self, site_file: SiteFile) -> bool:
        """Whether there is a registry to push to, and that is wanted."""
        registry = site_file.registry
        return self.push and registry.host is not None and not isinstance(registry, ServedRegistry)

    def checks(self, access: RegistryOptions, *, pushed: bool) -> ImageChecks:
        """What to see to; ``pushed``: what the registry lacks would be pushed first, but is not now."""
        return ImageChecks(access, self.check_images, not pushed, self.check_nodes)


image_options = gathered(
    "images",
    ImageWishes,
    click.option("--push/--no-push", default=True, help="Push to the site's registry first what it lacks."),
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
