"""An install beside a pod that starts: whether the volume is empty is asked, and an answer is waited for.

The API server and its objects are real. There is no kubelet here, so what a container would answer is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airstore.cluster.api.transport.connection import Connection
from airstore.cluster.applier import objects as make
from airstore.cluster.applier.settings import ApplierSettings
from airstore.core.errors import TransferError
from airstore.core.progress import QUIET
from airstore.ops.applier import install, orders
from airstore.ops.applier.orders import ApplierCluster
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = pytest.mark.cluster
READY = '{"status": {"observedGeneration": 99, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}}'  # noqa: E501
RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


class Restart:
    """An applier whose pod's init container runs, until it has been asked as often as there are answers."""

    def __init__(self, api: ApiServer, connection: Connection, namespace: str) -> None:
        self.settings = ApplierSettings("shop", "registry.example/applier:1", namespace, "1Gi")
        self.said: list[str] = []
        self.cluster = ApplierCluster(connection, self.said.append, lambda *_: None, QUIET, timeout=20)
        self.answers: Iterator[int | TransferError] = iter(())
        self.sent: list[str] = []
        self._api = api
        deployment = make.deployment(self.settings)
        api.kubectl("apply", "-f", "-", stdin=deployment)
        spec = deployment["spec"]["template"]["spec"]
        self._pod: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": namespace, "labels": make.pod_labels(self.settings)},
            "spec": {**spec, "serviceAccountName": "default", "automountServiceAccountToken": False},
        }
        api.kubectl("apply", "-f", "-", stdin=self._pod)
        status = {"name": make.WAITING, "state": RUNS, "ready": False, "restartCount": 0, "image": "x",
                  "imageID": "x"}  # fmt: skip
        self._patch("pod/pod", str({"status": {"initContainerStatuses": [status]}}).replace("False", "false"))

    def execute(self, _connection: object, _where: object, command: Sequence[str], *_more: object) -> int:
        """What a container answers."""
        assert command == ["test", "-f", "/data/store/airstore.json"]
        answer = next(self.answers, None)
        if answer is None:
            self._patch(f"deployment/{self.settings.name}", READY)
            return 0
        if isinstance(answer, TransferError):
            raise answer
        return answer

    def install(self, *answers: int | TransferError) -> bool:
        """Whether a store was sent."""
        self.answers = iter(answers)

        def send(pod: str) -> None:
            self.sent.append(pod)
            self._patch(f"deployment/{self.settings.name}", READY)

        return install._await(self.cluster, self.settings, send)

    def _patch(self, what: str, change: str) -> None:
        words = ("patch", what, "-n", self.settings.namespace, "--subresource=status", "--type=merge")
        self._api.kubectl(*words, "-p", change.replace("'", '"'))


@pytest.fixture
def restart(
    api: ApiServer, connection: Connection, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Restart:
    made = Restart(api, connection, namespace)
    monkeypatch.setattr(orders, "execute", made.execute)
    return made


def test_a_full_volume_is_not_sent_a_store_however_long_the_pod_takes(restart: Restart) -> None:
    assert not restart.install(0, 0)
    assert restart.sent == []


def test_an_empty_volume_is_sent_one_once(restart: Restart) -> None:
    assert restart.install(1, 1, 1)
    assert restart.sent == ["pod"]


@pytest.mark.parametrize("ended", [TransferError("container not found"), 137])
def test_a_container_that_ends_while_it_is_asked_says_nothing(
    restart: Restart, ended: int | TransferError
) -> None:
    assert not restart.install(ended, 0)
    assert restart.sent == []
    assert any("container" in line for line in restart.said)


def test_what_is_never_answered_is_in_the_error(restart: Restart) -> None:
    refusal = TransferError("this needs the right to create pods/exec")
    restart.cluster = ApplierCluster(restart.cluster.connection, print, lambda *_: None, QUIET, timeout=2)
    with pytest.raises(TransferError, match=r"the applier did not become ready: .*right to create pods/exec"):
        restart.install(*[refusal] * 20)
    assert restart.sent == []
