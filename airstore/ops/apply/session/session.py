"""One command at work on a site's Helm releases: what it has open, and holds while it changes something.

Opened once a command (`open_session`). From here an apply goes down: `airstore.ops.apply.apply` decides,
`.drive` runs `airstore.deploy.run.engine`, whose `helm_steps` call `helm`, which is
`airstore.deploy.helm.actions` on the cluster that is opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from airstore.charts.helm.command import Helm
from airstore.charts.rendering.live import LiveCluster
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.core.progress import Progress
from airstore.deploy.helm.actions import HelmActions
from airstore.deploy.helm.calls import HelmCalls
from airstore.deploy.hooks.runner import HookRunner
from airstore.deploy.model.protocols import Held
from airstore.deploy.model.redact import Redactor
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal, unfinished
from airstore.deploy.run.transition import Transition
from airstore.deploy.waiting.watching import Display
from airstore.ops.apply.session.handover import refuse_marked
from airstore.ops.apply.session.installations import Installations
from airstore.ops.apply.session.prepare import Rendering
from airstore.ops.apply.session.runs import Runs
from airstore.ops.apply.session.site_cluster import SiteCluster, open_cluster
from airstore.ops.apply.session.supplies import StoreSupplies
from airstore.ops.registry.incluster.pull_credentials import pull_login
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import state_release, trusted_release
from airstore.ops.stores.site.anchors import anchored_by, require_anchored, settle_anchor
from airstore.ops.stores.site.ledgers import require_whole, site_key
from airstore.process.guard import await_end
from airstore.store.blobs import BlobStore

LEASE_NAMESPACE = "airstore"
_DEAD_CHILDREN = 30.0  # seconds for programs of a killed run to be gone
_LOOKS = 1.0  # seconds; whoever only asks whether somebody is at work holds the lock for a moment


class Console(Protocol):
    """Whoever runs the command."""

    @property
    def display(self) -> Display:
        """Shows how far a step has come."""

    @property
    def progress(self) -> Progress:
        """Shows how much of a transfer is done."""

    def say(self, message: str) -> None:
        """Told what is done, in words for people."""


@frozen
class Invocation:
    """How the command was called, for the programs that it runs and for hints.

    Attributes:
        kubeconfig: None in a pod.
        environment: what hook scripts see besides what is documented.
        resume: the command that resumes after an operator has looked.
        now: seconds since the epoch.
    """

    kubeconfig: Path | None
    environment: Mapping[str, str] = field(repr=False)
    resume: str
    now: Callable[[], int] = field(repr=False)


class ApplySession:
    """A site's store, cluster and Helm for one command; inside `alone` its lock, Lease and run, too."""

    def __init__(
        self,
        store: StoreDirectory,
        blobs: BlobStore,
        file: SiteFile,
        cluster: SiteCluster,
        helm: Helm,
        invocation: Invocation,
        console: Console,
    ) -> None:
        store = anchored_by(store, file.anchor)
        self.store, self.blobs, self.file, self.cluster = store, blobs, file, cluster
        self.invocation, self.console, self.say = invocation, console, console.say
        self.runs, self.installations = Runs(store), Installations(store)
        self.supplies = StoreSupplies(store, blobs, self.installations)
        calls = HelmCalls(helm, invocation.kubeconfig, self.runs.guard)
        self.helm = HelmActions(calls, cluster, self.supplies, self.supplies)
        self._program = helm
        self._held: Held | None = None

    @cached_property
    def rendering(self) -> Rendering:
        """How charts are rendered for this cluster, which is asked what it serves."""
        live = LiveCluster(self.invocation.kubeconfig, self.cluster.version(), self.cluster.served)
        return Rendering(self._program, live)

    def now(self) -> int:
        """Seconds since the epoch."""
        return self.invocation.now()

    def release(self, version: str = "") -> Release:
        """A release of the store, verified once a command; the newest where no version is named.

        Raises:
            NotFoundError: there is none, or not this one.
            NotTrustedError, DamagedError: it is not what was signed.
        """
        return trusted_release(self.store, version)

    def release_of_state(self, version: str) -> Release | None:
        """The release of a state; None of nothing, of what was adopted, and of what a trust root disowns."""
        return state_release(self.store, version)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes this store or, from wherever, this product in this cluster.

        Raises:
            UsageError: the applier in the cluster has the store.
            LockedError: another process holds the lock.
            SequenceError, DamagedError, NotTrustedError: the ledger cannot say what runs.
        """
        refuse_marked(self.store, "apply")
        with self.store.locked(_LOOKS):
            require_whole(self.store)
            settle_anchor(self.store, self.now())
            require_anchored(self.store)
            site_key(self.store)  # without it nothing of this could be recorded
            await_end(self.runs.guard, _DEAD_CHILDREN)
            with self.cluster.lease(f"airstore-{self.release().product}", LEASE_NAMESPACE) as held:
                self._held = held
                try:
                    yield
                finally:
                    self._held = None

    @property
    def held(self) -> Held:
        """The Lease, inside `alone`.

        Raises:
            RuntimeError: outside.
        """
        if self._held is None:
            raise RuntimeError("a change of the site outside of ApplySession.alone")
        return self._held

    def unfinished(self) -> Journal | None:
        """The run that has not ended, if there is one.

        Raises:
            DamagedError: a journal does not read.
        """
        return unfinished(self.runs.directory)

    def begin(self, intent: Intent, run: str = "") -> Journal:
        """Begin a run, of this name or of a new one.

        Raises:
            StorageError: the disk is full or failed.
        """
        return intent.begin(self.runs.make(run or self.runs.name(self.now())))

    def transition(self, intent: Intent, directory: Path | None = None) -> Transition:
        """What a run does to which Helm releases; ``directory`` is the run's, where it has begun.

        Raises:
            NotTrustedError, DamagedError: a release is not what was signed.
        """
        newer, older = (self.release_of_state(version) for version in (intent.version, intent.previous))
        return Transition.of(intent, newer, older, self.store.path, directory or self.runs.directory)

    def hooks(self, directory: Path, redactor: Redactor) -> HookRunner:
        """Runs hooks, and keeps what they say in a directory."""
        return HookRunner(
            product=self.release().product,
            scripts=self.supplies,
            jobs=self.cluster,
            directory=directory,
            kubeconfig=self.invocation.kubeconfig,
            environment=self.invocation.environment,
            redactor=redactor,
            guard=self.runs.guard,
        )


@contextmanager
def open_session(
    store: StoreDirectory, file: SiteFile, helm: Helm, invocation: Invocation, console: Console
) -> Iterator[ApplySession]:
    """A site's store, its cluster and Helm for the length of the block.

    Raises:
        NotFoundError: no usable kubeconfig, or a password file that cannot be read.
        TransferError: the cluster cannot be reached.
        UsageError: the site file names another anchor than the store has.
    """
    login = pull_login(store, file)
    with store.open_blobs() as blobs, open_cluster(invocation.kubeconfig, login) as cluster:
        yield ApplySession(store, blobs, file, cluster, helm, invocation, console)
