"""The tool on media: archives of bundles, checksums, and a signature that ``ssh-keygen`` alone verifies.

| path | content |
| --- | --- |
| ``tool/airstore-VERSION-PLATFORM.tar.gz`` | a bundle |
| ``tool/SHA256SUMS`` | one line for each archive: its SHA-256 in hex, two spaces, its name |
| ``tool/SHA256SUMS.sig`` | SSH signature over these bytes by a key of the role ``release`` |

Its namespace is ``airstore-tool``. The tool is none of the index's business: a site whose airstore is too old
for the media can still verify and start the one that came with them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.media.ignored import TOOL
from airstore.ops.tool.platforms import PLATFORMS, ToolPlatform
from airstore.trust.role import Role
from airstore.trust.ssh import sshsig
from airstore.trust.ssh.signing import SigningKey

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
_LIMIT = 64 << 10  # bytes of SHA256SUMS and of the signature
_LINE = re.compile(r"([0-9a-f]{64})  (airstore-(\d+)\.(\d+)\.(\d+)-(linux-[a-z0-9]+)\.tar\.gz)")


@frozen
class CarriedTool:
    """An archive that signed checksums list.

    Attributes:
        version: of airstore, so that newer is larger.
    """

    path: Path
    digest: Digest
    version: tuple[int, int, int]
    platform: ToolPlatform

    @property
    def folder(self) -> str:
        """The folder that the archive holds."""
        return self.path.name.removesuffix(".tar.gz")


def put(out: Path, archives: Sequence[Path], key: SigningKey) -> int:
    """Copy archives into ``tool/`` of a directory, with signed checksums; returns the bytes of all.

    Raises:
        NotFoundError: no such archive.
        UsageError: not the archive of a bundle, or two of one platform.
        StorageError: the disk is full.
    """
    names = [check_name(path) for path in archives]
    if len(set(names)) != len(names):
        raise UsageError("an archive is named twice")
    with storage_errors(out):
        directory = out / TOOL
        directory.mkdir()
        for path in archives:
            shutil.copyfile(path, directory / path.name)
        lines = sorted(f"{Digest.of_file(directory / name).hex}  {name}\n" for name in names)
        sums = "".join(lines).encode()
        write_file(directory / SUMS, sums, mode=0o644)
        signature = sshsig.sign(key, sums, sshsig.TOOL_NAMESPACE)
        write_file(directory / SIGNATURE, signature.encode(), mode=0o644)
        return sum(path.stat().st_size for path in directory.iterdir())


def check_name(path: Path) -> str:
    """The name of an archive that `airstore bundle` made.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is called otherwise.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is no file", hint="name the .tar.gz that `airstore bundle` made")
    if _parse(f"{'0' * 64}  {path.name}", path.parent) is None:
        raise UsageError(
            f"{path.name} is not what an airstore bundle is called",
            hint="airstore-VERSION-PLATFORM.tar.gz, as `airstore bundle` made it",
        )
    return path.name


def find(media: Path) -> Path | None:
    """The directory with the tool: that of media, or below a carrier's; None where there is none.

    Raises:
        UsageError: there are several.
    """
    places = [media, media / TOOL, *sorted(media.glob(f"*/{TOOL}"))]
    found = [path for path in places if (path / SUMS).is_file()]
    if len(found) > 1:
        raise UsageError(f"these carry tools: {', '.join(map(str, found))}", hint="name one")
    return found[0] if found else None


def verified(directory: Path, role: Role) -> list[CarriedTool]:
    """The archives that checksums list, once these are signed by a key of the role; archives are not read.

    Raises:
        NotTrustedError: not signed, not by such a key, or the role needs several.
        DamagedError: signed, but malformed.
        IncompleteError: the checksums or the signature cannot be read.
    """
    sums, signature = _read(directory / SUMS), _read(directory / SIGNATURE)
    if role.threshold > 1:
        raise NotTrustedError(
            f"{directory}: the trust root asks for {role.threshold} signatures, and a tool has one",
            hint="install it by hand, as for the first time",
        )
    try:
        sshsig.verify(signature.decode("ascii", "replace"), sums, sshsig.TOOL_NAMESPACE, role.keys)
    except (NotTrustedError, DamagedError) as fault:
        raise NotTrustedError(f"{directory / SUMS}: {fault}", hint=fault.hint) from fault
    return list(_listed(sums.decode("ascii", "replace"), directory))


def check_all(directories: Iterable[Path], role: Role) -> list[CarriedTool]:
    """The tools in directories of media, read as a whole; as `verified` and `check`."""
    found = [each for path in directories if (path / TOOL).is_dir() for each in verified(path / TOOL, role)]
    for each in found:
        check(each)
    return found


def check(carried: CarriedTool) -> None:
    """Read a whole archive.

    Raises:
        DamagedError: it is not what the checksums say.
        IncompleteError: it is not there.
    """
    check_file(carried.path, carried)


def check_file(path: Path, carried: CarriedTool) -> None:
    """As `check`, of a copy.

    Raises:
        DamagedError: it is not what the checksums say.
        IncompleteError: it is not there.
    """
    _require_plain(path)
    try:
        digest = Digest.of_file(path)
    except OSError as fault:
        raise IncompleteError(f"the tool on the media cannot be read: {path}: {fault.strerror}") from fault
    if digest != carried.digest:
        raise DamagedError(f"{path} is not what its signed checksum says", hint="copy the media again")


def _require_plain(path: Path) -> None:
    """No index names these files: a pipe or a device in place of one would be read for ever."""
    if path.is_symlink() or not path.is_file():
        raise IncompleteError(f"the tool on the media cannot be read: {path} is missing or not a plain file")


def _read(path: Path) -> bytes:
    _require_plain(path)
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as fault:
        raise IncompleteError(f"the tool on the media cannot be read: {path}: {fault.strerror}") from fault
    if len(data) > _LIMIT:
        raise DamagedError(f"{path} is larger than {_LIMIT} bytes")
    return data


def _listed(sums: str, directory: Path) -> Iterator[CarriedTool]:
    lines = sums.splitlines()
    if not lines or not sums.endswith("\n"):
        raise DamagedError(f"{directory / SUMS} is empty or cut short")
    for line in lines:
        carried = _parse(line, directory)
        if carried is None:
            raise DamagedError(
                f"{directory / SUMS} has a line that is no checksum of a bundle: {line[:100]!r}"
            )
        yield carried


def _parse(line: str, directory: Path) -> CarriedTool | None:
    match = _LINE.fullmatch(line)
    known = {platform.dashed: platform for platform in PLATFORMS}
    if match is None or match[6] not in known:
        return None
    version = (int(match[3]), int(match[4]), int(match[5]))
    return CarriedTool(directory / match[2], Digest(f"sha256:{match[1]}"), version, known[match[6]])
