"""``--trust``, and the trust root that media are judged by."""

from __future__ import annotations

from pathlib import Path

import click

from airstore.cli.context import Context
from airstore.core.errors import NotFoundError
from airstore.media.reader import Media
from airstore.ops.stores.releases.trusted import read_root
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import TrustRoot, verify_first

trust_option = click.option(
    "--trust", type=click.Path(path_type=Path, dir_okay=False), help="Check against this root.json."
)


def media_root(context: Context, trust: Path | None, media: Media) -> TrustRoot | None:
    """The newest trust root that media lead to from the one at hand; None where none is at hand.

    Raises:
        NotFoundError: the root or the store that was named is not there.
        NotTrustedError, SequenceError, DamagedError: the roots on the media do not follow.
    """
    roots = media.roots()
    try:
        chain = RootChain((read_root(trust)[1],)) if trust else context.store().trust()
    except NotFoundError:
        if trust or context.named != Path():
            raise  # whoever names a store means its trust root
        if roots:
            RootChain((verify_first(roots.pop(min(roots))),)).walked(roots)
        return None
    return chain.walked(roots).current
