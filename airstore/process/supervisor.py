"""Keep one program company, for `airstore.process.guard`.

``supervisor.py LOCK PIPE NETWORK RULE... -- PROGRAM ARGUMENT...``: ``LOCK`` is empty where none is to be
held; ``NETWORK`` is ``offline`` for a program that is to have none, as far as the machine allows it, else
``online``; each ``RULE`` opens files (`.landlock.close_files`), none leaves all open. Run as a script with
the standard library alone, so that it starts quickly. It ends with the program's exit code, or 128 and the
signal's number; 126 if it cannot lock, 127 if it cannot run the program.
"""

import fcntl
import os
import select
import signal
import sys

OFFLINE, ONLINE = "offline", "online"


def main(lock: str, pipe: int, limits: "list[str]", argv: "list[str]") -> int:
    """Run the program to its end, or to the end of whoever holds the other end of the pipe."""
    if lock and not _locked(lock):
        return 126
    os.set_inheritable(pipe, False)
    if select.select([pipe], [], [], 0)[0]:
        return 128 + signal.SIGKILL  # it is gone already, and somebody else may be at work
    ended, here = _told_of_children(), os.getpid()
    program = os.fork()
    if program == 0:
        _become(argv, limits, here)
    status = _wait(program, ended, pipe)
    if status is None:
        os.kill(program, signal.SIGKILL)
        os.waitpid(program, 0)
        os.killpg(0, signal.SIGKILL)  # this process too
        return 128 + signal.SIGKILL
    return status if status >= 0 else 128 - status


def _locked(lock: str) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        os.write(2, f"cannot lock {lock}: {fault.strerror}\n".encode())
        return False
    fcntl.flock(handle, fcntl.LOCK_SH)
    return True


def _become(argv: "list[str]", limits: "list[str]", parent: int) -> None:
    """The program itself, which never outlives the supervisor."""
    try:
        sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes time to load
        import landlock  # type: ignore[import-not-found] # noqa: PLC0415 - no package's module in a script
        import offline  # type: ignore[import-not-found] # noqa: PLC0415

        offline.die_with_parent(signal.SIGKILL, parent)
        environment = _given()  # before files are closed
        network, *rules = limits
        if network == OFFLINE:
            offline.leave_network() or landlock.forbid_tcp()
        if rules:
            landlock.close_files(rules)
        os.execve(argv[0], argv, environment)  # noqa: S606
    except (OSError, ImportError) as fault:
        os.write(2, f"cannot run {argv[0]}: {fault}\n".encode())
    finally:
        os._exit(127)  # never back into the supervisor's own work


def _given() -> dict[bytes, bytes]:
    """The environment as it was given to us: Python adds to its own what it makes of the locale (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib takes time to load
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def _told_of_children() -> int:
    """A handle to read from when a child has ended; a pidfd is nothing that every Python can ask for."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _wait(program: int, ended: int, pipe: int) -> "int | None":
    """How the program ended; None where whoever holds the pipe was gone before."""
    while True:
        ready = select.select([pipe, ended], [], [])[0]
        found, status = os.waitpid(program, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if pipe in ready:
            return None
        os.read(ended, 1 << 10)  # it was stopped, or goes on


if __name__ == "__main__":
    end = sys.argv.index("--", 3)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:end], sys.argv[end + 1 :]))
