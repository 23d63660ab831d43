"""The Helm program itself, closed in: no plugins, no state of the user, no shell, a deadline.

Helm runs on what a vendor wrote, so it gets a private home, no plugins, a bounded address space and a
deadline. What needs no network (packaging, and rendering without a cluster) has none, and files that it has
no business with are closed (`airstore.charts.helm.visible`), where the machine allows that.
"""

from __future__ import annotations

import re
import shutil
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from airstore.charts.helm.access import ClusterAccess, RepositoryLogin
from airstore.charts.helm.faults import helm_fault
from airstore.charts.helm.sandbox import check_private
from airstore.charts.helm.visible import HelmView
from airstore.core.errors import ProgramError, UsageError
from airstore.core.leftovers import make_scratch
from airstore.core.limits import LIMITS
from airstore.core.work import at_work
from airstore.process import program
from airstore.process.confinement import Confinement

# Helm lives a tenth of a second, a fifth of which Go spent on collecting what ends with it. Measured on
# 3.17 and 4.3: 0.8 of the CPU for a rendering, no more memory; from 256 MiB on it collects as ever.
_SHORT_LIVED = {"GOGC": "400", "GOMEMLIMIT": "256MiB"}
_SIGNALLED = 128  # and the signal's number: how a shell, and our supervisor, say that a program was ended
_VERSION = re.compile(r"v([34])\.\d+\.\d+\S*")
_VERSIONS: dict[tuple[Path, int, int, int], tuple[int, str]] = {}  # what programs said, as long as they stay


def _identity(binary: Path) -> tuple[Path, int, int, int]:
    """Another one when the file is replaced or changed; of one that is not there, its path."""
    with suppress(OSError):
        stat = binary.stat()
        return binary, stat.st_ino, stat.st_size, stat.st_ctime_ns
    return binary, 0, 0, 0


class HelmProgram:
    """One Helm binary with a private home.

    Args:
        binary: Helm 3 or 4.
        home: directory for its caches and configuration; None makes one that goes with this object.
        timeout: seconds any one call may take.
        environment: what else the program sees, such as ``HTTPS_PROXY``.
    """

    def __init__(
        self,
        binary: Path,
        home: Path | None = None,
        *,
        timeout: float = 300.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._binary = binary.absolute()
        self._sight = HelmView(self._binary)
        self._timeout = timeout
        self._environment = dict(environment or {})
        self._home = home or make_scratch("helm")
        self._added: set[RepositoryLogin] = set()
        if home is None:
            weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)

    @cached_property
    def _variables(self) -> dict[str, str]:
        home = check_private(self._home)
        names = ("cache", "config", "data", "plugins", "tmp")
        for name in names:
            (home / name).mkdir(exist_ok=True, mode=0o700)
        places = {f"HELM_{name.upper()}_HOME": str(home / name) for name in names[:3]}
        private = {"PATH": "/usr/bin:/bin", "HOME": str(home), "HELM_PLUGINS": str(home / "plugins")}
        return _SHORT_LIVED | self._environment | places | private | {"TMPDIR": str(home / "tmp")}

    def run(  # noqa: PLR0913 - the bounds of one call, one each
        self,
        arguments: Sequence[str],
        what: str,
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        guard: Path | None = None,
        limit: int = LIMITS.yaml_document,
        watch: Callable[[], None] | None = None,
        limits: Confinement,
    ) -> str:
        """Run one Helm command and return its standard output.

        Args:
            arguments: everything after the program's name.
            what: the chart and variant this is about, for errors.
            stdin: a password, where the command reads one.
            timeout: seconds; the object's own by default.
            guard: a lock file to hold meanwhile.
            limit: bytes of output that are accepted.
            watch: called every second meanwhile; what it raises ends Helm, and is raised.
            limits: what it needs of the network and of files.

        Raises:
            NotFoundError: no such Helm, or Helm says that what was asked for does not exist.
            TransferError: a repository or registry refused, stalled or broke off.
            UsageError: Helm refused the chart or its values.
            ProgramError: it took too long, was ended, or did not reach the cluster.
        """
        argv = [str(self._binary), *arguments]
        try:
            with at_work("helm %s (%s%s)", arguments[0], what, limits):
                ended = program.run(
                    argv,
                    self._variables,
                    stdin=stdin,
                    timeout=timeout or self._timeout,
                    limit=limit,
                    guard=guard,
                    watch=watch,
                    limits=limits,
                )
        except ProgramError as fault:
            raise ProgramError(f"{what}: {fault}", hint=fault.hint) from fault
        if ended.code < 0 or ended.code > _SIGNALLED:
            raise ProgramError(f"{what}: helm was ended by signal {abs(ended.code) % _SIGNALLED}")
        if ended.code != 0:
            raise helm_fault(what, arguments[0], ended.stderr.decode(errors="replace"))
        return ended.stdout.decode(errors="replace")

    def run_with(  # noqa: PLR0913 - as `run`
        self,
        cluster: ClusterAccess,
        arguments: Sequence[str],
        what: str,
        *,
        read: Sequence[Path],
        timeout: float | None = None,
        guard: Path | None = None,
        limit: int = LIMITS.yaml_document,
        watch: Callable[[], None] | None = None,
    ) -> str:
        """`run` with a cluster; ``read`` are the files that the arguments name."""
        limits = self._sight.with_cluster((self._home,), cluster.kubeconfig, read)
        command, *rest = arguments
        words = [command, *cluster.flags, *rest]
        return self.run(words, what, timeout=timeout, guard=guard, limit=limit, watch=watch, limits=limits)

    def _offline(self, *read: Path, write: Sequence[Path] = ()) -> Confinement:
        return self._sight.offline((self._home, *write), read)

    def _online(self, *read: Path, write: Sequence[Path] = ()) -> Confinement:
        return self._sight.online((self._home, *write), read)

    def version(self) -> tuple[int, str]:
        """Major version and full version text; a program is asked once in a process, however many use it.

        Raises:
            NotFoundError: no such program.
            UsageError: not Helm 3 or 4.
        """
        file = _identity(self._binary)
        if file not in _VERSIONS:
            _VERSIONS[file] = self._asked()
        return _VERSIONS[file]

    def _asked(self) -> tuple[int, str]:
        text = self.run(
            ["version", "--template", "{{.Version}}"], str(self._binary), limits=self._offline()
        ).strip()
        match = _VERSION.fullmatch(text)
        if not match:
            raise UsageError(f"{self._binary} says it is {text!r}", hint="airstore needs Helm 3 or 4")
        return int(match[1]), text
