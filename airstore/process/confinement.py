"""What a program may see of the machine, and how far this machine can hold it to that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.process.landlock import READ, RUN, WRITE

NAMESPACE, LANDLOCK_TCP, LANDLOCK = "a network namespace", "Landlock (TCP only)", "Landlock"

_ASKED = {
    NAMESPACE: "import offline; print(offline.leave_network())",
    LANDLOCK_TCP: "import landlock; print(landlock.forbid_tcp())",
    LANDLOCK: "import landlock; print(landlock.close_files(['r/']))",
}


@frozen
class PathRules:
    """The files that a program may see, each with what is below it.

    Links are followed, what is absent is left out.

    Attributes:
        run: may be read and executed.
        read: may be read.
        write: may be read and written.
    """

    run: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()

    def words(self) -> Iterator[str]:
        """As the supervisor takes them."""
        for mode, paths in ((RUN, self.run), (READ, self.read), (WRITE, self.write)):
            yield from (f"{mode}{path.absolute()}" for path in paths)


@cache
def network_taken_by() -> str | None:
    """How this machine lets an ordinary program be run without network; None where it forbids it.

    Asked once a process, of a process of its own.
    """
    return next(filter(_is_allowed, (NAMESPACE, LANDLOCK_TCP)), None)


@cache
def files_closed_by() -> str | None:
    """How this machine lets files be closed to an ordinary program; None where it does not."""
    return LANDLOCK if _is_allowed(LANDLOCK) else None


@frozen
class Confinement:
    """What a program needs of the machine; the rest is taken from it, where the machine allows that.

    As text it is what to add to the program's name for people; the machine is asked, by a process, only then.

    Attributes:
        offline: it has no network.
        files: those it may see; None for all.
    """

    offline: bool = False
    files: PathRules | None = None

    def __str__(self) -> str:
        return f"{self._network()}{self._files()}"

    def _network(self) -> str:
        if not self.offline:
            return ""
        how = network_taken_by()
        return (
            f", without network by {how}" if how else ", with network: this machine lets nobody take it away"
        )

    def _files(self) -> str:
        if not self.files:
            return ", files open"
        how = files_closed_by()
        return (
            f", other files closed by {how}" if how else ", files open: this machine lets nobody close them"
        )


def _is_allowed(way: str) -> bool:
    program = f"import sys; sys.path.insert(0, sys.argv[1]); {_ASKED[way]}"
    words = [sys.executable, "-I", "-S", "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() == "True"
