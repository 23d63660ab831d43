"""``airstore remote``: where a publisher's history and packs are shared (schemas/remotes.schema.json)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, StorageError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference
from airstore.core.parsing import schema, strictjson
from airstore.history.exchange.remote import forget_seen, is_name
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.noted import noting

DEFAULT = "origin"
_API_VERSION = "airstore/v1"
_SCHEMES = frozenset({"file", "ssh", "https", "http"})
_SCP = re.compile(r"\w[\w.-]*@\w[\w.-]*:[^/\s:][^\s]*", re.ASCII)


@frozen
class Remote:
    """Where a store is shared.

    Attributes:
        name: as it was added.
        git: URL of the history; never with a password.
        objects: ``oci://HOST/REPOSITORY`` of the packs.
        plain_http: speak HTTP without TLS to that host.
        ca: certificates (PEM) to trust besides the system's.
    """

    name: str
    git: str
    objects: str
    plain_http: bool = False
    ca: Path | None = None

    @property
    def place(self) -> Reference:
        """The repository of the packs."""
        return parse_objects(self.objects)

    def access(self, options: RegistryOptions) -> RegistryOptions:
        """How its registry is reached: as it was added, as whoever the options say."""
        plain = options.plain_http | ({self.place.host} if self.plain_http else set())
        return replace(options, plain_http=plain, ca=options.ca or self.ca)

    def to_json(self) -> dict[str, Any]:
        """The JSON object, without its name."""
        more = {"plainHttp": True} if self.plain_http else {}
        return {"git": self.git, "objects": self.objects, **more, **({"ca": str(self.ca)} if self.ca else {})}


def parse_objects(text: str) -> Reference:
    """The repository that ``oci://HOST/REPOSITORY`` names.

    Raises:
        UsageError: not of that form.
    """
    place = text.removeprefix("oci://")
    try:
        found = Reference.parse(f"{place}:any") if text.startswith("oci://") and "@" not in text else None
    except UsageError:
        found = None
    if found is None or found.name != place:
        raise UsageError(
            f"not a place for packs: {_shown(text)!r}",
            hint="write oci://HOST[:PORT]/REPOSITORY, in lower case and without a tag; credentials come from "
            "docker's config.json",
        )
    return found


def check_git(url: str) -> None:
    """Refuse what git would not be given: other schemes, which may run programs, and passwords.

    Raises:
        UsageError: such a URL.
    """
    hint = "write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or file:///PATH"
    if _SCP.fullmatch(url):
        return
    try:
        parts = urlsplit(url)
        password, usable = parts.password, bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        raise UsageError(f"not the URL of a git repository: {_shown(url)!r}", hint=hint) from None
    if password is not None or (parts.scheme in {"http", "https"} and parts.username):
        raise UsageError(
            f"the git URL {_shown(url)!r} carries credentials, and would be written down with them",
            hint="leave them out, and log in as git does: a credential helper, GIT_ASKPASS, or "
            "`git config --global http.extraHeader`",
        )
    host = parts.scheme == "file" or parts.hostname
    if parts.scheme not in _SCHEMES or not usable or not host or any(c.isspace() or c < " " for c in url):
        raise UsageError(f"not the URL of a git repository: {_shown(url)!r}", hint=hint)


def load_remotes(store: StoreDirectory) -> dict[str, Remote]:
    """The remotes of a store by name.

    Raises:
        DamagedError: the file is unreadable.
        StorageError: it cannot be read.
    """
    path = store.layout.remotes
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as fault:
        raise StorageError(f"cannot read {path}: {fault.strerror}") from fault
    if not data:
        return {}
    document = strictjson.load_object(data, str(path))
    schema.check_json(document, "remotes", str(path))
    return {name: _parse(name, entry) for name, entry in document["remotes"].items()}


def find_remote(store: StoreDirectory, name: str) -> Remote:
    """A remote by name; without one the only one, or ``origin``.

    Raises:
        NotFoundError: there is none.
        UsageError: there are several and none was named.
    """
    remotes = load_remotes(store)
    if not remotes:
        raise NotFoundError(
            f"{store.path} has no remote",
            hint="name one: airstore remote add origin --git URL --objects oci://HOST/REPOSITORY",
        )
    if not name and len(remotes) > 1 and DEFAULT not in remotes:
        raise UsageError(f"there are several remotes: {', '.join(sorted(remotes))}", hint="name one of them")
    name = name or (DEFAULT if DEFAULT in remotes else next(iter(remotes)))
    if name not in remotes:
        raise NotFoundError(f"there is no remote {name!r}; there are: {', '.join(sorted(remotes))}")
    return remotes[name]


def add_remote(store: StoreDirectory, remote: Remote) -> None:
    """Note a remote; nothing is asked of it.

    Raises:
        UsageError: the store is a site's, the name is taken or cannot be one, or a place is wrong.
        LockedError: another process holds the lock.
    """
    store.require(PUBLISHER, "remote add")
    if not is_name(remote.name):
        raise UsageError(
            f"{remote.name[:100]!r} cannot name a remote", hint="use letters and digits, as origin"
        )
    check_git(remote.git)
    parse_objects(remote.objects)
    with store.locked():
        remotes = load_remotes(store)
        if remote.name in remotes:
            raise UsageError(
                f"there is a remote {remote.name!r} already",
                hint=f"airstore remote remove {remote.name} first",
            )
        forget_seen(store.history, remote.name)
        _save(store, {**remotes, remote.name: remote})


def remove_remote(store: StoreDirectory, name: str) -> None:
    """Forget a remote; what it holds stays there, and what is here only in part stays so.

    Raises:
        NotFoundError: there is none of that name.
        UsageError: packs are here only in part, and it is the last remote that can have the rest.
        LockedError: another process holds the lock.
    """
    with store.locked():
        remote, remotes = find_remote(store, name), load_remotes(store)
        partial = any(store.layout.packs.glob("*.partial"))
        if partial and len(remotes) == 1:
            raise UsageError(
                f"packs of this store are only at {remote.name}",
                hint="fetch them first: airstore pull --whole",
            )
        del remotes[remote.name]
        _save(store, remotes)
        forget_seen(store.history, remote.name)


def _save(store: StoreDirectory, remotes: Mapping[str, Remote]) -> None:
    document = {"apiVersion": _API_VERSION, "kind": "Remotes",
                "remotes": {name: remote.to_json() for name, remote in remotes.items()}}  # fmt: skip
    with noting(store, store.layout.remotes):
        write_file(store.layout.remotes, strictjson.dumps(document), mode=0o644, disk=store.disk)


def _parse(name: str, entry: Mapping[str, Any]) -> Remote:
    ca = entry.get("ca")
    remote = Remote(
        name, entry["git"], entry["objects"], entry.get("plainHttp", False), Path(ca) if ca else None
    )
    check_git(remote.git)  # the file may have been written by hand
    parse_objects(remote.objects)
    return remote


def _shown(url: str) -> str:
    """A URL without what is before its host."""
    scheme, found, rest = url.partition("://")
    where, slash, path = (rest if found else url).partition("/")
    return f"{scheme + found if found else ''}{where.rpartition('@')[2]}{slash}{path}"[:200]
