"""Helm's own records of a Helm release: read, and corrected where a killed or failed run left them.

Read as Helm reads them, from the Secrets that it labels (helm.sh/helm pkg/storage/driver/secrets.go), which
costs one request where ``helm list`` costs a process. Corrected only under our own Lease; why at all is in
docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.deploy.helm import secret
from airstore.deploy.model.protocols import ClusterObjects
from airstore.deploy.model.target import ReleaseTarget

_TURNED = "turned back by airstore: what it changed is compared with the chart before it"


@frozen
class HelmStatus:
    """What Helm says about a release.

    Attributes:
        status: such as ``deployed``, ``failed``, ``pending-upgrade``.
        chart: ``NAME-VERSION``.
        description: what Helm, or airstore, says about it.
    """

    revision: int
    status: str
    chart: str
    description: str = ""


@frozen
class HelmRecords:
    """Helm's records on one cluster."""

    objects: ClusterObjects

    def status(self, target: ReleaseTarget) -> HelmStatus | None:
        """The newest revision; None where there is no such release.

        Raises:
            DamagedError: its record is not of Helm's form.
            TransferError: the cluster did not answer.
        """
        newest = self.newest(target)
        return _status(newest) if newest else None

    def newest(self, target: ReleaseTarget) -> dict[str, Any] | None:
        """Helm's record of the newest revision (see `.kept`); None where there is no such release.

        Raises:
            DamagedError: it is not of Helm's form.
            TransferError: the cluster did not answer.
        """
        found = self._revisions(target)
        return secret.decode(found[-1]) if found else None

    def settled(self, target: ReleaseTarget, uninstall: Callable[[ReleaseTarget], None]) -> HelmStatus | None:
        """The status, once what a killed run left ``pending-*`` or half uninstalled has been ended."""
        found = self.status(target)
        if found is None or not found.status.startswith(("pending-", "uninstalling")):
            return found
        if found.status == "uninstalling":
            uninstall(target)
        elif changed := secret.end_pending(self._stored(target, found)):
            self.objects.apply(changed, target.namespace)
        return self.status(target)

    def turn(self, target: ReleaseTarget, found: HelmStatus | None) -> None:
        """Have a failed revision count as deployed, until the chart before it is installed again.

        Helm compares a chart with the newest *deployed* revision. After a failed upgrade that is the old
        chart itself, and every object and (Helm 3) field that the upgrade brought would be left. A second
        attempt finds it so.
        """
        if found is None or found.status != "failed":
            return
        before = [each for each in self._history(target) if each.status == "deployed"]
        if before and before[-1].description != _TURNED:
            self._mark(target, found, "deployed")
            for each in before:
                self._mark(target, each, "superseded")

    def keep_data(self, target: ReleaseTarget, found: HelmStatus) -> None:
        """Have Helm leave volume claims when it uninstalls, and Secrets of what has volumes."""
        if changed := secret.keep_data(self._stored(target, found)):
            self.objects.apply(changed, target.namespace)

    def _history(self, target: ReleaseTarget) -> list[HelmStatus]:
        return [_status(secret.decode(stored)) for stored in self._revisions(target)]

    def _revisions(self, target: ReleaseTarget) -> list[dict[str, Any]]:
        """The Secrets of all revisions that Helm kept, the oldest first."""
        found = self.objects.labelled("v1", "Secret", target.namespace, secret.labels(target.name))
        return sorted((each for each in found if each.get("type") == secret.TYPE), key=secret.revision)

    def _mark(self, target: ReleaseTarget, revision: HelmStatus, status: str) -> None:
        stored = self._stored(target, revision)
        self.objects.apply(secret.with_status(stored, status, _TURNED), target.namespace)

    def _stored(self, target: ReleaseTarget, found: HelmStatus) -> dict[str, Any]:
        stored = self.objects.live(secret.reference(target.name, found.revision), target.namespace)
        if stored is None:
            raise DamagedError(f"Helm lists {target.name} revision {found.revision}, but its Secret is gone")
        return stored


def _status(record: dict[str, Any]) -> HelmStatus:
    """What ``helm list`` says of a record (pkg/cmd/list.go)."""
    info, chart = record.get("info") or {}, (record.get("chart") or {}).get("metadata") or {}
    name = f"{chart.get('name', '')}-{chart.get('version', '')}"
    described = str(info.get("description", ""))
    return HelmStatus(int(record["version"]), str(info.get("status", "unknown")), name, described)
