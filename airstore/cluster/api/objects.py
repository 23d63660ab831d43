"""Objects of any kind: server-side apply, get, list, delete (Kubernetes API concepts)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

from airstore.cluster.api.transport.connection import ApiError, Call, Connection, path_of
from airstore.core.errors import TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document

MANAGER = "airstore"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_MERGE = "application/merge-patch+json"
_PAGE = "500"  # objects of one answer
_OWNER = re.compile(r'conflict with "([^"]+)"')


@frozen
class ResourceKind:
    """What discovery says of a kind."""

    plural: str
    namespaced: bool


class ConflictError(TransferError):
    """A field is managed by somebody else, who is named."""


class Objects:
    """Objects of one cluster; what kinds there are is asked once per API group."""

    def __init__(self, connection: Connection, *, manager: str = MANAGER) -> None:
        self.connection = connection
        self._manager = manager
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, ResourceKind]] = {}

    def apply(
        self,
        document: Document,
        namespace: str = "",
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = "",
    ) -> dict[str, Any]:
        """Create an object or change it to what the document says, as its field manager.

        Args:
            document: must not have ``metadata.managedFields``.
            namespace: where the document says none; ignored for kinds outside of namespaces.
            force: take over fields that others manage.
            dry_run: let the API server check everything and change nothing.
            manager: another field manager than usual.

        Raises:
            ConflictError: others manage a field.
            ApiError: refused.
        """
        query = [("fieldManager", manager or self._manager), ("force", str(force).lower())]
        if dry_run:
            query.append(("dryRun", "All"))
        call = Call(
            "PATCH", self._path(document, namespace), describe(document, namespace), tuple(query), document
        )
        try:
            return self.connection.send(_typed(call, _APPLY))
        except ApiError as fault:
            if fault.status == 409:
                raise _conflict(call.about, fault) from fault
            raise

    def create(
        self, document: Document, namespace: str = "", *, dry_run: bool = False, manager: str = ""
    ) -> dict[str, Any]:
        """Create an object that must not exist; ``dry_run``: only have the API server check everything.

        Raises:
            ApiError: refused, or there is one.
        """
        metadata = document.get("metadata") or {}
        path = self._collection(
            document["apiVersion"], document["kind"], metadata.get("namespace") or namespace
        )
        query = [("fieldManager", manager or self._manager), *([("dryRun", "All")] if dry_run else [])]
        return self.connection.send(Call("POST", path, describe(document, namespace), tuple(query), document))

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """An object, or None if there is no such object or no such kind.

        Raises:
            ApiError: refused for another reason.
        """
        document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
        try:
            path = self._path(document, namespace)
            return self.connection.send(Call("GET", path, describe(document, namespace)))
        except NoSuchKindError:
            return None
        except ApiError as fault:
            _absent(fault)
            return None

    def live(self, document: Document, namespace: str = "") -> dict[str, Any] | None:
        """The object in the cluster that a manifest is about."""
        metadata = document["metadata"]
        where = metadata.get("namespace") or namespace
        return self.get(document["apiVersion"], document["kind"], metadata["name"], where)

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Objects of a kind; of all namespaces where none is named; none if there is no such kind."""
        try:
            path = self._collection(api_version, kind, namespace)
        except NoSuchKindError:
            return
        query = [("limit", _PAGE)]
        query += [("labelSelector", labels)] if labels else []
        query += [("fieldSelector", fields)] if fields else []
        token = ""
        while True:
            page = [*query, ("continue", token)] if token else query
            answer = self.connection.send(Call("GET", path, kind, tuple(page)))
            for item in answer.get("items", ()):
                # Items of a list leave these out.
                yield {"apiVersion": api_version, "kind": kind, **item}
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def merge(self, document: Document, namespace: str = "") -> dict[str, Any]:
        """Change the given fields of an existing object and no others (RFC 7396); null removes one.

        Raises:
            ApiError: refused, or no such object.
        """
        return self.patch(document, namespace, _MERGE)

    def patch(
        self, document: Document, namespace: str, form: str, *, manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Change an existing object by a patch.

        Args:
            document: the patch; it names the object.
            namespace: where the document says none; ignored for kinds outside of namespaces.
            form: media type of the patch.
            manager: another field manager than usual.
            dry_run: let the API server check everything and change nothing.

        Raises:
            ApiError: refused, or no such object.
        """
        query = [("fieldManager", manager or self._manager), *([("dryRun", "All")] if dry_run else [])]
        about = describe(document, namespace)
        call = Call("PATCH", self._path(document, namespace), about, tuple(query), document, form)
        return self.connection.send(call)

    def delete(
        self, document: Document, namespace: str = "", *, foreground: bool = False, orphan: bool = False
    ) -> bool:
        """Delete an object with what depends on it; False if there was none.

        Args:
            document: names it.
            namespace: where the document says none.
            foreground: the object stays until what depends on it is gone.
            orphan: what depends on it stays.

        Raises:
            ApiError: refused.
        """
        about = describe(document, namespace)
        policy = "Orphan" if orphan else "Foreground" if foreground else "Background"
        query = (("propagationPolicy", policy),)
        try:
            self.connection.send(Call("DELETE", self._path(document, namespace), about, query))
        except NoSuchKindError:
            return False
        except ApiError as fault:
            _absent(fault)
            return False
        return True

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the cluster serves a kind now."""
        try:
            self._kind(api_version, kind)
        except NoSuchKindError:
            return False
        return True

    def _path(self, document: Document, namespace: str) -> str:
        metadata = document.get("metadata") or {}
        where = metadata.get("namespace") or namespace
        return self._collection(document["apiVersion"], document["kind"], where) + path_of(metadata["name"])

    def _collection(self, api_version: str, kind: str, namespace: str) -> str:
        known = self._kind(api_version, kind)
        scope = ("namespaces", namespace) if known.namespaced and namespace else ()
        return _root(api_version) + path_of(*scope, known.plural)

    def _kind(self, api_version: str, kind: str) -> ResourceKind:
        with self._lock:
            if kind not in self._kinds.get(api_version, {}):
                self._kinds[api_version] = self._discover(api_version)
            known = self._kinds[api_version]
        try:
            return known[kind]
        except KeyError:
            raise NoSuchKindError(
                f"the cluster knows no kind {kind} in {api_version}",
                hint="its CRD must be applied first, or the cluster is too old or too new for it",
            ) from None

    def _discover(self, api_version: str) -> dict[str, ResourceKind]:
        try:
            answer = self.connection.send(Call("GET", _root(api_version), api_version))
        except ApiError as fault:
            _absent(fault)
            return {}
        return {
            entry["kind"]: ResourceKind(entry["name"], entry["namespaced"])
            for entry in answer.get("resources", ())
            if "/" not in entry["name"]  # subresources
        }


class NoSuchKindError(UsageError):
    """The cluster does not know a kind."""


def describe(document: Document, namespace: str = "") -> str:
    """What messages call an object: ``Deployment shop/api``."""
    metadata = document.get("metadata") or {}
    where = metadata.get("namespace") or namespace
    return f"{document.get('kind')} {where + '/' if where else ''}{metadata.get('name')}"


def _root(api_version: str) -> str:
    group, slash, version = api_version.partition("/")
    return path_of("apis", group, version) if slash else path_of("api", api_version)


def _typed(call: Call, content_type: str) -> Call:
    return Call(call.method, call.path, call.about, call.query, call.body, content_type)


def _absent(fault: ApiError) -> None:
    if fault.status != 404:
        raise fault


def _owner(message: str) -> str:
    found = _OWNER.search(message)
    return found[1] if found else message


def _conflict(about: str, fault: ApiError) -> ConflictError:
    causes = (fault.details.get("details") or {}).get("causes") or ()
    fields = [f"{cause.get('field')} belongs to {_owner(str(cause.get('message')))}" for cause in causes]
    return ConflictError(
        f"{about}: {'; '.join(fields) or fault}",
        hint="nothing of others is overwritten: let them give these fields up, or delete the object, if it"
        " holds nothing of value, and run the same command again",
    )
