"""Hooks: scripts or Job manifests from the signed tree, around an upgrade and during a rollback.

A script gets the environment that docs/apply.md lists, no input, and a directory for its backup. Its output
is kept in the run's directory and shown when it fails, secrets redacted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from airstore.charts.images.rewrite import Rewriting, rewrite
from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.errors import DeployError
from airstore.core.excerpt import excerpt_lines
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Document
from airstore.core.limits import MIB
from airstore.core.work import at_work
from airstore.deploy.hooks.jobs import is_job, read_job, with_environment
from airstore.deploy.model.protocols import Jobs
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import ReleaseTarget
from airstore.process import program

Watching = Callable[[Sequence[Document]], Callable[[], None]]
"""From the Jobs that a hook is, none for a script, to what is called every second while it runs."""

_LINES = 20  # of output in an error; the log has all of it
_LIMIT = 16 * MIB


@frozen
class Hook:
    """One hook to run.

    Attributes:
        name: ``preUpgrade``, ``verifyBackup``, ``postUpgrade`` or ``rollback``.
        target: the Helm release, in the version in whose signed tree the hook is.
        previous: the version of the product that ran before.
        backup: directory for the backup, kept with the run that made it.
    """

    name: str
    target: ReleaseTarget
    previous: str
    backup: Path


class Scripts(Protocol):
    """Where hooks come from."""

    def hook(self, target: ReleaseTarget, name: str) -> bytes:
        """A hook from the signed tree, verified."""

    def hook_rewriting(self, target: ReleaseTarget) -> Rewriting | None:
        """Where the images of its Jobs are at this site; None where they stay as written."""


@frozen
class HookRunner:
    """Runs hooks on this machine, or as Jobs in the cluster.

    Attributes:
        product: name of the product.
        directory: of the run.
        environment: what scripts see besides what is documented: ``PATH`` and ``HOME``.
        guard: lock file that every script holds while it runs.
    """

    product: str
    scripts: Scripts
    jobs: Jobs
    directory: Path
    kubeconfig: Path | None
    environment: Mapping[str, str] = field(repr=False)
    redactor: Redactor = field(repr=False)
    guard: Path = field(repr=False)

    def run(self, hook: Hook, watching: Watching) -> None:
        """Run one hook to its end.

        Args:
            hook: which.
            watching: what shows how far it has come.

        Raises:
            DeployError: it failed, and the message ends with what it said; or it can never begin.
            ProgramError: a script took longer than the Helm release's time-out.
            UsageError: not a Job's manifest.
        """
        _require_backup(hook)
        content = self.scripts.hook(hook.target, hook.name)
        path = hook.target.helm.hooks[hook.name]
        with storage_errors(hook.backup):
            make_directory(hook.backup)  # of a Job, too: it says that there is a backup
            hook.backup.chmod(0o700)
        if is_job(path):
            succeeded, said = self._job(hook, content, path, watching)
        else:
            succeeded, said = self._script(hook, content, watching(()))
        said = self.redactor.text(said)
        log = self.directory / "logs" / f"{hook.target.name}-{hook.name}.log"
        write_file(log, said.encode(), mode=0o600)
        if not succeeded:
            shown = "\n".join(excerpt_lines(said.strip().splitlines(), _LINES))
            raise DeployError(f"hook {hook.name} of {hook.target.running.key} failed:\n{shown}".strip())

    def end(self, target: ReleaseTarget) -> None:
        """End the Jobs of a Helm release's hooks: unlike scripts they outlive an airstore that was killed.

        Raises:
            TransferError: the cluster did not answer, or one does not go away.
        """
        for name, path in target.helm.hooks.items():
            if is_job(path):
                self.jobs.end_job(read_job(self.scripts.hook(target, name), path), target.namespace)

    def _script(self, hook: Hook, content: bytes, watch: Callable[[], None]) -> tuple[bool, str]:
        path = self.directory / "hooks" / f"{hook.target.name}-{hook.name}"
        write_file(path, content, mode=0o700)
        argv = [str(path.absolute())] if content.startswith(b"#!") else ["/bin/sh", str(path.absolute())]
        variables = {
            **self.environment,
            **self.variables(hook),
            "AIRSTORE_BACKUP": str(hook.backup.absolute()),
        }
        if self.kubeconfig:
            variables["KUBECONFIG"] = str(self.kubeconfig.absolute())
        timeout = hook.target.timeout
        with at_work("hook %s of %s", hook.name, hook.target.running.key):
            done = program.run(
                argv, variables, timeout=timeout, limit=_LIMIT, guard=self.guard, memory=0, watch=watch
            )
        said = (done.stdout + done.stderr).decode(errors="replace")
        return done.code == 0, said or f"exit code {done.code}"

    def _job(self, hook: Hook, content: bytes, path: str, watching: Watching) -> tuple[bool, str]:
        # Of the run that made the backup: on a rollback on demand that is an earlier one.
        variables = {**self.variables(hook), "AIRSTORE_RUN": hook.backup.parent.parent.name}
        rules = self.scripts.hook_rewriting(hook.target)
        written = read_job(content, path)
        job = with_environment(rewrite(written, rules) if rules else written, variables, hook.target.timeout)
        namespace, timeout = hook.target.namespace, hook.target.timeout
        result = self.jobs.run_job(job, namespace, timeout, watching([job]))
        return result.succeeded, result.log

    def variables(self, hook: Hook) -> dict[str, str]:
        """What scripts and Jobs are told alike."""
        return {
            "AIRSTORE_HOOK": hook.name,
            "AIRSTORE_PRODUCT": self.product,
            "AIRSTORE_RELEASE": hook.target.name,
            "AIRSTORE_NAMESPACE": hook.target.namespace,
            "AIRSTORE_VERSION": hook.target.version,
            "AIRSTORE_PREVIOUS": hook.previous,
        }


def _require_backup(hook: Hook) -> None:
    """A script that restores must not be given an empty directory in place of a backup."""
    uses = hook.name in {"verifyBackup", "rollback"} and "preUpgrade" in hook.target.helm.hooks
    if uses and not hook.backup.is_dir():
        what = f"hook {hook.name} of {hook.target.running.key}"
        raise DeployError(f"{what} cannot run: its backup is gone from disk: {hook.backup}")


def clear(backup: Path) -> None:
    """Empty a backup directory before a backup is made again; nothing relies on what a killed one left."""
    with storage_errors(backup):
        for root, directories, files in os.walk(backup, topdown=False):
            for name in files:
                Path(root, name).unlink()
            for name in directories:
                child = Path(root, name)
                child.unlink() if child.is_symlink() else child.rmdir()
