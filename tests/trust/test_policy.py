"""The threat table's rows about sequence, fork and addressee, each by its name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import SequenceError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.trust.policy import (
    Link,
    NewlyTrusted,
    check_addressee,
    check_chain,
    check_offer,
    check_root_version,
)
from airstore.trust.root.chain import RootChain
from airstore.trust.state import TrustState
from tests.trust.trust_parts import BOUNDED, link, make_chain, make_release, make_root

CHAIN = make_chain(6)
NEW_SITE = TrustState(1)
COMMIT = "c" * 40


def trusting(sequence: int, chain: list[Link] = CHAIN) -> TrustState:
    return TrustState(1, sequence, chain[sequence - 1][1], COMMIT)


def versions(advance: NewlyTrusted) -> list[str]:
    return [release.version for release in advance.new]


def test_new_site_takes_the_whole_history() -> None:
    advance = check_chain(NEW_SITE, CHAIN, "shop")
    assert (advance.sequence, advance.release) == (6, CHAIN[-1][1])
    assert versions(advance) == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]
    assert advance.new


def test_delta_begins_right_after_the_trusted_release() -> None:
    assert versions(check_chain(trusting(4), CHAIN[4:], "shop")) == ["1.5", "1.6"]


@pytest.mark.parametrize("start", range(5))
def test_chain_may_contain_what_is_trusted(start: int) -> None:
    assert versions(check_chain(trusting(4), CHAIN[start:], "shop")) == ["1.5", "1.6"]


@pytest.mark.parametrize("start", range(6))
def test_same_media_twice_change_nothing(start: int) -> None:
    advance = check_chain(trusting(6), CHAIN[start:], "shop")
    assert not advance.new
    assert (advance.sequence, advance.release) == (6, CHAIN[-1][1])


def test_empty_chain_changes_nothing() -> None:
    assert check_chain(trusting(6), [], "shop") == NewlyTrusted(6, CHAIN[-1][1], ())
    with pytest.raises(SequenceError, match="no release"):
        check_chain(NEW_SITE, [], "shop")


@pytest.mark.parametrize("tip", range(1, 5))
def test_threat_replay_of_older_media(tip: int) -> None:
    with pytest.raises(
        SequenceError, match=f"stale: .*sequence {tip}, .* already trusts 5; older media"
    ) as caught:
        check_chain(trusting(5), CHAIN[:tip], "shop")
    assert "get newer media" in caught.value.hint


def test_threat_fork_at_the_trusted_sequence() -> None:
    other = make_chain(2, after=CHAIN[3], note="-evil")
    with pytest.raises(SequenceError, match="fork: sequence 6"):
        check_chain(trusting(6), other, "shop")


def test_threat_fork_two_children_of_an_older_release() -> None:
    """The new tip is higher, its chain is sound, but it does not contain what this site trusts."""
    other = make_chain(5, after=CHAIN[2], note="-evil")
    for start in range(2):
        with pytest.raises(SequenceError, match="fork: sequence 5"):
            check_chain(trusting(5), other[start:], "shop")
    with pytest.raises(SequenceError, match="fork: sequence 6"):
        check_chain(trusting(5), other[2:], "shop")


def test_threat_fork_of_the_whole_history() -> None:
    with pytest.raises(SequenceError, match="fork: sequence 4"):
        check_chain(trusting(4), make_chain(8, note="-evil"), "shop")


def test_threat_gap_before_the_chain() -> None:
    with pytest.raises(
        SequenceError, match=r"gap: these media begin with release 1\.5, sequence 5; this site trusts"
    ) as caught:
        check_chain(trusting(3), CHAIN[4:], "shop")
    assert "sequence 4" in caught.value.hint
    with pytest.raises(SequenceError, match="has no release yet"):
        check_chain(NEW_SITE, CHAIN[1:], "shop")


def test_threat_gap_within_the_chain() -> None:
    with pytest.raises(SequenceError, match=r"gap: release 1\.6 has sequence 6, but follows 1\.4 with 4"):
        check_chain(trusting(2), [*CHAIN[2:4], CHAIN[5]], "shop")


def test_threat_mix_of_two_histories() -> None:
    """Releases of two signed histories put together: each is genuine, the mixture is not."""
    other = make_chain(3, after=CHAIN[2], note="-evil")
    with pytest.raises(SequenceError, match=r"fork: release 1\.5-evil does not continue 1\.4: its previous"):
        check_chain(trusting(2), [CHAIN[2], CHAIN[3], other[1]], "shop")


def test_threat_fast_forward() -> None:
    """One stolen key must not be able to use up all sequence numbers there will ever be."""
    far = link(replace(make_release(2, CHAIN[0][1]), sequence=2**63))
    with pytest.raises(SequenceError, match="fast-forward: sequence 9223372036854775808"):
        check_chain(trusting(1), [far], "shop")


def test_largest_step_is_exactly_the_limit() -> None:
    narrow = replace(LIMITS, sequence_jump=2)
    assert check_chain(trusting(4), CHAIN[4:], "shop", narrow).sequence == 6
    with pytest.raises(SequenceError, match="fast-forward"):
        check_chain(trusting(3), CHAIN[3:], "shop", narrow)


def test_sequence_repeated_or_falling_within_the_chain_is_refused() -> None:
    for later in (CHAIN[3], CHAIN[1]):
        with pytest.raises(SequenceError):
            check_chain(trusting(1), [*CHAIN[1:4], later, *CHAIN[4:]], "shop")


@pytest.mark.parametrize(
    ("sequence", "previous"), [(1, CHAIN[0][1]), (2, None), (0, None), (-1, CHAIN[0][1])]
)
def test_new_site_begins_with_sequence_1_and_nothing_before_it(
    sequence: int, previous: Digest | None
) -> None:
    with pytest.raises(SequenceError):
        check_chain(NEW_SITE, [link(make_release(sequence, previous))], "shop")


def test_other_product_is_refused_anywhere_in_the_chain() -> None:
    with pytest.raises(SequenceError, match="of product 'bank'; this site takes 'shop' only"):
        check_chain(NEW_SITE, make_chain(3, product="bank"), "shop")
    stranger = link(replace(CHAIN[1][0], product="bank"))
    after = make_chain(1, after=stranger)
    with pytest.raises(SequenceError, match="of product 'bank'"):
        check_chain(trusting(1), [stranger, *after], "shop")


def test_threat_cross_site() -> None:
    check_addressee("berlin", ("berlin",))
    check_addressee("berlin", ("aachen", "berlin"))
    check_addressee("berlin", ())
    for other in ("paris", "berl", "berlin-2", "Berlin"):
        with pytest.raises(SequenceError, match=f"made for site '{other}'; this is site 'berlin'"):
            check_addressee("berlin", (other,))
    with pytest.raises(SequenceError, match="made for site 'aachen', 'paris'; this is site 'berlin'"):
        check_addressee("berlin", ("aachen", "paris"))


def test_trust_root_restored_from_a_backup_is_refused() -> None:
    def only(version: int) -> RootChain:
        return RootChain((make_root(version=version),))

    check_root_version(TrustState(3), only(3))
    for version in (1, 2, 4):
        with pytest.raises(SequenceError, match=f"version {version}, but version 3 is in force"):
            check_root_version(TrustState(3), only(version))
    check_root_version(TrustState(3), RootChain((*only(3).roots, *only(4).roots)))


def test_offer_is_judged_like_the_tip_of_its_chain() -> None:
    state, digest = trusting(4), CHAIN[3][1]
    check_offer(state, "shop", "shop", 4, digest)
    check_offer(state, "shop", "shop", 6, CHAIN[5][1])
    for product, sequence, fault in (
        ("bank", 5, "of product 'bank'"),
        ("shop", 3, "stale"),
        ("shop", 2**63, "fast-forward"),
    ):
        with pytest.raises(SequenceError, match=fault):
            check_offer(state, product, "shop", sequence, digest)
    with pytest.raises(SequenceError, match="fork: sequence 4"):
        check_offer(state, "shop", "shop", 4, CHAIN[4][1])


FORKED = CHAIN[:2] + make_chain(4, after=CHAIN[1], note="-x")
RUNS = [history[a:b] for history in (CHAIN, FORKED) for a in range(6) for b in range(a + 1, 7)]


@BOUNDED
@given(st.integers(0, 6), st.sampled_from(RUNS) | st.lists(st.sampled_from(CHAIN + FORKED), max_size=4))
def test_nothing_but_a_continuation_is_ever_accepted(trusted: int, chain: list[Link]) -> None:
    """Against the rule written another way: a run of one history that reaches what is trusted."""
    state = trusting(trusted) if trusted else NEW_SITE
    histories = [history for history in (CHAIN, FORKED) if history[:trusted] == CHAIN[:trusted]]
    reaching = [history[a:b] for history in histories for a in range(trusted + 1) for b in range(1, 7)]
    good = any(chain == run and run[-1][0].sequence >= trusted for run in reaching if run)
    try:
        advance = check_chain(state, chain, "shop")
    except SequenceError:
        assert not good
        assert chain or not trusted
    else:
        assert good or not chain
        assert advance.sequence >= state.sequence
