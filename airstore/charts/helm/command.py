"""The Helm command line, closed in: no plugins, no state of the user, no shell, fixed flags.

Helm runs on what a vendor wrote, so it gets a private home, no plugins, a bounded address space and a
deadline; values travel in files, never in ``--set`` (CVE-2022-36055); DNS lookups are off (CVE-2023-25165).
What needs no network (packaging, and rendering without a cluster) has none, where the machine allows that.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from airstore.charts.helm import postrender
from airstore.charts.helm.access import RepositoryLogin
from airstore.charts.helm.faults import helm_fault
from airstore.charts.helm.sandbox import check_private, copy_values
from airstore.core.errors import ProgramError, TransferError, UsageError
from airstore.core.leftovers import make_scratch
from airstore.core.limits import LIMITS
from airstore.core.work import at_work
from airstore.process import program
from airstore.process.guard import NetworkNote

_SIGNALLED = 128  # and the signal's number: how a shell, and our supervisor, say that a program was ended
SCHEMA_UNCHECKED = "--skip-schema-validation"  # of template and upgrade, since Helm 3.16
_VERSION = re.compile(r"v([34])\.\d+\.\d+\S*")


class Helm:
    """One Helm binary with a private home.

    Args:
        binary: Helm 3 or 4.
        home: directory for its caches and configuration; None makes one that goes with this object.
        timeout: seconds any one call may take.
        environment: what else the program sees, such as ``HTTPS_PROXY``.
    """

    def __init__(
        self,
        binary: Path,
        home: Path | None = None,
        *,
        timeout: float = 300.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._binary = binary
        self._timeout = timeout
        self._environment = dict(environment or {})
        self._home = home or make_scratch("helm")
        self._added: set[RepositoryLogin] = set()
        self._version: tuple[int, str] | None = None
        if home is None:
            weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)

    @cached_property
    def _variables(self) -> dict[str, str]:
        home = check_private(self._home)
        names = ("cache", "config", "data", "plugins")
        for name in names:
            (home / name).mkdir(exist_ok=True, mode=0o700)
        places = {f"HELM_{name.upper()}_HOME": str(home / name) for name in names[:3]}
        private = {"PATH": "/usr/bin:/bin", "HOME": str(home), "HELM_PLUGINS": str(home / "plugins")}
        return self._environment | places | private

    def run(  # noqa: PLR0913 - the bounds of one call, one each
        self,
        arguments: Sequence[str],
        what: str,
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        guard: Path | None = None,
        limit: int = LIMITS.yaml_document,
        watch: Callable[[], None] | None = None,
        offline: bool = False,
    ) -> str:
        """Run one Helm command and return its standard output.

        Args:
            arguments: everything after the program's name.
            what: the chart and variant this is about, for errors.
            stdin: a password, where the command reads one.
            timeout: seconds; the object's own by default.
            guard: a lock file to hold meanwhile.
            limit: bytes of output that are accepted.
            watch: called every second meanwhile; what it raises ends Helm, and is raised.
            offline: what is asked of Helm needs no network, so it gets none.

        Raises:
            NotFoundError: no such Helm, or Helm says that what was asked for does not exist.
            TransferError: a repository or registry refused, stalled or broke off.
            UsageError: Helm refused the chart or its values.
            ProgramError: it took too long, was ended, or did not reach the cluster.
        """
        argv = [str(self._binary.absolute()), *arguments]
        try:
            with at_work("helm %s (%s%s)", arguments[0], what, NetworkNote(offline)):
                ended = program.run(
                    argv,
                    self._variables,
                    stdin=stdin,
                    timeout=timeout or self._timeout,
                    limit=limit,
                    guard=guard,
                    watch=watch,
                    offline=offline,
                )
        except ProgramError as fault:
            raise ProgramError(f"{what}: {fault}", hint=fault.hint) from fault
        if ended.code < 0 or ended.code > _SIGNALLED:
            raise ProgramError(f"{what}: helm was ended by signal {abs(ended.code) % _SIGNALLED}")
        if ended.code != 0:
            raise helm_fault(what, arguments[0], ended.stderr.decode(errors="replace"))
        return ended.stdout.decode(errors="replace")

    def version(self) -> tuple[int, str]:
        """Major version and full version text; the program is asked once.

        Raises:
            NotFoundError: no such program.
            UsageError: not Helm 3 or 4.
        """
        if self._version is None:
            text = self.run(
                ["version", "--template", "{{.Version}}"], str(self._binary), offline=True
            ).strip()
            match = _VERSION.fullmatch(text)
            if not match:
                raise UsageError(f"{self._binary} says it is {text!r}", hint="airstore needs Helm 3 or 4")
            self._version = int(match[1]), text
        return self._version

    def post_renderer(self, command: Sequence[str]) -> list[str]:
        """Flags that have a program rewrite what Helm rendered (`airstore.charts.helm.postrender`)."""
        return postrender.flags(self.version()[0], Path(self._variables["HELM_PLUGINS"]), command)

    def template(  # noqa: PLR0913 - Helm's own flags, one each
        self,
        chart: Path,
        name: str,
        namespace: str,
        values: Sequence[Path] = (),
        *,
        what: str = "",
        kube_version: str = "",
        include_crds: bool = True,
        api_versions: Sequence[str] = (),
        upgrade: bool = False,
        check_values: bool = True,
        cluster: Sequence[str] | None = None,
    ) -> str:
        """Render a chart; hooks and tests are included.

        Args:
            chart: a packaged chart.
            name: of the Helm release.
            namespace: of the Helm release.
            values: values files, later ones win.
            what: chart and variant, for errors.
            kube_version: what the chart is told to run on; Helm's own default where empty.
            api_versions: what it is told the cluster serves, besides Helm's own defaults.
            include_crds: also what is in ``crds/``.
            upgrade: render as for an upgrade instead of a first installation.
            check_values: hold the values against the chart's JSON schema.
            cluster: flags that name a cluster which ``lookup`` may ask; none in a pod of it.

        Raises:
            UsageError: the chart does not render.
        """
        what = what or f"chart {chart}"
        with tempfile.TemporaryDirectory(prefix="values-", dir=check_private(self._home)) as directory:
            copies = copy_values(values, Path(directory))
            arguments = ["template", "--namespace", namespace, *(f"--values={copy}" for copy in copies)]
            arguments += ["--include-crds"] if include_crds else []
            arguments += ["--is-upgrade"] if upgrade else []
            arguments += [] if check_values else [SCHEMA_UNCHECKED]
            arguments += [f"--kube-version={kube_version}"] if kube_version else []
            arguments += [f"--api-versions={each}" for each in api_versions]
            arguments += [] if cluster is None else ["--dry-run=server", *cluster]
            return self.run([*arguments, "--", name, str(chart.absolute())], what, offline=cluster is None)

    def rehearse(
        self,
        chart: Path,
        name: str,
        namespace: str,
        values: Sequence[Path] = (),
        *,
        what: str,
        cluster: Sequence[str],
        check_values: bool = True,
    ) -> str:
        """What ``helm upgrade --install`` would install in a cluster, as the JSON of Helm's record of it.

        The chart sees the cluster: its version and APIs, ``lookup``, and whether it is an upgrade. Nothing
        changes.

        Args:
            chart: a packaged chart.
            name: of the Helm release.
            namespace: of the Helm release.
            values: values files, later ones win.
            what: chart and variant, for errors.
            cluster: flags that name the cluster; none in a pod of it.
            check_values: hold the values against the chart's JSON schema.

        Raises:
            UsageError: the chart does not render, or Helm would refuse to install what it renders to.
        """
        with tempfile.TemporaryDirectory(prefix="values-", dir=check_private(self._home)) as directory:
            copies = copy_values(values, Path(directory))
            arguments = ["upgrade", "--install", "--dry-run=server", "--output=json", "--skip-crds"]
            arguments += [f"--namespace={namespace}", *cluster, *(f"--values={copy}" for copy in copies)]
            arguments += [] if check_values else [SCHEMA_UNCHECKED]
            return self.run([*arguments, "--", name, str(chart.absolute())], what, limit=LIMITS.json_document)

    def package(self, directory: Path, destination: Path, what: str) -> Path:
        """``helm package``: the archive it wrote.

        Raises:
            UsageError: the chart is not valid or lacks a dependency.
        """
        self.run(
            ["package", f"--destination={destination}", "--", str(directory.absolute())], what, offline=True
        )
        archives = list(destination.glob("*.tgz"))
        if len(archives) != 1:
            raise UsageError(f"{what}: helm package wrote {len(archives)} archives, one was expected")
        return archives[0]

    def dependencies(
        self, directory: Path, accesses: Sequence[RepositoryLogin], what: str, *, locked: bool
    ) -> None:
        """Fetch a chart's dependencies into its ``charts/``; the publisher's side only.

        Args:
            directory: the chart.
            accesses: the repositories.
            what: the chart, for errors.
            locked: as ``Chart.lock`` has them.

        Raises:
            TransferError: a repository cannot be reached.
            NotFoundError: a repository lacks a dependency.
            UsageError: the dependencies cannot be resolved.
        """
        for access in accesses:
            self.add(access)
        action = "build" if locked else "update"
        flags = ["--plain-http"] if any(access.plain_http for access in accesses) else []
        flags += next((access.authority for access in accesses if access.ca_file), [])  # Helm takes one
        self.run(["dependency", action, *flags, "--", str(directory.absolute())], what)

    def add(self, access: RepositoryLogin) -> None:
        """Make a chart repository or registry known, with its credentials, for this object's lifetime.

        Raises:
            TransferError: it cannot be reached or refuses the credentials.
        """
        if access in self._added:
            return
        login = [f"--username={access.username}", "--password-stdin"] if access.username else []
        if not access.url.startswith("oci://"):
            flags = ["--force-update", *login, *access.authority]
            arguments = ["repo", "add", *flags, "--", access.name, access.url]
            self.run(arguments, access.url, stdin=access.password.encode())
        elif login:
            host = access.url.removeprefix("oci://").partition("/")[0]
            plain = "--plain-http" if self.version()[0] >= 4 else "--insecure"  # each has but its own
            flags = [*login, *access.authority, *([plain] if access.plain_http else [])]
            arguments = ["registry", "login", *flags, "--", host]
            self.run(arguments, access.url, stdin=access.password.encode())
        self._added.add(access)

    def pull(self, name: str, version: str, access: RepositoryLogin, destination: Path) -> Path:
        """Fetch one chart from a chart repository, its provenance next to it where there is one.

        Raises:
            TransferError: the repository cannot be reached.
            NotFoundError: it lacks the chart or this version.
        """
        self.add(access)
        what = f"chart {name} {version} from {access.url}"
        flags = [f"--version={version}", f"--destination={destination}", "--prov", *access.authority]
        self.run(["pull", *flags, "--", f"{access.name}/{name}"], what)
        archives = list(destination.glob("*.tgz"))
        if len(archives) != 1:
            raise TransferError(f"{what}: helm pull wrote {len(archives)} archives, one was expected")
        return archives[0]
