"""A real nginx before a registry, with its limit of a request's size, and TLS where wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.product.e2e_world import wait_for

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def nginx(directory: Path, port: int, upstream: str, limit: str, tls: str = "") -> Iterator[Path]:
    """Run one on a local port for the length of the block; yields its access log, ``METHOD STATUS LENGTH``.

    Args:
        directory: for its files; made anew.
        port: where it listens.
        upstream: host and port of the registry.
        limit: ``client_max_body_size``.
        tls: certificate and key, in PEM; empty: plain HTTP.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if not program:
        pytest.fail("nginx is not installed: apt-get install nginx-light", pytrace=False)
    directory.mkdir()
    (directory / "tls.pem").write_text(tls)
    config = directory / "nginx.conf"
    config.write_text(_config(directory, port, upstream, limit, tls=bool(tls)))
    log = directory / "error.log"
    process = subprocess.Popen([program, "-e", str(log), "-c", str(config)])
    try:
        wait_for(lambda: (directory / "pid").exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield directory / "access.log"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _config(directory: Path, port: int, upstream: str, limit: str, *, tls: bool) -> str:
    temporary = "".join(f"{name}_temp_path {directory / name};\n" for name in _TEMPORARY)
    certificate = (
        f"ssl_certificate {directory}/tls.pem; ssl_certificate_key {directory}/tls.pem;" if tls else ""
    )
    return f"""daemon off;
user root;
pid {directory}/pid;
events {{}}
http {{
  {temporary}
  log_format short "$request_method $status $content_length";
  access_log {directory}/access.log short;
  client_max_body_size {limit};
  server {{
    listen 127.0.0.1:{port} {"ssl" if tls else ""};
    {certificate}
    location / {{
      proxy_pass http://{upstream};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""
