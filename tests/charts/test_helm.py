"""Helm, closed in: what it sees, what it may cost, and how its refusals read."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.charts.helm.access import ClusterAccess, RepositoryLogin
from airstore.charts.helm.command import Helm
from airstore.charts.helm.faults import helm_fault
from airstore.charts.rendering.render import RenderTarget, render
from airstore.core.errors import AirstoreError, NotFoundError, ProgramError, TransferError, UsageError
from airstore.process import program
from airstore.process.confinement import Confinement
from tests.charts.chart_parts import packed, write_chart


def test_the_version_is_told(helm: Path, helm4: Path) -> None:
    major, text = Helm(helm).version()
    assert major == (4 if helm == helm4 else 3)
    assert text.startswith(f"v{major}.")


def test_a_program_that_is_not_helm_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\necho v2.17.0\n")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=r"v2\.17\.0"):
        Helm(program).version()
    with pytest.raises(NotFoundError, match="none"):
        Helm(tmp_path / "none").version()


def test_a_program_is_asked_for_its_version_once_until_it_is_another_one(tmp_path: Path) -> None:
    program, home = tmp_path / "helm", tmp_path / "home"
    home.mkdir(mode=0o700)
    for count, version in enumerate(("v3.9.0", "v4.0.1"), 1):
        program.write_text(f"#!/bin/sh\necho once >>$HOME/asked\necho {version}\n")
        program.chmod(0o755)
        assert {Helm(program, home).version()[1] for _ in range(3)} == {version}
        assert len((home / "asked").read_text().split()) == count
    program.write_text("#!/bin/sh\nexit 3\n")
    for _ in range(2):
        with pytest.raises(AirstoreError):
            Helm(program).version()


def test_helm_sees_nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_PLUGINS", "/somewhere")
    monkeypatch.setenv("KUBECONFIG", "/secret")
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    home = tmp_path / "home"
    lines = Helm(program, home, environment={"HTTPS_PROXY": "http://p:1", "HOME": "/root"}).run(
        ["env"], "env", limits=Confinement()
    )
    seen = dict(line.split("=", 1) for line in lines.splitlines())
    for name in ("PWD", "SHLVL", "_"):
        seen.pop(name, None)
    assert seen == {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "HELM_PLUGINS": str(home / "plugins"),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
        "TMPDIR": str(home / "tmp"),
        "HTTPS_PROXY": "http://p:1",
        "GOGC": "400",
        "GOMEMLIMIT": "256MiB",
    }
    assert home.stat().st_mode & 0o077 == 0


def test_a_program_that_does_not_end_is_stopped_with_its_children(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nsleep 600 & sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(ProgramError, match=r"chart x: helm did not end within 0\.2 seconds"):
        Helm(program, timeout=0.2).run(["template"], "chart x", limits=Confinement())


def test_a_program_that_only_closes_its_output_is_stopped_too() -> None:
    with pytest.raises(ProgramError, match="did not end within"):
        program.run(["/bin/sh", "-c", "exec >&- 2>&-; sleep 600"], {}, timeout=0.2)


def test_too_much_output_is_stopped() -> None:
    with pytest.raises(ProgramError, match="wrote more than 100000 bytes"):
        program.run(["/bin/sh", "-c", "yes"], {}, timeout=30, limit=100_000)


@pytest.mark.parametrize(
    "said",
    [
        "Error: Kubernetes cluster unreachable: Get x: dial tcp: refused",
        "Error: timed out waiting for the condition",
        "Error: context deadline exceeded",
    ],
)
def test_a_cluster_that_is_not_reached_is_no_wrong_usage(said: str) -> None:
    fault = helm_fault("shop/web", "upgrade", said)
    assert isinstance(fault, ProgramError)
    assert fault.exit_code == 42
    refused = helm_fault("shop/web", "upgrade", "Error: values don't meet the schema")
    assert isinstance(refused, UsageError)


def test_a_program_that_is_killed_is_no_wrong_usage(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    with pytest.raises(ProgramError, match="helm was ended by signal 9"):
        Helm(program).run(["template"], "chart x", limits=Confinement())


def test_standard_error_is_cut() -> None:
    ended = program.run(["/bin/sh", "-c", "head -c 3000000 /dev/zero >&2; exit 3"], {}, timeout=30)
    assert (ended.code, len(ended.stderr)) == (3, 1 << 20)


@pytest.mark.slow
def test_memory_is_bounded(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MEMORY", 1 << 30)
    bomb = packed("bomb", template='kind: A\nx: {{ repeat 2000000000 "x" }}\n')
    with pytest.raises(UsageError, match="chart bomb"):
        render(Helm(helm), "bomb", bomb, RenderTarget("b"))


def test_a_template_that_fails_names_chart_and_variant(helm: Path) -> None:
    chart = packed("shop", template='kind: A\nhost: {{ required "host is needed" .Values.host }}\n')
    with pytest.raises(
        UsageError, match=r"chart shop with values/large.yaml: helm: .*host is needed"
    ) as fault:
        render(Helm(helm), "shop", chart, RenderTarget("s"), variant="values/large.yaml")
    assert "goroutine" not in str(fault.value)


def test_templates_cannot_ask_the_network(helm: Path) -> None:
    chart = packed("dns", template='kind: A\nhost: "{{ getHostByName "localhost" }}"\n')
    (document,) = render(Helm(helm), "dns", chart, RenderTarget("d")).documents
    assert document.body["host"] == ""


def test_names_are_never_flags(helm: Path, tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "c", "c")
    with pytest.raises(UsageError, match=r"invalid|release name"):
        Helm(helm).template(chart, "--post-renderer=/bin/true", "default")


def test_a_values_file_with_a_comma_in_its_name_is_one_file(helm: Path, tmp_path: Path) -> None:
    values = tmp_path / "a,b.yaml"
    values.write_text("x: 7\n")
    chart = packed("shop", template="kind: A\nx: {{ .Values.x }}\n")
    rendered = render(Helm(helm), "shop", chart, RenderTarget("s"), [values], set_values={"y": "1"})
    assert rendered.documents[0].body["x"] == 7
    assert rendered.values == {"x": 7, "y": "1"}


def test_a_missing_values_file_is_named(helm: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.yaml"):
        render(Helm(helm), "shop", packed("shop"), RenderTarget("s"), [tmp_path / "none.yaml"])


def test_set_values_win_and_leave_no_trace(helm: Path, tmp_path: Path) -> None:
    values = tmp_path / "v.yaml"
    values.write_text("a: {b: 1, c: 2}\n")
    chart = packed("shop", template="kind: A\nx: {{ .Values.a | toJson }}\n")
    home = tmp_path / "home"
    rendered = render(
        Helm(helm, home), "shop", chart, RenderTarget("s"), [values], set_values={"a": {"b": "s3cret"}}
    )
    assert rendered.documents[0].body["x"] == {"b": "s3cret", "c": 2}
    assert not any(b"s3cret" in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_an_upgrade_and_a_cluster_version_are_rendered_for(helm: Path) -> None:
    chart = packed(
        "shop",
        template="kind: A\nup: {{ .Release.IsUpgrade }}\nkube: {{ .Capabilities.KubeVersion.Version }}\n",
    )
    rendered = render(Helm(helm), "shop", chart, RenderTarget("s", "n", "1.29.3", upgrade=True))
    assert rendered.documents[0].body == {"kind": "A", "up": True, "kube": "v1.29.3"}


def test_in_a_pod_the_cluster_is_asked_though_no_flag_names_one(helm: Path, tmp_path: Path) -> None:
    """Outside of a pod nobody answers, which shows that Helm asks."""
    chart, asking = tmp_path / "shop.tgz", Helm(helm)
    chart.write_bytes(
        packed("shop", template='kind: A\nfound: {{ lookup "v1" "Secret" "shop" "x" | len }}\n')
    )
    assert "found: 0" in asking.template(chart, "web", "shop", cluster=None)
    with pytest.raises(AirstoreError, match=r"(?i)connection refused|unreachable"):
        asking.template(chart, "web", "shop", cluster=ClusterAccess(None))


def test_duplicate_keys_of_others_charts_are_read_as_kubernetes_does(helm: Path) -> None:
    chart = packed("shop", template="kind: A\nx: 1\nx: 2\nop: =\n")
    rendered = render(Helm(helm), "shop", chart, RenderTarget("s"))
    assert rendered.documents[0].body == {"kind": "A", "x": 2, "op": "="}


def test_a_repository_that_nobody_serves_is_a_transfer_fault(helm: Path, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"127\.0\.0\.1:9"):
        Helm(helm).pull("shop", "1.0.0", RepositoryLogin("http://127.0.0.1:9"), tmp_path)


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(RepositoryLogin("https://charts.example.com", "u", "s3cret"))


@pytest.mark.parametrize(
    ("said", "family"),
    [
        (
            "Error: failed to fetch https://charts.acme.example/a.tgz : 503 Service Unavailable",
            TransferError,
        ),
        ("Error: unexpected status code 401", TransferError),
        ("Error: failed to fetch https://charts.acme.example/web-1.0.404.tgz : 404 Not Found", NotFoundError),
        ("Error: pulling from host registry.acme.example failed with status code (404)", NotFoundError),
        ("Error: the lock file (Chart.lock) is out of sync with /srv/build-501/404/shop-500", UsageError),
        ("Error: chart web-1.0.503 needs library 2.0.404", UsageError),
    ],
)
def test_a_status_is_no_part_of_a_path_or_a_version(said: str, family: type[AirstoreError]) -> None:
    """Nor of the directory that the message begins with, which may be called anything."""
    assert type(helm_fault("chart /srv/unauthorized/500/shop", "dependency", said)) is family
