"""A session of a site whose cluster and Helm are not to be reached: what concerns the store alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from airstore.core.model.site import SiteFile
from airstore.ops.apply.session.session import ApplySession, Invocation
from airstore.ops.stores.directory import open_directory


class Untouched:
    """A cluster that nobody may ask for anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the cluster was asked for {name}")


def session(site: Path, file: SiteFile | None = None, now: int = 1) -> ApplySession:
    """Of a store; by its clock it is always the same moment."""
    invocation = Invocation(None, {}, "airstore apply", lambda: now)
    console = cast("Any", SimpleNamespace(say=lambda _line: None))
    nobody = cast("Any", Untouched())
    return ApplySession(open_directory(site), nobody, file or SiteFile(), nobody, nobody, invocation, console)
