"""Run airstore and kill it with SIGKILL at a given line of its journal: ``killed_apply.py LINE ARGUMENT...``.

Odd lines are killed before they are written, even ones right after.
"""

import os
import signal
import sys

from airstore.cli.main import exit_code
from airstore.deploy.model.twofold import TwofoldLines

_WRITERS = TwofoldLines.begin, TwofoldLines.append
_LINE = int(sys.argv[1])
_count = 0


def _begin(self: TwofoldLines, line: bytes) -> None:
    _write(0, self, line)


def _append(self: TwofoldLines, line: bytes) -> None:
    _write(1, self, line)


def _write(writer: int, lines: TwofoldLines, line: bytes) -> None:
    global _count  # noqa: PLW0603
    _count += 1
    if _count == (_LINE + 1) // 2 and _LINE % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    _WRITERS[writer](lines, line)
    if _count == (_LINE + 1) // 2:
        os.kill(os.getpid(), signal.SIGKILL)


TwofoldLines.begin = _begin  # type: ignore[method-assign]
TwofoldLines.append = _append  # type: ignore[method-assign]
sys.exit(exit_code(sys.argv[2:]))
