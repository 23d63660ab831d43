"""docker's config.json, containers' auth.json, and credential helpers that are real programs."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import AirstoreError, NotFoundError, TransferError, UsageError
from airstore.registry.client.login.credentials import Credentials, DockerConfig
from airstore.registry.client.retry import Retry
from airstore.registry.faults import TransientError, redact


def _config(directory: Path, document: object) -> DockerConfig:
    path = directory / "config.json"
    path.write_text(json.dumps(document))
    return DockerConfig(path)


def _auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("registry.example.com:5000", "registry.example.com:5000"),
        ("https://registry.example.com", "registry.example.com"),
        ("https://registry.example.com/v2/", "registry.example.com"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_entries_are_found_under_the_keys_that_docker_and_podman_write(
    tmp_path: Path, key: str, host: str
) -> None:
    config = _config(tmp_path, {"auths": {key: _auth("me", "se:cret")}})
    assert config.find(host, "shop/api") == Credentials("me", "se:cret")
    assert config.find("other.example.com", "shop/api") is None


def test_the_longest_path_wins(tmp_path: Path) -> None:
    entries = {
        "quay.example.com": _auth("all", "1"),
        "quay.example.com/shop": _auth("shop", "2"),
        "quay.example.com/shop/api": _auth("api", "3"),
    }
    config = _config(tmp_path, {"auths": entries})
    found = [config.find("quay.example.com", path) for path in ("x/y", "shop/db", "shop/api", "shopping/api")]
    assert [entry.username for entry in found if entry] == ["all", "shop", "api", "all"]


def test_an_identity_token_is_read(tmp_path: Path) -> None:
    entry = {**_auth("00000000", ""), "identitytoken": "refresh"}
    config = _config(tmp_path, {"auths": {"cloud.example.com": entry}})
    assert config.find("cloud.example.com", "x") == Credentials("00000000", "", "refresh")


def _helper(directory: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = directory / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\nread -r key\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


def test_helpers_are_asked_with_the_right_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = 'printf \'{"ServerURL":"%s","Username":"%s","Secret":"s"}\' "$key" "$key"'
    _helper(tmp_path, "own", answer, monkeypatch)
    _helper(tmp_path, "store", answer.replace('"s"', '"t"'), monkeypatch)
    config = _config(tmp_path, {"credHelpers": {"a.example.com": "own"}, "credsStore": "store"})
    assert config.find("a.example.com", "x") == Credentials("a.example.com", "s")
    assert config.find("b.example.com", "x") == Credentials("b.example.com", "t")
    assert config.find("docker.io", "library/x") == Credentials("https://index.docker.io/v1/", "t")


def test_a_helper_may_give_an_identity_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, "own", 'echo \'{"Username":"<token>","Secret":"refresh"}\'', monkeypatch)
    config = _config(tmp_path, {"credsStore": "own"})
    assert config.find("a.example.com", "x") == Credentials("", "", "refresh")


def test_a_helper_may_know_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, "own", "echo credentials not found in native keychain; exit 1", monkeypatch)
    assert _config(tmp_path, {"credsStore": "own"}).find("a.example.com", "x") is None


@pytest.mark.parametrize(
    ("script", "message"),
    [("echo the keychain is locked; exit 1", "the keychain is locked"), ("echo hunter2", "gave no answer")],
)
def test_a_helper_that_fails_is_named_and_says_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    _helper(tmp_path, "own", script, monkeypatch)
    with pytest.raises(TransferError, match=message) as caught:
        _config(tmp_path, {"credsStore": "own"}).find("a.example.com", "x")
    assert "docker-credential-own" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_helper_must_be_there_and_be_a_name(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="is not installed"):
        _config(tmp_path, {"credsStore": "no-such-helper"}).find("a.example.com", "x")
    with pytest.raises(UsageError, match="not the name of a credential helper"):
        _config(tmp_path, {"credsStore": "x/../../bin/sh"}).find("a.example.com", "x")


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot read"):
        DockerConfig(tmp_path / "none.json")
    with pytest.raises(UsageError, match="auths must be an object"):
        _config(tmp_path, {"auths": ["x"]})
    with pytest.raises(UsageError, match="auth is not base64"):
        _config(tmp_path, {"auths": {"a.example.com": {"auth": "hunter2!"}}}).find("a.example.com", "x")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)


@given(st.fixed_dictionaries({}, optional={"auths": _json, "credHelpers": st.just({}), "other": _json}))
def test_any_document_gives_credentials_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    try:
        config = _config(tmp_path_factory.mktemp("config"), document)
        for key in [*(config._auths), "a.example.com"]:
            found = config.find(key, "x")
            assert found is None or isinstance(found, Credentials)
    except AirstoreError as fault:
        assert isinstance(fault, UsageError)  # noqa: PT017 - both outcomes are right


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters=":\0"), min_size=1), st.text())
def test_every_user_and_password_comes_back(
    tmp_path_factory: pytest.TempPathFactory, user: str, password: str
) -> None:
    password = password.rstrip("\0")
    config = _config(tmp_path_factory.mktemp("config"), {"auths": {"a.example.com": _auth(user, password)}})
    assert config.find("a.example.com", "x") == Credentials(user, password)


def test_secrets_are_not_in_the_text_form() -> None:
    assert "s3cret" not in repr(Credentials("me", "s3cret", "s3cret"))


@pytest.mark.parametrize(
    "text",
    [
        "https://me:s3cret@registry.example.com/v2/",
        "https://registry.example.com/v2/x?X-Amz-Signature=s3cret&y=1",
        "Authorization: Bearer s3cret",
        "authorization: basic s3cret==",
        "token eyJs3cret.s3cret.s3cret was refused",
    ],
)
def test_secrets_are_taken_out_of_messages(text: str) -> None:
    assert "s3cret" not in redact(text)
    assert redact(text)


def test_waits_grow_and_are_bounded() -> None:
    retry = Retry(retries=9, pause=0.5)
    waits = [retry.wait(number, TransientError("x")) for number in range(9)]
    assert all(0.25 * 2**n <= wait <= min(60.0, 0.75 * 2**n) for n, wait in enumerate(waits[:7]))
    assert max(waits) <= 60
    assert retry.wait(0, TransientError("x", wait=5)) == 5
    assert retry.wait(0, TransientError("x", wait=86400)) == 60
