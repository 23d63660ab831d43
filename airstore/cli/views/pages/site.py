"""The plan of a site as a page, with what it holds and what was done before."""

from __future__ import annotations

from typing import Any

from airstore.cli.views.pages.html import page
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.review.site import SiteFacts, step_patch


def site_html(planned: SitePlan, push: dict[str, Any], facts: SiteFacts, compare: str, now: int) -> bytes:
    """One self-contained page.

    Args:
        planned: what would change.
        push: what a registry lacks, as ``airstore plan`` says it.
        facts: of the store.
        compare: the release that it was compared with; empty for what runs.
        now: seconds since the epoch.
    """
    steps = [{"step": step, "patch": step_patch(step)} for step in planned.steps]
    return page("site.html", plan=planned, push=push, facts=facts, steps=steps, compare=compare, now=now)
