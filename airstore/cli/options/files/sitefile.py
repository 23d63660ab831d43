"""Option ``--site-file``, and what it means when it is not given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from airstore.core.model.site import SiteFile

site_file_option = click.option(
    "--site-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The site file; default: STORE/site.yaml.",
)


def read_site_file(store: Path, named: Path | None) -> SiteFile:
    """The named site file, or the store's, or an empty one where the store has none.

    Raises:
        NotFoundError: the named one does not exist.
        UsageError: it is wrong; file, line and field are named.
    """
    # YAML takes a part of a short command's time to load.
    from airstore.core.model import site  # noqa: PLC0415

    usual = store / "site.yaml"
    return site.load_site_file(named or usual) if named or usual.is_file() else site.SiteFile(name=str(usual))
