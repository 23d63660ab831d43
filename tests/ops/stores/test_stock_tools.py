"""What auditors use instead of airstore: git, ssh-keygen, and a few lines with nothing but `cryptography`."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from tests.support.product.road_parts import Road, airstore, done

STOCK = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


def run(*words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=stdin, capture_output=True, check=False, timeout=30, env=STOCK)


def git(store: Path, *words: str) -> tuple[int, str]:
    """Stock git as an auditor runs it: no settings but the repository's own."""
    ended = run("git", "-C", store / "history.git", *words)
    return ended.returncode, (ended.stdout + ended.stderr).decode()


@pytest.fixture(params=["publisher", "site"])
def store(request: pytest.FixtureRequest, road: Road, site: Path) -> Path:
    """Either side with both releases."""
    if request.param == "publisher":
        return road.publisher
    done("-C", site, "media", "import", road.delta)
    return site


def test_git_shows_who_signed_and_what_changed(store: Path) -> None:
    code, said = git(store, "log", "--show-signature", "--stat", "main")
    assert code == 0
    assert said.count('Good "git" signature for release with ED25519 key') == 2
    assert "shop 1.1.0" in said
    assert "charts/shop/Chart.yaml" in said
    for commit in ("main", "main~1"):
        assert git(store, "verify-commit", commit)[0] == 0
    for tag in ("1.0.0", "1.1.0"):
        assert git(store, "verify-tag", tag)[0] == 0
    code, said = git(store, "diff", "--stat", "1.0.0", "1.1.0")
    assert code == 0
    assert {line.split()[0] for line in said.splitlines()[:-1]} >= {"release.json", "charts/shop/Chart.yaml"}
    assert git(store, "fsck", "--strict", "--no-dangling") == (0, "")


def test_git_knows_a_signature_by_somebody_else(store: Path, tmp_path: Path, road: Road) -> None:
    """The allowed signers are what counts, and they come from the trust root."""
    signers = store / "history.git" / "allowed_signers"
    text = signers.read_text()
    name, options, kind, key, *_ = text.split()
    assert (name, options, kind) == ("release", 'namespaces="git,airstore-tool"', "ssh-ed25519")
    assert key in (road.publisher / "keys" / "release.pub").read_text()
    other = tmp_path / "other"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)
    foreign = f'release namespaces="git" {other.with_suffix(".pub").read_text()}'
    (tmp_path / "signers").write_text(foreign)
    option = f"gpg.ssh.allowedSignersFile={tmp_path / 'signers'}"
    assert git(store, "-c", option, "verify-commit", "main")[0] != 0
    assert git(store, "-c", option, "verify-tag", "1.1.0")[0] != 0


@pytest.mark.parametrize("spoil", [False, True])
def test_ssh_keygen_verifies_a_commit_by_hand(spoil: bool, store: Path, tmp_path: Path) -> None:
    commit = run("git", "-C", store / "history.git", "cat-file", "commit", "1.1.0^{commit}").stdout
    head, body = commit.split(b"\n\n", 1)
    lines = head.split(b"\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(b"gpgsig "))
    end = start + 1
    while end < len(lines) and lines[end].startswith(b" "):
        end += 1
    signature = b"\n".join(line.removeprefix(b"gpgsig ").lstrip(b" ") for line in lines[start:end])
    payload = b"\n".join(lines[:start] + lines[end:]) + b"\n\n" + body
    file = tmp_path / "signature"
    file.write_bytes(signature + b"\n")
    signers = store / "history.git" / "allowed_signers"
    ended = run(
        *("ssh-keygen", "-Y", "verify", "-n", "git", "-I", "release", "-f", signers, "-s", file),
        stdin=payload.replace(b"shop 1.1.0", b"shop 9.9.9") if spoil else payload,
    )
    assert (ended.returncode == 0) is not spoil, ended


def test_the_envelope_verifies_without_airstore(store: Path, road: Road) -> None:
    """DSSE's pre-authentication encoding, Ed25519, two digests: that is all there is to it."""
    key = load_ssh_public_key((road.publisher / "keys" / "release.pub").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    for version in ("1.0.0", "1.1.0"):
        show = ("git", "-C", store / "history.git", "show")
        release = run(*show, f"{version}:release.json").stdout
        envelope = json.loads(run(*show, f"{version}:signatures/release.dsse.json").stdout)
        payload = base64.b64decode(envelope["payload"])
        kind = envelope["payloadType"].encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        (signature,) = envelope["signatures"]
        key.verify(base64.b64decode(signature["sig"]), signed)
        with pytest.raises(InvalidSignature):
            key.verify(base64.b64decode(signature["sig"]), signed + b" ")
        (subject,) = json.loads(payload)["subject"]
        assert subject["name"] == "release.json"
        assert subject["digest"]["sha256"] == hashlib.sha256(release).hexdigest()
        listed = json.loads(release)["files"]
        names = run("git", "-C", store / "history.git", "ls-tree", "-r", "--name-only", version).stdout
        own = {"release.json", "signatures/release.dsse.json"}
        assert set(names.decode().split()) - own == set(listed)
        for name, digest in listed.items():
            assert digest == "sha256:" + hashlib.sha256(run(*show, f"{version}:{name}").stdout).hexdigest()


def test_both_sides_have_the_same_commits(road: Road, site: Path) -> None:
    done("-C", site, "media", "import", road.delta)
    words = ("for-each-ref", "--format=%(objectname) %(refname)")
    assert git(site, *words) == git(road.publisher, *words)
    rows = [done("-C", side, "log", "-o", "json").json() for side in (site, road.publisher)]
    assert rows[0] == rows[1]
    assert [(row["version"], row["signer"]) for row in rows[0]] == [
        ("1.1.0", "release"),
        ("1.0.0", "release"),
    ]
    assert git(site, "rev-parse", "main")[1].strip() == rows[0][0]["commit"]


def test_plain_git_reads_the_bundle_on_media(road: Road, tmp_path: Path) -> None:
    """For whoever wants to look before anything is imported."""
    clone = tmp_path / "clone.git"
    ended = run("git", "clone", "-q", "--bare", road.full / "history.bundle", clone)
    assert ended.returncode == 0, ended
    assert run("git", "-C", clone, "show", "1.0.0:release.json").stdout == (
        run("git", "-C", road.publisher / "history.git", "show", "1.0.0:release.json").stdout
    )


def test_what_a_diff_says_is_what_git_says(store: Path) -> None:
    shown = airstore("-C", store, "release", "diff", "1.0.0", "1.1.0", "-o", "json").json()
    listed = git(store, "diff", "--numstat", "1.0.0", "1.1.0")[1].splitlines()
    expected = {name: (int(added), int(removed)) for added, removed, name in map(str.split, listed)}
    own = {"release.json", "signatures/release.dsse.json"}
    found = {entry["path"]: (entry["added"], entry["removed"]) for entry in shown["files"]}
    assert found == {name: counts for name, counts in expected.items() if name not in own}


def test_the_commands_that_the_readme_gives_to_auditors(store: Path, tmp_path: Path) -> None:
    """As they are written there, from anywhere."""
    text = (Path(__file__).parents[3] / "README.md").read_text().partition("**Auditors**")[2]
    block = text.partition("```\n")[2].partition("```")[0]
    assert block.count("\n") >= 6
    script = "set -e\n" + block.replace("STORE", str(store))
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=STOCK,
        timeout=60,
    )
    assert ended.returncode == 0, ended
    assert 'Good "git" signature for release' in ended.stdout
    # The same, spoilt: the last command is the one that notices.
    spoilt = script.replace("ssh-keygen", "sed -i s/1.1.0/9.9.9/ signed.txt; ssh-keygen")
    again = subprocess.run(["bash", "-c", spoilt], cwd=tmp_path, capture_output=True, check=False, env=STOCK)
    assert again.returncode != 0
