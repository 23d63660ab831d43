"""The plan: which Helm releases would be installed, changed, removed or left alone, and the difference.

Pure: what runs and what is wanted come in as values, the plan goes out as one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace

from airstore.core.frozen import frozen
from airstore.core.parsing import yamlfile
from airstore.deploy.helm.kept import Kept
from airstore.deploy.model.redact import UNKEYED, Hide, page_mark, redact, redact_text
from airstore.deploy.plan.crds import KIND as DEFINITION
from airstore.history.ledger import Running


@frozen
class PlanStep:
    """What happens to one Helm release.

    Attributes:
        action: ``install``, ``change``, ``unchanged`` or ``remove``.
        diff: unified diff of the rendered manifests, Secrets redacted.
        reason: why it changes although nothing about it is new; empty otherwise.
        warnings: what somebody should know before it happens.
        replaces: objects that cannot be changed, and are deleted and made again.
    """

    action: str
    name: str
    namespace: str
    chart: str
    chart_version: str
    added: int
    removed: int
    diff: str = field(repr=False)
    reason: str = ""
    warnings: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``."""
        return f"{self.namespace}/{self.name}"


def observed(steps: Sequence[PlanStep], disturbed: Mapping[str, str]) -> tuple[PlanStep, ...]:
    """The same steps in view of what Helm says is installed.

    Args:
        steps: of `plan`, which knows the ledger only.
        disturbed: key to what somebody else than airstore did to a Helm release, of those where somebody did.

    What Helm has lost, or left in another state or revision than airstore did, is not unchanged: it is
    installed again.
    """
    return tuple(
        replace(step, action="change", reason=disturbed[step.key])
        if step.action == "unchanged" and step.key in disturbed
        else step
        for step in steps
    )


def plan(
    wanted: Sequence[Running], now: Sequence[Running], same: Collection[str] | None = None
) -> tuple[PlanStep, ...]:
    """Steps in the order of the product file; what left the product comes last.

    Args:
        wanted: as it is to be.
        now: as it is.
        same: keys of what is installed just as it is wanted; by default what `alike` says of the two.
    """
    old = {helm.key: helm for helm in now}  # Helm cannot move a release: another namespace is another one
    steps = []
    for helm in wanted:
        before = old.pop(helm.key, None)
        unchanged = helm.key in same if same is not None else before is not None and alike(helm, before)
        steps.append(_step(helm, before, unchanged=unchanged))
    return (*steps, *(_removal(helm) for helm in old.values()))


def alike(one: Running, other: Running) -> bool:
    """Whether two are the same installation, or would show no difference."""
    # The manifests alone do not decide: two charts can render the same for now and differ in their hooks.
    same = beside(one, other) == beside(other, one) or (one.values == other.values != "")
    return same and one.archive == other.archive


def beside(one: Running, other: Running) -> str:
    """The manifests of the one, their Secrets hidden as those of the other are: older ledgers have no key."""
    return one.unkeyed() if one.unkeyed and UNKEYED in other.rendered else one.rendered


def as_installed(running: Running, kept: Kept | None, hide: Hide) -> Running:
    """The same with the manifests that Helm really installed, which are not always those that were planned.

    Definitions of a chart's ``crds/`` are not Helm's to keep; they stay as planned.
    """
    if kept is None:
        return running
    planned = yamlfile.load_manifests(running.rendered, f"manifests of {running.name}")
    installed = kept.everything()
    known = {_identity(each) for each in installed if isinstance(each, dict)}
    definitions = (each for each in planned if isinstance(each, dict) and each.get("kind") == DEFINITION)
    added = (each for each in definitions if _identity(each) not in known)
    return replace(running, rendered=normalise([*installed, *added], hide))


def normalise(documents: Iterable[object], hide: Hide = page_mark) -> str:
    """Rendered manifests in one fixed form: sorted by kind, namespace and name, Secrets redacted.

    Args:
        documents: that were read, or the text of those that only Helm can read.
        hide: what stands in place of a secret; `keyed` for what is kept.
    """
    read, unread = list[dict[str, object]](), list[str]()
    for document in documents:
        if isinstance(document, dict):
            read.append(document)
        else:
            unread.append(redact_text(str(document), hide))
    texts = [
        *(yamlfile.dump(redact(document, hide)) for document in sorted(read, key=_identity)),
        *sorted(unread),
    ]
    return "".join(f"---\n{text}" for text in texts)


def _identity(document: dict[str, object]) -> tuple[str, ...]:
    metadata = document.get("metadata")
    fields = metadata if isinstance(metadata, dict) else {}
    names = (document.get("kind"), fields.get("namespace"), fields.get("name"), document.get("apiVersion"))
    return tuple(str(name or "") for name in names)


def _step(helm: Running, old: Running | None, *, unchanged: bool) -> PlanStep:
    action = "install" if old is None else "unchanged" if unchanged else "change"
    # What random values render to now is not what would be installed: unchanged means that nothing is.
    after = beside(helm, old) if old else helm.rendered
    before = after if action == "unchanged" else beside(old, helm) if old else ""
    return _describe(action, helm, before, after)


def _removal(helm: Running) -> PlanStep:
    return _describe("remove", helm, helm.rendered, "")


def _describe(action: str, helm: Running, before: str, after: str) -> PlanStep:
    lines = list(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"running/{helm.name}.yaml",
            f"planned/{helm.name}.yaml",
        )
    )
    body = lines[2:]
    return PlanStep(
        action=action,
        name=helm.name,
        namespace=helm.namespace,
        chart=helm.chart,
        chart_version=helm.chart_version,
        added=sum(line.startswith("+") for line in body),
        removed=sum(line.startswith("-") for line in body),
        diff="".join(lines),
    )
