"""Documents that say the digest of what they say: for what nobody signs and nothing else has.

Not against an attacker, who could recompute it: against a disk that turns sequence 9 into 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from airstore.core.errors import DamagedError

_CHECK = "check"


def with_check(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document and ``check``: the SHA-256 of the rest as JSON in ASCII, one item a line, keys sorted."""
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    return {**document, _CHECK: f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


def without_check(
    document: Mapping[str, Any], what: str, unchecked: Collection[frozenset[str]] = ()
) -> dict[str, Any]:
    """What `with_check` was given.

    Args:
        document: as it was read.
        what: names it in errors.
        unchecked: keys of documents without ``check``, as older versions wrote them.

    Raises:
        DamagedError: it says something else than when it was written.
    """
    plain = {key: value for key, value in document.items() if key != _CHECK}
    if _CHECK not in document and frozenset(document) in unchecked:
        return plain
    if with_check(plain) != document:
        raise DamagedError(f"{what} is not what airstore wrote")
    return plain
