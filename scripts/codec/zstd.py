"""Whether zstd layers could be opened as gzip layers are: what libraries give again of what zstd compressed.

    .venv/bin/python -m scripts.codec.zstd CONTENT [DIRECTORY...]

The file CONTENT is compressed by the zstd on PATH; this environment's `zstandard` then tries to give the same
bytes. A DIRECTORY is an unpacked wheel of another `zstandard`, which tries too. For docs/decisions.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

LEVELS = (1, 3, 9, 19)
AGAIN = """
import hashlib, sys, zstandard
plain = open(sys.argv[1], "rb").read()
print(".".join(map(str, zstandard.ZSTD_VERSION)))
for setting in sys.argv[2:]:
    level, threads = map(int, setting.split(","))
    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    stream = compressor.compressobj(size=len(plain))
    print(hashlib.sha256(stream.compress(plain) + stream.flush()).hexdigest())
"""


def library(plain: Path, threads: int, place: str) -> tuple[str, list[str]]:
    """A library's version, and the digests of what it makes of the content at each level."""
    settings = [f"{level},{threads}" for level in LEVELS]
    command = [sys.executable, "-c", AGAIN, str(plain), *settings]
    environment = {**os.environ, "PYTHONPATH": place}
    text = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment).stdout
    version, *digests = text.split()
    return version, digests


def command_line(plain: Path, level: int, threads: int) -> str:
    """The digest of what the zstd on PATH makes of the content."""
    command = ["zstd", f"-{level}", "--quiet", "--stdout", f"-T{threads}" if threads else "--single-thread"]
    made = subprocess.run([*command, plain], check=True, stdout=subprocess.PIPE).stdout
    return hashlib.sha256(made).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("libraries", nargs="*")
    options = parser.parse_args()
    print(f"| libzstd | threads | the command's bytes at levels, of {LEVELS} |\n| --- | ---: | --- |")
    for threads in (0, 2):
        wanted = [command_line(options.content, level, threads) for level in LEVELS]
        for place in ("", *options.libraries):
            version, made = library(options.content, threads, place)
            pairs = zip(LEVELS, wanted, made, strict=True)
            same = [str(level) for level, expected, digest in pairs if expected == digest]
            print(f"| {version} | {threads} | {', '.join(same) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
