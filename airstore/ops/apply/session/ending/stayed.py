"""What a rollback does not touch is of the revision that it was, whatever the older state has kept of it."""

from __future__ import annotations

from airstore.deploy.run.intent import Intent
from airstore.ops.apply.session.installations import Installations


def keep(installations: Installations, intent: Intent) -> None:
    """Have the older state of a rollback say which revisions of Helm it now has.

    It may have kept earlier ones: another rollback has installed the same again since then, and without this
    they would count as changed by hand.

    Raises:
        DamagedError: what was kept does not read.
    """
    newer, older = ({each.key: each for each in side} for side in (intent.new, intent.old))
    for key in intent.keys("unchanged"):
        kept = installations.kept(newer[key])
        if kept and older[key].values:
            installations.keep(older[key], kept)
