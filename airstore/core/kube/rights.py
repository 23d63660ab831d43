"""What a user may do in a cluster."""

from __future__ import annotations

from airstore.core.frozen import frozen


@frozen
class Right:
    """Something to be allowed, as ``kubectl auth can-i`` asks it.

    Attributes:
        resource: plural, with a subresource where meant: ``pods/portforward``.
        namespace: empty for kinds outside of namespaces, or for all namespaces.
        name: of the one object; empty for any.
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        group = f".{self.group}" if self.group else ""
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{group}{name}" + (
            f" in {self.namespace}" if self.namespace else ""
        )
