"""Make the codec's small test vectors, fixtures/codec/*.gz: the same bytes on each run, and new side data.

    .venv/bin/python -m scripts.codec.vectors --work DIR fixtures/codec

Content is made here, so that it never changes; the encoders are those of scripts/codec/encoders.py. Side data
that are there stay: what was recorded once has to come back for ever.
"""

from __future__ import annotations

import argparse
import io
import random
import re
from pathlib import Path

from airstore.codec import record
from scripts.codec.encoders import Encoder, encoders

SEED = 20261125
LEVELS = {
    "Go": (-1, 1, 9),
    "pgzip": (-1,),
    "gzip": (-1, 6),
    "zlib": (1, 6, 9),
    "GNU": (1, 6),
    "pigz": (6,),
    "Node": (1, 6, 9),
}


def content(size: int) -> bytes:
    """Text, records, noise and zeros, one after the other, with repetitions near and far."""
    chance = random.Random(SEED)  # noqa: S311 - the same bytes each time
    letters = b"abcdefghijklmnopqrstuvwxyz"
    words = [bytes(chance.choices(letters, k=chance.randint(2, 11))) for _ in range(400)]
    out = bytearray()
    while len(out) < size:
        kind = chance.randrange(6)
        if kind < 3:
            out += b" ".join(chance.choices(words, k=chance.randint(20, 300))) + b"\n"
        elif kind == 3:
            start = chance.randint(0, len(out))
            out += out[start : start + chance.randint(10, 4000)]
        elif kind == 4:
            number = chance.getrandbits(20)
            out += b"".join((number + n * n).to_bytes(4, "little") + bytes(4) for n in range(100))
        else:
            out += chance.choice([bytes(chance.randint(1, 900)), chance.randbytes(chance.randint(1, 300))])
    return bytes(out[:size])


def silent() -> bytes:
    """More than 2 MiB that take every length and distance of a header: there klauspost's versions are alike.

    Words follow, whose headers tell one version from another.
    """
    chance = random.Random(SEED)  # noqa: S311 - the same bytes each time
    words = [chance.randbytes(3).hex().encode() for _ in range(400)]
    return chance.randbytes(30_000) * 80 + b" ".join(chance.choices(words, k=20_000))


def wanted(encoder: Encoder) -> bool:
    """One of each that differs: the newest Go of both kinds, each epoch of klauspost, a few levels."""
    if encoder.name.startswith("Go ") and not encoder.name.startswith(("Go 1.21", "Go 1.26", "Go 1.27")):
        return False
    if encoder.command[0] == "python-library":
        return False  # no model is of it: side data are its tokens
    if encoder.name.endswith((" 1.18.0", " 1.19.1", " 18.4.0", " 20.13.1")):
        return False
    levels = next((levels for name, levels in LEVELS.items() if encoder.name.startswith(name)), (6, -1))
    return encoder.level in levels


def write(blob: bytes, path: Path) -> None:
    """A vector, and what it is recorded as by this build if no build before did."""
    path.write_bytes(blob)
    pinned = path.with_suffix(".side")
    if not pinned.exists():
        side = io.BytesIO()
        record(io.BytesIO(blob), io.BytesIO(), side)
        pinned.write_bytes(side.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    plain, long, alike = content(72_000), content(24_000) * 45, silent()
    for encoder in filter(wanted, encoders(options.work)):
        level = "default" if encoder.level < 0 else encoder.level
        name = re.sub(r"[^a-z0-9.]+", "-", f"{encoder.name} level {level}".lower())
        several = encoder.name.startswith(("pgzip", "pigz"))
        write(encoder.compress(long if several else plain), options.out / f"{name}.gz")
        if encoder.name.endswith("klauspost/compress 1.18.2") and encoder.level == -1:
            write(encoder.compress(alike), options.out / f"{name}-silent.gz")


if __name__ == "__main__":
    main()
