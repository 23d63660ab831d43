"""Passwords, tokens and certificates, against Debian's real registry."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.image.reference import Reference
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.login.credentials import Credentials
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.transport import RegistryRequest, Transport
from airstore.registry.push.push import PushResult, plan_push, push
from tests.support.registry.faults import Fault, fault_proxy
from tests.support.registry.parts import Connect, Shipment, single_blob_image
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, registry_server
from tests.support.registry.tokens import REFRESH_TOKEN, TokenServer

GOOD = Credentials(USER, PASSWORD)
BAD = Credentials(USER, "battery staple")
UNKNOWN = Reference.parse("registry.example.com/no/such:1")


def _push(client: RegistryClient, shipment: Shipment) -> PushResult:
    plan = plan_push(client, shipment.images, shipment.reader)
    return push(client, plan, shipment.reader, lambda _count: None)


@pytest.fixture(scope="module")
def with_passwords(
    tmp_path_factory: pytest.TempPathFactory, docker_registry: Path
) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("passwords"), htpasswd=True) as server:
        yield server


@pytest.fixture(scope="module")
def with_tls(tmp_path_factory: pytest.TempPathFactory, docker_registry: Path) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("tls"), htpasswd=True, tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory, docker_registry: Path) -> Iterator[RegistryServer]:
    with registry_server(tmp_path_factory.mktemp("with-tokens"), tokens=True) as server:
        yield server


@pytest.fixture
def tokens(with_tokens: RegistryServer) -> Iterator[TokenServer]:
    server = with_tokens.tokens
    assert server
    server.asked.clear()
    yield server
    server.lifetime = 300


def test_a_password_opens_the_registry(
    with_passwords: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    client = connect(with_passwords.host, GOOD)
    assert _push(client, shipment).tags
    assert client.resolve(shipment.images[0].reference) == shipment.images[0].root


@pytest.mark.parametrize("credentials", [None, BAD], ids=["nobody", "wrong password"])
def test_without_the_password_nothing_is_tried_twice(
    with_passwords: RegistryServer, connect: Connect, credentials: Credentials | None
) -> None:
    with fault_proxy(with_passwords.host) as proxy:
        client = connect(proxy.host, credentials)
        with pytest.raises(TransferError, match="answered 401") as caught:
            client.resolve(UNKNOWN)
        assert len(proxy.requests) == (2 if credentials else 1)
    assert "docker login" in caught.value.hint
    assert "staple" not in str(caught.value)


def test_our_own_authority_is_trusted_where_it_is_named(
    with_tls: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    client = connect(with_tls.host, GOOD, plain_http=False, ca=with_tls.ca)
    assert _push(client, shipment).tags


def test_an_unknown_authority_is_refused_with_a_hint(with_tls: RegistryServer, connect: Connect) -> None:
    with pytest.raises(TransferError, match=r"x509: .*CERTIFICATE_VERIFY_FAILED") as caught:
        connect(with_tls.host, GOOD, plain_http=False).resolve(UNKNOWN)
    assert "--ca" in caught.value.hint


def test_an_unknown_authority_can_be_accepted(with_tls: RegistryServer, connect: Connect) -> None:
    with pytest.raises(NotFoundError):
        connect(with_tls.host, GOOD, plain_http=False, insecure=True).resolve(UNKNOWN)


def test_plain_http_is_named_where_tls_was_asked_for(registry: RegistryServer, connect: Connect) -> None:
    with pytest.raises(TransferError, match="speaks plain HTTP") as caught:
        connect(registry.host, plain_http=False).resolve(UNKNOWN)
    assert "--plain-http" in caught.value.hint


def test_a_ca_file_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot read the CA"):
        RegistryClient(Endpoint("localhost", ca=tmp_path / "none.pem"))
    (tmp_path / "empty.pem").write_text("hello")
    with pytest.raises(UsageError, match="no certificates"):
        RegistryClient(Endpoint("localhost", ca=tmp_path / "empty.pem"))


def test_tokens_are_asked_for_by_repository_with_the_rights_that_are_needed(
    with_tokens: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, tokens: TokenServer
) -> None:
    client = connect(with_tokens.host, GOOD)
    result = _push(client, shipment)
    assert result.mounted, "the token of a mount names both repositories"
    assert client.resolve(shipment.images[0].reference) == shipment.images[0].root
    first = [scopes for scopes in tokens.asked if scopes == [f"repository:{prefix}/shop/db:pull"]]
    assert len(first) == 1, "the planner's requests share one token"
    mount = result.mounted[0]
    assert {f"repository:{mount.placed.repository}:pull,push", f"repository:{mount.source}:pull"} in [
        {scope.replace("push,pull", "pull,push") for scope in scopes} for scopes in tokens.asked
    ]  # the registry lists rights in any order


def test_an_identity_token_stands_in_for_a_password(
    with_tokens: RegistryServer, connect: Connect, tokens: TokenServer
) -> None:
    with pytest.raises(NotFoundError):
        connect(with_tokens.host, Credentials("", "", REFRESH_TOKEN)).resolve(UNKNOWN)


def test_what_the_token_server_said_is_passed_on(
    with_tokens: RegistryServer, connect: Connect, tokens: TokenServer
) -> None:
    with pytest.raises(TransferError, match=r"token server: .*answered 401 .*UNAUTHORIZED not you"):
        connect(with_tokens.host, BAD).resolve(UNKNOWN)
    assert len(tokens.asked) == 1


def test_a_token_server_that_fails_once_is_asked_again(
    with_tokens: RegistryServer, connect: Connect, tokens: TokenServer
) -> None:
    tokens.failures.append(503)
    with pytest.raises(NotFoundError):
        connect(with_tokens.host, GOOD).resolve(UNKNOWN)
    assert len(tokens.asked) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "digest="), ("POST", "uploads"), ("PUT", "manifests"), ("GET", "blobs")],
)
def test_a_token_that_expires_on_the_way_is_replaced(
    with_tokens: RegistryServer, connect: Connect, tmp_path: Path, tokens: TokenServer, method: str, path: str
) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/one:1", 300_000)
    with fault_proxy(with_tokens.host) as proxy:
        client = connect(proxy.host, GOOD)
        plan = plan_push(client, [image], reader)
        scope = f"repository:{client.repository('shop/one')}:pull,push"
        challenge = f'Bearer realm="{tokens.realm}",service="airstore test registry",scope="{scope}"'
        proxy.faults.append(Fault(method, path, status=401, headers={"Www-Authenticate": challenge}))
        before = len(tokens.asked)
        push(client, plan, reader, lambda _count: None, jobs=1)
        assert len(tokens.asked) > before
        assert plan_push(client, [image], reader).upload_bytes == 0


def test_a_really_expired_token_is_replaced(
    with_tokens: RegistryServer, connect: Connect, tokens: TokenServer, shipment: Shipment
) -> None:
    tokens.lifetime = -120  # the registry allows a minute
    client = connect(with_tokens.host, GOOD)
    with pytest.raises(TransferError, match="answered 401"):
        client.resolve(UNKNOWN)
    tokens.lifetime = 300
    assert _push(client, shipment).tags


def test_a_password_is_not_sent_in_the_clear_for_a_registry_with_tls(
    with_tls: RegistryServer, tokens: TokenServer, connect: Connect
) -> None:
    transport = Transport(Endpoint("localhost", ca=with_tls.ca), GOOD)
    auth = transport._auth("shop/api")
    response = _Challenged(f'Bearer realm="{tokens.realm}",scope="repository:shop/api:pull"')
    with pytest.raises(TransferError, match="unencrypted"):
        auth.answer(response)  # type: ignore[arg-type]
    assert tokens.asked == []
    transport.close()


class _Challenged:
    """The two things that authentication looks at in a 401."""

    def __init__(self, challenge: str) -> None:
        self.headers = {"Www-Authenticate": challenge}
        self.authorization = None

    def close(self) -> None:
        pass


def test_a_token_never_leaves_for_another_host(
    with_tokens: RegistryServer, registry: RegistryServer, connect: Connect, tokens: TokenServer
) -> None:
    client = connect(with_tokens.host, GOOD)
    with pytest.raises(NotFoundError):
        client.resolve(UNKNOWN)
    repository = client.repository(UNKNOWN.path)
    with fault_proxy(registry.host) as other:
        response = client.transport.once(RegistryRequest("GET", repository, f"http://{other.host}/v2/"))
        response.close()
    assert response.authorization is None


def test_nothing_is_printed_or_logged(
    with_tokens: RegistryServer, connect: Connect, tokens: TokenServer, shipment: Shipment,
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        _push(connect(with_tokens.host, GOOD), shipment)
        with pytest.raises(TransferError):
            connect(with_tokens.host, BAD).resolve(UNKNOWN)
    finally:
        logging.getLogger().removeHandler(handler)
    assert capfd.readouterr() == ("", "")
    assert PASSWORD not in stream.getvalue()
    assert "Bearer" not in stream.getvalue()


def test_many_threads_share_a_client(
    with_tokens: RegistryServer, connect: Connect, shipment: Shipment, tokens: TokenServer
) -> None:
    client, found = connect(with_tokens.host, GOOD), []
    _push(client, shipment)

    def resolve() -> None:
        found.extend([client.resolve(image.reference) for image in shipment.images] * 3)

    threads = [threading.Thread(target=resolve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 * 3 * len(shipment.images)
