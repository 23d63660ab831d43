"""``airstore``: global options, the one place where errors become exit codes."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import stat
import sys
from itertools import pairwise
from pathlib import Path

import click

from airstore import __version__
from airstore.cli.context import Context
from airstore.cli.group import Group, with_store_option
from airstore.cli.loading import load
from airstore.cli.options.remotes import connected
from airstore.cli.text import printable
from airstore.core.errors import AirstoreError, StorageError
from airstore.core.leftovers import sweep
from airstore.core.location import CONFIG

# Command name to its module and help line; modules are imported only when their command runs, so that
# `airstore --help` does not load cryptography, pygit2 and the rest.
_COMMANDS = {
    "init": ("stores.init", "Make a store: a publisher's or a site's."),
    "key": ("publish.key", "Keys that sign releases."),
    "trust": ("publish.trust", "The trust root: keys, roles, thresholds."),
    "site": ("media.site", "Sites whose receipts a publisher accepts."),
    "fleet": ("media.fleet", "A publisher's sites: what each holds and runs, how far behind."),
    "images": ("publish.images", "What image discovery finds, and why."),
    "release": ("publish.release", "Create, list, compare and verify releases."),
    "log": ("stores.log", "The audit log: who signed which release."),
    "media": ("media.media", "What crosses the gap."),
    "remote": ("share.remote", "Where a publisher's store is shared."),
    "clone": ("share.clone", "A publisher's store from where it is shared."),
    "push": ("share.push", "Share releases: packs to a registry, the history to a git server."),
    "pull": ("share.pull", "Import what others have shared, verified."),
    "receipt": ("media.receipt", "The signed statement of what a site holds."),
    "registry": ("registry.registry", "Serve or push what the store holds."),
    "plan": ("apply.plan", "What an apply would do, without doing it."),
    "apply": ("apply.apply", "Bring the cluster to a release: as a whole, or back to where it was."),
    "rollback": ("apply.rollback", "Back to what ran before, data included."),
    "backup": ("apply.backup", "The backups that upgrades made: list, test, prune."),
    "uninstall": ("apply.uninstall", "Uninstall the Helm releases; data stay."),
    "status": ("apply.status", "What should run, what runs, what drifted."),
    "applier": ("apply.applier", "The applier in the cluster: make it, and tell it what to do."),
    "history": ("stores.history", "The ledger: what was done at this site."),
    "anchor": ("stores.anchor", "A site's mark outside of its store: a restored snapshot is noticed."),
    "check": ("stores.check", "Read everything again and name what is damaged."),
    "repair": ("stores.repair", "Restore what is damaged from media, stores or a registry."),
    "gc": ("stores.gc", "Drop the content of old releases; their signed history stays."),
    "store": ("stores.store", "Upkeep: open layers that are held whole."),
    "bundle": ("tool.bundle", "airstore with all that it runs on, to carry where nothing is installed."),
    "self-update": ("tool.update", "Put the airstore that media carry in place of this one."),
    "doctor": ("stores.doctor", "What is installed, what is missing, what that costs."),
    "completion": ("stores.completion", "Completion for bash, zsh and fish."),
}


_SIGNALLED = 128  # and the signal's number: how shells say that a program was ended

# What the operating system refuses whatever a program does; other errors of its kind are bugs.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_REFUSED = _FORBIDDEN | {
    *(errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ESTALE),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE),
}


class _Lazy(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = load(f"airstore.cli.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return with_store_option(command)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader went away, as `airstore log | head` does; not a fault to click
            _drop_output()
            ctx.exit(0)
        except OSError as fault:
            if fault.filename and fault.errno in _REFUSED:  # anywhere; where it can be foreseen it is named
                hint = "run airstore as the owner of the store" if fault.errno in _FORBIDDEN else ""
                raise StorageError(f"cannot use {fault.filename}: {fault.strerror}", hint=hint) from fault
            if not _output_fails():
                if fault.errno in _FULL:  # a file without a name, such as one that a program writes to
                    hint = "free some space there or in TMPDIR, and run the same command again"
                    raise StorageError(f"cannot write: {fault.strerror}", hint=hint) from fault
                raise
            _drop_output()
            raise StorageError(f"cannot write the output: {fault.strerror}") from fault

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "-C",
    "store",
    type=click.Path(path_type=Path),
    help="The store (or AIRSTORE_STORE); default: here, or the directory above that is one.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Say which request, object, file or program is at work, and how long each took.",
)
@click.option("--no-progress", is_flag=True, help="No progress bars, even on a terminal.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", help="Form of messages.")
@click.version_option(__version__, prog_name="airstore")
@click.pass_context
def main(
    ctx: click.Context, store: Path | None, *, quiet: bool, verbose: bool, no_progress: bool, log_format: str
) -> None:
    """Git for air-gapped Kubernetes releases.

    Exit codes: 0 done, 1 a bug in airstore, 2 wrong usage, 10 not found, 11 locked, 20 damaged content,
    21 incomplete media, 30 not trusted, 31 stale or foreign sequence, 40 transfer failed, 41 storage
    failed, 42 a program that airstore runs failed, 50 a change failed and what ran before runs again, 51 an
    operator is needed, 130 interrupted.
    """
    sweep()
    ctx.obj = Context(
        named=store or _found_store(),
        typed=store is not None,
        quiet=quiet,
        bars=not (no_progress or verbose),  # lines would be written into them
        json_log=log_format == "json",
        connect=connected,
    )
    if verbose:
        from airstore.cli.detail import show_work  # noqa: PLC0415 - logging takes time to load

        ctx.call_on_close(show_work(ctx.obj.detail))


def _found_store() -> Path:
    """The store that nobody named: the variable's, else the nearest one upwards, as with git."""
    named = os.environ.get("AIRSTORE_STORE")
    if named:
        return Path(named)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was deleted; whoever needs a store says so
        return Path()
    above = (path for path in here.parents if (path / CONFIG).is_file())
    return Path() if (here / CONFIG).is_file() else next(above, Path())


def _output_fails() -> bool:
    """Whether nothing more can be written to standard output, as on a full disk; tried with an empty line."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except io.UnsupportedOperation:  # no file, so no disk either
        return False
    except OSError:
        return True
    return False


def _drop_output() -> None:
    """Send what is left for standard output nowhere: the interpreter would try, and complain, at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> None:
    """Run the command line and exit.

    Whatever the umask, nothing that this process and its children make can be written by everybody: what a
    store holds is signed, but git's own files and what is under construction are not.
    """
    os.umask(os.umask(0o077) | stat.S_IWOTH)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has had the other one ignored
            signal.signal(number, _end)
    sys.exit(exit_code(sys.argv[1:]))


def _end(number: int, _frame: object) -> None:
    """Whoever ends this process in the ordinary way gets the code of that, and no temporary file stays."""
    signal.signal(number, signal.SIG_DFL)  # a second one is in earnest
    raise SystemExit(_SIGNALLED + number)


def exit_code(arguments: list[str]) -> int:
    """Run one command; returns its exit code. Bugs keep their traceback."""
    json_log = "--log-format=json" in arguments or ("--log-format", "json") in pairwise(arguments)
    try:
        result = main.main(arguments, prog_name="airstore", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except AirstoreError as fault:
        return _report(fault.exit_code, str(fault), fault.hint, json_log=json_log)
    except (KeyboardInterrupt, click.Abort):
        message, hint = "interrupted; nothing half-done is visible", "run the same command again"
        return _report(130, message, hint, json_log=json_log)
    except click.ClickException as fault:
        if json_log:
            return _report(fault.exit_code, fault.format_message(), "see --help", json_log=True)
        shown = io.StringIO()
        fault.show(shown)
        click.echo(printable(shown.getvalue()), err=True, nl=False)
        return fault.exit_code
    return result if isinstance(result, int) else 0


def _report(code: int, message: str, hint: str, *, json_log: bool) -> int:
    if json_log:
        record = {"level": "error", "code": code, "message": message, "hint": hint}
        click.echo(json.dumps(record), err=True)
        return code
    click.echo(f"airstore: {printable(message)}", err=True)
    if hint:
        click.echo(f"  hint: {printable(hint)}", err=True)
    return code
