"""``airstore registry``."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.cli.group import Group
from airstore.cli.options.files.kubeconfig import find_kubeconfig, kubeconfig_option
from airstore.cli.options.files.sitefile import read_site_file, site_file_option
from airstore.cli.options.registries import login_access
from airstore.cli.views.attachments import say_unattached
from airstore.cli.views.output import output_option, show_fields
from airstore.core.errors import DamagedError, NotFoundError, TransferError, UsageError
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import PushOptions, plan_registry, push_release
from airstore.ops.registry.serve import LiveBlobs, LiveCatalog
from airstore.ops.stores.directory import SITE
from airstore.ops.stores.releases.trusted import held_release
from airstore.registry.server.access import Guard, everybody
from airstore.registry.server.app import AccessEntry, make_app
from airstore.registry.server.http.listening import is_loopback
from airstore.registry.server.server import Listen, Stop, Tls
from airstore.registry.server.server import serve as serve_app
from airstore.tls.htpasswd import Passwords


@click.group("registry", cls=Group)
def command() -> None:
    """Serve or push what the store holds; digests are upstream's."""


command.add_later("bootstrap", "registry.bootstrap:command")
command.add_later("export-access", "registry.bootstrap:export")
command.add_later("gc", "registry.gc:command")
command.add_later("mirror-config", "registry.mirrors:command")


@command.command("serve")
@click.option("--listen", default="127.0.0.1:5000", metavar="HOST:PORT", help="Port 0 takes a free one.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Certificate chain (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="Its private key (PEM).")
@click.option(
    "--htpasswd",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Users who may pull, and their bcrypt passwords (htpasswd -B); read once.",
)
@pass_context
def serve(
    context: Context, *, listen: str, tls_cert: Path | None, tls_key: Path | None, htpasswd: Path | None
) -> None:
    """Serve every release as a read-only OCI registry straight from the store, until interrupted.

    Anyone who reaches HOST:PORT can pull, unless --htpasswd names who may; nobody can push.
    """
    store = context.store()
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {listen!r}: write HOST:PORT")
    if bool(tls_cert) != bool(tls_key):
        raise UsageError("--tls-cert and --tls-key go together")
    tls = Tls(tls_cert, tls_key) if tls_cert and tls_key else None
    guard = Guard(_passwords(htpasswd)) if htpasswd else everybody
    if not tls and not is_loopback(host.strip("[]")):
        context.say(_in_the_clear(host, htpasswd))
    stop = Stop()
    # A service manager's stop and Ctrl-C are both the ordinary end of a server.
    stop.on_signals(signal.SIGTERM, signal.SIGINT)

    def log(request: AccessEntry) -> None:
        fault = f" {request.fault}" if request.fault else ""
        context.say(
            f"{request.client} {request.method} {request.target} {request.status} {request.sent}{fault}"
        )

    catalog = LiveCatalog(store)
    for version in catalog.left_out:
        why = "`airstore gc` has dropped its content" if version in catalog.dropped else _PARTLY
        context.say(f"release {version} is not served: {why}")
    with LiveBlobs(store) as blobs:
        app = make_app(catalog, blobs, log, guard)
        ready = lambda running: click.echo(running.url)  # noqa: E731
        ending = lambda: context.say(_ENDING)  # noqa: E731
        where = Listen(host.strip("[]"), int(port), tls)
        serve_app(app, stop, ready, where, fault=context.say, ending=ending)


_ENDING = "ending when the running pulls have ended; interrupt it once more to end them as well"
_PARTLY = "not all of its blobs are here"


def _passwords(file: Path) -> Passwords:
    try:
        return Passwords(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise NotFoundError(f"cannot read {file}: {fault.strerror}") from fault
    except (DamagedError, UnicodeDecodeError) as fault:
        hint = f"make one with 'htpasswd -Bc {file} USER'"
        raise UsageError(f"cannot use {file}: {fault}", hint=hint) from fault


def _in_the_clear(host: str, htpasswd: Path | None) -> str:
    lost = "passwords and images can be read" if htpasswd else "images can be read, and anyone may pull them"
    return (
        f"WARNING: --listen {host} without TLS: on the network {lost}, and what a node pulls by tag can be "
        "altered on the way; give --tls-cert and --tls-key"
    )


@command.command("push")
@click.argument("url", default="")
@click.option("--release", "version", default="", help="The release to push; default: the newest.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, help="Uploads at once.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option(
    "--require-attachments",
    is_flag=True,
    help="Fail where the registry refuses a signature, SBOM or the like.",
)
@login_access
@kubeconfig_option
@site_file_option
@output_option("registry-push")
@pass_context
def push(
    context: Context,
    url: str,
    *,
    version: str,
    jobs: int,
    dry_run: bool,
    require_attachments: bool,
    access: RegistryOptions,
    kubeconfig: Path | None,
    site_file: Path | None,
    output: str,
) -> None:
    """Send what the registry at URL (HOST[:PORT][/PREFIX], or http://...) lacks, and read it back.

    A site's store without URL: to the registry that the site file names, in the cluster or elsewhere.
    """
    store = context.store(current=True)
    with ExitStack() as stack:
        blobs = stack.enter_context(store.open_blobs())
        release = held_release(store, blobs, version)
        name, shared = "", False
        if not url:
            from airstore.ops.registry.own_registry import own_registry  # noqa: PLC0415 - loads Kubernetes

            store.require(SITE, "registry push without a URL")
            site = read_site_file(context.store_path, site_file)
            target = stack.enter_context(
                own_registry(store, release, site, access, find_kubeconfig(kubeconfig))
            )
            url, name, access, shared = target.url, target.name, target.access, target.ours
        if dry_run:
            planned = plan_registry(blobs, release, url, access).summary()
            show_fields(planned | ({"registry": name} if name else {}), output)
            return
        run = PushOptions(context.progress, jobs, context.now(), keep_tags=shared)
        summary, result = push_release(store, blobs, release, url, access, run, name)
    for other in result.substituted:
        context.say(
            f"the registry refuses incomplete indexes: {other.repository}:{other.tag} is "
            f"{other.manifest.platform or other.manifest.digest.short} alone, not index {other.index.short}"
        )
    say_unattached(context, result)
    done = {"uploaded": len(result.uploaded), "mounted": len(result.mounted), "tags": len(result.tags)}
    refused = [{"repository": e.repository, "digest": str(e.digest), "why": e.why} for e in result.unattached]
    left = {"unattached": [f"{e['repository']}@{e['digest']}" for e in refused]} if refused else {}
    if output != "table":
        left = {"unattached": refused}  # type: ignore[dict-item]
    show_fields(
        {"release": release.version, **summary.summary(), **done, **left, "state": "read back"}, output
    )
    context.next(
        "airstore plan"
        if store.side == SITE
        else f"install it in a test cluster, then airstore images compare --release {release.version}"
    )
    if refused and require_attachments:
        raise TransferError(f"the registry lacks {len(refused)} of what is attached to the images")
