"""Running one external program: bounded output, a deadline, and nothing of it left behind."""

from __future__ import annotations

import errno
import os
import resource
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from airstore.core.errors import NotFoundError, ProgramError
from airstore.core.frozen import frozen
from airstore.core.limits import GIB, LIMITS, MIB
from airstore.process.confinement import Confinement
from airstore.process.guard import guarded

MEMORY = 6 * GIB  # address space of the program; a template can otherwise ask for all there is
_STDERR = MIB
_READ = 1 << 16
_LOOK = 1.0  # seconds between looks of a watch


@frozen
class Completed:
    """How a program ended and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


def run(  # noqa: PLR0913 - the bounds of one program, one each
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: bytes = b"",
    timeout: float,
    limit: int = LIMITS.yaml_document,
    guard: Path | None = None,
    memory: int | None = None,
    watch: Callable[[], None] | None = None,
    limits: Confinement | None = None,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: the program's absolute path and its arguments; no shell is involved.
        environment: all of its environment.
        stdin: what it reads.
        timeout: seconds before it is killed.
        limit: bytes of standard output before it is killed; standard error is cut at 1 MiB.
        guard: a lock file to hold while the program runs; it is free once the program is gone.
        memory: bytes of address space, `MEMORY` where not given; 0 for no bound.
        watch: called every second while the program runs; what it raises ends the program, and is raised.
        limits: what is taken from it, where the machine allows that; None for nothing.

    The program is killed when this process dies, however it dies.

    Raises:
        NotFoundError: there is no such program.
        ProgramError: it took too long or wrote too much.
    """
    name = Path(argv[0]).name
    _check_runs(argv[0])
    with tempfile.TemporaryFile() as given:  # a file, so that a program which does not read cannot stall us
        given.write(stdin)
        given.seek(0)
        with guarded(argv, guard, limits) as (words, handles):
            bounds = _Bounds(timeout, limit, MEMORY if memory is None else memory, watch)
            return _run(_start(words, environment, given, handles), name, bounds)


def _check_runs(path: str) -> None:
    """The supervisor could only say so by an exit code."""
    if not os.access(path, os.X_OK) or Path(path).is_dir():
        why = "it is no program" if Path(path).exists() else os.strerror(errno.ENOENT)
        raise NotFoundError(f"cannot run {path}: {why}", hint="install it, or name another one")


@frozen
class _Bounds:
    timeout: float
    limit: int
    memory: int
    watch: Callable[[], None] | None


def _run(process: subprocess.Popen[bytes], name: str, bounds: _Bounds) -> Completed:
    timeout, limit, memory = bounds.timeout, bounds.limit, bounds.memory
    try:
        if memory:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
        deadline = time.monotonic() + timeout
        stdout, stderr = _read(process, deadline, limit, bounds.watch)
        return Completed(process.wait(deadline - time.monotonic()), stdout, stderr)
    except (TimeoutError, subprocess.TimeoutExpired) as fault:
        raise ProgramError(f"{name} did not end within {timeout:g} seconds and was stopped") from fault
    except OverflowError as fault:
        raise ProgramError(f"{name} wrote more than {limit} bytes and was stopped") from fault
    finally:
        _end(process)


def _start(
    argv: Sequence[str], environment: Mapping[str, str], stdin: IO[bytes], handles: Sequence[int]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=dict(environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
            pass_fds=handles,
        )
    except OSError as fault:
        raise NotFoundError(
            f"cannot run {argv[0]}: {fault.strerror}", hint="install it, or name another one"
        ) from fault


def _read(
    process: subprocess.Popen[bytes], deadline: float, limit: int, watch: Callable[[], None] | None
) -> tuple[bytes, bytes]:
    assert process.stdout is not None  # noqa: S101 - both were asked for as pipes
    assert process.stderr is not None  # noqa: S101
    wanted = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in wanted:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(min(left, _LOOK) if watch else left)
            if watch:
                watch()
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _READ)
                if not chunk:
                    selector.unregister(key.fileobj)
                wanted[key.fileobj] += chunk  # type: ignore[index]
            if len(wanted[process.stdout]) > limit:
                raise OverflowError
            del wanted[process.stderr][_STDERR:]
    return bytes(wanted[process.stdout]), bytes(wanted[process.stderr])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left running in the background
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
