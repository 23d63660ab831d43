"""Both sides of the road as their users walk it: through the command line, on directories of a test."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airstore.cli.main import exit_code
from tests.support.product.output_documents import said

Variables = Mapping[str, str]
_NONE: Variables = {}


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return said(self.out)


@dataclass
class Airstore:
    """Runs commands in this process, in an environment of its own; keeps everything they say.

    Attributes:
        home: the user's home directory.
        said: standard output and error of every command so far.
    """

    home: Path
    helm: Path
    said: list[str] = field(default_factory=list)

    def __call__(self, *words: str | Path, code: int = 0, variables: Variables = _NONE) -> Result:
        """Run one command that must end with ``code``."""
        out, err = _Stream(), _Stream()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in ("DOCKER_CONFIG", "SOURCE_DATE_EPOCH", "KUBECONFIG"):
                patch.delenv(name, raising=False)
            for name, value in {**self.environment, **variables}.items():
                patch.setenv(name, value)
            ended = exit_code(list(map(str, words)))
        result = Result(ended, out.text, err.text)
        self.said += [result.out, result.err]
        assert ended == code, f"{' '.join(map(str, words))}: exit code {ended}\n{result.out}{result.err}"
        return result

    @property
    def environment(self) -> dict[str, str]:
        """What differs from the tests' own environment."""
        return {"HOME": str(self.home), "AIRSTORE_HELM": str(self.helm)}

    def never_said(self, *secrets: str) -> None:
        """No command so far has said a secret, plainly or as basic authentication has it."""
        text = "".join(self.said)
        for secret in secrets:
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                assert form not in text


class _Stream(io.TextIOWrapper):
    """Text that was written, as a real stream would take it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


@dataclass(frozen=True)
class Store:
    """A store of either side.

    Attributes:
        style: global options of every command.
    """

    airstore: Airstore
    path: Path
    style: tuple[str, ...] = ()

    def __call__(self, *words: str | Path, code: int = 0, variables: Variables = _NONE) -> Result:
        """Run one command on it."""
        return self.airstore("-C", self.path, *self.style, *words, code=code, variables=variables)

    def release(self, version: str) -> dict[str, Any]:
        """``release.json`` as stock git reads it."""
        command = ["git", "--git-dir", str(self.path / "history.git"), "show", f"{version}:release.json"]
        done = subprocess.run(command, capture_output=True, check=True)
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def images(self, version: str) -> dict[str, str]:
        """Reference to digest."""
        return {image["reference"]: image["root"]["digest"] for image in self.release(version)["images"]}


def publisher(airstore: Airstore, directory: Path, product: Mapping[str, Any]) -> Store:
    """A publisher's store with a key; the product file is next to it in ``product/``."""
    store = Store(airstore, directory / "publisher")
    airstore("init", store.path, "--product", write_product(directory / "product", product))
    store("key", "generate", "release")
    return store


def write_product(directory: Path, product: Mapping[str, Any]) -> Path:
    """A product file; what is not given is as short as it may be."""
    directory.mkdir(parents=True, exist_ok=True)
    base = {"apiVersion": "airstore/v1", "kind": "Product", "name": "shop", "charts": [], "releases": []}
    path = directory / "airstore.yaml"
    path.write_text(json.dumps({**base, **product}))  # JSON is YAML
    return path


def site(source: Store, directory: Path, version: str, name: str = "acme", effort: str = "normal") -> Store:
    """A site that has imported full media for a release."""
    store = Store(source.airstore, directory / "site")
    root = source.path / "trust" / "root.json"
    source.airstore("init", store.path, "--site", name, "--trust", root)
    carry(source, store, directory, version, "--effort", effort)
    return store


def carry(source: Store, target: Store, directory: Path, version: str, *options: str | Path) -> None:
    """Make media and take them in."""
    media = directory / f"media-{version}"
    source("media", "create", "--to", version, *options, media)
    target("media", "import", media)


def digests_of(artifact: Mapping[str, Any]) -> set[str]:
    """Digests of every blob, manifest and index of an image or chart in ``release.json``."""
    return {blob["digest"] for blob in artifact["blobs"]}


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a tool; what it says on failure is in the error."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120, check=False, env=env
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}"
    return done.stdout


def run_bytes(*command: str | Path) -> bytes:
    """`run` with what was written byte for byte."""
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
