"""What each command imports: nobody pays for a library that the command does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from airstore.cli.main import main

pytestmark = pytest.mark.slow

LIBRARIES = (
    *("jsonschema", "yaml", "pygit2", "cryptography", "bcrypt", "securesystemslib", "zstandard"),
    *("requests", "urllib3", "h11", "kubernetes", "websocket", "rich", "jinja2", "segno"),
    *("hvac", "boto3"),  # of key services
    "cryptography.x509",  # of certificates, a fifth of what `release create` would load
)
STORE = {"yaml", "pygit2", "cryptography", "bcrypt", "zstandard"}
SOURCES = STORE | {"urllib3"}
CLUSTER = STORE | {"kubernetes", "websocket", "requests", "urllib3", "cryptography.x509"}
LOADS = {
    "--version": set(),
    "--help": set(),
    "completion --help": set(),
    "self-update --help": STORE,
    "bundle --help": {"jsonschema", "yaml"},
    "init --help": STORE,
    "key --help": STORE,
    "trust --help": STORE,
    "site --help": STORE,
    "log --help": STORE,
    "history --help": STORE,
    "anchor show --help": STORE,
    "check --help": STORE,
    "repair --help": SOURCES,
    "gc --help": STORE,
    "store optimize --help": STORE,
    "media create --help": STORE,
    "media import --help": STORE - {"yaml"},
    "media push --help": SOURCES,
    "remote --help": STORE,
    "push --help": SOURCES,
    "pull --help": SOURCES,
    "clone --help": SOURCES,
    "receipt --help": STORE,
    "fleet --help": STORE,
    "release notes --help": STORE | {"jinja2"},
    "media label --help": STORE | {"jinja2", "segno"},
    "release list --help": STORE,
    "release verify --help": STORE,
    "release report --help": STORE | {"jinja2"},
    "release create --help": SOURCES,
    "images find --help": SOURCES,
    "registry serve --help": SOURCES | {"h11"},
    "registry push --help": SOURCES - {"yaml"},
    "registry gc --help": SOURCES,
    "images compare --help": CLUSTER,
    "registry bootstrap --help": CLUSTER | SOURCES,
    "registry export-access --help": CLUSTER | SOURCES,
    "registry mirror-config --help": CLUSTER | SOURCES,
    "plan --help": CLUSTER | SOURCES,
    "apply --help": CLUSTER | SOURCES,
    "rollback --help": CLUSTER | SOURCES,
    "backup list --help": CLUSTER,
    "uninstall --help": CLUSTER,
    "status --help": CLUSTER,
    "applier install --help": CLUSTER,
    "doctor --help": CLUSTER,
    "anchor --help": STORE,
}
_RUN = (
    "import sys\nfrom airstore.cli.main import main\n"
    "try:\n    main(sys.argv[1:])\nfinally:\n    sys.stderr.write(' '.join(sorted(sys.modules)))"
)


def _loaded(words: str) -> set[str]:
    argv = [sys.executable, "-c", _RUN, *words.split()]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.split()) & set(LIBRARIES)


@pytest.mark.parametrize("words", LOADS)
def test_a_command_imports_what_it_uses(words: str) -> None:
    """At most these: a cluster's commands alone load Kubernetes, a registry's alone an HTTP client."""
    assert _loaded(words) <= LOADS[words]


def test_every_command_is_listed() -> None:
    """A new command says here what it loads."""
    listed = {words.split()[0] for words in LOADS}
    assert set(main.list_commands(click.Context(main))) <= listed


def test_the_version_is_said_without_click_and_as_click_says_it() -> None:
    words = "import runpy, sys\nsys.argv[1:] = ['--version']\n"
    program = (
        f"{words}try:\n    runpy.run_module('airstore', run_name='__main__')\nfinally:\n"
        "    sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "airstore" in done.stderr.split()
    assert "click" not in done.stderr.split()
    by_click = [sys.executable, "-m", "airstore", "-q", "--version"]
    assert done.stdout == subprocess.run(by_click, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("before", "code", "words"),
    [
        ("sys.platform = 'win32'", 2, ("airstore runs on Linux, and this is win32", "WSL 2")),
        ("sys.platform = 'darwin'", 2, ("airstore runs on Linux, and this is darwin", "a container")),
        # As the loader says it where a wheel's native part needs a library that is not there.
        ("sys.path.insert(0, 'PLACE')", 10, ("this system lacks a library: libgone.so.1: cannot open",)),
    ],
)
def test_where_airstore_cannot_run_it_says_so_in_a_line(
    before: str, code: int, words: tuple[str, ...], tmp_path: Path
) -> None:
    reason = "libgone.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "pygit2.py").write_text(f"raise ImportError({reason!r})\n")
    before = before.replace("PLACE", str(tmp_path))
    program = f"import sys\nfrom airstore.__main__ import run\n{before}\nsys.argv[1:] = ['log']\nrun()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    assert done.stderr.startswith("airstore: "), done
    assert "hint: " in done.stderr
    for word in words:
        assert word in done.stderr, done


def test_a_version_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "airstore", "--version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 41, done.stderr
    assert b"cannot write the output" in done.stderr
