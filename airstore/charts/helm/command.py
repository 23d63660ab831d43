"""The Helm command line: fixed flags, values in files, never in ``--set`` (CVE-2022-36055)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from airstore.charts.helm import postrender
from airstore.charts.helm.access import ClusterAccess, RepositoryLogin
from airstore.charts.helm.closed import HelmProgram
from airstore.charts.helm.sandbox import check_private, copy_values
from airstore.core.errors import TransferError, UsageError
from airstore.core.limits import LIMITS

SCHEMA_UNCHECKED = "--skip-schema-validation"  # of template and upgrade, since Helm 3.16


class Helm(HelmProgram):
    """One Helm binary with a private home, and what is asked of it."""

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
        cluster: ClusterAccess | None = None,
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
            cluster: which ``lookup`` may ask.

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
            arguments += [] if cluster is None else ["--dry-run=server"]
            words = [*arguments, "--", name, str(chart.absolute())]
            if cluster is None:
                return self.run(words, what, limits=self._offline(chart))
            return self.run_with(cluster, words, what, read=(chart,))

    def rehearse(
        self,
        chart: Path,
        name: str,
        namespace: str,
        values: Sequence[Path] = (),
        *,
        what: str,
        cluster: ClusterAccess,
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
            cluster: where it would be installed.
            check_values: hold the values against the chart's JSON schema.

        Raises:
            UsageError: the chart does not render, or Helm would refuse to install what it renders to.
        """
        with tempfile.TemporaryDirectory(prefix="values-", dir=check_private(self._home)) as directory:
            copies = copy_values(values, Path(directory))
            arguments = ["upgrade", "--install", "--dry-run=server", "--output=json", "--skip-crds"]
            arguments += [f"--namespace={namespace}", *(f"--values={copy}" for copy in copies)]
            arguments += [] if check_values else [SCHEMA_UNCHECKED]
            words = [*arguments, "--", name, str(chart.absolute())]
            return self.run_with(cluster, words, what, read=(chart,), limit=LIMITS.json_document)

    def package(self, directory: Path, destination: Path, what: str) -> Path:
        """``helm package``: the archive it wrote.

        Raises:
            UsageError: the chart is not valid or lacks a dependency.
        """
        words = ["package", f"--destination={destination}", "--", str(directory.absolute())]
        self.run(words, what, limits=self._offline(directory, write=(destination,)))
        archives = list(destination.glob("*.tgz"))
        if len(archives) != 1:
            raise UsageError(f"{what}: helm package wrote {len(archives)} archives, one was expected")
        return archives[0]

    def dependencies(
        self, directory: Path, accesses: Sequence[RepositoryLogin], what: str, *, locked: bool, around: Path
    ) -> None:
        """Fetch a chart's dependencies into its ``charts/``; the publisher's side only.

        Args:
            directory: the chart.
            accesses: the repositories.
            what: the chart, for errors.
            locked: as ``Chart.lock`` has them.
            around: a private directory, with this chart and the local ones that it depends on.

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
        words = ["dependency", action, *flags, "--", str(directory.absolute())]
        self.run(words, what, limits=self._online(*_authorities(accesses), write=(around,)))

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
            self.run(
                arguments,
                access.url,
                stdin=access.password.encode(),
                limits=self._online(*_authorities([access])),
            )
        elif login:
            host = access.url.removeprefix("oci://").partition("/")[0]
            plain = "--plain-http" if self.version()[0] >= 4 else "--insecure"  # each has but its own
            flags = [*login, *access.authority, *([plain] if access.plain_http else [])]
            arguments = ["registry", "login", *flags, "--", host]
            self.run(
                arguments,
                access.url,
                stdin=access.password.encode(),
                limits=self._online(*_authorities([access])),
            )
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
        words = ["pull", *flags, "--", f"{access.name}/{name}"]
        self.run(words, what, limits=self._online(*_authorities([access]), write=(destination,)))
        archives = list(destination.glob("*.tgz"))
        if len(archives) != 1:
            raise TransferError(f"{what}: helm pull wrote {len(archives)} archives, one was expected")
        return archives[0]


def _authorities(accesses: Sequence[RepositoryLogin]) -> list[Path]:
    return [access.ca_file for access in accesses if access.ca_file]
