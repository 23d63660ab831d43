"""Commits and tags as bytes, with their signatures taken apart the way git does it.

A commit object: ``tree``, ``parent`` (at most one), ``author``, ``committer``, then ``gpgsig`` with every
further line of the armored SSH signature indented by one space, an empty line, the message. What is
signed is the object without the ``gpgsig`` header. A tag object carries the armored signature after its
message instead; what is signed is everything before it (git: Documentation/gitformat-signature).

Other headers are refused: what git verifies and what airstore verifies must be the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.history.git.names import check_person, is_version

Sign = Callable[[bytes], str]

_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_ARMOR = re.compile(rf"{_BEGIN}\n[A-Za-z0-9+/=\n]+\n{_END}\n")
_ID = rb"[0-9a-f]{40}"
_WHO = rb"[^<>\x00-\x1f\x7f]+ <[^<>\x00-\x1f\x7f]*> [0-9]{1,12} [+-][0-9]{4}"
_COMMIT = re.compile(
    rb"tree (?P<tree>%(id)s)\n(?:parent (?P<parent>%(id)s)\n)?author (?P<author>%(who)s)\n"
    rb"committer %(who)s\n(?P<gpgsig>gpgsig [^\n]*\n(?: [^\n]*\n)*)?\n(?P<message>[^\0]*)"
    % {b"id": _ID, b"who": _WHO}
)
_TAG = re.compile(
    rb"object (?P<target>%(id)s)\ntype commit\ntag (?P<name>[^\n]{1,128})\ntagger %(who)s\n\n[^\0]*"
    % {b"id": _ID, b"who": _WHO}
)
_LAST_SECOND = 10**12  # what the patterns above read back


class Signed(NamedTuple):
    """A signature and what it is over.

    Attributes:
        signature: armored SSHSIG in the namespace ``git``; empty where there is none.
        payload: the bytes that were signed.
    """

    signature: str
    payload: bytes


@frozen
class Commit:
    """A commit as airstore writes and accepts it.

    Attributes:
        author: as ``name <email>``.
        when: seconds since the epoch.
    """

    tree: str
    parent: str | None
    author: str
    when: int
    message: str
    signed: Signed


@frozen
class ReleaseTag:
    """An annotated tag of a commit."""

    target: str
    name: str
    signed: Signed


def stamp(author: tuple[str, str], when: int) -> bytes:
    """An author line without its first word; always in UTC.

    Raises:
        UsageError: a name, address or time that git could not read back.
    """
    check_person(*author)
    if not 0 <= when < _LAST_SECOND:
        raise UsageError(f"{when} is not a time in seconds since 1970")
    return f"{author[0]} <{author[1]}> {when} +0000".encode()


def encode_commit(tree: str, parent: str | None, who: bytes, message: str, sign: Sign | None) -> bytes:
    """The commit object; ``sign`` gets the bytes to sign and returns the armored signature.

    Raises:
        UsageError: the message or the signature cannot stand in a commit.
    """
    first = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
    headers = first.encode() + b"author " + who + b"\ncommitter " + who + b"\n"
    body = b"\n" + _message(message)
    if sign is None:
        return headers + body
    folded = _armor(sign(headers + body)).rstrip("\n").replace("\n", "\n ")
    return headers + f"gpgsig {folded}\n".encode() + body


def encode_tag(target: str, name: str, who: bytes, message: str, sign: Sign) -> bytes:
    """The signed tag object.

    Raises:
        UsageError: the message or the signature cannot stand in a tag.
    """
    headers = f"object {target}\ntype commit\ntag {name}\n".encode() + b"tagger " + who + b"\n"
    payload = headers + b"\n" + _message(message)
    return payload + _armor(sign(payload)).encode()


def decode_commit(data: bytes, what: str) -> Commit:
    """Read a commit object strictly.

    Raises:
        DamagedError: not of the form above, such as a merge.
    """
    match = _COMMIT.fullmatch(data)
    if match is None:
        raise DamagedError(f"{what} is not a commit that airstore writes")
    who, when = match["author"].rsplit(b" ", 2)[:2]
    try:
        author, message = who.decode(), match["message"].decode()
    except UnicodeDecodeError as fault:
        raise DamagedError(f"{what} is not UTF-8") from fault
    parent = match["parent"].decode() if match["parent"] else None
    signed = _split_commit(data, match, what)
    return Commit(match["tree"].decode(), parent, author, int(when), message, signed)


def decode_tag(data: bytes, what: str) -> ReleaseTag:
    """Read an annotated tag of a commit strictly.

    Raises:
        DamagedError: not of the form above.
    """
    match = _TAG.fullmatch(data)
    name = match["name"].decode("ascii", "replace") if match else ""
    if match is None or not is_version(name):
        raise DamagedError(f"{what} is not a tag that airstore writes")
    return ReleaseTag(match["target"].decode(), name, _split_tag(data, what))


def _split_commit(data: bytes, match: re.Match[bytes], what: str) -> Signed:
    if match["gpgsig"] is None:
        return Signed("", data)
    start, end = match.span("gpgsig")
    signature = match["gpgsig"].removeprefix(b"gpgsig ").replace(b"\n ", b"\n")
    return Signed(_check_armor(signature, what), data[:start] + data[end:])


def _split_tag(data: bytes, what: str) -> Signed:
    # The last line of this kind counts, as in git's parse_signed_buffer.
    start = data.rfind(f"\n{_BEGIN}\n".encode()) + 1
    if not start:
        return Signed("", data)
    return Signed(_check_armor(data[start:], what), data[:start])


def _check_armor(signature: bytes, what: str) -> str:
    text = signature.decode("ascii", "replace")
    if not _ARMOR.fullmatch(text):
        raise DamagedError(f"{what} carries something else than one armored SSH signature")
    return text


def _armor(signature: str) -> str:
    text = signature.rstrip("\n") + "\n"
    if not _ARMOR.fullmatch(text):
        raise UsageError("the signer returned something else than an armored SSH signature")
    return text


def _message(message: str) -> bytes:
    text = message.strip("\n") + "\n"
    bad = any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)
    if bad or not text.strip() or "\n-----BEGIN " in "\n" + text:
        raise UsageError("a commit message needs text, and no NUL or line that begins like a signature")
    return text.encode()
