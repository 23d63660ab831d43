"""Which pieces that have no base are machine code: that is compressed in a way of its own.

Known by the head of ELF files (System V gABI, chapter 4): 18 bytes in stands what machine they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from airstore.core.limits import KIB
from airstore.media.delta.format.packing import MachineCode
from airstore.media.delta.making.difference import PlacedPiece
from airstore.store.blobs import Piece

_LEAST = 64 * KIB  # bytes of what is looked at: shorter ones are too few to matter
_MAGIC = b"\x7fELF"
_LITTLE = 1  # byte order, the sixth byte
_X86 = {3, 62}  # machines of 32 and 64 bits


def codes(
    carried: Iterable[tuple[PlacedPiece, bool]], head: Callable[[Piece], bytes]
) -> Iterator[MachineCode | None]:
    """Of each piece what code it is; None for others.

    Args:
        carried: pieces, and whether there is a base for them, in order; those of one file follow each other.
        head: the first bytes of a piece, some hundred of them at least.
    """
    last: tuple[str, MachineCode | None] = ("", None)
    for held, based in carried:
        name, _, part = held.file.path.rpartition("\0")
        name = f"{held.file.place}\0{name}"
        if part != "1" and name == last[0]:
            yield last[1]
            continue
        last = name, None if based or held.piece.size < _LEAST else code_of(head(held.piece))
        yield last[1]


def code_of(head: bytes) -> MachineCode | None:
    """What code a file is that begins so; None where it is no such file."""
    if not head.startswith(_MAGIC) or len(head) < 20:
        return None
    machine = int.from_bytes(head[18:20], "little" if head[5] == _LITTLE else "big")
    return MachineCode.X86 if machine in _X86 else MachineCode.OTHER
