"""Options about registries and image places, and the `RegistryOptions` they make."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from airstore.cli.options.gathered import gathered
from airstore.cli.options.secrets import read_password
from airstore.core.errors import UsageError
from airstore.ops.registry.access import RegistryOptions
from airstore.registry.client.credentials import Credentials, CredentialSource, DockerConfig

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE_KINDS = ("oci:", "oci-archive:", "docker-archive:")


_access = (
    click.option("--plain-http", multiple=True, metavar="HOST", help="Speak HTTP to this registry."),
    click.option("--ca", type=click.Path(path_type=Path, dir_okay=False), help="Trust this CA (PEM)."),
    click.option("--insecure-skip-tls-verify", is_flag=True, help="Accept any certificate."),
    click.option(
        "--registry-config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Credentials; default: docker's config.json.",
    ),
)


def access_options(command: _F) -> _F:
    """``--plain-http``, ``--ca``, ``--insecure-skip-tls-verify``, ``--registry-config``."""
    for option in reversed(_access):
        command = option(command)
    return command


def _accessed(insecure_skip_tls_verify: bool, **said: Any) -> RegistryOptions:
    return make_access(**said, insecure=insecure_skip_tls_verify)


# The same, where a command says nothing else of registries: it gets their ``access``.
registry_access = gathered("access", _accessed, *_access)


def login_options(command: _F) -> _F:
    """``--user`` and ``--password-file``, where a command is about one registry."""
    user = click.option("--user", default="", help="User name; the password comes from --password-file.")
    password = click.option(
        "--password-file", type=click.Path(path_type=Path, dir_okay=False), help="First line is used."
    )
    return user(password(command))


def read_login(user: str, password_file: Path | None) -> tuple[str, str] | None:
    """User name and password from `login_options`; None where neither was given.

    Raises:
        UsageError: one of them is missing.
        NotFoundError: the file cannot be read.
    """
    if bool(user) != bool(password_file):
        raise UsageError("--user and --password-file go together", hint="or log in with docker or helm first")
    return (user, read_password(password_file)) if password_file else None


def make_access(
    plain_http: tuple[str, ...],
    ca: Path | None,
    *,
    insecure: bool,
    registry_config: Path | None,
    sources: tuple[str, ...] = (),
    user: tuple[str, str] | None = None,
) -> RegistryOptions:
    """From the options of `access_options`."""
    credentials: CredentialSource | None = Credentials(*user) if user else _docker_config(registry_config)
    return RegistryOptions(
        credentials=credentials,
        plain_http=frozenset(plain_http),
        ca=ca,
        insecure=insecure,
        proxies=_proxies(),
        sources=dict(_source(text) for text in sources),
    )


def _docker_config(named: Path | None) -> DockerConfig | None:
    if named:
        return DockerConfig(named)
    directory = os.environ.get("DOCKER_CONFIG")
    usual = (Path(directory) if directory else Path.home() / ".docker") / "config.json"
    return DockerConfig(usual) if usual.is_file() else None


def _proxies() -> dict[str, str]:
    names = {"http": "http_proxy", "https": "https_proxy", "no_proxy": "no_proxy"}
    found = {scheme: os.environ.get(name) or os.environ.get(name.upper()) for scheme, name in names.items()}
    return {scheme: url for scheme, url in found.items() if url}


def _source(text: str) -> tuple[str, str]:
    pattern, equals, place = text.partition("=")
    if not equals or not pattern or not place:
        raise UsageError(f"--image-source {text!r}: write PATTERN=PLACE", hint="such as '*=oci:./images'")
    kind = next((kind for kind in _FILE_KINDS if place.startswith(kind)), "")
    # On the command line a path is relative to where the user is, not to the product file.
    return pattern, f"{kind}{Path(place.removeprefix(kind)).absolute()}" if kind else place
