"""A root directory with next to nothing in it: BusyBox, glibc, ssh-keygen, an ordinary user; no network."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

USER = 4711
_APPLETS = (
    *("awk", "basename", "cat", "grep", "gzip", "kill", "ls", "ln", "mkdir", "readlink", "sh", "sha256sum"),
    *("sleep", "tar", "wget"),
)
# glibc's, and the three beside it that the document says every such system has.
_LIBRARIES = ("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1")
_BESIDE = ("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1")
# Mounts go with the namespace: nothing of them is left, and no other process sees them.
_ENTER = """
set -e
root=$1 drive=$2
mount --bind "$drive" "$root/media/usb"
mount -o remount,bind,ro "$root/media/usb"
mount -t proc proc "$root/proc"
for each in null urandom; do : >"$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
ip link set lo up
exec chroot --userspec=%(user)d:%(user)d "$root" /bin/sh -e /home/user/script
"""


@dataclass(frozen=True)
class BareRoot:
    """One such root."""

    path: Path

    @property
    def home(self) -> Path:
        """The ordinary user's directory, where commands run."""
        return self.path / "home" / "user"

    def play(self, script: str, drive: Path) -> subprocess.CompletedProcess[str]:
        """Run a script as the user, without a network, with a drive that is plugged in read-only.

        Its processes end with it.
        """
        (self.home / "script").write_text(script)
        namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        enter = ["/bin/sh", "-c", _ENTER % {"user": USER}, "sh", str(self.path), str(drive)]
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            [*namespaces, *enter], env=variables, capture_output=True, text=True, check=False, timeout=240
        )


def make(path: Path, busybox: Path, *programs: Path) -> BareRoot:
    """Make one.

    Args:
        path: a new directory.
        busybox: a static one.
        programs: go to ``/usr/bin``, with the libraries that they need.
    """
    for name in ("bin", "usr/bin", "etc", "tmp", "proc", "dev", "media/usb", "home/user"):
        (path / name).mkdir(parents=True)
    shutil.copyfile(busybox, path / "bin" / "busybox")
    (path / "bin" / "busybox").chmod(0o755)
    for name in _APPLETS:
        (path / "bin" / name).symlink_to("busybox")
    for program in programs:
        shutil.copy(program, path / "usr" / "bin")
    for program in (*programs, Path("/bin/sh")):
        add_libraries(path, program)
    (libc,) = path.rglob("libc.so.6")
    place = Path("/", libc.parent.relative_to(path))
    for name in (*_LIBRARIES, *_BESIDE):
        found = next(each for each in (place / name, Path(f"/usr{place}") / name) if each.exists())
        shutil.copyfile(found.resolve(), libc.parent / name)
    (path / "etc" / "passwd").write_text(f"user:x:{USER}:{USER}::/home/user:/bin/sh\n")
    (path / "tmp").chmod(0o1777)
    shutil.chown(path / "home" / "user", USER, USER)
    return BareRoot(path)


def add_libraries(root: Path, program: Path) -> None:
    """Copy what a program of this machine is linked with, where it is there."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for found in re.findall(r"(/\S+)", said):
        target = root / found.lstrip("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(found).resolve(), target)
            target.chmod(0o755)
