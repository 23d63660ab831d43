"""One patch for each changed file, all in one stream of xz: what a careful person would do by hand.

    python -m scripts.deltas.files hdiffpatch|bsdiff OUT OLD.tar... -- NEW.tar...

A new file's base is the old one of the same path, or else of the same path without version numbers; names,
times and whatever else is in the headers are one more file.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import hdiffpatch

from airstore.media.delta.making.pairing import general

_HEADERS = "\0headers"


def _files(tars: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    headers = bytearray()
    for tar in tars:
        with tarfile.open(tar) as archive:
            for member in archive:
                headers += member.tobuf(tarfile.PAX_FORMAT)
                file = archive.extractfile(member) if member.isfile() else None
                if file:
                    found[member.name] = file.read()
    return {**found, _HEADERS: bytes(headers)}


def _patch(tool: str, old: bytes, new: bytes) -> bytes:
    if tool == "hdiffpatch":
        patch: bytes = hdiffpatch.diff(old, new, validate=False)
        return patch
    with tempfile.TemporaryDirectory() as directory:
        before, after, made = (Path(directory) / name for name in ("old", "new", "patch"))
        before.write_bytes(old)
        after.write_bytes(new)
        subprocess.run(["bsdiff", before, after, made], check=True)
        return made.read_bytes()  # bzip2 within: Debian's bsdiff cannot leave it out


def main() -> None:
    tool, out, *tars = sys.argv[1:]
    middle = tars.index("--")
    old, new = _files(tars[:middle]), _files(tars[middle + 1 :])
    held = set(old.values())
    like = {general(path): data for path, data in old.items()}
    with lzma.open(out, "wb", preset=9) as stream:
        for path, data in new.items():
            if data not in held:
                base = old.get(path) or like.get(general(path), b"")
                patch = _patch(tool, base, data) if base else data
                stream.write(min(patch, data, key=len))
                held.add(data)


if __name__ == "__main__":
    main()
