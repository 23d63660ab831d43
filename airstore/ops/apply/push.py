"""Before an apply or a rollback: the site's registry is brought what it lacks of what is going to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airstore.core.model.release import Release
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.images import image_problems
from airstore.ops.registry.own_registry import PushTarget, own_registry
from airstore.ops.registry.push import PushOptions, RegistryPlan, plan_registry, push_release
from airstore.ops.stores.releases.collected import collected
from airstore.ops.stores.releases.trusted import is_held, refuse_collected, verified

_JOBS = 4  # transfers at once


class RegistryPush:
    """Pushes to the registry that the site file names.

    Args:
        session: store and cluster.
        access: how registries are reached.
    """

    def __init__(self, session: ApplySession, access: RegistryOptions) -> None:
        self._session, self._access = session, access

    def plan(self, release: Release) -> tuple[str, RegistryPlan]:
        """What the registry is called, and what a push would send; nothing is sent.

        Raises:
            TransferError: the registry or the cluster refused or broke off.
        """
        with self._registry(release) as target:
            return target.name, plan_registry(self._session.blobs, release, target.url, target.access)

    def push(self, release: Release, *, always: bool) -> None:
        """Push what the registry lacks of a release.

        Args:
            release: to push.
            always: have the ledger say so even where nothing is lacking.

        Raises:
            LockedError: another process holds the lock.
            IncompleteError: its content was collected, and the registry lacks images of it, too.
            TransferError: the registry or the cluster refused or broke off.
        """
        session = self._session
        if not is_held(session.blobs, release):
            self._refuse_collected(release)
            session.say(f"the store no longer has everything of {release.version}; it is not pushed")
            return
        with self._registry(release) as target:
            if not always and self._has_all(release, target):
                return
            run = PushOptions(session.console.progress, _JOBS, session.now(), keep_tags=target.ours)
            place = (target.url, target.access)
            summary, _ = push_release(session.store, session.blobs, release, *place, run, target.name)
        session.say(f"pushed {release.version} to {target.name}: {summary.upload_blobs} blobs were missing")

    def _refuse_collected(self, release: Release) -> None:
        """What was dropped here may still be in the registry: then it is not needed for that."""
        session, found = self._session, verified(self._session.store, release.version)
        if found.digest in collected(session.store) and self._problems(release):
            refuse_collected(session.store, found)

    def _problems(self, release: Release) -> list[str]:
        """Images of a release that the registry does not have under their tags."""
        where = (self._session.file, self._access, self._session.invocation.kubeconfig)
        return image_problems(self._session.store, release, *where, release.images)

    @contextmanager
    def _registry(self, release: Release) -> Iterator[PushTarget]:
        session = self._session
        kubeconfig = session.invocation.kubeconfig
        with own_registry(session.store, release, session.file, self._access, kubeconfig) as target:
            yield target

    def _has_all(self, release: Release, target: PushTarget) -> bool:
        """Whether the registry has every blob of a release, and each image under its tag."""
        session = self._session
        if plan_registry(session.blobs, release, target.url, target.access).upload_blobs:
            return False
        return not self._problems(release)
