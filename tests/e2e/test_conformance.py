"""The served registry under the conformance suite of the OCI distribution specification 1.1, built from Go.

A served registry takes nothing, so the suite reads only what a release brought, its workflows of pull and of
content discovery, and is told by skopeo what that is. It needs Go and the network, as the tier of root has.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product.e2e_road import run, run_bytes
from tests.support.product.e2e_world import Served, World, served

pytestmark = pytest.mark.root
pytest_plugins = ["tests.support.product.e2e_fixtures"]

_MODULE = Path(__file__).parents[2] / "scripts" / "conformance.d"
_SUITE = "github.com/opencontainers/distribution-spec/conformance"
_OFF = ("OCI_API_PUSH", "OCI_API_BLOBS_DELETE", "OCI_API_MANIFESTS_DELETE", "OCI_API_TAGS_DELETE")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert shutil.which("go"), "Go is needed, as for the programs of the cluster"
    program = tmp_path_factory.mktemp("suite") / "conformance"
    command = ["go", "build", "-o", str(program), _SUITE]
    subprocess.run(command, cwd=_MODULE, check=True, env=os.environ | {"CGO_ENABLED": "0"})
    return program


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    with served(world.site) as running:
        yield running


def _manifests(server: Served, repository: str, reference: str) -> Iterator[tuple[str, Any]]:
    """Digest and document of a manifest and, where it is an index, of those that it lists."""
    place = f"{server.host}/{repository}{'@' if reference.startswith('sha256:') else ':'}{reference}"
    data = run_bytes("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{place}")
    document = json.loads(data)
    yield f"sha256:{hashlib.sha256(data).hexdigest()}", document
    for entry in document.get("manifests", ()):
        yield from _manifests(server, repository, entry["digest"])


def _told(server: Served, repository: str, tags: list[str]) -> dict[str, str]:
    """What is in a repository, as the suite is told of it."""
    found = [each for tag in tags for each in _manifests(server, repository, tag)]
    blobs = {
        blob["digest"]
        for _, manifest in found
        if "layers" in manifest
        for blob in (manifest["config"], *manifest["layers"])
    }
    return {
        "OCI_RO_DATA_TAGS": " ".join(tags),
        "OCI_RO_DATA_MANIFESTS": " ".join(digest for digest, _ in found),
        "OCI_RO_DATA_BLOBS": " ".join(sorted(blobs)),
        "OCI_RO_DATA_REFERRERS": found[0][0],
    }


@pytest.mark.parametrize("repository", ["shop/api", "shop/cache", "shop/docker", "shop/zstd", "charts/app"])
def test_what_a_release_brought_is_served_as_the_specification_says(
    suite: Path, server: Served, repository: str, tmp_path: Path
) -> None:
    """A signed image, one for two platforms, Docker's media types, zstd layers, a chart."""
    listed = run("skopeo", "list-tags", "--tls-verify=false", f"docker://{server.host}/{repository}")
    told = _told(server, repository, json.loads(listed)["Tags"])
    place = {"OCI_REGISTRY": server.host, "OCI_TLS": "disabled", "OCI_RESULTS_DIR": str(tmp_path)}
    repositories = {"OCI_REPO1": repository, "OCI_REPO2": repository}
    settings = os.environ | place | repositories | told | dict.fromkeys(_OFF, "false")
    # It dies while it writes a file of what it was only told of, after it has said all this.
    done = subprocess.run([suite], env=settings, capture_output=True, text=True, check=False, cwd=tmp_path)
    counts = {
        name: int(count) for name, count in re.findall(r"^  (\w+)\.+: +(\d+)$", done.stdout, re.MULTILINE)
    }
    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0), done.stdout
    asked = sum(len(value.split()) for value in told.values())
    assert counts["Pass"] > asked, "each of what it was told, and what is not there"
