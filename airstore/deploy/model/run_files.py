"""What runs keep of Helm releases, each with the digest of what it says: values, and what Helm installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airstore.core.durable import write_file
from airstore.core.parsing import strictjson
from airstore.core.parsing.checked import with_check, without_check

VALUES, KEPT = "values", "kept"  # directories of a run
# Keys in files of older versions, which have no digest.
_UNCHECKED = {
    VALUES: [
        frozenset({"secrets", "values", "rewriting", *more})
        for more in ((), ("hookRewriting",), ("kubeVersion",), ("hookRewriting", "kubeVersion"))
    ],
    KEPT: [frozenset({"revision", "chart", "manifest", "hooks", "tests"})],
}


def write_run_file(path: Path, document: Mapping[str, Any]) -> None:
    """Write a file in `VALUES` or `KEPT`, closed to others.

    Raises:
        StorageError: the disk is full or failed.
    """
    write_file(path, strictjson.dumps(with_check(document)), mode=0o600)


def parse_run_file(data: bytes, path: Path) -> dict[str, Any]:
    """What `write_run_file` wrote.

    Raises:
        DamagedError: it is something else.
    """
    what = str(path)
    return without_check(strictjson.load_object(data, what), what, _UNCHECKED[path.parent.name])
