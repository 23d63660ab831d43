"""Releases as signed commits in a bare git repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _no_certificates() -> Iterator[None]:
    """Have OpenSSL's default places name no CA certificate: an empty file name, a directory without any."""
    names = {"SSL_CERT_FILE": "", "SSL_CERT_DIR": "/"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


# pygit2 loads the host's CA certificates as it is imported, and fails where there are none or damaged ones.
# No history is ever reached by TLS, so it gets none; here, because nothing below imports it before this does.
with _no_certificates():
    import pygit2  # noqa: F401
