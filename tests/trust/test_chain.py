"""Which trust root judges which release, and which root may follow which (TUF 1.0.34, section 5.3)."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from airstore.core.errors import DamagedError, NotTrustedError, SequenceError
from airstore.core.image.digest import Digest
from airstore.trust import envelope
from airstore.trust.policy import check_floor
from airstore.trust.root.chain import RootChain
from airstore.trust.root.sign import (
    PAYLOAD_TYPE,
    Pin,
    RootLink,
    TrustRoot,
    allowed_signers,
    draft_root,
    lacking,
    parse_root,
    sign_root,
    verify_first,
)
from airstore.trust.ssh.keys import PrivateKey
from tests.trust.trust_parts import ALICE, BOB, CAROL, MALLORY, NAMES, make_root

COMMIT = "5" * 40
PINNED = Pin(5, "1.5", Digest.of(b"the fifth release"), COMMIT)
FIRST = make_root(("alice",), ("bob",))


def following(
    before: TrustRoot,
    root: Sequence[str] = ("alice",),
    release: Sequence[str] = ("carol",),
    *,
    after: Pin | None = PINNED,
    thresholds: tuple[int, int] = (1, 1),
    expires: datetime | None = None,
) -> TrustRoot:
    keys = {name: NAMES[name].public for name in {*root, *release}}
    roles = {"root": (root, thresholds[0]), "release": (release, thresholds[1])}
    link = RootLink(before.digest, after)
    return TrustRoot.create(
        before.product, keys, roles, version=before.version + 1, expires=expires, link=link
    )


SECOND = following(FIRST)
CHAIN = RootChain((FIRST, SECOND))


def signed(root: TrustRoot, *keys: PrivateKey) -> bytes:
    return sign_root(root, keys or (ALICE,))


def test_each_release_is_judged_by_the_root_that_was_in_force() -> None:
    for sequence, key in ((1, BOB), (5, BOB), (6, CAROL), (1000, CAROL)):
        assert CHAIN.role_at(sequence).keys == (key.public,)
    assert CHAIN.current == SECOND
    assert CHAIN.name_of(BOB.public.keyid) == "bob"
    assert CHAIN.name_of(MALLORY.public.keyid) == MALLORY.public.keyid


def test_a_root_before_the_first_release_judges_all_of_them() -> None:
    chain = RootChain((FIRST, following(FIRST, after=None)))
    assert chain.role_at(1).keys == (CAROL.public,)


def test_without_the_earlier_root_what_it_judges_is_refused() -> None:
    alone = RootChain((SECOND,))
    assert alone.role_at(6).keys == (CAROL.public,)
    with pytest.raises(NotTrustedError, match="before version 2, and that one is not here"):
        alone.role_at(5)
    assert alone.preceded_by(signed(FIRST)) == CHAIN


def test_an_earlier_root_is_the_one_that_is_named_whoever_signed_it() -> None:
    other = make_root(("alice",), ("mallory",))
    with pytest.raises(NotTrustedError, match="not the trust root that version 2 continues"):
        RootChain((SECOND,)).preceded_by(signed(other))
    with pytest.raises(NotTrustedError):
        CHAIN.preceded_by(signed(FIRST))  # version 1 continues none
    with pytest.raises(DamagedError):
        RootChain((SECOND,)).preceded_by(b"{}")


def test_the_release_that_a_root_names_is_that_one() -> None:
    CHAIN.check_pin(5, PINNED.digest, COMMIT)
    for sequence in (4, 6):
        CHAIN.check_pin(sequence, Digest.of(b"another"), "4" * 40)
    for digest, commit in ((Digest.of(b"another"), COMMIT), (PINNED.digest, "4" * 40)):
        with pytest.raises(SequenceError, match=r"sequence 5 is not the 1\.5 that trust root 2 names"):
            CHAIN.check_pin(5, digest, commit)


def test_a_link_comes_back_whole() -> None:
    for root in (SECOND, following(FIRST, after=None)):
        assert parse_root(signed(root)).root == root
    document = json.loads(SECOND.to_bytes())
    for field in ("previous", "after"):
        half = {key: value for key, value in document.items() if key != field}
        payload = json.dumps(half, indent=1, sort_keys=True).encode() + b"\n"
        with pytest.raises(DamagedError):
            parse_root(envelope.sign(payload, PAYLOAD_TYPE, [ALICE]))


def test_walking_brings_what_follows_and_what_came_before() -> None:
    third = following(SECOND, ("bob",), after=Pin(8, "1.8", Digest.of(b"8"), COMMIT))
    offered = {1: signed(FIRST), 2: signed(SECOND), 3: signed(third, ALICE, BOB)}
    whole = RootChain((FIRST, SECOND, third))
    assert RootChain((FIRST,)).walked(offered) == whole
    assert RootChain((SECOND,)).walked(offered) == whole
    assert RootChain((third,)).walked(offered) == whole
    assert whole.walked({}) == whole.walked({2: signed(SECOND)}) == whole


def test_threat_an_old_root_replayed_changes_nothing() -> None:
    assert CHAIN.walked({1: signed(FIRST)}) == CHAIN


def test_threat_another_root_of_a_known_version() -> None:
    for other in (make_root(("alice",), ("mallory",)), following(FIRST, release=("mallory",))):
        with pytest.raises(SequenceError, match=f"another trust root with version {other.version}"):
            CHAIN.walked({other.version: signed(other)})


def test_threat_a_root_that_skips_a_version() -> None:
    third = following(SECOND)
    with pytest.raises(SequenceError, match="gap: after trust root 1 comes 2, and version 3 is offered"):
        RootChain((FIRST,)).walked({3: signed(third)})
    with pytest.raises(SequenceError, match="version 3; after 1 comes 2"):
        RootChain((FIRST,)).followed_by(signed(third))


def test_threat_a_root_signed_by_the_new_key_alone_or_the_old_one_alone() -> None:
    taken = following(FIRST, ("mallory",), ("mallory",))
    for keys in ([MALLORY], [ALICE], [BOB, MALLORY]):
        with pytest.raises(NotTrustedError):
            RootChain((FIRST,)).walked({2: signed(taken, *keys)})
    assert RootChain((FIRST,)).walked({2: signed(taken, ALICE, MALLORY)}).current == taken


def test_threat_a_threshold_met_by_one_key_twice() -> None:
    two = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    once = json.loads(sign_root(two, [ALICE]))
    (entry,) = once["signatures"]
    twice = json.dumps({**once, "signatures": [entry, entry | {"keyid": BOB.public.keyid}]}).encode()
    assert lacking(twice, None) == (0, 1)
    with pytest.raises(NotTrustedError, match="1 of the 2"):
        verify_first(twice)
    after = following(two, ("alice", "bob"), thresholds=(2, 1))
    entries = json.loads(sign_root(after, [ALICE]))
    doubled = json.dumps({**entries, "signatures": entries["signatures"] * 2}).encode()
    with pytest.raises(NotTrustedError, match="1 of the 2"):
        RootChain((two,)).walked({2: doubled})


def test_threat_a_root_that_continues_another_one() -> None:
    other = make_root(("alice",), ("mallory",))
    with pytest.raises(SequenceError, match="fork: this trust root continues another version 1"):
        RootChain((FIRST,)).walked({2: signed(following(other))})


def test_threat_a_root_that_goes_back_behind_what_is_settled() -> None:
    for after in (None, Pin(4, "1.4", Digest.of(b"4"), COMMIT)):
        with pytest.raises(SequenceError, match=r"goes back behind release 1\.5"):
            CHAIN.followed_by(signed(following(SECOND, after=after)))
    with pytest.raises(SequenceError, match=r"fork: this trust root names another release 1\.5"):
        CHAIN.followed_by(signed(following(SECOND, after=Pin(5, "1.5", Digest.of(b"other"), COMMIT))))
    assert CHAIN.followed_by(signed(following(SECOND))).current.version == 3


def test_an_expired_root_hands_over_and_then_counts_for_nothing() -> None:
    noon = datetime(2030, 1, 31, 12, tzinfo=UTC)
    expired = following(FIRST, expires=noon)
    chain = RootChain((FIRST, expired))
    with pytest.raises(NotTrustedError, match="expired on 2030-01-31"):
        chain.current.check_expiry(noon)
    renewed = following(expired, expires=noon.replace(year=2031))
    chain.walked({3: signed(renewed)}).current.check_expiry(noon)


def test_only_a_revocation_refuses_histories_that_end_before_it() -> None:
    renewed = following(FIRST, release=("bob",))
    more = following(FIRST, release=("bob", "carol"))
    stricter = following(
        more, release=("bob", "carol"), thresholds=(1, 2), after=Pin(7, "1.7", PINNED.digest, COMMIT)
    )
    assert RootChain((FIRST, renewed)).floor == 0
    assert RootChain((FIRST, more)).floor == 0
    assert RootChain((FIRST, more, stricter)).floor == 7
    assert CHAIN.floor == 5
    assert RootChain((SECOND,)).floor == 5, "whether it revoked one cannot be known"
    check_floor(5, CHAIN)
    with pytest.raises(SequenceError, match="stale: the newest release here has sequence 4"):
        check_floor(4, CHAIN)


def test_a_draft_says_what_it_lacks() -> None:
    current = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    root = following(current, ("alice", "mallory"), thresholds=(2, 1))
    draft = draft_root(root)
    assert (parse_root(draft).signed_by, lacking(draft, current)) == ((), (2, 2))
    once = sign_root(root, [ALICE], previous=draft)
    assert lacking(once, current) == (1, 1)
    all_three = sign_root(root, [BOB, MALLORY], previous=once)
    assert lacking(all_three, current) == (0, 0)
    assert RootChain((current,)).followed_by(all_three).current == root
    with pytest.raises(NotTrustedError):
        RootChain((current,)).followed_by(draft)


def test_signers_that_were_revoked_keep_their_names_with_an_end() -> None:
    third = following(SECOND, release=("carol", "alice"), after=Pin(8, "1.8", PINNED.digest, COMMIT))
    lines = allowed_signers(third, (FIRST, SECOND)).splitlines()
    names = {line.split()[0]: line.split()[-1] for line in lines}
    assert [line.split()[1] for line in lines if "until" in line] == ['namespaces="git"'], "no tools any more"
    expected = {"carol": CAROL, "alice": ALICE, "bob.until-1.5": BOB}
    assert names == {name: key.public.openssh().split()[1] for name, key in expected.items()}
