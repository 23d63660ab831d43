"""Which way leads to a node's images: this machine, ssh, or k3s's image directory; pure."""

from __future__ import annotations

from pathlib import Path

from airstore.cluster.api.facts import Node
from airstore.cluster.registry.node_load import DEFAULT_SOCKET, K3S_SOCKET, Ctr, ImageDirectory, Loader
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen


@frozen
class NodeOptions:
    """What the command line says about reaching a node.

    Attributes:
        ssh: ``USER@HOST``; empty: not over ssh.
        socket: containerd's, on the node; empty: where the node's kind has it.
        images: k3s's image directory on this machine; None: not that way.
    """

    ssh: str = ""
    socket: str = ""
    images: Path | None = None


def find_loader(node: Node, options: NodeOptions, here: frozenset[str]) -> Loader:
    """The way to a node's images.

    Args:
        node: where to.
        options: what was asked for.
        here: this machine's host names and addresses.

    Raises:
        UsageError: the node is another machine and no way to it is given, or it does not run containerd.
    """
    if options.images:
        return ImageDirectory(options.images)
    if not node.runtime.startswith("containerd://"):
        raise UsageError(
            f"node {node.name} runs {node.runtime or 'an unknown runtime'}, not containerd",
            hint="use a registry that exists already: registry.mode external or serve in site.yaml",
        )
    k3s = any(mark in node.runtime + node.kubelet for mark in ("k3s", "rke2"))
    socket = options.socket or (K3S_SOCKET if k3s else DEFAULT_SOCKET)
    program = ("k3s", "ctr") if "k3s" in node.runtime + node.kubelet else ("ctr",)
    if options.ssh:
        return Ctr(socket, options.ssh, program)
    if options.socket or {node.name, *node.addresses} & here:
        return Ctr(socket, "", program)
    raise UsageError(
        f"node {node.name} is another machine than this one",
        hint="give --ssh USER@HOST, or run this on the node, or choose another one with --node",
    )
