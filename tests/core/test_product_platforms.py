"""Platforms as people write them, in the product file."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import UsageError
from airstore.core.image.descriptor import _ALONE, Platform
from airstore.core.model.product import load_product
from airstore.core.parsing.schema import load_schema

PRODUCT = """\
apiVersion: airstore/v1
kind: Product
name: tiny
platforms: [%s]
charts: []
releases: []
"""


@pytest.mark.parametrize("text", ["linux/AMD64", "Linux/x86-64", "linux/arm/V7", "linux/armv7l"])
def test_every_spelling_becomes_one_that_older_sites_take(text: str, tmp_path: Path) -> None:
    file = tmp_path / "airstore.yaml"
    file.write_text(PRODUCT % text)
    (platform,) = load_product(file).platforms
    pattern = load_schema("release")["$defs"]["platform"]["pattern"]
    assert pattern == "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$"
    assert str(platform) == text.lower().replace("-", "_")


@pytest.mark.parametrize("name", sorted(_ALONE))
def test_an_architecture_alone_is_for_linux(name: str, tmp_path: Path) -> None:
    """As containerd takes it; and in the schema, the reader and the parser the same names are known."""
    file = tmp_path / "airstore.yaml"
    for text in (name, f"{name}/v8"):
        file.write_text(PRODUCT % f"'{text}'")
        (platform,) = load_product(file).platforms
        assert str(platform) == f"linux/{text}".replace("-", "_")
        assert platform.matches(Platform.parse(f"linux/{text}"))


@pytest.mark.parametrize("text", ["linux", "amd46", "linux/", "/amd64", "linux/amd 64", "linux/arm/v7/x"])
def test_what_is_no_platform_is_named_with_its_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "airstore.yaml"
    file.write_text(PRODUCT % f"'{text}'")
    with pytest.raises(UsageError, match=r"airstore.yaml:4: .*is not a platform such as linux/amd64"):
        load_product(file)
