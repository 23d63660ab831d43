"""Can the nodes pull what is going to run, and what a failure goes back to? Asked before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from airstore.core.frozen import frozen
from airstore.core.kube.rights import Right
from airstore.core.model.release import Release
from airstore.deploy.checks.images import samples, strangers, used
from airstore.deploy.model.target import ReleaseTarget
from airstore.ops.apply.session.session import LEASE_NAMESPACE, ApplySession
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.images import image_problems

_PULL = 180.0  # seconds for a node to pull one image
_PROBING = (
    Right("list", "nodes"),
    Right("patch", "pods", "", LEASE_NAMESPACE),
    Right("create", "pods", "", LEASE_NAMESPACE),
    Right("delete", "pods", "", LEASE_NAMESPACE),
)


@frozen
class Coming:
    """Helm releases that are going to run, or that a rollback would have run again.

    Attributes:
        release: of the product, which carries their images.
        targets: key to Helm release.
        back: this is what a rollback would go to.
    """

    release: Release
    targets: Mapping[str, ReleaseTarget] = field(repr=False)
    back: bool = False


@frozen
class ImageChecks:
    """Which checks of images are made before something is installed, and how.

    Attributes:
        access: how to reach the registry that nodes pull from.
        enabled: see first whether nodes can pull every image.
        ask_registry: and ask the registry for each; not where what it lacks is going to be pushed.
        nodes: what every node has to pull: ``one`` image of each host, ``all``, or ``none``.
    """

    access: RegistryOptions
    enabled: bool = True
    ask_registry: bool = True
    nodes: str = "one"

    def findings(self, session: ApplySession, coming: Coming) -> Iterator[str]:
        """What nodes could not pull: named as the release does not have it, or not in the registry.

        Raises:
            TransferError: the registry refused or broke off.
        """
        if not (self.enabled and coming.targets):
            return
        release, targets = coming.release, coming.targets.values()
        place = session.file.registry.address
        way = f"going back to {release.version}: " if coming.back else ""
        if not coming.back:
            yield from strangers(targets, release, place)
        images = used(targets, release, place) if coming.back else release.images
        if self.ask_registry and images:
            where = (session.file, self.access, session.invocation.kubeconfig)
            found = image_problems(session.store, release, *where, images)
            yield from (f"{way}{each}" for each in found)

    def node_findings(self, session: ApplySession, every: Sequence[Coming]) -> Iterator[str]:
        """What the nodes themselves cannot pull; asked last, because it makes pods.

        Raises:
            TransferError: the API server refused or cannot be reached.
        """
        images = self._samples(session, every)
        if not images:
            return
        if any(session.cluster.refusals(_PROBING)):
            session.say(
                "whether the nodes can pull is not checked: you may not list nodes or make pods for that"
            )
            return
        session.say(f"the nodes pull {', '.join(images)}")
        session.cluster.let_pull(LEASE_NAMESPACE)
        registry = session.file.registry
        secret = None if registry.own_secret else registry.pull_secret
        yield from session.cluster.unpullable(images, LEASE_NAMESPACE, secret, _PULL * len(images))

    def _samples(self, session: ApplySession, every: Sequence[Coming]) -> list[str]:
        place = session.file.registry.address
        if not self.enabled or self.nodes == "none" or place is None:
            return []
        all_of_them = self.nodes == "all"
        found = (samples(each.targets.values(), each.release, place, every=all_of_them) for each in every)
        return list(dict.fromkeys(image for each in found for image in each))
