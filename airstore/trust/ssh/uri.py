"""How keys in a key management service are named. Apart from what speaks to one, which takes long to load."""

from __future__ import annotations

EXTRAS = {"hv": "kms-vault", "awskms": "kms-aws"}
"""Scheme to the extra of this package that has the provider's library."""


def is_kms_uri(text: str) -> bool:
    """Whether a text names a key of a service."""
    return text.partition(":")[0] in EXTRAS and ":" in text
