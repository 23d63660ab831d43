"""The exact gzip codec: a gzip blob becomes plain bytes and small side data, and comes back bit for bit."""

from airstore.codec.native import (
    KeptWholeError,
    Readable,
    Recorded,
    Writable,
    rebuild,
    record,
)

__all__ = ["KeptWholeError", "Readable", "Recorded", "Writable", "rebuild", "record"]
