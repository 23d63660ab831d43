"""The exact gzip codec: a gzip blob becomes plain bytes and small side data, and comes back bit for bit.

And what else is computed natively: patches are applied, contents are compared by sketches.
"""

from airstore.codec.native import (
    AtRest,
    KeptWholeError,
    Readable,
    Recorded,
    Writable,
    patch,
    rebuild,
    record,
    sketch,
)

__all__ = [
    "AtRest",
    "KeptWholeError",
    "Readable",
    "Recorded",
    "Writable",
    "patch",
    "rebuild",
    "record",
    "sketch",
]
