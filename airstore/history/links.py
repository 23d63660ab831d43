"""Releases along main, with what was read of them before: an object's content follows from its id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.history.git.names import REPAIR_HINT


@frozen
class ReleaseLink:
    """One release on main.

    Attributes:
        commit: 40 hex digits.
        parent: the commit before; None for the first.
        tag: the tag object that names this commit, 40 hex digits.
    """

    version: str
    commit: str
    parent: str | None
    tag: str


Links = Mapping[str, ReleaseLink]


@frozen
class Sights:
    """How links are read where they are not known.

    Attributes:
        parent: of a commit.
        target: the commit that a tag object of a version names.
    """

    parent: Callable[[str], str | None]
    target: Callable[[str, str], str]


def read_links(tip: str | None, tags: Mapping[str, str], known: Links, read: Sights) -> list[ReleaseLink]:
    """Releases from the first to ``tip``; what is ``known``, and named by the same tag still, is not read.

    Args:
        tip: the commit of the newest release; None for an empty history.
        tags: every tag's version and object.
        known: by commit, read from these very objects before.
        read: for everything else.

    Raises:
        DamagedError: an object is damaged or missing, or a release has no tag or two.
    """
    chain: dict[str, str | None] = {}
    while tip is not None:
        if tip in chain:
            raise DamagedError(f"release commit {tip} is said to come before itself")
        chain[tip] = known[tip].parent if tip in known else read.parent(tip)
        tip = chain[tip]
    named = {commit: known[commit] for commit in chain if _holds(known.get(commit), tags)}
    settled = {link.version for link in named.values()}
    others: dict[str, list[str]] = {}
    for version, oid in tags.items():
        if version not in settled:
            others.setdefault(read.target(version, oid), []).append(version)
    return [_link(commit, parent, named, others, tags) for commit, parent in reversed(chain.items())]


def _holds(link: ReleaseLink | None, tags: Mapping[str, str]) -> bool:
    return link is not None and tags.get(link.version) == link.tag


def _link(
    commit: str,
    parent: str | None,
    named: Links,
    others: Mapping[str, Sequence[str]],
    tags: Mapping[str, str],
) -> ReleaseLink:
    versions = [*([named[commit].version] if commit in named else []), *others.get(commit, [])]
    version = only_name(commit, versions)
    return ReleaseLink(version, commit, parent, tags[version])


def only_name(commit: str, names: Sequence[str]) -> str:
    """The one tag that a release has.

    Raises:
        DamagedError: it has none, or several.
    """
    if len(names) == 1:
        return names[0]
    if not names:
        raise DamagedError(f"release commit {commit} has no tag", hint=REPAIR_HINT)
    raise DamagedError(
        f"release commit {commit} has several tags: {', '.join(names)}",
        hint="remove the one that airstore did not make, with `git tag -d`",
    )
