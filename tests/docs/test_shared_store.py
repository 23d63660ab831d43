"""docs/shared-store.md, run as it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.product.road_parts import leftovers, sound
from tests.support.product.sharing import git
from tests.support.product.tiny_product import Tiny
from tests.support.registry.servers import RegistryServer
from tests.support.tools.document_commands import FAR, WAYS, Desk, commands

DOCUMENT = "docs/shared-store.md"


@pytest.mark.slow
@pytest.mark.parametrize("way", [*WAYS, FAR])
def test_the_document(way: str, tiny: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path) -> None:
    assert tiny.create("1.1.0").code == 0
    bare = tmp_path / "history.git"
    git("init", "-q", "--bare", "-b", "main", bare)
    desk = Desk(tiny.base, way)
    before = {"relative": "", FAR: f"{desk.directory}/", "inside": "../"}[way]
    desk.names = {
        "GIT-URL": f"file://{bare}",
        "oci://HOST/REPOSITORY": f"oci://{registry.host}/{prefix}/store --plain-http",
        "CLONE": f"{before}CLONE",
    }
    tiny.store.rename(desk.store)
    shutil.copy2(desk.store / "trust" / "root.json", desk / "root.json")
    for command in commands(DOCUMENT):
        desk.run(command)
        if command.name == "clone":
            shutil.copytree(desk.store / "keys", desk / "CLONE" / "keys", dirs_exist_ok=True)
    sound(desk.store, "1.1.0", "1.2.0")
    sound(desk / "CLONE", "1.1.0", "1.2.0")
    assert leftovers(desk.store) == []
