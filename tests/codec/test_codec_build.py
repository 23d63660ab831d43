"""Building the package: what pip says without cargo, and what a wheel with a library from elsewhere holds."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "airstore/codec/libairstore_codec.so"


def pip(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )


def test_pip_without_cargo_fails_with_the_line_that_says_what_to_install(tmp_path: Path) -> None:
    done = pip("install", "--no-deps", "--target", str(tmp_path / "there"), str(ROOT), PATH=str(tmp_path))
    assert done.returncode != 0
    assert "install cargo 1.85 or newer (Debian 12: cargo-web) and try again" in done.stderr
    assert not (tmp_path / "there").exists()


def test_a_wheel_for_another_processor_leaves_the_checkout_as_it_was(tmp_path: Path) -> None:
    before = (ROOT / LIBRARY).read_bytes()
    (tmp_path / "built.so").write_bytes(b"for another processor")
    elsewhere = {"AIRSTORE_CODEC": str(tmp_path / "built.so"), "PATH": str(tmp_path)}
    platform = "musllinux_1_2_aarch64"
    done = pip(
        "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT), AIRSTORE_WHEEL_PLATFORM=platform, **elsewhere
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(LIBRARY) == b"for another processor"
    assert (ROOT / LIBRARY).read_bytes() == before
