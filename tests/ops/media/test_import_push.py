"""``media import --push``: one command for both; what was imported stays where the push fails."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.ops.stores.directory import open_directory
from tests.support.product.output_documents import said
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    pack_of,
    refused,
    rewrite,
    sound,
    unchanged,
)
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.servers import RegistryServer

pytestmark = pytest.mark.slow

UNREACHABLE = "http://127.0.0.1:1/x"


def test_one_command_imports_and_pushes_and_may_be_run_again(
    road: Road, new_site: Path, registry: RegistryServer, prefix: str, skopeo: Path
) -> None:
    url = f"http://{registry.host}/{prefix}"
    words = ("-C", new_site, "media", "import", road.full, "--push", url)
    outcome = done(*words, "-o", "json")
    document = outcome.json()
    assert [row["state"] for row in document["items"]] == ["imported"]
    pushed = document["pushed"]
    assert (pushed["release"], pushed["state"], pushed["uploaded"] > 0) == ("1.0.0", "read back", True)
    assert outcome.err.endswith(f"next: airstore -C {new_site} plan\n")
    history = open_directory(new_site).history
    assert history.tip
    release = history.release(history.tip)
    for image in release.images:
        place = f"docker://{registry.host}/{prefix}/{image.repository}:{image.tags[0]}"
        raw = subprocess.run(
            [skopeo, "inspect", "--tls-verify=false", "--raw", place], capture_output=True, check=True
        )
        assert Digest.of(raw.stdout) in release.blobs()

    again = done(*words)
    assert "held already" in again.out
    assert re.search(r"^upload_blobs +0$", again.out, re.MULTILINE)


def test_a_push_that_fails_leaves_what_was_imported(
    road: Road, new_site: Path, before_registry: FaultProxy, prefix: str
) -> None:
    url = f"http://{before_registry.host}/{prefix}"
    before_registry.faults.append(Fault("PUT", "/manifests/", status=403, times=1 << 30))
    outcome = airstore("-C", new_site, "media", "import", road.full, "--push", url, "-o", "json")
    assert outcome.code == 40
    assert "403" in outcome.err
    document = said(outcome.out)
    assert [row["state"] for row in document] == ["imported"]
    sound(new_site, "1.0.0")
    before_registry.faults.clear()
    done("-C", new_site, "registry", "push", url)


def test_media_that_are_refused_are_not_pushed(
    road: Road, copy: Copy, site: Path, before_registry: FaultProxy, prefix: str
) -> None:
    media = copy(road.full_new)
    rewrite(pack_of(media), lambda data: flipped(data, len(data) // 2))
    with unchanged(site, tmp=True):
        refused(
            airstore(
                "-C", site, "media", "import", media, "--push", f"http://{before_registry.host}/{prefix}"
            ),
            20,
        )
    assert before_registry.requests == []


def test_one_of_several_that_fails_keeps_the_registry_as_it_was(
    road: Road, copy: Copy, new_site: Path, before_registry: FaultProxy, prefix: str
) -> None:
    media = copy(road.full_new)
    rewrite(pack_of(media), lambda data: flipped(data, len(data) // 2))
    url = f"http://{before_registry.host}/{prefix}"
    outcome = airstore("-C", new_site, "media", "import", road.full, media, "--push", url)
    assert outcome.code == 20
    assert [line.split()[-1] for line in outcome.out.splitlines()[1:]] == ["imported", "failed"]
    assert before_registry.requests == []
    sound(new_site, "1.0.0")


def test_a_dry_run_has_nothing_to_push(road: Road, new_site: Path) -> None:
    with unchanged(new_site):
        refused(
            airstore("-C", new_site, "media", "import", "--dry-run", road.full, "--push", UNREACHABLE),
            2,
            "imports nothing",
            "registry push URL --dry-run",
        )


@pytest.mark.parametrize("url", ["ftp://host/x", ""])  # such as a variable that is not set
def test_an_address_that_is_none_is_said_before_anything_is_read(
    road: Road, new_site: Path, url: str
) -> None:
    with unchanged(new_site):
        refused(
            airstore("-C", new_site, "media", "import", road.full.parent / "none", "--push", url),
            2,
            "not a registry",
        )
