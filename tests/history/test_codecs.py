"""Every parser of the history on arbitrary input, and every codec there and back."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, UsageError
from airstore.history.git.commits import decode_commit, decode_tag, encode_commit, encode_tag, stamp
from airstore.history.git.header import BundleHeader, read_header
from airstore.history.git.names import component_fault, is_version, path_fault
from airstore.history.git.trees import TreeEntry, decode, encode

OID = st.binary(min_size=20, max_size=20).map(bytes.hex)
VERSION = st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}(-[a-z]{1,5})?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
ARMORED = st.text("AZaz09+/=", min_size=1, max_size=70).map(
    lambda text: f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n"
)
WHO = stamp(("A B", "a@b"), 1)
LINES = st.sampled_from(
    [
        b"# v2 git bundle\n", b"# v3 git bundle\n", b"@object-format=sha1\n", b"@filter=x\n", b"\n", b"PACK",
        b"-" + b"1" * 40 + b" x\n", b"2" * 40 + b" refs/heads/main\n", b"3" * 40 + b" refs/tags/1\n",
        b"3" * 40 + b" refs/tags/-1\n", b"x" * 5000,
    ]
)  # fmt: skip


@given(
    st.lists(OID, unique=True, max_size=3),
    OID,
    st.dictionaries(VERSION, OID, max_size=5),
    st.binary(max_size=50),
)
def test_bundle_header_there_and_back(known: list[str], tip: str, tags: dict[str, str], rest: bytes) -> None:
    refs = {"refs/heads/main": tip, **{f"refs/tags/{version}": oid for version, oid in tags.items()}}
    file = io.BytesIO(BundleHeader(tuple(known), refs).to_bytes() + rest)
    assert read_header(file) == BundleHeader(tuple(sorted(known)), refs)
    assert file.read() == rest


@given(st.binary(max_size=300) | st.lists(LINES | st.binary(max_size=60), max_size=8).map(b"".join))
@example(b"# v2 git bundle\n" + b"2" * 40 + b" refs/heads/main\n")
@example(b"# v2 git bundle\n" + b"2" * 40 + b" refs/heads/main\n\n")
def test_bundle_header_of_anything(data: bytes) -> None:
    """A header is refused, or every line of it is one of the grammar and it ends with an empty line."""
    file = io.BytesIO(data)
    try:
        header = read_header(file)
    except DamagedError:
        return
    read = data[: file.tell()]
    assert read.endswith(b"\n\n")
    assert read.count(b"\n") <= 3 + len(header.prerequisites) + len(header.refs)
    assert "refs/heads/main" in header.refs
    assert all(is_version(name.removeprefix("refs/tags/")) for name in header.refs if "tags" in name)


def test_an_endless_bundle_header() -> None:
    """More than four million bytes of refs, of which each is good."""
    lines = b"".join(b"1" * 40 + b" refs/tags/%d\n" % n for n in range(80_000))
    with pytest.raises(DamagedError, match="longer"):
        read_header(io.BytesIO(b"# v2 git bundle\n" + lines + b"\n"))


NAME = st.text(min_size=1, max_size=12).filter(lambda name: not path_fault(name) and "/" not in name)


@given(st.dictionaries(NAME, st.tuples(st.booleans(), OID), max_size=8))
def test_tree_there_and_back(files: dict[str, tuple[bool, str]]) -> None:
    entries = [TreeEntry(name, directory, oid) for name, (directory, oid) in files.items()]
    assert sorted(decode(encode(entries), "tree")) == sorted(entries)


@given(
    st.binary(max_size=100)
    | st.lists(st.sampled_from([b"100644 a\0", b"40000 ", b"b\0", b"1" * 20]), max_size=9).map(b"".join)
)
def test_tree_of_anything(data: bytes) -> None:
    try:
        entries = decode(data, "tree")
    except DamagedError:
        return
    assert encode(entries) == data
    assert not any(component_fault(entry.name) for entry in entries)


@given(OID, st.none() | OID, TEXT, st.none() | ARMORED)
def test_commit_there_and_back(tree: str, parent: str | None, message: str, armored: str | None) -> None:
    signed: list[bytes] = []

    def sign(data: bytes) -> str:
        signed.append(data)
        return armored or ""

    try:
        data = encode_commit(tree, parent, WHO, message, sign if armored else None)
    except UsageError:
        assert not message.strip() or re.search("^-----BEGIN ", message, re.MULTILINE)
        return
    commit = decode_commit(data, "commit")
    assert (commit.tree, commit.parent, commit.author, commit.when) == (tree, parent, "A B <a@b>", 1)
    assert commit.message == message.strip("\n") + "\n"
    assert commit.signed == (armored or "", signed[0] if armored else data)


@given(OID, VERSION, TEXT.filter(str.strip), ARMORED)
def test_tag_there_and_back(target: str, version: str, message: str, armored: str) -> None:
    signed: list[bytes] = []

    def sign(data: bytes) -> str:
        signed.append(data)
        return armored

    tag = decode_tag(encode_tag(target, version, WHO, message, sign), "tag")
    assert (tag.target, tag.name, tag.signed) == (target, version, (armored, signed[0]))


ARMOR = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
GOOD = encode_commit("1" * 40, "2" * 40, WHO, "m", lambda _data: ARMOR)
GOOD_TAG = encode_tag("1" * 40, "1.0", WHO, "m", lambda _data: ARMOR)

BAD_COMMITS = {
    "two signatures": GOOD.replace(b"\n\nm", b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n\nm"),
    "sha256 signature": GOOD.replace(b"gpgsig ", b"gpgsig-sha256 "),
    "merge": GOOD.replace(b"\nauthor", b"\nparent " + b"3" * 40 + b"\nauthor"),
    "mergetag": GOOD.replace(b"gpgsig ", b"mergetag x\ngpgsig "),
    "encoding": GOOD.replace(b"gpgsig ", b"encoding latin-1\ngpgsig "),
    "tree in the signature": GOOD.replace(b" AAAA", b" AAAA\ntree " + b"4" * 40),
    "openpgp": GOOD.replace(b"SSH", b"PGP"),
    "junk after the signature": GOOD.replace(b"END SSH SIGNATURE-----\n", b"END SSH SIGNATURE-----\n x\n"),
    "nul": GOOD + b"\0",
    "not utf-8": GOOD + b"\xff",
    "no message": GOOD[:40],
}


@pytest.mark.parametrize("name", BAD_COMMITS)
def test_commits_that_git_and_airstore_could_read_differently(name: str) -> None:
    decode_commit(GOOD, "commit")
    with pytest.raises(DamagedError):
        decode_commit(BAD_COMMITS[name], "commit")


BAD_TAGS = {
    "of a tree": GOOD_TAG.replace(b"type commit", b"type tree"),
    "dash": GOOD_TAG.replace(b"tag 1.0", b"tag -1.0"),
    "junk after the signature": GOOD_TAG + b"x\n",
    "nul": GOOD_TAG.replace(b"\nm", b"\n\0"),
    "no tagger": re.sub(rb"tagger .*\n", b"", GOOD_TAG),
}


@pytest.mark.parametrize("name", BAD_TAGS)
def test_tags_that_airstore_does_not_write(name: str) -> None:
    decode_tag(GOOD_TAG, "tag")
    with pytest.raises(DamagedError):
        decode_tag(BAD_TAGS[name], "tag")


def test_the_last_signature_of_a_tag_counts_as_in_git() -> None:
    tag = decode_tag(GOOD_TAG + ARMOR.replace("AAAA", "BBBB").encode(), "tag")
    assert "BBBB" in tag.signed.signature
    assert tag.signed.payload == GOOD_TAG


@given(st.binary(max_size=200), st.integers(0, len(GOOD)), st.integers(0, 20))
def test_commit_and_tag_of_anything(noise: bytes, at: int, cut: int) -> None:
    """Whatever is accepted, payload and signature together are the object."""
    for data in (noise, GOOD[:at] + noise[:3] + GOOD[at + cut :]):
        try:
            commit = decode_commit(data, "commit")
        except DamagedError:
            continue
        assert len(commit.signed.payload) <= len(data)
        assert f"tree {commit.tree}\n".encode() in commit.signed.payload
    for data in (noise, GOOD_TAG[:at] + noise[:3] + GOOD_TAG[at + cut :]):
        try:
            tag = decode_tag(data, "tag")
        except DamagedError:
            continue
        assert tag.signed.payload + tag.signed.signature.encode() == data
