"""How Helm releases are installed at a site: what with, and what came of it, kept with the run that did it.

::

    runs/RUN/values/NAME.json    values, rewriting and known secrets, mode 0600
    runs/RUN/kept/NAME.json      what Helm really installed, Secrets in plain text, mode 0600
    runs/RUN/adopted/NAME.tgz    of one that somebody else installed: a chart that renders to what was found

A `Running` names its run and itself in ``values``: ``RUN/NAME``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from airstore.charts.images.rewrite import Rewriting
from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.deploy.helm.kept import Kept
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.run_files import KEPT, VALUES, parse_run_file, write_run_file
from airstore.deploy.plan.plan import beside
from airstore.history.ledger import Running
from airstore.ops.apply.session.prepare import PreparedRelease
from airstore.ops.stores.directory import StoreDirectory

_REFERENCE = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})/([^/]+)")


@frozen
class Adopted:
    """One Helm release that somebody else installed.

    Attributes:
        running: what it is to the ledger.
        kept: what Helm installed.
        chart: a ``.tgz`` that renders to it.
        values: what was given to Helm.
        secrets: texts that must not be shown.
    """

    running: Running
    kept: Kept = field(repr=False)
    chart: bytes = field(repr=False)
    values: bytes = field(repr=False)
    secrets: frozenset[str] = field(repr=False)


class Installations:
    """What the runs of one store have installed."""

    def __init__(self, store: StoreDirectory) -> None:
        self._directory = store.path / "deploy" / "runs"

    def keep_values(self, run: str, prepared: PreparedRelease) -> Running:
        """Keep a Helm release's values with a run; returns the Helm release that names them."""
        reference = f"{run}/{prepared.running.name}"
        known = {"secrets": sorted(prepared.secrets), "kubeVersion": prepared.kube_version}
        document = {**known, **_inputs(prepared)}
        self._private(reference)
        write_run_file(self._values_path(reference), document)
        return replace(prepared.running, values=reference)

    def renew(self, run: str, running: Running, prepared: PreparedRelease) -> Running:
        """What stays as it is installed; the run keeps what it is made of where that is not just the same."""
        if not running.values or (self.same_inputs(running, prepared) and self.same_hooks(running, prepared)):
            return running
        renewed = replace(self.keep_values(run, prepared), rendered=running.rendered)
        if kept := self.kept(running):
            self.keep(renewed, kept)
        return renewed

    def inherit(self, run: str, prepared: PreparedRelease, earlier: Running | None) -> Running:
        """Keep a Helm release's values, and what an earlier installation made of the same ones.

        What was installed of them before an uninstall is what the volumes that stayed were written with.
        """
        running = self.keep_values(run, prepared)
        if (
            earlier
            and earlier.values
            and self.same_inputs(earlier, prepared)
            and (kept := self.kept(earlier))
        ):
            self.keep(running, kept)
        return running

    def keep_adopted(self, run: str, found: Adopted) -> Running:
        """Keep what somebody else installed; returns the Helm release that names it."""
        reference = f"{run}/{found.running.name}"
        known = {"secrets": sorted(found.secrets), "kubeVersion": ""}
        given = {
            "values": [base64.b64encode(found.values).decode()],
            "rewriting": None,
            "hookRewriting": None,
        }
        self._private(reference)
        write_file(self._path(reference, "adopted", "tgz"), found.chart, mode=0o600)
        write_run_file(self._values_path(reference), {**known, **given})
        running = replace(found.running, values=reference)
        self.keep(running, found.kept)
        return running

    def adopted_chart(self, running: Running) -> bytes | None:
        """The chart of what was adopted; None of what airstore installed.

        Raises:
            DamagedError: it is not what was kept.
        """
        path = self._path(running.values, "adopted", "tgz") if running.values else None
        if path is None or not path.is_file():
            return None
        with storage_errors(path):
            chart = path.read_bytes()
        if Digest.of(chart) != running.archive:
            raise DamagedError(f"{path} is not the chart that was adopted")
        return chart

    def values(self, running: Running) -> list[bytes]:
        """Values files that a Helm release was applied with, later ones win.

        Raises:
            NotFoundError: the store no longer has them.
        """
        return [base64.b64decode(each) for each in self._values(running)["values"]]

    def rewriting(self, running: Running, *, hooks: bool = False) -> Rewriting | None:
        """How a Helm release's image references, or its hooks', were rewritten when it was applied.

        Raises:
            NotFoundError: the store no longer has it.
        """
        document = self._values(running).get("hookRewriting" if hooks else "rewriting")
        return Rewriting.from_json(document) if document else None

    def redactor(self, all_running: Iterable[Running]) -> Redactor:
        """Knows the secrets in the values of Helm releases."""
        known = [self._values(running)["secrets"] for running in all_running if running.values]
        return Redactor(frozenset(text for each in known for text in each))

    def same_inputs(self, running: Running, prepared: PreparedRelease) -> bool:
        """Whether a Helm release was applied with the same chart, values and rewriting as are wanted now.

        What it renders to is not asked: random values, dates and ``lookup`` would make it another one each
        time.
        """
        if running.archive != prepared.running.archive or not self._values_path(running.values).is_file():
            return False
        known, wanted = self._values(running), _inputs(prepared)
        if _moved(
            known.get("kubeVersion"), prepared.kube_version
        ):  # charts may render otherwise on a newer cluster
            return beside(running, prepared.running) == beside(prepared.running, running)
        return known.get("values") == wanted["values"] and _covers(
            known.get("rewriting"), wanted["rewriting"]
        )

    def same_hooks(self, running: Running, prepared: PreparedRelease) -> bool:
        """Whether the images of its hooks' Jobs are rewritten as they were when it was applied."""
        return bool(self._values(running).get("hookRewriting") == _inputs(prepared)["hookRewriting"])

    def kept(self, running: Running) -> Kept | None:
        """What Helm really installed; None where an older airstore did not keep it, or nothing was installed.

        Raises:
            DamagedError: it does not read.
        """
        path = self._kept_path(running.values) if running.values else None
        if path is None or not path.is_file():
            return None
        with storage_errors(path):
            return Kept.from_json(parse_run_file(path.read_bytes(), path))

    def keep(self, running: Running, kept: Kept) -> None:
        """Keep what Helm really installed, over what was kept of an earlier revision of it."""
        path = self._kept_path(running.values)
        self._private(running.values)
        write_run_file(path, kept.to_json())

    def _values(self, running: Running) -> dict[str, Any]:
        path = self._values_path(running.values)
        try:
            data = path.read_bytes()
        except OSError as fault:
            raise NotFoundError(
                f"the values that {running.key} was applied with cannot be read: {path}: {fault.strerror}"
            ) from fault
        return parse_run_file(data, path)

    def _values_path(self, reference: str) -> Path:
        return self._path(reference, VALUES)

    def _kept_path(self, reference: str) -> Path:
        return self._path(reference, KEPT)

    def _path(self, reference: str, folder: str, kind: str = "json") -> Path:
        match = _REFERENCE.fullmatch(reference)
        if not match:
            raise DamagedError(f"{reference!r} does not name an installation of a run")
        return self._directory / match[1] / folder / f"{match[2]}.{kind}"

    def _private(self, reference: str) -> None:
        run = self._directory / reference.partition("/")[0]
        with storage_errors(run):
            make_directory(run)
            for directory in (run, self._directory.parent):
                directory.chmod(0o700)


def _inputs(prepared: PreparedRelease) -> dict[str, Any]:
    """What decides, besides the chart, how a Helm release is installed."""
    return {
        "values": [base64.b64encode(each).decode() for each in prepared.values],
        "rewriting": prepared.rewriting.to_json() if prepared.rewriting else None,
        "hookRewriting": prepared.hook_rewriting.to_json() if prepared.hook_rewriting else None,
    }


def _moved(known: object, now: str) -> bool:
    """Whether the cluster has another minor version; False where one of them is not known."""
    return bool(known and now) and str(known).split(".")[:2] != now.split(".")[:2]


def _covers(known: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> bool:
    """Whether rewriting by what is known gives what is wanted; it may know images that are not asked for."""
    if known is None or wanted is None:
        return known is wanted
    places = all(known[key] == wanted[key] for key in ("place", "pullSecret"))
    return places and wanted["images"].items() <= known["images"].items()
