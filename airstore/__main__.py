"""The ``airstore`` program, and ``python -m airstore``."""

import os
import sys

from airstore import __version__

_STORAGE_FAILED = 41


def run() -> None:
    """Run the command line and exit; Ctrl-C while it still loads is an interrupt like any other."""
    if sys.argv[1:] == ["--version"]:
        sys.exit(_say_version())
    try:
        from airstore.cli.main import run as run_command  # noqa: PLC0415 - inside the try block
    except KeyboardInterrupt:
        sys.exit(130)
    run_command()


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
