"""Chart directories as packaged charts: the same bytes each time, dependencies inside, nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from airstore.charts.helm.access import RepositoryLogin
from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.package import package_directory
from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.process.confinement import Confinement
from tests.charts.chart_parts import PASSWORD, USER, chart_repository, packed, write_chart
from tests.support.registry.servers import PASSWORD as SITE_PASSWORD
from tests.support.registry.servers import USER as SITE_USER
from tests.support.registry.servers import registry_server


def test_the_same_files_give_the_same_bytes_with_any_helm(helm3: Path, helm4: Path, tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "one" / "shop", "shop")
    again = write_chart(tmp_path / "two" / "elsewhere", "shop")
    os.utime(again / "values.yaml", (1, 1))
    (again / "values.yaml").chmod(0o600)
    first = package_directory(Helm(helm3), chart)
    assert package_directory(Helm(helm4), again) == first
    assert set(read_chart(first).files) == {"Chart.yaml", "values.yaml", "templates/a.yaml"}


def test_the_directory_itself_is_left_as_it_was(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "cache", "cache")
    needs = "dependencies: [{name: cache, version: 1.0.0, repository: 'file://../cache'}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    before = sorted(chart.rglob("*"))
    package_directory(Helm(helm), chart)
    assert sorted(chart.rglob("*")) == before


def test_what_helmignore_names_stays_out(helm: Path, tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "shop", "shop")
    (chart / ".helmignore").write_text("*.bak\n")
    (chart / "values.bak").write_text("secret\n")
    assert "values.bak" not in read_chart(package_directory(Helm(helm), chart)).files


def test_local_dependencies_of_local_dependencies_are_inside(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "base" / "lib", "lib")
    write_chart(
        tmp_path / "cache", "cache", chart="dependencies: [{name: lib, version: 1.x, repository: 'file://../base/lib'}]\n"
    )  # fmt: skip
    needs = "dependencies: [{name: cache, version: ^1.0.0, repository: 'file://../cache'}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    first = package_directory(Helm(helm), chart)
    read = read_chart(first)
    assert [sub.name for sub in read.subcharts] == ["cache"]
    assert [sub.name for sub in read.subcharts[0].subcharts] == ["lib"]
    assert b"1970-01-01" in read.files["Chart.lock"]
    assert package_directory(Helm(helm), chart) == first


def test_a_vendored_local_dependency_is_taken_anew(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "cache", "cache", values="new: 1\n")
    needs = "dependencies: [{name: cache, version: 1.0.0, repository: 'file://../cache'}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    (chart / "charts").mkdir()
    (chart / "charts" / "cache-1.0.0.tgz").write_bytes(packed("cache", values="old: 1\n"))
    assert b"new" in read_chart(package_directory(Helm(helm), chart)).files["charts/cache/values.yaml"]


def test_a_local_dependency_of_another_version_is_refused(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "cache", "cache", "2.0.0")
    needs = "dependencies: [{name: cache, version: 1.0.0, repository: 'file://../cache'}]\n"
    with pytest.raises(UsageError, match="cache"):
        package_directory(Helm(helm), write_chart(tmp_path / "shop", "shop", chart=needs))


def test_a_dependency_comes_from_a_repository_with_a_password(helm: Path, tmp_path: Path) -> None:
    charts = {("cache", "1.2.0"): packed("cache", "1.2.0")}
    with chart_repository(tmp_path / "served", charts, password=True) as url:
        needs = f"dependencies: [{{name: cache, version: 1.x, repository: '{url}'}}]\n"
        chart = write_chart(tmp_path / "shop", "shop", chart=needs)
        first = package_directory(Helm(helm), chart, lambda url: RepositoryLogin(url, USER, PASSWORD))
        assert [sub.version for sub in read_chart(first).subcharts] == ["1.2.0"]
        with pytest.raises(TransferError, match="401"):
            package_directory(Helm(helm), chart, lambda url: RepositoryLogin(url, USER, "wrong"))


def test_a_dependency_comes_from_a_registry_with_a_password(helm: Path, tmp_path: Path) -> None:
    archive = tmp_path / "cache-1.2.0.tgz"
    archive.write_bytes(packed("cache", "1.2.0"))
    with registry_server(tmp_path / "registry", htpasswd=True) as registry:
        access = RepositoryLogin(f"oci://{registry.host}", SITE_USER, SITE_PASSWORD, plain_http=True)
        runner = Helm(helm)
        runner.add(access)
        runner.run(
            ["push", "--plain-http", str(archive), f"oci://{registry.host}/charts"],
            "cache",
            limits=Confinement(),
        )
        source = f"oci://{registry.host}/charts"
        needs = f"dependencies: [{{name: cache, version: 1.2.0, repository: '{source}'}}]\n"
        chart = write_chart(tmp_path / "shop", "shop", chart=needs)
        read = read_chart(package_directory(Helm(helm), chart, {access.url: access}.__getitem__))
        assert [sub.version for sub in read.subcharts] == ["1.2.0"]
        with pytest.raises(TransferError):
            package_directory(Helm(helm), chart, lambda url: RepositoryLogin(url, plain_http=True))


def test_a_lock_decides_and_keeps_its_time(helm: Path, tmp_path: Path) -> None:
    charts = {("cache", "1.2.0"): packed("cache", "1.2.0")}
    with chart_repository(tmp_path / "served", charts) as url:
        needs = f"dependencies: [{{name: cache, version: 1.x, repository: '{url}'}}]\n"
        chart = write_chart(tmp_path / "shop", "shop", chart=needs)
        runner = Helm(helm)
        runner.dependencies(chart, [RepositoryLogin(url)], "chart shop", locked=True, around=chart)
        lock = (chart / "Chart.lock").read_bytes()
        (chart / "charts" / "cache-1.2.0.tgz").unlink()
        read = read_chart(package_directory(Helm(helm), chart))
    assert [sub.version for sub in read.subcharts] == ["1.2.0"]
    assert b"1970" not in read.files["Chart.lock"]
    assert lock.strip().splitlines()[:4] == read.files["Chart.lock"].strip().splitlines()[:4]


def test_vendored_dependencies_need_no_network(helm: Path, tmp_path: Path) -> None:
    needs = "dependencies: [{name: cache, version: 1.x, repository: 'http://127.0.0.1:9'}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    (chart / "charts").mkdir()
    (chart / "charts" / "cache-1.0.0.tgz").write_bytes(packed("cache"))
    read = read_chart(package_directory(Helm(helm), chart))
    assert [sub.name for sub in read.subcharts] == ["cache"]


@pytest.mark.parametrize("name", ["Chart.lock", "templates/b.yaml", "charts"])
def test_links_are_refused_before_helm_runs(tmp_path: Path, name: str) -> None:
    chart = write_chart(tmp_path / "shop", "shop")
    (chart / name).symlink_to("/etc/hosts")
    with pytest.raises(UsageError, match=f"{name} is a symbolic link"):
        package_directory(Helm(tmp_path / "no helm"), chart)


def test_links_in_a_local_dependency_are_refused_too(tmp_path: Path) -> None:
    inner = write_chart(tmp_path / "cache", "cache")
    (inner / "x").symlink_to("../outside")
    (tmp_path / "outside").write_text("secret")
    needs = "dependencies: [{name: cache, version: 1.0.0, repository: 'file://../cache'}]\n"
    with pytest.raises(UsageError, match="symbolic link"):
        package_directory(Helm(tmp_path / "no helm"), write_chart(tmp_path / "shop", "shop", chart=needs))


def test_a_link_to_a_file_of_the_chart_is_that_file(helm: Path, tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "shop", "shop")
    (chart / "files").mkdir()
    (chart / "files" / "same.yaml").symlink_to("../values.yaml")
    files = read_chart(package_directory(Helm(helm), chart)).files
    assert files["files/same.yaml"] == files["values.yaml"]


OUT_OF_STEP = f"""\
dependencies: [{{name: cache, version: 0.1.0, repository: "https://charts.example.com"}}]
digest: sha256:{"0" * 64}
generated: "2024-01-01T00:00:00Z"
"""
REFUSED = {
    "itself": ("file://../shop", UsageError, "depends on itself"),
    "absolute": ("file:///etc", UsageError, "relative path"),
    "alias": ("@mine", UsageError, "someone's own Helm"),
    "missing": ("file://../none", NotFoundError, "none"),
}


@pytest.mark.parametrize(("repository", "family", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_dependencies_that_cannot_be_meant(
    tmp_path: Path, repository: str, family: type[Exception], message: str
) -> None:
    needs = f"dependencies: [{{name: x, version: 1.0.0, repository: '{repository}'}}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    with pytest.raises(family, match=message):
        package_directory(Helm(tmp_path / "no helm"), chart)


@pytest.mark.parametrize("repository", ["file://../none", "file:///none", "@mine", "alias:mine"])
@pytest.mark.parametrize("tgz", [True, False])
def test_what_charts_holds_already_may_come_from_anywhere(
    helm: Path, tmp_path: Path, repository: str, *, tgz: bool
) -> None:
    """As with `helm package` and `helm template`: whoever ships another's chart has but its directory."""
    needs = f"dependencies: [{{name: cache, version: 1.0.0, repository: '{repository}'}}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    (chart / "Chart.lock").write_text(OUT_OF_STEP)
    write_chart(chart / "charts" / "cache", "cache")
    if tgz:
        shutil.rmtree(chart / "charts" / "cache")
        (chart / "charts" / "cache-1.0.0.tgz").write_bytes(packed("cache"))
    read = read_chart(package_directory(Helm(helm), chart))
    assert [sub.name for sub in read.subcharts] == ["cache"]
    assert b"0.1.0" in read.files["Chart.lock"]


def test_a_lock_file_out_of_step_says_nothing_of_local_dependencies(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "cache", "cache", values="new: 1\n")
    needs = "dependencies: [{name: cache, version: 1.0.0, repository: 'file://../cache'}]\n"
    chart = write_chart(tmp_path / "shop", "shop", chart=needs)
    (chart / "Chart.lock").write_text(OUT_OF_STEP)
    first = package_directory(Helm(helm), chart)
    assert b"new" in read_chart(first).files["charts/cache/values.yaml"]
    assert package_directory(Helm(helm), chart) == first
    with chart_repository(tmp_path / "served", {("other", "1.0.0"): packed("other")}) as url:
        more = f"{needs.rstrip()[:-1]}, {{name: other, version: 1.0.0, repository: '{url}'}}]\n"
        write_chart(chart, "shop", chart=more)
        with pytest.raises(UsageError, match="out of sync"):
            package_directory(Helm(helm), chart)


def test_a_directory_that_is_no_chart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Chart\.yaml"):
        package_directory(Helm(tmp_path / "no helm"), tmp_path)
    with pytest.raises(NotFoundError, match="none"):
        package_directory(Helm(tmp_path / "no helm"), tmp_path / "none")
