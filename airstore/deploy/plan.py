"""The plan: which Helm releases would be installed, changed, removed or left alone, and the difference.

Pure: what runs and what is wanted come in as values, the plan goes out as one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airstore.core import yamlfile
from airstore.deploy.ledger import Running
from airstore.deploy.redact import redact, redact_text


@dataclass(frozen=True)
class Step:
    """What happens to one Helm release.

    Attributes:
        action: ``install``, ``change``, ``unchanged`` or ``remove``.
        diff: unified diff of the rendered manifests, Secrets redacted.
    """

    action: str
    name: str
    namespace: str
    chart: str
    chart_version: str
    added: int
    removed: int
    diff: str = field(repr=False)

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``."""
        return f"{self.namespace}/{self.name}"


def observed(steps: Sequence[Step], statuses: Mapping[str, str]) -> tuple[Step, ...]:
    """The same steps in view of what Helm says runs.

    Args:
        steps: of `plan`, which knows the ledger only.
        statuses: key to Helm's status, for the releases that Helm has.

    A Helm release that the ledger has and Helm has lost, or left in another state than ``deployed``, is not
    unchanged: it is installed again.
    """
    return tuple(
        replace(step, action="change")
        if step.action == "unchanged" and statuses.get(step.key) != "deployed"
        else step
        for step in steps
    )


def plan(wanted: Sequence[Running], now: Sequence[Running]) -> tuple[Step, ...]:
    """Steps in the order of the product file; what left the product comes last."""
    old = {helm.key: helm for helm in now}  # Helm cannot move a release: another namespace is another one
    steps = [_step(helm, old.pop(helm.key, None)) for helm in wanted]
    return (*steps, *(_removal(helm) for helm in old.values()))


def normalise(documents: Iterable[object]) -> str:
    """Rendered manifests in one fixed form: sorted by kind, namespace and name, Secrets redacted."""
    read, unread = list[dict[str, object]](), list[str]()
    for document in documents:
        if isinstance(document, dict):
            read.append(document)
        else:
            unread.append(redact_text(str(document)))
    texts = [*(yamlfile.dump(redact(document)) for document in sorted(read, key=_identity)), *sorted(unread)]
    return "".join(f"---\n{text}" for text in texts)


def _identity(document: dict[str, object]) -> tuple[str, ...]:
    metadata = document.get("metadata")
    fields = metadata if isinstance(metadata, dict) else {}
    names = (document.get("kind"), fields.get("namespace"), fields.get("name"), document.get("apiVersion"))
    return tuple(str(name or "") for name in names)


def _step(helm: Running, old: Running | None) -> Step:
    before = old.rendered if old else ""
    # The diff alone does not decide: two charts can render the same for now and differ in their hooks.
    same = old is not None and (before, old.archive) == (helm.rendered, helm.archive)
    action = "install" if old is None else "unchanged" if same else "change"
    return _describe(action, helm, before, helm.rendered)


def _removal(helm: Running) -> Step:
    return _describe("remove", helm, helm.rendered, "")


def _describe(action: str, helm: Running, before: str, after: str) -> Step:
    lines = list(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"running/{helm.name}.yaml",
            f"planned/{helm.name}.yaml",
        )
    )
    body = lines[2:]
    return Step(
        action=action,
        name=helm.name,
        namespace=helm.namespace,
        chart=helm.chart,
        chart_version=helm.chart_version,
        added=sum(line.startswith("+") for line in body),
        removed=sum(line.startswith("-") for line in body),
        diff="".join(lines),
    )
