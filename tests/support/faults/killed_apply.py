"""Run airstore and kill it with SIGKILL at a given line of its journal: ``killed_apply.py LINE ARGUMENT...``.

Odd lines are killed before they are written, even ones right after.
"""

import os
import signal
import sys
from typing import Any

from airstore.cli.main import exit_code
from airstore.deploy.run.journal import Journal

_append = Journal._append
_count = 0


def _killed(self: Journal, document: dict[str, Any]) -> None:
    global _count  # noqa: PLW0603
    _count += 1
    if _count == (_LINE + 1) // 2 and _LINE % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    _append(self, document)
    if _count == (_LINE + 1) // 2:
        os.kill(os.getpid(), signal.SIGKILL)


_LINE = int(sys.argv[1])
Journal._append = _killed  # type: ignore[method-assign]
sys.exit(exit_code(sys.argv[2:]))
