"""Who may sign, and how many of them must."""

from __future__ import annotations

from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.trust.ssh.keys import PublicKey


@frozen
class Role:
    """Keys of which at least ``threshold`` must sign.

    Raises:
        UsageError: the threshold cannot be met, is below 1, or a key is listed twice.
    """

    keys: tuple[PublicKey, ...]
    threshold: int

    def __post_init__(self) -> None:
        distinct = len(set(self.keys))
        if distinct != len(self.keys):
            raise UsageError("one key is listed twice in a role; it would count as two signers")
        if not 1 <= self.threshold <= distinct:
            raise UsageError(f"a threshold of {self.threshold} cannot be met by {distinct} keys")
