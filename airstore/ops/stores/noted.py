"""``noted.json``: what lies in a store and nothing else there names by content, so that a loss is noticed.

Public keys whose private half lies elsewhere, keys and receipts of sites, remotes, the draft of a trust root,
a registry's passwords and certificates. Whoever writes or removes one of them does so within `noting`; public
keys are noted with their text, which restores them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check
from airstore.ops.stores.directory import RECEIPT_FILE, StoreDirectory
from airstore.ops.stores.site.states import DRAFT
from airstore.trust.root.sign import parse_root
from airstore.trust.ssh.publickey import PublicKey

FILE = "noted.json"
_FILES, _TEXTS = "files", "texts"
_WAY_OUT = "run `airstore repair`: the list is made again, of what is there"
_REGISTRY = "registry"
_DRAFT = "next.json"  # noted without its signatures, which are added wherever it is
_KINDS = {"keys": "key", "sites": "site", _REGISTRY: "registry"}
APPLIER, REMOTES = "which applier has this store", "where this store is shared"
_WORDS = {"applier.json": APPLIER, "remotes.json": REMOTES, "trust/next.json": DRAFT}
_NOTABLE = ("keys/*.pub", "sites/*", "remotes.json", "applier.json", "registry/*", "trust/next.json")


@contextmanager
def noting(store: StoreDirectory, *paths: Path) -> Iterator[None]:
    """Write or remove files of a store in this block; one that is killed there leaves them unnoted.

    Raises:
        DamagedError: the list does not read.
        StorageError: the disk is full or failed.
    """
    names = {_name(store, path): path for path in paths}
    before = read_noted(store)
    if before.keys() & names.keys():
        _write(store, {name: noted for name, noted in before.items() if name not in names})
    yield
    there = {name: _content(path) for name, path in names.items() if path.is_file()}
    if there:
        _write(store, {**read_noted(store), **there})


def note_keys(store: StoreDirectory, anew: Collection[Path] = ()) -> None:
    """Note the public keys that are not yet, such as one that somebody put there by hand.

    Args:
        store: a publisher's.
        anew: keys that somebody has just named, so that what lies there now is what is meant.

    Raises:
        DamagedError: the list does not read.
        StorageError: the disk is full or failed.
    """
    known = read_noted(store)
    keys = (path for path in store.keys.glob("*.pub") if path in anew or _name(store, path) not in known)
    if new := list(keys):
        with noting(store, *new):
            pass


def noted_faults(store: StoreDirectory) -> Iterator[tuple[str, str]]:
    """What is gone or changed, and what that breaks.

    Raises:
        StorageError: the disk failed.
    """
    try:
        noted = read_noted(store)
    except DamagedError as fault:
        yield str(fault), FILE
        return
    for name, content in noted.items():
        path = store.path / name
        if not path.is_file():
            yield from [] if _is_given_up(path) else [(f"{path} is gone", breaks(name))]
        elif not is_same(path, content):
            yield f"{path} is not what it was when it was noted", breaks(name)


def read_noted(store: StoreDirectory) -> Mapping[str, str]:
    """Path in the store to what was noted: a public key's text, else a digest.

    Raises:
        DamagedError: it is not what `noting` wrote.
        StorageError: it cannot be read.
    """
    path = store.path / FILE
    with storage_errors(path):
        if not path.exists():
            return {}
        data = path.read_bytes()
    try:
        document = without_check(strictjson.load_object(data, str(path)), str(path))
    except DamagedError as fault:
        raise DamagedError(str(fault), hint=_WAY_OUT) from fault
    return {**document[_FILES], **document[_TEXTS]}


def note_again(store: StoreDirectory) -> Path | None:
    """Make a list that does not read again, of what is there; its file, where it did not."""
    try:
        read_noted(store)
    except DamagedError:
        found = (path for kind in _NOTABLE for path in store.path.glob(kind) if path.is_file())
        _write(store, {_name(store, path): _content(path) for path in found})
        return store.path / FILE
    return None


def _is_given_up(path: Path) -> bool:
    """A registry that a site has no more goes with its directory."""
    return path.parent.name == _REGISTRY and not path.parent.is_dir()


def is_same(path: Path, noted: str) -> bool:
    """Whether a file is what was noted: of a public key that, and a comment which may say where it signs."""
    return _content(path).split() == noted.split()


def breaks(name: str) -> str:
    """What cannot be used without a file that is noted."""
    if name in _WORDS:
        return _WORDS[name]
    folder, _, file = name.rpartition("/")
    if file.endswith(RECEIPT_FILE):
        return f"receipt of {file.removesuffix(RECEIPT_FILE)}"
    return f"{_KINDS[folder]} {file.removesuffix('.pub')}"


def _name(store: StoreDirectory, path: Path) -> str:
    return path.relative_to(store.path).as_posix()


def _content(path: Path) -> str:
    with storage_errors(path):
        data = path.read_bytes()
    with suppress(DamagedError):
        if path.suffix == ".pub":
            PublicKey.parse_openssh(text := data.decode(errors="replace"), str(path))
            return text
        if path.name == _DRAFT:
            return str(parse_root(data).root.digest)
    return str(Digest.of(data))


def _write(store: StoreDirectory, noted: Mapping[str, str]) -> None:
    texts = {name: content for name, content in noted.items() if not content.startswith("sha256:")}
    files = {name: content for name, content in noted.items() if name not in texts}
    document = with_check({_FILES: files, _TEXTS: texts})
    write_file(store.path / FILE, strictjson.dumps(document), mode=0o644, disk=store.disk)
