"""Options about registries and image places, and the `RegistryOptions` they make."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from airstore.cli.options.gathered import gathered
from airstore.cli.options.secrets import read_password
from airstore.core.errors import UsageError
from airstore.ops.registry.access import RegistryOptions
from airstore.registry.client.login.credentials import Credentials, CredentialSource, DockerConfig

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


_login = (
    click.option("--user", default="", help="User name; the password comes from --password-file."),
    click.option(
        "--password-file", type=click.Path(path_type=Path, dir_okay=False), help="First line is used."
    ),
)


def _accessed(insecure_skip_tls_verify: bool, **said: Any) -> RegistryOptions:
    return make_access(**said, insecure=insecure_skip_tls_verify)


def _logged_in(user: str, password_file: Path | None, **said: Any) -> RegistryOptions:
    return _accessed(user=_read_login(user, password_file), **said)


# A command gets what was said as its ``access``; the second is for those about one registry.
registry_access = gathered("access", _accessed, *_access)
login_access = gathered("access", _logged_in, *_login, *_access)


def _read_login(user: str, password_file: Path | None) -> tuple[str, str] | None:
    if bool(user) != bool(password_file):
        raise UsageError("--user and --password-file go together", hint="or log in with docker or helm first")
    return (user, read_password(password_file)) if password_file else None


def make_access(
    plain_http: tuple[str, ...],
    ca: Path | None,
    *,
    insecure: bool,
    registry_config: Path | None,
    user: tuple[str, str] | None = None,
) -> RegistryOptions:
    """From what was said of registries; the rest is docker's and the environment's."""
    credentials: CredentialSource | None = Credentials(*user) if user else _docker_config(registry_config)
    return RegistryOptions(
        credentials=credentials,
        plain_http=frozenset(plain_http),
        ca=ca,
        insecure=insecure,
        proxies=_proxies(),
    )


def with_sources(access: RegistryOptions, sources: tuple[str, ...]) -> RegistryOptions:
    """The same, with the places that ``--image-source`` names.

    Raises:
        UsageError: one is not PATTERN=PLACE.
    """
    return replace(access, sources=dict(_source(text) for text in sources))


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
