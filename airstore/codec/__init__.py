"""The exact gzip codec: a gzip blob becomes plain bytes and small side data, and comes back bit for bit.

And what else is computed natively: patches are made and applied, contents are compared by sketches.
"""

from airstore.codec.native import (
    KeptWholeError,
    Readable,
    Recorded,
    Writable,
    rebuild,
    record,
)
from airstore.codec.patches import AtRest, make_patch, patch, shared, sketch

__all__ = [
    "AtRest",
    "KeptWholeError",
    "Readable",
    "Recorded",
    "Writable",
    "make_patch",
    "patch",
    "rebuild",
    "record",
    "shared",
    "sketch",
]
