"""Server-side dry runs: what is asked, and how it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document


@frozen
class Change:
    """One object as Helm would install it.

    Attributes:
        document: Secrets in plain text.
        namespace: where the document says none.
        owner: annotations that say which Helm release it belongs to.
        before: the document of the revision before; None where that had no such object.
        applied: Helm applies it on the server; else it patches what the two documents differ in.
    """

    document: Document = field(repr=False)
    namespace: str
    owner: Mapping[str, str]
    before: Document | None = field(repr=False)
    applied: bool


@frozen
class Refusal:
    """What the API server says to a dry run that it does not accept.

    Attributes:
        status: HTTP status; 0 where it knows no such kind.
        message: its words.
        fixed: it would accept the object, were there not one already that cannot become this one.
    """

    status: int
    message: str
    fixed: bool = False


@frozen
class Demand:
    """So many pods more; less than none of pods that go.

    Attributes:
        pod: one of them.
    """

    pod: Document = field(repr=False)
    count: int
