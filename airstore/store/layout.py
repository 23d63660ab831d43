"""Where everything in a store's directory is."""

from __future__ import annotations

from pathlib import Path

from airstore.core.frozen import frozen
from airstore.store.format.packwriter import pack_name

_ARRIVALS = "import-"
REBUILT = "rebuilt-"  # directories of blobs that an import writes down whole


@frozen
class StoreLayout:
    """The paths of a store.

    Attributes:
        root: the store's directory.
    """

    root: Path

    @property
    def config(self) -> Path:
        """Which side this is, and its name; a directory without it is no store."""
        return self.root / "airstore.json"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the store."""
        return self.root / "lock"

    @property
    def packs(self) -> Path:
        """Directory of the packs."""
        return self.root / "packs"

    @property
    def packs_lock(self) -> Path:
        """Held by whoever adds packs."""
        return self.root / "packs.lock"

    @property
    def index(self) -> Path:
        """The index of the packs."""
        return self.root / "index.sqlite"

    @property
    def kept_whole(self) -> Path:
        """Notes on blobs that are kept whole."""
        return self.root / "kept-whole.json"

    @property
    def temporary(self) -> Path:
        """Directory of what no command that has ended needs, but for copies of interrupted imports."""
        return self.root / "tmp"

    @property
    def history(self) -> Path:
        """The history repo."""
        return self.root / "history.git"

    @property
    def keys(self) -> Path:
        """Directory of private keys."""
        return self.root / "keys"

    @property
    def sites(self) -> Path:
        """Directory of the public keys of sites."""
        return self.root / "sites"

    @property
    def root_file(self) -> Path:
        """The trust root."""
        return self.root / "trust" / "root.json"

    @property
    def roots(self) -> Path:
        """Directory of the trust roots before that one, by version."""
        return self.root / "trust" / "roots"

    def earlier_root(self, version: int) -> Path:
        """The file of a trust root that another one followed."""
        return self.roots / f"{version}.json"

    def earlier_roots(self) -> dict[int, Path]:
        """The files of trust roots that are there, by version; whatever is in them."""
        return {int(path.stem): path for path in self.roots.glob("[0-9]*.json")}

    @property
    def root_draft(self) -> Path:
        """At a publisher, the next trust root while it is made and signed."""
        return self.root / "trust" / "next.json"

    @property
    def state_file(self) -> Path:
        """What a site trusts so far."""
        return self.root / "trust" / "state.json"

    @property
    def mark_file(self) -> Path:
        """At a site, its high-water mark: how far ledger and trusted sequence had come."""
        return self.root / "trust" / "mark.json"

    def pack(self, name: bytes) -> Path:
        """The file of a pack, by its raw name."""
        return self.packs / pack_name(name)

    def partial(self, name: bytes) -> Path:
        """The file of a pack that is here only in part, by its raw name."""
        return self.packs / f"{name.hex()}.partial"

    @property
    def remotes(self) -> Path:
        """At a publisher, where its history and its packs are shared."""
        return self.root / "remotes.json"

    @property
    def applier(self) -> Path:
        """At a site, which applier in the cluster has the store."""
        return self.root / "applier.json"

    def arrivals(self, media: str) -> Path:
        """Where an import keeps its copies; ``media`` names them by content."""
        return self.temporary / f"{_ARRIVALS}{media}"

    def all_arrivals(self) -> list[Path]:
        """The copies of all imports and what they rebuilt, those that were interrupted too."""
        return [path for prefix in (_ARRIVALS, REBUILT) for path in self.temporary.glob(f"{prefix}*")]
