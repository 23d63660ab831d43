"""What is known of a Job that was run to its end."""

from __future__ import annotations

from airstore.core.frozen import frozen


@frozen
class JobResult:
    """How a Job ended.

    Attributes:
        log: of its pods, the last 64 KiB; of one that failed, then why.
    """

    succeeded: bool
    log: str
