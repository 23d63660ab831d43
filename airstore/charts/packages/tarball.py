"""Writing a chart archive so that the same files always give the same bytes."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Mapping

_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255])  # RFC 1952: no name, no time, best, unknown system


def write_tarball(top: str, files: Mapping[str, bytes]) -> bytes:
    """A ``.tgz`` of regular files under the directory ``top``: sorted, no times, no owners, mode 0644."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size = len(files[path])
            tar.addfile(member, io.BytesIO(files[path]))
    return _gzip(plain.getvalue())


def _gzip(plain: bytes) -> bytes:
    # Written by hand: the header that zlib and the gzip module write depends on their version.
    encoder = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = encoder.compress(plain) + encoder.flush()
    return _HEADER + body + struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
