"""A publisher whose root key lies elsewhere, and what it and a thief do with its keys."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from airstore.ops.stores.directory import open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.support.faults.forged_media import Forge
from tests.support.product.road_parts import Road, airstore, done


@dataclass(frozen=True)
class Rotation:
    """A road of its own, and the root key of its publisher, off its machine."""

    road: Road
    root_key: Path

    @classmethod
    def of(cls, road: Road) -> Rotation:
        """Take the root key away, as the publisher was told to."""
        return cls(road, Path(shutil.move(road.publisher / "keys" / "root", road.base / "offline-root")))

    def change(self, *words: str | Path) -> None:
        """Draft a change of the trust root: `add-key NAME`."""
        done("-C", self.road.publisher, "trust", "root", *words)

    def sign(self) -> None:
        """Sign the draft with the root key, which puts it into force."""
        done("-C", self.road.publisher, "trust", "root", "sign", "--key-file", self.root_key)

    def replace(self, old: str, new: str) -> None:
        """A new release key in place of one that is not trusted any more."""
        done("-C", self.road.publisher, "key", "generate", new)
        self.change("add-key", new)
        self.change("remove-key", old)
        self.sign()

    def release(self, version: str, key: str) -> None:
        """The newest content of the product once more, as another version."""
        done("-C", self.road.publisher, "release", "create", "--version", version, "--key", key)

    def media(self, version: str, key: str, *words: str) -> Path:
        """Full media for a release, made now."""
        out = self.road.base / f"media-{version}-{len(list(self.road.base.glob('media-*')))}"
        making = ("-C", self.road.publisher, "media", "create", "--to", version, "--key", key)
        done(*making, "--effort", "none", *words, out)
        return out

    def thief(self, name: str = "thief") -> Forge:
        """Whoever has a copy of the publisher's store, and the release key in it."""
        stolen = shutil.copytree(self.road.publisher, self.road.base / name)
        return Forge(stolen, PrivateKey.load(stolen / "keys" / "release"))

    def imports(self, site: Path, media: Path) -> str:
        """Import media, which has to succeed; returns what was said."""
        return done("-C", site, "media", "import", media).err


def held(site: Path) -> list[str]:
    """Versions of the releases of a store."""
    return [row["version"] for row in done("-C", site, "release", "list", "-o", "json").json()]


def root_of(store: Path) -> int:
    """Version of the trust root in force."""
    return open_directory(store).trust_root().version


def code_of(*words: str | Path) -> int:
    """Exit code of a command."""
    return airstore(*words).code
