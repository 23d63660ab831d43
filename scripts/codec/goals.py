"""What the exact gzip codec is held to, by encoder: side data, and speed beside the encoder itself."""

from __future__ import annotations

import re
from typing import NamedTuple

RECORD, REBUILD = 0.7, 1.0  # of the encoder's speed, per core
_FRAME = 4 << 20  # plain bytes of a frame of side data; pgzip's and pigz's are as long as their blocks
_EPOCHS = ("1.15.12", "1.18.0", "1.18.2", "1.19.1")  # of klauspost/compress that are current


class Goal(NamedTuple):
    """Side data as a share of the gzip bytes, median over contents.

    Attributes:
        share: at most this; None: tokens or raw, said plainly.
        nothing: no deviation at all: a header, and 16 bytes for each frame.
    """

    share: float | None
    nothing: bool = False

    def __str__(self) -> str:
        if self.nothing:
            return "header"
        return "none" if self.share is None else f"{self.share:.2%}"


_GO = Goal(0.001, nothing=True)
_PGZIP = Goal(0.0005)
_TOOLS = {"Docker": _GO, "go-containerregistry": _GO, "buildah": _PGZIP, "skopeo": _PGZIP, "umoci": _PGZIP}
_TOOLS |= dict.fromkeys(("libdeflate", "zlib-ng", "ISA-L"), Goal(None))


def goal(name: str, level: int) -> Goal:
    """The goal of an encoder at a level, -1 its default."""
    if found := re.match(r"Go 1\.(\d+)", name):
        if int(found[1]) < 27:
            return Goal(0.001, nothing=level in {-1, 1, 6})
        return Goal(0.001 if level in {-1, 6} else None)
    if "klauspost" in name:
        current = any(name.endswith(f" {epoch}") for epoch in _EPOCHS)
        return Goal((0.0005 if current else 0.01) if level == -1 else None)
    return _TOOLS.get(name.partition(" ")[0].rstrip(","), Goal(0.001))


def is_asked(name: str, level: int) -> bool:
    """Whether an encoder at a level is in the table that docs/codec.md keeps."""
    if name.startswith("Go "):
        return level in {-1, 1} or (level == 9 and name == "Go 1.26.6")
    if "klauspost" in name:
        return level == -1 or (level in {1, 9} and name == "gzip over klauspost/compress 1.19.1")
    if name.startswith("Node"):
        return level in {1, 6, 9} and name.startswith("Node 24")
    if name == "ISA-L":
        return level == 2  # what its own program and Python's binding take unasked
    return level in {-1, 1, 6, 9}


def header_alone(side: int, plain: int) -> bool:
    """Whether side data have nothing but a header and what each frame takes."""
    return side <= 64 + 16 * (plain // _FRAME + 1)
