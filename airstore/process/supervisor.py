"""Keep one program company: ``supervisor.py LOCK PIPE PROGRAM ARGUMENT...``; see `airstore.process.guard`.

Run as a script with the standard library alone, so that it starts quickly. It ends with the program's exit
code, or 128 and the signal's number; 126 if it cannot lock, 127 if it cannot run the program.
"""

import fcntl
import os
import select
import signal
import sys


def main(lock: str, pipe: int, argv: list[str]) -> int:
    """Run the program to its end, or to the end of whoever holds the other end of the pipe."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        os.write(2, f"cannot lock {lock}: {fault.strerror}\n".encode())
        return 126
    fcntl.flock(handle, fcntl.LOCK_SH)
    os.set_inheritable(pipe, False)
    if select.select([pipe], [], [], 0)[0]:
        return 128 + signal.SIGKILL  # it is gone already, and somebody else may be at work
    ended = _told_of_children()
    program = os.fork()
    if program == 0:
        try:
            os.execve(argv[0], argv, os.environ)  # noqa: S606
        except OSError as fault:
            os.write(2, f"cannot run {argv[0]}: {fault.strerror}\n".encode())
            os._exit(127)
    status = _wait(program, ended, pipe)
    if status is None:
        os.kill(program, signal.SIGKILL)
        os.waitpid(program, 0)
        os.killpg(0, signal.SIGKILL)  # this process too
        return 128 + signal.SIGKILL
    return status if status >= 0 else 128 - status


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
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
