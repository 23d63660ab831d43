import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, NotTrustedError, SequenceError, UsageError
from airstore.core.parsing import strictjson
from airstore.trust import envelope
from airstore.trust.root.sign import (
    PAYLOAD_TYPE,
    TrustRoot,
    allowed_signers,
    parse_root,
    sign_root,
    verify_first,
    verify_next,
)
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.keys import PublicKey
from tests.trust.trust_parts import ALICE, BOB, BOUNDED, CAROL, MALLORY, make_root, run

NOON = datetime(2030, 1, 31, 12, 0, 0, tzinfo=UTC)


def signed_as(payload: bytes) -> bytes:
    return envelope.sign(payload, PAYLOAD_TYPE, [ALICE])


def changed(**changes: Any) -> bytes:
    """A root with other fields, canonical and signed, as a careless or evil publisher could make it."""
    document = json.loads(make_root(("alice", "bob"), ("carol",)).to_bytes())
    return signed_as(strictjson.dumps(document | changes))


def test_first_root_signed_by_itself_is_accepted() -> None:
    root = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    assert verify_first(sign_root(root, [ALICE, BOB])) == root


def test_first_root_lacking_a_signature_is_refused() -> None:
    root = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    with pytest.raises(NotTrustedError, match="1 of the 2 trusted keys; 2 must sign"):
        verify_first(sign_root(root, [ALICE]))
    with pytest.raises(NotTrustedError, match="1 of the 2"):
        verify_first(sign_root(root, [ALICE, CAROL]))  # carol may sign releases, not roots


def test_root_signed_by_a_stranger_is_refused() -> None:
    with pytest.raises(NotTrustedError):
        verify_first(sign_root(make_root(), [MALLORY]))


def test_offline_co_signing_adds_to_the_envelope() -> None:
    root = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    first = sign_root(root, [ALICE])
    shown = parse_root(first)
    assert (shown.signed_by, shown.missing) == (("alice",), 1)
    both = sign_root(shown.root, [BOB], previous=first)
    assert (parse_root(both).signed_by, parse_root(both).missing) == (("alice", "bob"), 0)
    assert verify_first(both) == root


def test_co_signing_another_root_is_refused() -> None:
    first = sign_root(make_root(), [ALICE])
    with pytest.raises(UsageError, match="another trust root"):
        sign_root(make_root(version=2), [ALICE], previous=first)


def test_rotation_signed_by_old_and_new_keys_is_accepted() -> None:
    current = make_root(("alice",), ("alice",))
    following = make_root(("bob",), ("carol",), version=2)
    assert verify_next(current, sign_root(following, [ALICE, BOB])) == following


def test_threat_root_rotation_forged() -> None:
    """Root N+1 needs a threshold of N and a threshold of its own; either alone is a forgery."""
    current = make_root(("alice", "bob"), ("carol",), thresholds=(2, 1))
    following = make_root(("carol", "mallory"), ("carol",), version=2, thresholds=(2, 1))
    for signers in ([CAROL, MALLORY], [ALICE, CAROL, MALLORY], [ALICE, BOB], [ALICE, BOB, CAROL]):
        with pytest.raises(NotTrustedError):
            verify_next(current, sign_root(following, signers))
    assert verify_next(current, sign_root(following, [ALICE, BOB, CAROL, MALLORY])) == following


def test_release_keys_cannot_rotate_the_root() -> None:
    current = make_root(("alice",), ("bob",))
    with pytest.raises(NotTrustedError):
        verify_next(current, sign_root(make_root(("bob",), ("bob",), version=2), [BOB]))


@pytest.mark.parametrize("version", [1, 2, 4, 9])
def test_only_the_very_next_version_follows(version: int) -> None:
    current = make_root(version=2)
    with pytest.raises(SequenceError, match=f"version {version}; after 2 comes 3"):
        verify_next(current, sign_root(make_root(version=version), [ALICE]))


def test_another_products_root_is_refused_even_with_the_same_keys() -> None:
    with pytest.raises(SequenceError, match="for product bank; this site trusts shop"):
        verify_next(make_root(), sign_root(make_root(version=2, product="bank"), [ALICE]))


def test_threat_one_key_two_ids_in_a_root() -> None:
    twice = {"alice": ALICE.public, "bob": ALICE.public}
    with pytest.raises(UsageError, match=r"listed twice"):
        TrustRoot.create("shop", twice, {"root": (["alice", "bob"], 2), "release": (["alice"], 1)})
    with pytest.raises(UsageError, match="two names"):
        TrustRoot.create("shop", twice, {"root": (["alice"], 1), "release": (["bob"], 1)})
    line = ALICE.public.openssh()
    forged = changed(keys={"alice": line, "bob": line, "carol": CAROL.public.openssh()})
    with pytest.raises(NotTrustedError, match="listed twice"):
        parse_root(forged)


@pytest.mark.parametrize(
    "roles",
    [
        {"root": {"keys": ["alice", "bob"], "threshold": 3}, "release": {"keys": ["carol"], "threshold": 1}},
        {"root": {"keys": ["alice", "bob"], "threshold": 1}, "release": {"keys": ["nobody"], "threshold": 1}},
        {"root": {"keys": ["alice"], "threshold": 1}, "release": {"keys": ["carol"], "threshold": 1}},
    ],
)
def test_roles_that_cannot_be_are_refused(roles: Any) -> None:
    with pytest.raises(NotTrustedError, match="trust root: "):
        parse_root(changed(roles=roles))


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"apiVersion": "airstore/v2"},
        {"kind": "Release"},
        {"version": 0},
        {"version": 1.0},
        {"version": True},
        {"version": 2**53},
        {"product": "Shop"},
        {"expires": "2030-02-31T00:00:00Z"},
        {"expires": "2030-01-31T00:00:00+00:00"},
        {"expires": "soon"},
        {"keys": {}},
        {"keys": {"alice": ALICE.public.openssh("with a comment")}},
        {"roles": {"root": {"keys": ["alice", "bob"], "threshold": 1}}},
        {"roles": {"root": {"keys": [], "threshold": 0}, "release": {"keys": ["carol"], "threshold": 1}}},
        {
            "roles": {
                "root": {"keys": ["bob", "alice"], "threshold": 1},
                "release": {"keys": ["carol"], "threshold": 1},
            }
        },
    ],
)
def test_other_documents_are_damage(changes: dict[str, Any]) -> None:
    parse_root(changed())
    with pytest.raises(DamagedError):
        parse_root(changed(**changes))


def test_payload_in_another_form_is_damage() -> None:
    """One form only: a second reader cannot see anything else in it."""
    compact = json.dumps(json.loads(make_root().to_bytes())).encode()
    with pytest.raises(DamagedError, match="canonical"):
        verify_first(signed_as(compact))


def test_envelope_of_another_type_is_no_root() -> None:
    other = envelope.sign(make_root().to_bytes(), "application/vnd.in-toto+json", [ALICE])
    with pytest.raises(NotTrustedError, match="signed as"):
        verify_first(other)


@pytest.mark.parametrize(
    "name", ["", "-x", "@cert-authority", "#x", "a,b", "a b", "*", "!alice", "alice\n", 'a"b']
)
def test_key_names_that_mean_something_to_ssh_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a key name"):
        TrustRoot.create("shop", {name: ALICE.public}, {"root": ([name], 1), "release": ([name], 1)})
    document = json.loads(make_root().to_bytes())
    document |= {"keys": {name: ALICE.public.openssh()}}
    document |= {"roles": {role: {"keys": [name], "threshold": 1} for role in ("root", "release")}}
    with pytest.raises((DamagedError, NotTrustedError)):
        verify_first(signed_as(strictjson.dumps(document)))


@pytest.mark.parametrize("product", ["", "Shop", "shop\n", "-shop", "s" * 64])
def test_product_names_are_labels(product: str) -> None:
    with pytest.raises(UsageError, match="not a product name"):
        make_root(product=product)


def test_keys_without_a_role_and_missing_roles_are_refused() -> None:
    keys = {"alice": ALICE.public, "bob": BOB.public}
    with pytest.raises(UsageError, match="every key in one of them"):
        TrustRoot.create("shop", keys, {"root": (["alice"], 1), "release": (["alice"], 1)})
    with pytest.raises(UsageError, match="roles root and release"):
        TrustRoot.create("shop", keys, {"root": (["alice", "bob"], 1)})
    with pytest.raises(UsageError, match="not in the trust root: nobody"):
        TrustRoot.create("shop", keys, {"root": (["alice", "nobody"], 1), "release": (["bob"], 1)})


def test_expiry_is_compared_with_the_time_that_is_passed_in() -> None:
    keys = {"alice": ALICE.public}
    roles = {"root": (["alice"], 1), "release": (["alice"], 1)}
    root = TrustRoot.create("shop", keys, roles, expires=NOON + timedelta(microseconds=5))
    again = verify_first(sign_root(root, [ALICE]))
    assert again.expires == NOON
    again.check_expiry(NOON - timedelta(seconds=1))
    for now in (NOON, NOON + timedelta(days=1), NOON.astimezone(timezone(timedelta(hours=9)))):
        with pytest.raises(NotTrustedError, match="expired on 2030-01-31T12:00:00Z"):
            again.check_expiry(now)
    make_root().check_expiry(datetime.max.replace(tzinfo=UTC))


def test_expiry_with_another_time_zone_means_the_same_moment() -> None:
    keys, roles = {"alice": ALICE.public}, {"root": (["alice"], 1), "release": (["alice"], 1)}
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    made = [TrustRoot.create("shop", keys, roles, expires=when).to_bytes() for when in (NOON, east)]
    assert made[0] == made[1]


def test_expired_root_may_still_hand_over(tmp_path: Path) -> None:
    keys, roles = {"alice": ALICE.public}, {"root": (["alice"], 1), "release": (["alice"], 1)}
    expired = TrustRoot.create("shop", keys, roles, expires=NOON.replace(year=2000))
    assert verify_next(expired, sign_root(make_root(version=2), [ALICE])).version == 2


def test_allowed_signers_is_read_by_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "signers").write_text(allowed_signers(make_root(("bob",), ("alice", "carol"))))

    def verdict(name: str, armored: str, namespace: str = "git") -> int:
        (tmp_path / "sig").write_text(armored)
        options = ("-f", tmp_path / "signers", "-I", name, "-n", namespace, "-s", tmp_path / "sig")
        return run("ssh-keygen", "-Y", "verify", *options, stdin=b"data", check=False).returncode

    assert verdict("alice", sshsig.sign(ALICE, b"data", "git")) == 0
    assert verdict("carol", sshsig.sign(CAROL, b"data", "git")) == 0
    assert verdict("alice", sshsig.sign(CAROL, b"data", "git")) != 0
    assert verdict("bob", sshsig.sign(BOB, b"data", "git")) != 0  # a root key signs no commits
    assert verdict("alice", sshsig.sign(ALICE, b"data", "file"), "file") != 0


def test_git_verifies_a_commit_that_our_key_file_signed(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "alice")
    (tmp_path / "signers").write_text(allowed_signers(make_root()))
    repo = tmp_path / "repo"
    run("git", "init", "-q", repo)
    options = {
        "user.name": "Alice",
        "user.email": "alice@vendor.example",
        "gpg.format": "ssh",
        "user.signingkey": str(tmp_path / "alice"),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "signers"),
    }
    git = ["git", "-C", str(repo)]
    for name, value in options.items():
        git += ["-c", f"{name}={value}"]
    run(*git, "commit", "-q", "-S", "--allow-empty", "-m", "signed")
    shown = run(*git, "verify-commit", "HEAD")
    assert b'Good "git" signature for alice with ED25519' in shown.stderr


@BOUNDED
@given(
    st.integers(1, 2**53 - 1),
    st.none() | st.datetimes(datetime(2000, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001 - made UTC below
    st.sets(st.sampled_from(["alice", "bob", "carol"]), min_size=1),
    st.sets(st.sampled_from(["alice", "bob", "carol"]), min_size=1),
)
def test_any_root_comes_back_whole(
    version: int, expires: datetime | None, root: set[str], release: set[str]
) -> None:
    parts = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    keys: dict[str, PublicKey] = {name: parts[name].public for name in root | release}
    roles = {"root": (list(root), len(root)), "release": (list(release), 1)}
    when = expires.replace(tzinfo=UTC) if expires else None
    made = TrustRoot.create("shop", keys, roles, version=version, expires=when)
    assert verify_first(sign_root(made, [parts[name] for name in root])) == made


@BOUNDED
@given(st.data())
def test_mutated_payload_raises_nothing_but_our_errors(data: st.DataObject) -> None:
    payload = bytearray(make_root(("alice", "bob"), ("carol",)).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DamagedError, NotTrustedError):
        assert parse_root(signed_as(bytes(payload))).root.to_bytes() == payload
