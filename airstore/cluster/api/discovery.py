"""What a cluster serves: its version, and every kind, as Helm's ``.Capabilities`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

from airstore.cluster.api.transport.connection import Call, Connection, path_of


def server_version(connection: Connection) -> str:
    """Such as ``v1.36.3``.

    Raises:
        TransferError: the API server cannot be reached.
    """
    return str(connection.send(Call("GET", "/version")).get("gitVersion") or "")


def served_versions(connection: Connection) -> list[str]:
    """``GROUP/VERSION`` and ``GROUP/VERSION/KIND`` of everything, the core group as ``v1``.

    Raises:
        TransferError: the API server cannot be reached or refused.
    """
    found = []
    for version, path in _versions(connection):
        kinds = connection.send(Call("GET", path, version)).get("resources") or ()
        named = {str(each["kind"]) for each in kinds if "/" not in str(each["name"])}  # subresources
        found += [version, *(f"{version}/{kind}" for kind in sorted(named))]
    return found


def _versions(connection: Connection) -> Iterator[tuple[str, str]]:
    for version in connection.send(Call("GET", "/api")).get("versions") or ():
        yield str(version), path_of("api", str(version))
    for group in connection.send(Call("GET", "/apis")).get("groups") or ():
        for each in group.get("versions") or ():
            name, _, version = str(each["groupVersion"]).partition("/")
            yield f"{name}/{version}", path_of("apis", name, version)
