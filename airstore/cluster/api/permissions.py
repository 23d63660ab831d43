"""Whether we may do what we are about to do (``kubectl auth can-i``)."""

from __future__ import annotations

from collections.abc import Iterable

from airstore.cluster.api.transport.connection import Call, Connection
from airstore.core.kube.rights import Right

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def refusals(connection: Connection, rights: Iterable[Right]) -> list[Right]:
    """Which of these rights we do not have.

    Raises:
        TransferError: the API server did not answer.
    """
    return [right for right in rights if not _allowed(connection, right)]


def _allowed(connection: Connection, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = connection.send(Call("POST", _REVIEW, "what we may do", body=review))
    return bool((answer.get("status") or {}).get("allowed"))
