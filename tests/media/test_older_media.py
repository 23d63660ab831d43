"""Media that older versions wrote are still taken in; `fixtures/README.md` says what they are."""

from __future__ import annotations

from pathlib import Path

from tests.support.product.road_parts import FIXTURES, done, sound

OLDER = FIXTURES / "media-v2"
ZSTD = FIXTURES / "media-zstd"


def test_packs_and_the_first_format_of_deltas(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", OLDER / "root.json")
    done("-C", site, "media", "import", OLDER / "full-1.0.0", OLDER / "delta-2.0.0")
    sound(site, "1.0.0", "2.0.0")


def test_deltas_of_zstd_alone(tmp_path: Path) -> None:
    """The second format of deltas, and the third, which is for sites that hold different blobs."""
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", ZSTD / "root.json")
    done(
        "-C", site, "media", "import", *(ZSTD / name for name in ("full-1.0.0", "delta-2.0.0", "delta-3.0.0"))
    )
    sound(site, "1.0.0", "2.0.0", "3.0.0")
