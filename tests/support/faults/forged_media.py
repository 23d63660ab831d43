"""Media and releases made wrong on purpose, and signed with the real key: what only later checks can find."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pygit2.enums import ObjectType

from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.model.release_id import ReleaseId
from airstore.core.progress import QUIET
from airstore.history.git.commits import encode_commit, encode_tag, stamp
from airstore.history.git.names import MAIN, TAGS
from airstore.history.git.trees import write_tree
from airstore.media.index import INDEX_NAME, MediaFile, MediaIndex
from airstore.media.reader import Media
from airstore.media.writer import MediaContents, write_media
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.verify import ENVELOPE_FILE, RELEASE_FILE
from airstore.store.blobs import select
from airstore.trust import envelope
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import RELEASE, STATEMENT_TYPE, statement

Edit = Callable[[dict[str, bytes]], object]
_WHO = stamp(("Forger", "forger@example.com"), 1_767_225_600)


def sign_index(media: Path, key: PrivateKey, **changes: Any) -> MediaIndex:
    """Describe the files that are there now, and sign that properly; ``changes`` are fields of the index."""
    files = {
        path.relative_to(media).as_posix(): MediaFile(path.stat().st_size, Digest.of_file(path))
        for path in sorted(media.rglob("*"))
        if path.is_file() and path.name != INDEX_NAME
    }
    index = replace(Media(media).claimed_index(), files=files, **changes)
    write_index(media, envelope.sign(index.to_statement(), STATEMENT_TYPE, [key]))
    return index


def sign_payload(media: Path, key: PrivateKey, payload: bytes, payload_type: str = STATEMENT_TYPE) -> None:
    """Sign any bytes as the index."""
    write_index(media, envelope.sign(payload, payload_type, [key]))


def write_index(media: Path, data: bytes) -> None:
    path = media / INDEX_NAME
    path.chmod(0o644)
    path.write_bytes(data)


def payload_of(media: Path) -> dict[str, Any]:
    """The statement inside the index's envelope."""
    found: dict[str, Any] = json.loads(envelope.read(Media(media).envelope, STATEMENT_TYPE, "index").payload)
    return found


def rename_pack(pack: Path) -> Path:
    """Give an altered pack the name of its present content."""
    return pack.rename(pack.with_name(f"{Digest.of_file(pack).hex}.pack"))


def git(repository: Path, *words: str) -> str:
    command = ["git", f"--git-dir={repository}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


class Forge:
    """A publisher's store whose history is written by hand; signatures are real unless told otherwise."""

    def __init__(self, store: Path, key: PrivateKey) -> None:
        self.directory = open_directory(store)
        self.history = self.directory.history
        self.key = key

    def rewind(self, version: str) -> None:
        """Forget every release after ``version``."""
        keep = self.history.find(version)
        for release in self.history.releases()[len(self.history.releases()) - keep.later :]:
            git(self.history.path, "update-ref", "-d", f"refs/tags/{release.version}")
        self.history.refs.set("refs/heads/main", keep.commit)
        self.history = self.directory.history

    def next(
        self,
        version: str,
        *,
        change: Callable[[Release], Release] = lambda release: release,
        text: Callable[[bytes], bytes] = lambda data: data,
        edit: Edit = lambda _files: None,
        commit_key: PrivateKey | None = None,
        tag_key: PrivateKey | None = None,
        envelope_key: PrivateKey | None = None,
        unsigned: str = "",
    ) -> str:
        """Append a release made from the newest one.

        Args:
            version: of the new release.
            change: alters the release before it is written and signed.
            text: alters the bytes of release.json before they are signed.
            edit: alters the tree after signing.
            commit_key: signs the commit instead of the release key.
            tag_key: signs the tag instead.
            envelope_key: signs the envelope instead.
            unsigned: ``commit`` or ``tag``.
        """
        tip = str(self.history.tip)
        files = self.history.files(tip)
        previous = Release.parse(files[RELEASE_FILE])
        following = replace(
            previous,
            version=version,
            sequence=previous.sequence + 1,
            previous=Digest.of(files[RELEASE_FILE]),
        )
        data = text(change(following).to_bytes())
        files |= {RELEASE_FILE: data, ENVELOPE_FILE: self.envelope(data, envelope_key or self.key)}
        edit(files)
        return self._commit(
            files,
            version,
            None if unsigned == "commit" else commit_key or self.key,
            None if unsigned == "tag" else tag_key or self.key,
        )

    def retag(self, version: str, commit: str) -> None:
        """Have the tag of a release name another commit, signed."""
        tag = encode_tag(commit, version, _WHO, "again\n", lambda data: sshsig.sign(self.key, data, "git"))
        self.history.refs.set(TAGS + version, self.history._objects.write(ObjectType.TAG, tag))

    def envelope(self, data: bytes, key: PrivateKey, predicate_type: str = RELEASE) -> bytes:
        signed = statement(predicate_type, {RELEASE_FILE: Digest.of(data)}, {"product": "shop"})
        return envelope.sign(signed, STATEMENT_TYPE, [key])

    def media(self, out: Path, to: str, base: str = "", **changes: Any) -> Path:
        """Media for a release, whatever is wrong with it; its blobs are those of the last sound one."""
        last, first = self.release_id(to), self.release_id(base) if base else None
        with self.directory.open_blobs() as blobs:
            held = set(self._blobs(base)) if base else set()
            selection = select(blobs, [digest for digest in self._blobs(to) if digest not in held], held)

            def describe(files: Mapping[str, MediaFile]) -> MediaIndex:
                index = MediaIndex(product="shop", site="", release=last, base=first, files=files)
                return replace(index, **changes)

            def sign(payload: bytes) -> bytes:
                return envelope.sign(payload, STATEMENT_TYPE, [self.key])

            write_media(out, MediaContents(blobs, self.history, selection), describe, sign, QUIET)
        return out

    def release_id(self, version: str) -> ReleaseId:
        found = self.history.find(version)
        data = self.history.read(found.commit, RELEASE_FILE)
        sequence = len(self.history.ancestry(found.commit))
        return ReleaseId(version, sequence, Digest.of(data), found.commit)

    def _blobs(self, version: str) -> list[Digest]:
        commits = self.history.ancestry(self.history.find(version).commit)
        for commit in commits:
            try:
                release = self.history.release(commit)
            except Exception:  # noqa: BLE001, S112 - this one is meant to be wrong
                continue
            with self.directory.open_blobs() as blobs:
                if all(blobs.size(digest) is not None for digest in release.blobs()):
                    return list(release.blobs())
        raise AssertionError("no sound release to take the blobs from")

    def _commit(
        self,
        files: Mapping[str, bytes],
        version: str,
        commit_key: PrivateKey | None,
        tag_key: PrivateKey | None,
    ) -> str:
        objects = self.history._objects
        message = f"shop {version}\n"
        commit = objects.write(
            ObjectType.COMMIT,
            encode_commit(write_tree(objects, files), self.history.tip, _WHO, message, _signer(commit_key)),
        )
        if tag_key:
            tag = encode_tag(commit, version, _WHO, message, lambda data: sshsig.sign(tag_key, data, "git"))
        else:
            head = f"object {commit}\ntype commit\ntag {version}\n".encode()
            tag = head + b"tagger " + _WHO + b"\n\n" + message.encode()
        oid = objects.write(ObjectType.TAG, tag)
        objects.sync()
        self.history.refs.set(TAGS + version, oid)
        self.history.refs.set(MAIN, commit)
        return commit


def _signer(key: PrivateKey | None) -> Callable[[bytes], str] | None:
    return (lambda data: sshsig.sign(key, data, "git")) if key else None
