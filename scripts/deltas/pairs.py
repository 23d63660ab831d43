"""Pairs of images one release apart, made from packages: each a list of plain tars before and after.

Made once in a work directory and used again from there. Network, apt-get, go, npm and mvn are needed once; a
pair whose tools are not here is named and left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_DAY = 86_400
_EPOCH = 1_700_000_000
_SUITES = ("bookworm", "bookworm-security")
_DEBIAN = (
    "libssl3", "openssl", "libexpat1", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "perl-base", "nginx", "libc6", "libc-bin", "coreutils", "bash", "dpkg", "tar", "libstdc++6", "util-linux",
    "libgnutls30", "libkrb5-3", "libsystemd0", "libxml2", "git", "curl", "libcurl4", "vim-common",
)  # fmt: skip
_PYTHON = {
    "old": ("Django==4.2.9", "numpy==1.26.3", "pandas==2.2.1", "SQLAlchemy==2.0.25",
            "cryptography==42.0.2"),
    "patch": (
        "Django==4.2.10",
        "numpy==1.26.4",
        "pandas==2.2.2",
        "SQLAlchemy==2.0.27",
        "cryptography==42.0.4",
    ),
    "minor": ("Django==5.0.2", "numpy==2.0.0", "pandas==2.2.3", "SQLAlchemy==2.0.30",
              "cryptography==43.0.0"),
}  # fmt: skip
_NODE = {
    "old": ("typescript@5.3.2", "webpack@5.89.0", "@nestjs/core@10.3.0", "axios@1.6.5",
            "swagger-ui-dist@5.11.0"),
    "new": ("typescript@5.3.3", "webpack@5.90.0", "@nestjs/core@10.3.3", "axios@1.6.7",
            "swagger-ui-dist@5.11.8"),
}  # fmt: skip
_GO = {
    "old": ("github.com/caddyserver/caddy/v2/cmd/caddy@v2.7.5",),
    "new": ("github.com/caddyserver/caddy/v2/cmd/caddy@v2.7.6",),
}
_JAVA = {"old": "3.2.2", "new": "3.2.3"}  # Spring Boot
_POM = """\
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<dependencies>%s</dependencies></project>
"""
_STARTERS = ("web", "data-jpa", "actuator", "security")
_ON_ONE_BASE = {"ten"}  # pairs of several images


class Pair(NamedTuple):
    """Layers before and after, as plain tars, the lowest first."""

    name: str
    old: list[Path]
    new: list[Path]

    @property
    def images(self) -> list[tuple[list[Path], list[Path]]]:
        """Layers of each image before and after: of one, or of one for each that rests on the lowest."""
        if self.name not in _ON_ONE_BASE:
            return [(self.old, self.new)]
        upper = zip(self.old[1:], self.new[1:], strict=True)
        return [([self.old[0], old], [self.new[0], new]) for old, new in upper]


def make_pairs(work: Path, names: list[str]) -> list[Pair]:
    """The pairs, made where they are not there yet."""
    found = []
    for name in names:
        home = work / "pairs" / name
        if not home.is_dir():
            building = home.with_name(f"{name}.building")
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(parents=True)
            try:
                PAIRS[name](work, building)
            except (OSError, subprocess.CalledProcessError) as fault:
                print(f"{name}: left out: {fault}", file=sys.stderr)
                continue
            building.rename(home)
        found.append(Pair(name, sorted((home / "old").iterdir()), sorted((home / "new").iterdir())))
    return found


def _tar(
    tree: Path, target: Path, prefix: str = "", *, days: int = 0, only: Callable[[str], bool] = bool
) -> None:
    """A layer of a tree: sorted, owned by root, every file of one time."""
    target.parent.mkdir(parents=True, exist_ok=True)

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = _EPOCH + days * _DAY
        return info

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as made:
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            if only(name):
                made.add(path, prefix + name, recursive=False, filter=entry)


def _run(*command: str | Path, cwd: Path | None = None, **settings: str) -> str:
    environment = {**os.environ, **settings}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
        done.check_returncode()
    return done.stdout


def _kept(work: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A tree that several pairs share."""
    home = work / "trees" / name
    if not home.is_dir():
        building = home.with_name(f"{name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        make(building)
        building.rename(home)
    return home


def _debian(work: Path, packages: tuple[str, ...], suite: str) -> Path:
    """Debian packages unpacked, as a suite has them, or else as its main one has."""

    def make(tree: Path) -> None:
        with_debs = tree.with_name(f"{tree.name}.debs")
        with_debs.mkdir(exist_ok=True)
        for package in packages:
            _run("apt-get", "download", f"{package}={_version(package, suite)}", cwd=with_debs)
        for archive in with_debs.glob("*.deb"):
            _run("dpkg-deb", "-x", archive, tree)
        shutil.rmtree(with_debs)

    return _kept(work, f"{packages[0]}-{suite}", make)


def _version(package: str, suite: str) -> str:
    lines = [line.split("|") for line in _run("apt-cache", "madison", package).splitlines()]
    of = {place.split()[1].partition("/")[0]: version.strip() for _, version, place in reversed(lines)}
    main = of[_SUITES[0]]
    wanted = of.get(suite, main)
    newer = subprocess.run(["dpkg", "--compare-versions", wanted, "gt", main], check=False).returncode == 0
    return wanted if newer else main


def _python(work: Path, which: str) -> Path:
    def make(tree: Path) -> None:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:")
        _run(*pip, "--target", tree, *_PYTHON[which])

    return _kept(work, f"python-{which}", make)


def _node(work: Path, which: str) -> Path:
    def make(tree: Path) -> None:
        _run("npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--prefix", tree, *_NODE[which])

    return _kept(work, f"node-{which}", make)


def _go(work: Path, which: str) -> Path:
    def make(tree: Path) -> None:
        for program in _GO[which]:
            _run("go", "install", "-ldflags=-s -w", program, GOBIN=str(tree / "usr/bin"), CGO_ENABLED="0")

    return _kept(work, f"go-{which}", make)


def _java(work: Path, which: str) -> Path:
    def make(tree: Path) -> None:
        line = (
            "<dependency><groupId>org.springframework.boot</groupId>"
            "<artifactId>spring-boot-starter-{}</artifactId><version>{}</version></dependency>"
        )
        pom = tree.with_name(f"{tree.name}.pom") / "pom.xml"
        pom.parent.mkdir(exist_ok=True)
        pom.write_text(_POM % "".join(line.format(starter, _JAVA[which]) for starter in _STARTERS))
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
        _run("mvn", "-q", "-B", "-f", pom, goal, f"-DoutputDirectory={tree / 'app/lib'}")

    return _kept(work, f"java-{which}", make)


def _two(old: Path, new: Path, building: Path, prefix: str = "") -> None:
    _tar(old, building / "old/0.tar", prefix)
    _tar(new, building / "new/0.tar", prefix, days=30)


def _debian_pair(work: Path, building: Path) -> None:
    _two(_debian(work, _DEBIAN, _SUITES[0]), _debian(work, _DEBIAN, _SUITES[1]), building)


def _jre_pair(work: Path, building: Path) -> None:
    packages = ("openjdk-17-jre-headless",)
    _two(_debian(work, packages, _SUITES[0]), _debian(work, packages, _SUITES[1]), building)


def _python_patch(work: Path, building: Path) -> None:
    _two(_python(work, "old"), _python(work, "patch"), building, "opt/app/")


def _python_minor(work: Path, building: Path) -> None:
    _two(_python(work, "patch"), _python(work, "minor"), building, "opt/app/")


def _node_pair(work: Path, building: Path) -> None:
    _two(_node(work, "old"), _node(work, "new"), building, "srv/")


def _go_pair(work: Path, building: Path) -> None:
    _two(_go(work, "old"), _go(work, "new"), building)


def _java_pair(work: Path, building: Path) -> None:
    _two(_java(work, "old"), _java(work, "new"), building)


def _rebased(work: Path, building: Path) -> None:
    """A new base under the same application, which was built again."""
    app = _python(work, "patch")
    _tar(_debian(work, _DEBIAN, _SUITES[0]), building / "old/0.tar")
    _tar(app, building / "old/1.tar", "opt/app/")
    _tar(_debian(work, _DEBIAN, _SUITES[1]), building / "new/0.tar", days=30)
    _tar(app, building / "new/1.tar", "opt/app/", days=30)


def _split(work: Path, building: Path) -> None:
    """One layer becomes two, below another directory, in another version."""
    _tar(_python(work, "old"), building / "old/0.tar", "opt/app-1.0/")
    new, large = _python(work, "patch"), ("numpy", "pandas")
    _tar(new, building / "new/0.tar", "srv/libraries/", days=30, only=lambda name: name.startswith(large))
    _tar(new, building / "new/1.tar", "srv/app-1.1/", days=30, only=lambda name: not name.startswith(large))


def _label(work: Path, building: Path) -> None:
    """The same layers; what differs is the label that every image here has."""
    _tar(_go(work, "old"), building / "old/0.tar")
    (building / "new").mkdir()
    os.link(building / "old/0.tar", building / "new/0.tar")


def _ten(work: Path, building: Path) -> None:
    """Ten images on one base: first the base, then what each has of its own."""
    for side, suite, which in (("old", _SUITES[0], "old"), ("new", _SUITES[1], "new")):
        days = 30 * (side == "new")
        _tar(_debian(work, _DEBIAN, suite), building / side / "0.tar", days=days)
        node = _node(work, which) / "node_modules"
        parts = sorted(path.name for path in node.iterdir() if path.is_dir())
        for number in range(10):
            mine = tuple(f"{name}/" for name in parts[number::10])
            layer = building / side / f"1-{number}.tar"
            _tar(
                node,
                layer,
                f"srv/service{number}/",
                days=days,
                only=lambda name, mine=mine: name.startswith(mine),  # type: ignore[misc]
            )


PAIRS: dict[str, Callable[[Path, Path], None]] = {
    "debian": _debian_pair,
    "python-patch": _python_patch,
    "python-minor": _python_minor,
    "node": _node_pair,
    "go": _go_pair,
    "jre": _jre_pair,
    "jars": _java_pair,
    "rebased": _rebased,
    "split": _split,
    "ten": _ten,
    "label": _label,
}
