"""``airstore registry serve``."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from airstore.cli.context import Context, pass_context
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.ops.registry.serve import LiveBlobs, LiveCatalog
from airstore.registry.server.access import Guard, everybody
from airstore.registry.server.app import AccessEntry, make_app
from airstore.registry.server.http.listening import is_loopback
from airstore.registry.server.server import Listen, Stop, Tls, serve
from airstore.tls.htpasswd import Passwords


@click.command("serve")
@click.option("--listen", default="127.0.0.1:5000", metavar="HOST:PORT", help="Port 0 takes a free one.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False), help="Certificate chain (PEM).")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False), help="Its private key (PEM).")
@click.option(
    "--htpasswd",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Users who may pull, and their bcrypt passwords (htpasswd -B); read once.",
)
@pass_context
def command(
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
        serve(app, stop, ready, where, fault=context.say, ending=ending)


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
