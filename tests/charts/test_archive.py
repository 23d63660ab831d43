"""Strict reading of chart archives: what is refused, and that nothing but airstore's errors comes out."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.core.errors import AirstoreError, DamagedError, NotFoundError
from airstore.core.limits import LIMITS, MIB

CHART_YAML = b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"
CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
FILES = {"Chart.yaml": CHART_YAML, "values.yaml": b"a: 1\n", "templates/a.yaml": CONFIG_MAP}
GOOD = write_tarball("shop", FILES)


def tgz(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """A chart whose further members are given."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for member in (("shop/Chart.yaml", CHART_YAML), *members):
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return gzip.compress(plain.getvalue())


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_what_is_written_is_read() -> None:
    chart = read_chart(GOOD)
    assert (chart.name, chart.version, dict(chart.files)) == ("shop", "1.0.0", FILES)


def test_directories_are_no_files() -> None:
    assert set(read_chart(tgz(special("shop/templates", tarfile.DIRTYPE))).files) == {"Chart.yaml"}


def _halves() -> bytes:
    plain = gzip.decompress(GOOD)
    return gzip.compress(plain[:700]) + gzip.compress(plain[700:])


# What Helm's own reader takes; each is held against `helm template` below.
TAKEN: dict[str, Callable[[], bytes]] = {
    "a dot before a path": lambda: tgz(("./shop/x", b"")),
    "a second directory": lambda: tgz(("other/x", b"")),
    "a symbolic link": lambda: tgz(special("shop/x", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": lambda: tgz(special("shop/x", tarfile.LNKTYPE, "shop/Chart.yaml")),
    "several gzip members": _halves,
    "padding": lambda: GOOD + bytes(512),
    "no end mark": lambda: gzip.compress(gzip.decompress(GOOD).rstrip(b"\0").ljust(len(FILES) * 1024, b"\0")),
    "another directory's name": lambda: write_tarball("shop-1.0.0", FILES),
    "the same twice": lambda: tgz(("shop/x", b"1"), ("shop/x", b"1"), ("other/x", b"1")),
    "steps that lead nowhere": lambda: tgz(("shop/files/.//x", b"1")),
    "paths as Windows writes them": lambda: tgz(("shop\\x", b"1")),
    "a colon in a name": lambda: tgz(("sh:op/x", b"1")),
    "what git left": lambda: tgz(("shop/.GIT/config", b""), ("shop/files/.git", b"gitdir: ..")),
    "subcharts as their authors call them": lambda: tgz(
        ("shop/charts/Q/Chart.yaml", b"name: My Queue\napiVersion: v1\nversion: 1\n")
    ),
    "a key twice": lambda: write_tarball("shop", {**FILES, "Chart.yaml": CHART_YAML + b"home: a\nhome: b\n"}),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_helm_takes_is_taken(case: str, helm: Path, tmp_path: Path) -> None:
    archive = TAKEN[case]()
    chart = read_chart(archive)
    assert (chart.name, chart.version) == ("shop", "1.0.0")
    assert b"root:" not in b"".join(chart.files.values())
    (tmp_path / "c.tgz").write_bytes(archive)
    rendered = Helm(helm).template(tmp_path / "c.tgz", "shop", "default")
    assert ("kind: ConfigMap" in rendered) == ("templates/a.yaml" in chart.files)


@pytest.mark.parametrize("version", ["1", "1.2", "1.10", "2.0", "20240101", "'1.10'", "v1.2.3"])
def test_a_version_is_what_helm_reads(version: str, helm: Path, tmp_path: Path) -> None:
    """A number without quotes is one to YAML, and loses its zeros on the way to a text."""
    said = b"kind: ConfigMap\nmetadata: {name: a}\ndata: {said: {{ .Chart.Version | quote }}}\n"
    chart_yaml = f"apiVersion: v2\nname: shop\nversion: {version}\n".encode()
    archive = write_tarball(
        "shop", {"Chart.yaml": chart_yaml, "templates/a.yaml": b"apiVersion: v1\n" + said}
    )
    (tmp_path / "c.tgz").write_bytes(archive)
    rendered = Helm(helm).template(tmp_path / "c.tgz", "shop", "default")
    assert f'said: "{read_chart(archive).version}"' in rendered


def _named(chart_yaml: bytes) -> bytes:
    return write_tarball("shop", {"Chart.yaml": chart_yaml})


REFUSED: dict[str, Callable[[], bytes]] = {
    "parent": lambda: tgz(("shop/../x", b"")),
    "absolute": lambda: tgz(("/shop/x", b"")),
    "backslash": lambda: tgz(("shop/..\\x", b"")),
    "drive": lambda: tgz(("C:/x", b"")),
    "control character": lambda: tgz(("shop/a\nb", b"")),
    "file at the top": lambda: tgz(("x", b"")),
    "twice": lambda: tgz(("shop/x", b"1"), ("shop/x", b"2")),
    "twice, in two directories": lambda: tgz(("shop/x", b"1"), ("other/x", b"2")),
    "file and directory": lambda: tgz(("shop/x", b"1"), ("shop/x/y", b"2")),
    "device": lambda: tgz(special("shop/x", tarfile.CHRTYPE)),
    "pipe": lambda: tgz(special("shop/x", tarfile.FIFOTYPE)),
    "large file": lambda: tgz(("shop/x", bytes(LIMITS.chart_file + 1))),
    "trailing data": lambda: GOOD + b"x",
    "no gzip": lambda: gzip.decompress(GOOD),
    "no tar": lambda: gzip.compress(b"x" * 2000),
    "empty": lambda: b"",
    "empty tar": lambda: gzip.compress(bytes(10240)),
    "rubbish after the end": lambda: gzip.compress(gzip.decompress(GOOD) + b"x" * 512),
    "no Chart.yaml": lambda: write_tarball("shop", {"values.yaml": b""}),
    "name is a dot": lambda: write_tarball("shop", {"Chart.yaml": b"name: .\nversion: 1.0.0\n"}),
    "name with a path": lambda: write_tarball("shop", {"Chart.yaml": b"name: ../shop\nversion: 1.0.0\n"}),
    "a name no registry takes": lambda: _named(b"name: Shop\nversion: 1.0.0\n"),
    "no version": lambda: _named(b"name: shop\nversion: true\n"),
    "version no tag can be": lambda: _named(CHART_YAML.strip() + b"-" + b"a" * 124),
    "version with a path": lambda: write_tarball("shop", {"Chart.yaml": b"name: shop\nversion: 1.0/../..\n"}),
    "Chart.yaml is a list": lambda: write_tarball("shop", {"Chart.yaml": b"- 1\n"}),
    "Chart.yaml is no YAML": lambda: write_tarball("shop", {"Chart.yaml": b"\t:"}),
    "subchart is damaged": lambda: tgz(("shop/charts/x.tgz", b"no")),
}  # fmt: skip


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(DamagedError) as caught:
        read_chart(make())
    assert "source" in caught.value.hint  # the way out for whoever does not own the chart


def test_a_bomb_is_stopped_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(LIMITS.chart_archive + MIB))
    with pytest.raises(DamagedError, match="holds more than"):
        read_chart(bomb)


def test_bombs_within_share_one_budget() -> None:
    inner = tgz(*((f"shop/f{index}", bytes(4 * MIB)) for index in range(6)))
    outer = tgz(*((f"shop/charts/c{index}.tgz", inner) for index in range(6)))
    with pytest.raises(DamagedError, match="holds more than"):
        read_chart(outer)


def test_charts_nested_without_end_are_refused() -> None:
    archive = GOOD
    for _ in range(9):
        archive = tgz(("shop/charts/shop.tgz", archive))
    with pytest.raises(DamagedError, match="nested deeper"):
        read_chart(archive)


def test_subcharts_are_read_packed_or_not() -> None:
    inner = {"Chart.yaml": b"name: cache\nversion: 2.0.0\n"}
    chart = read_chart(
        tgz(
            ("shop/charts/cache-2.0.0.tgz", write_tarball("cache", inner)),
            ("shop/charts/queue/Chart.yaml", b"name: queue\nversion: 3.0.0\n"),
            ("shop/charts/README.md", b"charts"),
            ("shop/charts/_off/Chart.yaml", b"name: off\nversion: 3.0.0\n"),
        )
    )
    assert [(sub.name, sub.version) for sub in chart.subcharts] == [("cache", "2.0.0"), ("queue", "3.0.0")]


def test_old_charts_keep_their_dependencies_apart() -> None:
    chart = read_chart(tgz(("shop/requirements.yaml", b"dependencies:\n- {name: cache, condition: c.on}\n")))
    assert [entry["name"] for entry in chart.dependencies] == ["cache"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.tgz"):
        read_chart(tmp_path / "none.tgz")


@given(st.data())
def test_flipped_and_cut_archives_are_read_or_refused(data: st.DataObject) -> None:
    plain = bytearray(gzip.decompress(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(plain)))
    _read_or_refuse(gzip.compress(bytes(plain[:cut] if data.draw(st.booleans()) else plain), 1))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_flipped_gzip_is_read_or_refused(place: int, flip: int) -> None:
    damaged = bytearray(GOOD)
    damaged[place] ^= flip
    _read_or_refuse(bytes(damaged))


@given(st.binary(max_size=3000))
def test_rubbish_is_refused(data: bytes) -> None:
    _read_or_refuse(data)
    _read_or_refuse(gzip.compress(data, 1))
    _read_or_refuse(write_tarball("shop", {"Chart.yaml": data}))


NAMES = st.text("abcxyz0123-_.", min_size=1, max_size=12).filter(lambda name: set(name) - {"."})


@given(st.dictionaries(NAMES.map(lambda name: f"templates/{name}"), st.binary(max_size=200), max_size=8))
def test_any_files_come_back_and_give_the_same_bytes_in_any_order(files: dict[str, bytes]) -> None:
    files = {key: value for key, value in files.items() if ".git" not in key} | {"Chart.yaml": CHART_YAML}
    archive = write_tarball("shop", files)
    assert dict(read_chart(archive).files) == files
    assert write_tarball("shop", dict(reversed(files.items()))) == archive


def _read_or_refuse(archive: bytes) -> None:
    try:
        read_chart(archive)
    except AirstoreError:
        return
