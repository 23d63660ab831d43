"""A registry that asks for passwords."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airstore.registry.server.access import Guard
from airstore.tls.htpasswd import Passwords, htpasswd
from tests.registry.server.serving import REPOSITORY, Site, release_of, running
from tests.support.registry import layouts
from tests.support.registry.layouts import run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    nodes = layouts.write_full(directory)
    guard = Guard(Passwords(htpasswd({"pull": "se:cret ä"})))
    with running(directory, nodes, release_of(directory), guard=guard) as site:
        yield site


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Bearer " + base64.b64encode("pull:se:cret ä".encode()).decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        basic("pull", "se:cret"),
        basic("pull", ""),
        basic("", ""),
        basic("nobody", "se:cret ä"),
    ],
)
def test_nothing_is_told_without_the_password(site: Site, header: str) -> None:
    for path in ("/v2/", "/v2/_catalog", f"/v2/{REPOSITORY}/manifests/1.0", "/nothing"):
        response, body = site.get(path, Authorization=header)
        assert (response.status, json.loads(body)["errors"][0]["code"]) == (401, "UNAUTHORIZED")
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert site.logged(4)[-1].status == 401


def test_with_the_password_all_is_told(site: Site) -> None:
    for _ in range(2):  # the second time it is recalled
        assert site.get("/v2/", Authorization=basic("pull", "se:cret ä"))[0].status == 200
    assert site.get("/v2/", Authorization=basic("pull", "se:cret"))[0].status == 401


def test_skopeo_logs_in(site: Site, skopeo: Path) -> None:
    place = f"docker://{site.server.address}/{REPOSITORY}:1.0"
    inspect = [skopeo, "inspect", "--raw", "--tls-verify=false"]
    assert run(*inspect, "--creds=pull:se:cret ä", place).stdout
    assert run(*inspect, place, check=False).returncode != 0


def test_guesses_do_not_keep_those_out_who_are_known() -> None:
    """Bcrypt takes its time; those who guess wait for nobody, and nobody for them."""
    go_on = threading.Event()

    class Slow(Passwords):
        """A comparison that takes as long as the test wants."""

        def accepts(self, user: str, password: str) -> bool:
            go_on.wait(20)
            return super().accepts(user, password)

    passwords = Slow(htpasswd({"pull": "secret"}))
    assert Passwords.accepts(passwords, "pull", "secret")
    guard = Guard(passwords)
    with ThreadPoolExecutor(20) as pool:
        guesses = [pool.submit(guard, basic("pull", str(number))) for number in range(20)]
        while sum(each.done() for each in guesses) < 16:
            time.sleep(0.01)
        assert guard(basic("pull", "secret")) is None
        go_on.set()
        answers = [each.result() for each in guesses]
    statuses = [answer.status for answer in answers if answer]
    assert sorted(statuses) == [401] * 4 + [429] * 16
