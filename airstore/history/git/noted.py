"""``noted.json`` beside the refs: where each was last set. A ref is a file that nothing else names.

A ref is taken off the list before it moves and put on it afterwards: who is killed between leaves no false
alarm. Tags are found by what they name, and a ledger by its own mark: neither is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from airstore.core.durable import LOCAL_DISK, Disk, storage_errors, write_file
from airstore.core.errors import DamagedError
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check
from airstore.history.git.names import TAGS

FILE = "noted.json"
_REFS = "refs"
_WAY_OUT = "run `airstore repair`: the list is made again, of what is there"


class NotedRefs:
    """The list of one repository.

    Args:
        repository: its directory.
        disk: makes the list durable.
    """

    def __init__(self, repository: Path, disk: Disk = LOCAL_DISK) -> None:
        self.file, self._disk = repository / FILE, disk

    def read(self) -> dict[str, str]:
        """Ref to object; what an older version set last is not among them.

        Raises:
            DamagedError: it is not what was written.
            StorageError: it cannot be read.
        """
        with storage_errors(self.file):
            if not self.file.exists():
                return {}
            data = self.file.read_bytes()
        try:
            document = without_check(strictjson.load_object(data, str(self.file)), str(self.file))
        except DamagedError as fault:
            raise DamagedError(str(fault), hint=_WAY_OUT) from fault
        return dict(document[_REFS])

    def write(self, noted: Mapping[str, str]) -> None:
        """Replace the list, durably.

        Raises:
            StorageError: the disk is full or failed; the list is as it was.
        """
        document = with_check({_REFS: dict(noted)})
        write_file(self.file, strictjson.dumps(document), mode=0o644, disk=self._disk)

    @contextmanager
    def moving(self, name: str, oid: str | None) -> Iterator[None]:
        """Set a ref in this block, or remove it where ``oid`` is None.

        Raises:
            DamagedError: the list does not read.
            StorageError: the disk is full or failed.
        """
        if name.startswith(TAGS):
            yield
            return
        noted = self.read()
        if noted.pop(name, None) is not None:
            self.write(noted)
        yield
        if oid is not None:
            self.write({**noted, name: oid})
