"""Helm sees the chart, what it is made of and its own directories: other files of the machine are closed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.helm.visible import HelmView
from airstore.charts.images.rewrite import Rewriting
from airstore.charts.images.rewrite_stream import post_renderer
from airstore.core.errors import UsageError
from airstore.core.parsing import strictjson
from airstore.process import confinement, guard, landlock
from airstore.process.confinement import Confinement, PathRules, files_closed_by
from airstore.process.program import run
from tests.charts.chart_parts import write_chart

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
TYPED = {"properties": {"image": {"type": "number"}}}


@pytest.fixture(autouse=True)
def closing() -> None:
    if not files_closed_by():
        pytest.skip("this machine lets nobody close files; doctor says so")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file of this machine that is no part of the chart."""
    path = tmp_path / "elsewhere" / "private.json"
    path.parent.mkdir()
    path.write_text(json.dumps(TYPED))
    return path


def linked_schema(chart: Path, path: Path) -> None:
    (chart / "values.schema.json").write_text(json.dumps({"$ref": path.as_uri()}))


def test_a_schema_that_names_a_file_of_the_machine_gets_nothing(
    helm: Path, tmp_path: Path, elsewhere: Path
) -> None:
    """Our own reader finds such references; this is what happens with one that it would not find."""
    chart = write_chart(tmp_path / "shop", "shop")
    linked_schema(chart, elsewhere)
    with pytest.raises(UsageError, match="permission denied"):
        Helm(helm).template(chart, "shop", "default")
    alone = subprocess.run(
        [helm, "template", "shop", chart], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert "permission denied" not in alone.stderr
    assert "specifications" in alone.stderr  # it was read: that is what the guard is for


@pytest.mark.parametrize("called", ["template", "package"])
def test_a_link_in_a_chart_that_leads_out_is_not_followed(
    called: str, helm: Path, tmp_path: Path, elsewhere: Path
) -> None:
    show = 'kind: ConfigMap\nmetadata: {name: c}\ndata: {A: {{ .Files.Get "a.json" | quote }}}\n'
    chart, out = write_chart(tmp_path / "shop", "shop", template=show), tmp_path / "out"
    (chart / "a.json").symlink_to(elsewhere)
    out.mkdir()
    call: dict[str, Callable[[], object]] = {
        "template": lambda: Helm(helm).template(chart, "shop", "default"),
        "package": lambda: Helm(helm).package(chart, out, "chart shop"),
    }
    with pytest.raises(UsageError, match="permission denied"):
        call[called]()
    assert not list(out.iterdir())


def test_what_helm_sees_with_a_cluster_is_no_more_of_the_machine(
    helm: Path, tmp_path: Path, elsewhere: Path
) -> None:
    chart, home = write_chart(tmp_path / "shop", "shop"), tmp_path / "home"
    linked_schema(chart, elsewhere)
    limits = HelmView(helm).with_cluster((home,), kubeconfig(tmp_path), (chart,))
    with pytest.raises(UsageError, match="permission denied"):
        Helm(helm, home).run(["template", "shop", str(chart)], "shop", limits=limits)


def kubeconfig(directory: Path, user: str = "{token: a}", cluster: str = "") -> Path:
    path = directory / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
        f"clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'{cluster}}}}}]\n"
        f"users: [{{name: u, user: {user}}}]\n"
    )
    return path


@pytest.mark.parametrize(
    "program", ["exec: {command: /opt/a, apiVersion: v1}", "auth-provider: {name: oidc}"]
)
def test_a_kubeconfig_that_runs_a_program_leaves_files_open(
    helm4: Path, tmp_path: Path, program: str
) -> None:
    config = kubeconfig(tmp_path, f"{{{program}}}")
    assert HelmView(helm4).with_cluster((tmp_path,), config) == Confinement()


@pytest.mark.parametrize("content", ["[", "users: 1\n", "users: [a]\n", "a: 1\n---\nb: 1\n"])
def test_a_kubeconfig_that_is_none_is_left_to_helm(helm4: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    assert HelmView(helm4).with_cluster((tmp_path,), tmp_path / "kubeconfig") == Confinement()
    assert HelmView(helm4).with_cluster((tmp_path,), tmp_path / "none") == Confinement()


def test_what_a_kubeconfig_names_is_seen(helm4: Path, tmp_path: Path) -> None:
    user = "{client-certificate: a.crt, client-key: /keys/a.key, tokenFile: tokens/now}"
    config = kubeconfig(tmp_path, user, ", certificate-authority: ../ca.crt")
    files = HelmView(helm4).with_cluster((tmp_path,), config).files
    assert files is not None
    named = {config, tmp_path / "a.crt", Path("/keys/a.key"), tmp_path / "../ca.crt", tmp_path / "tokens"}
    assert named <= set(files.read)


def test_in_a_pod_the_accounts_token_is_seen_and_no_more_is(helm4: Path, tmp_path: Path) -> None:
    here, config = (HelmView(helm4).with_cluster((tmp_path,), at) for at in (None, kubeconfig(tmp_path)))
    assert here.files
    assert config.files
    token = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    assert set(here.files.read) ^ set(config.files.read) == {token, tmp_path / "kubeconfig"}


def test_libraries_are_seen_wherever_python_was_told_they_lie(
    helm4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not what is there by chance: the working directory, or the place of a script."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "here"), *sys.path, str(tmp_path / "library"), ""])
    files = HelmView(helm4).with_cluster((), None).files
    assert files
    assert tmp_path / "library" in files.run
    assert not {tmp_path / "here", Path()} & set(files.run)


def test_a_script_in_helms_place_is_not_closed_in(tmp_path: Path) -> None:
    script = tmp_path / "helm"
    script.write_text("#!/opt/somewhere/bash\nexec /opt/helm\n")
    assert HelmView(script).offline(()).files is None
    assert HelmView(script).online(()).files is None


def test_helm_runs_the_post_renderer_closed_in(helm: Path, tmp_path: Path) -> None:
    """It is airstore, whose Python and packages may lie anywhere; Helm 4 has a plugin run it."""
    chart, home, rules = write_chart(tmp_path / "shop", "shop"), tmp_path / "home", tmp_path / "rules.json"
    rewriting = Rewriting("registry.site.example", {"quay.io/a/b:1": f"sha256:{'a' * 64}"})
    rules.write_bytes(strictjson.dumps(rewriting.to_json()))
    limits = HelmView(helm).with_cluster((home,), kubeconfig(tmp_path), (chart, rules))
    assert limits.files
    closed = Helm(helm, home)
    words = ["template", "shop", str(chart), *closed.post_renderer(post_renderer(rules))]
    assert "registry.site.example" in closed.run(words, "shop", limits=limits)


def tried(words: str, rules: PathRules) -> bytes:
    """What a shell says that tries something, closed in."""
    return run(["/bin/sh", "-c", words], ENVIRONMENT, timeout=60, limits=Confinement(files=rules)).stderr


def test_each_kind_of_rule_opens_what_it_says_and_no_more(tmp_path: Path) -> None:
    for name in ("read", "write", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("#!/bin/sh\n")
        (tmp_path / name / "a").chmod(0o755)
    run_too = (Path("/bin"), Path("/usr/bin"), Path("/lib"), Path("/lib64"), Path("/usr/lib"))
    rules = PathRules(run_too, (tmp_path / "read",), (tmp_path / "write", Path("/dev/null")))
    refused = b"ermission denied"
    assert not tried(f"cat {tmp_path}/read/a {tmp_path}/write/a", rules)
    assert not tried(f"cd {tmp_path}/write; echo 1 > a; mkdir b; mv a b/a; rm -r b; ln -s x y", rules)
    for forbidden in (
        *("cat other/a", "ls other", "echo 1 > other/b", "rm other/a"),
        *("echo 1 > read/a", "rm read/a", "mv read/a write/b", "mkdir read/b", "read/a", "write/a"),
        "cat write/link",
    ):
        (tmp_path / "write" / "a").write_text("#!/bin/sh\n")
        (tmp_path / "write" / "a").chmod(0o755)
        (tmp_path / "write" / "link").unlink(missing_ok=True)
        (tmp_path / "write" / "link").symlink_to(tmp_path / "other" / "a")
        assert refused in tried(f"cd {tmp_path}; {forbidden}", rules), forbidden
    assert (tmp_path / "other" / "a").read_text() == "#!/bin/sh\n"


def test_no_environment_of_another_process_is_seen(tmp_path: Path) -> None:
    """Passwords are in there: of a proxy, of the shell that started it."""
    limits = HelmView(Path(sys.executable)).online((tmp_path,))
    for owner in ("self", str(os.getpid())):
        done = run(["/bin/cat", f"/proc/{owner}/environ"], ENVIRONMENT, timeout=60, limits=limits)
        assert (done.code != 0, done.stdout) == (True, b"")


def test_a_machine_that_cannot_close_files_goes_on_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, elsewhere: Path
) -> None:
    source = Path(landlock.__file__).parent
    for name in ("supervisor.py", "offline.py", "landlock.py", "confinement.py"):
        text = (
            (source / name)
            .read_text()
            .replace(
                "_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444,",
                "_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 9999,",
            )
        )
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(guard, "_SUPERVISOR", tmp_path / "supervisor.py")
    monkeypatch.setattr(confinement, "__file__", str(tmp_path / "confinement.py"))
    limits = Confinement(files=PathRules((Path("/bin"), Path("/usr"), Path("/lib"), Path("/lib64"))))
    confinement.files_closed_by.cache_clear()
    assert "files open" in str(limits)
    confinement.files_closed_by.cache_clear()
    assert run(["/bin/cat", str(elsewhere)], ENVIRONMENT, timeout=60, limits=limits).code == 0
