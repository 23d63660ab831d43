"""Commands of the documents, taken from them and run as they are written, from three places.

Documents call a store STORE, media MEDIA or OUT, and so on; here are files of exactly these names.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

import click

from airstore.cli.main import main
from tests.support.product.road_parts import Outcome, airstore

ROOT = Path(__file__).parents[3]
DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
WAYS = ("relative", "inside")
FAR = "absolute"  # from /, by absolute paths, as nearly all other tests name files: one document is enough
# What documents call files that are beside the store.
FILES = frozenset({"MEDIA", "OUT", "FILE", "airstore.yaml", "root.json", "receipt.json", "site.pub", "node/"})
FILES |= {"cert.pem", "key.pem", "root-key", "report.html", "report.md", "plan.html"}
# What takes a cluster: for these an API server is enough, in these documents and for that one pods must run.
_API = frozenset({"images compare", "apply", "rollback", "status", "uninstall", "history", "backup list"})
_PODS = frozenset({"docs/applier.md", "docs/registry-in-cluster.md"})
_BOOTSTRAP = "registry bootstrap"


@dataclass(frozen=True)
class Command:
    """A line of a document.

    Attributes:
        text: without its comment.
    """

    document: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """As a shell splits it, without the program's name."""
        return shlex.split(self.text)[1:]

    @property
    def name(self) -> str:
        """Such as ``registry push``."""
        return " ".join(resolve(self.words)[0])

    @property
    def tier(self) -> str:
        """What it takes to run it: nothing, an API server, nodes with pods, or a root without a network."""
        if self.document == "docs/install-offline.md":
            return "offline"
        if self.document in _PODS or self.name == _BOOTSTRAP:
            return "nodes"
        return "api" if self.name in _API else ""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


def commands(document: str) -> Iterator[Command]:
    """Every line of the document's code blocks that runs airstore, in order."""
    fence = ""
    for number, line in enumerate((ROOT / document).read_text().splitlines(), start=1):
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence and re.match(r"airstore |.*&& airstore ", line):
            yield Command(document, number, re.sub(r"\s+#\s.*$", "", line))


def mentioned(document: str) -> Iterator[Command]:
    """Every airstore command in the document's sentences and tables."""
    for number, line in enumerate((ROOT / document).read_text().splitlines(), start=1):
        for found in re.findall(r"`(airstore [^`]+)`", line):
            yield Command(document, number, found)


def resolve(words: list[str]) -> tuple[list[str], click.Command, list[str]]:
    """Names of a command, what it is in the program, and its arguments."""
    left, names, found = list(words), list[str](), main
    while left and left[0].startswith("-"):
        del left[: 2 if left[0] in {"-C", "--log-format"} else 1]
    command: click.Command = found
    while left and isinstance(command, click.Group):
        command = command.get_command(click.Context(command), left[0]) or _unknown(left[0])
        names.append(left.pop(0))
    return names, command, left


def _unknown(word: str) -> click.Command:
    raise AssertionError(f"there is no command {word!r}")


@dataclass
class Desk:
    """Where somebody sits: a directory with a store and the files that documents name.

    Attributes:
        way: one of `WAYS`, or `FAR`: from where commands are run and how they name files.
        names: what else documents have, to what it stands for here.
    """

    directory: Path
    way: str
    names: dict[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.directory / "STORE"

    def __truediv__(self, name: str) -> Path:
        return self.directory / name

    def words(self, command: Command) -> list[str]:
        """The command's words as they are said from here."""
        text = command.text
        for name, meant in self.names.items():
            text = text.replace(name, meant)
        words = shlex.split(text)[1:]
        if self.way == "inside":
            words = ["." if word == "STORE" else word for word in words]
            words = words[2:] if words[:2] == ["-C", "."] else words
        before = {"relative": "", FAR: f"{self.directory}/", "inside": "../"}[self.way]
        return [f"{before}{word}" if word in FILES or word == "STORE" else word for word in words]

    @property
    def where(self) -> Path:
        """The current directory of commands."""
        place = {"relative": self.directory, FAR: Path("/"), "inside": self.store}[self.way]
        place.mkdir(exist_ok=True)
        return place

    def run(self, command: Command, *more: str) -> Outcome:
        """Run it; it has to succeed."""
        words = [*self.words(command), *more]
        with chdir(self.where):
            outcome = airstore(*words, env=self.environment)
        assert outcome.code == 0, (str(command), words, outcome)
        return outcome

    def forget(self, name: str) -> None:
        """Remove a file or directory, if it is there."""
        path = self / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def hand_over(self, name: str, to: Desk, as_: str = "") -> None:
        """Carry a file or directory to the other side."""
        to.forget(as_ or name)
        source, target = self / name, to / (as_ or Path(name).name)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
