"""The ``airstore`` program, and ``python -m airstore``."""

import sys


def run() -> None:
    """Run the command line and exit; Ctrl-C while it still loads is an interrupt like any other."""
    try:
        from airstore.cli.main import run as run_command  # noqa: PLC0415 - inside the try block
    except KeyboardInterrupt:
        sys.exit(130)
    run_command()


if __name__ == "__main__":
    run()
