"""What is at work, for ``--verbose``: each request, object, file and program, and how long it took.

Said to the logger ``airstore``; whoever listens to it (the command line with ``-v``) shows it. Names only: no
header, body, argument or environment of a program, which may be secrets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("airstore")


@contextmanager
def at_work(what: str, *names: object) -> Iterator[None]:
    """Say that something begins, and when it has ended how long it took.

    Args:
        what: with a ``%s`` for each of the names, which are put in only if somebody listens.
        names: such as a digest or a path.
    """
    if not LOGGER.isEnabledFor(logging.DEBUG):
        yield
        return
    LOGGER.debug(f"{what} ...", *names)  # noqa: G004 - a constant with its placeholders
    began = time.monotonic()
    try:
        yield
    except BaseException:
        LOGGER.debug(f"{what}: failed after %.2f s", *names, time.monotonic() - began)  # noqa: G004
        raise
    LOGGER.debug(f"{what}: %.2f s", *names, time.monotonic() - began)  # noqa: G004
