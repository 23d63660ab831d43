"""The exact gzip codec: a gzip blob becomes plain bytes and small side data, and comes back bit for bit.

And what else is computed natively: patches are made and applied.
"""

from airstore.codec.native import (
    KeptWholeError,
    Readable,
    Recorded,
    Writable,
    make_patch,
    patch,
    rebuild,
    record,
    shared,
)

__all__ = [
    "KeptWholeError",
    "Readable",
    "Recorded",
    "Writable",
    "make_patch",
    "patch",
    "rebuild",
    "record",
    "shared",
]
