"""What a person should know or decide, though nothing is wrong yet."""

from __future__ import annotations

from airstore.core.frozen import frozen


@frozen
class Notice:
    """One such thing.

    Attributes:
        topic: what it is about, in a word that programs can rely on.
        message: what was seen.
        hint: what to do about it; may be empty.
        strict: whether ``--strict`` makes it an error.
    """

    topic: str
    message: str
    hint: str = ""
    strict: bool = True
