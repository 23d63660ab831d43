"""Logs of the applier's runs in the cluster: what hooks said, secrets redacted, read out of its volume."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from airstore.cluster.api.transport.execute import STDOUT, Container, execute
from airstore.cluster.applier import objects as make
from airstore.cluster.applier.settings import ApplierSettings
from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.ops.applier.orders import ApplierCluster, working_pod

_RUNS = f"{make.STORE}/deploy/runs"
# A run's journal says that there was a run, and is not sent: it names what was installed.
_LINE = re.compile(r"([0-9]+) ([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8})/(journal\.jsonl|logs/[^/\0]+)")


@frozen
class RunLogs:
    """The logs of one run.

    Attributes:
        run: its name.
        sizes: name of each log to its bytes.
    """

    run: str
    sizes: dict[str, int]


def list_logs(cluster: ApplierCluster, settings: ApplierSettings) -> list[RunLogs]:
    """Every run of the store in the volume, oldest first, with its logs.

    Raises:
        NotFoundError: there is no applier that runs.
        TransferError: the API server refused or the connection broke.
    """
    # Coreutils and findutils are in the image of every version; an older airstore lacks newer commands.
    found = (
        "-type",
        "f",
        "-path",
        f"{_RUNS}/*",
        "(",
        "-name",
        "journal.jsonl",
        "-o",
        "-path",
        "*/logs/*",
        ")",
    )
    said = _ask(cluster, settings, ["find", make.STORE, *found, "-printf", "%s %P\\n"])
    runs: dict[str, dict[str, int]] = defaultdict(dict)
    for line in said.decode(errors="replace").splitlines():
        size, _, path = line.partition(" ")
        match = _LINE.fullmatch(f"{size} {path.removeprefix('deploy/runs/')}")
        if match:
            runs[match[2]] |= {PurePosixPath(match[3]).name: int(match[1])} if "/" in match[3] else {}
    return [RunLogs(run, dict(sorted(runs[run].items()))) for run in sorted(runs)]


def read_logs(cluster: ApplierCluster, settings: ApplierSettings, run: str) -> dict[str, bytes]:
    """Name of each log of a run to what is in it.

    Raises:
        NotFoundError: there is no such run, or no applier that runs.
        TransferError: the API server refused or the connection broke.
    """
    known = {each.run: each for each in list_logs(cluster, settings)}
    if run not in known:
        raise NotFoundError(
            f"the applier {settings.namespace}/{settings.name} has no run {run!r}",
            hint=f"its runs: {', '.join(known) or 'none'}",
        )
    path = f"{_RUNS}/{run}/logs"
    return {name: _ask(cluster, settings, ["cat", "--", f"{path}/{name}"]) for name in known[run].sizes}


def write_logs(logs: dict[str, bytes], directory: Path) -> list[Path]:
    """Write logs as files of mode 0600.

    Raises:
        UsageError: there is something of that name that is not the same log.
        StorageError: they cannot be written.
    """
    paths = {directory / name: data for name, data in logs.items()}
    for path, data in paths.items():
        if path.exists() and not data.startswith(path.read_bytes()):
            raise UsageError(f"{path} is there already and is another log", hint="name another directory")
    for path, data in paths.items():
        write_file(path, data, mode=0o600)
    return list(paths)


def _ask(cluster: ApplierCluster, settings: ApplierSettings, command: list[str]) -> bytes:
    said: dict[int, bytearray] = defaultdict(bytearray)
    where = Container(settings.namespace, working_pod(cluster, settings), make.CONTAINER)
    code = execute(cluster.connection, where, command, lambda channel, data: said[channel].extend(data))
    if code:
        why = b"".join(bytes(data) for channel, data in said.items() if channel != STDOUT)
        about = f"{command[0]} in the applier's pod ended with exit code {code}"
        raise TransferError(f"{about}: {why.decode(errors='replace').strip()}")
    return bytes(said[STDOUT])
