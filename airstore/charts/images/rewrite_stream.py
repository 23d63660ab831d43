"""Rewriting a stream of manifests as Helm hands it to a post-renderer.

Run as a program it is that post-renderer: ``rewrite_stream.py RULES`` reads manifests from standard input and
writes them to standard output. Documents in which nothing changes keep their text, comments included.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    # Started by its path and isolated from the environment, so that it finds just what lies beside it.
    sys.path.insert(0, str(Path(__file__).parents[3]))

from airstore.charts.images.rewrite import Rewriting, rewrite
from airstore.core.errors import AirstoreError, UsageError
from airstore.core.parsing import strictjson, yamlfile

_SEPARATOR = re.compile(r"^---[ \t]*$\n?", re.MULTILINE)


def rewrite_stream(text: str, rules: Rewriting) -> str:
    """The same stream with the site's images."""
    parts = (_rewritten(part, rules) for part in _SEPARATOR.split(text))
    return "".join(f"---\n{part}" for part in parts if part.strip())


def post_renderer(rules: Path) -> list[str]:
    """The command that does this to standard input, with rules from a file (`Rewriting.to_json`)."""
    return [sys.executable, "-I", str(Path(__file__).absolute()), str(rules)]


def _rewritten(part: str, rules: Rewriting) -> str:
    try:
        documents = yamlfile.load_manifests(part, "manifest")
    except UsageError:
        # Helm takes a few things that this reader does not; references are replaced in the text.
        return str(rewrite(part, rules))
    changed = [rewrite(document, rules) for document in documents]
    if all(one is other for one, other in zip(documents, changed, strict=True)):
        return part
    head = "".join(f"{line}\n" for line in _comments(part))
    return head + "---\n".join(yamlfile.dump(document) for document in changed)


def _comments(part: str) -> Iterator[str]:
    """The comments before a document: Helm says there which template it comes from."""
    for line in part.splitlines():
        if line.strip() and not line.startswith("#"):
            return
        if line.startswith("#"):
            yield line


def main(rules: Path) -> int:
    """Rewrite standard input to standard output; returns the exit code."""
    try:
        known = Rewriting.from_json(strictjson.load_object(rules.read_bytes(), str(rules)))
        text = sys.stdin.buffer.read().decode()  # Helm writes UTF-8, whatever the locale is
        sys.stdout.buffer.write(rewrite_stream(text, known).encode())
    except AirstoreError as fault:
        sys.stderr.write(f"airstore: rewriting references: {fault}\n")
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
