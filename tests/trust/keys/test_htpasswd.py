"""htpasswd files, checked by Apache's own program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, UsageError
from airstore.tls.htpasswd import Passwords, generate_password, htpasswd, matches


def test_apache_accepts_the_password_and_no_other(tmp_path: Path) -> None:
    program = shutil.which("htpasswd")
    assert program
    file = tmp_path / "htpasswd"
    password = generate_password()
    file.write_text(htpasswd({"push": password, "pull": "other"}))
    for given_password, code in ((password, 0), ("wrong", 3)):
        command = [program, "-iv", str(file), "push"]
        done = subprocess.run(command, input=given_password, text=True, capture_output=True, check=False)
        assert done.returncode == code, done.stderr


def test_only_what_nobody_can_guess_is_hashed_fast() -> None:
    assert htpasswd({"a": "b"}).startswith("a:$2b$10$")
    assert htpasswd({"a": "x" * 31}).startswith("a:$2b$10$")
    assert htpasswd({"a": generate_password()}).startswith("a:$2b$04$")


@pytest.mark.parametrize("password", ["", "x" * 73, "ä" * 37, "a\0b"])
def test_passwords_that_bcrypt_would_cut_are_refused(password: str) -> None:
    with pytest.raises(UsageError, match="72 bytes"):
        htpasswd({"pull": password})


@pytest.mark.parametrize("user", ["", "a:b", "a b", "a\nb", "x" * 256])
def test_names_that_break_the_format_are_refused(user: str) -> None:
    with pytest.raises(UsageError, match="user name"):
        htpasswd({user: "password"})


@settings(max_examples=5)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=30))
def test_matching(password: str) -> None:
    text = htpasswd({"pull": password})
    assert matches(text, {"pull": password})
    assert not matches(text, {"pull": password + "x"})
    assert not matches(text, {"pull": password, "push": password})


@given(st.text(max_size=80))
def test_other_files_are_refused(text: str) -> None:
    if text.splitlines():
        with pytest.raises(DamagedError):
            matches(text, {"a": "b"})


def test_generated_passwords_differ_and_are_long() -> None:
    made = {generate_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 32 for password in made)


def test_passwords_are_recalled_only_once_accepted() -> None:
    passwords = Passwords(htpasswd({"pull": "secret", "other": generate_password()}))
    assert not passwords.recalls("pull", "secret")
    for user, word in (
        ("pull", "wrong"),
        ("pull", ""),
        ("nobody", "secret"),
        ("pull", "x" * 100),
        ("", "a\0"),
    ):
        assert not passwords.accepts(user, word)
        assert not passwords.recalls(user, word)
    assert passwords.accepts("pull", "secret")
    assert passwords.recalls("pull", "secret")
    assert not passwords.recalls("pull", "wrong")
    assert not passwords.recalls("other", "secret")


def test_a_file_without_users_lets_nobody_in_by_being_refused() -> None:
    with pytest.raises(DamagedError, match="no users"):
        Passwords("")
