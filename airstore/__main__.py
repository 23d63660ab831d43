"""The ``airstore`` program, and ``python -m airstore``."""

import os
import sys

from airstore import __version__

_WRONG_USE, _NOT_FOUND, _STORAGE_FAILED = 2, 10, 41  # as in airstore.core.errors, which takes time to load
_ELSEWHERE = "use a container, a virtual machine or WSL 2: see docs/install-offline.md"


def run() -> None:
    """Run the command line and exit; Ctrl-C while it still loads is an interrupt like any other."""
    if sys.argv[1:] == ["--version"]:
        sys.exit(_say_version())
    if sys.platform != "linux":
        sys.exit(_refuse(_WRONG_USE, f"airstore runs on Linux, and this is {sys.platform}", _ELSEWHERE))
    try:
        from airstore.cli.loading import load  # noqa: PLC0415 - inside the try block

        run_command = load("airstore.cli.main").run
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        run_command()
    except ImportError as fault:  # of a library that wheels expect every system to have
        if "cannot open shared object file" not in str(fault):
            raise
        sys.exit(
            _refuse(_NOT_FOUND, f"this system lacks a library: {fault}", "install the package that has it")
        )


def _refuse(code: int, message: str, hint: str) -> int:
    os.write(2, f"airstore: {message}\n  hint: {hint}\n".encode())
    return code


def _say_version() -> int:
    """Scripts ask for the version often, and click alone takes three times as long to load as Python."""
    try:
        os.write(1, f"airstore, version {__version__}\n".encode())
    except BrokenPipeError:
        return 0
    except OSError as fault:
        os.write(2, f"airstore: cannot write the output: {fault.strerror}\n".encode())
        return _STORAGE_FAILED
    return 0


if __name__ == "__main__":
    run()
