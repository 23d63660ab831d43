"""Keys that are in no file at all: SoftHSM is a PKCS#11 token, which OpenSSH's agent speaks to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.product.agents import add, released_by, ssh_agent
from tests.support.product.road_parts import Road, airstore, refused, unchanged

pytestmark = pytest.mark.root

PIN = "271828"
PROVIDER = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture
def token(tmp_path: Path) -> dict[str, str]:
    """A token with one P-256 key; gives the variables that programs find it by."""
    assert PROVIDER.exists(), "softhsm2 is not installed: .ci/run installs it where it runs as root"
    (tmp_path / "tokens").mkdir()
    settings = tmp_path / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    asked = tmp_path / "pin"
    asked.write_text(f"#!/bin/sh\necho {PIN}\n")
    asked.chmod(0o700)
    found = {"SOFTHSM2_CONF": str(settings), "SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    key = tmp_path / "key.pem"
    named = ("--token", "airstore", "--pin", PIN)
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    for command in (
        (
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "airstore",
            "--pin",
            PIN,
            "--so-pin",
            "31415926",
        ),
        ("openssl", "genpkey", *curve),
        ("softhsm2-util", "--import", str(key), "--label", "release", "--id", "01", *named),
    ):
        subprocess.run(command, env={**os.environ, **found}, check=True, capture_output=True)
    key.unlink()
    return found


def test_a_token_signs_releases_and_media(own_road: Road, token: dict[str, str], tmp_path: Path) -> None:
    listed = subprocess.run(
        ["ssh-keygen", "-D", str(PROVIDER)],
        env={**os.environ, **token},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert listed.startswith("ecdsa-sha2-nistp256 ")
    (own_road.publisher / "keys" / "token.pub").write_text(listed)
    with ssh_agent(SOFTHSM2_CONF=token["SOFTHSM2_CONF"]) as agent:
        add(agent, "-s", PROVIDER, environment=token)
        assert released_by(own_road, agent, "token", tmp_path) == "G token"
        add(agent, "-e", PROVIDER, environment=token)  # somebody pulls the token out
        words = ("-C", own_road.publisher, "media", "create", "--to", "1.0.0", tmp_path / "late")
        with unchanged(own_road.publisher):
            refused(airstore(*words, env={"SSH_AUTH_SOCK": str(agent)}), 10, "does not hold SHA256:")
