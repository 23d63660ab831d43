"""What the documents say is done runs as it is written: within, beside and far from the store."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import Road, done, make_product, process, write_site_file
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, free_port, registry_server
from tests.support.registry.tls import Authority
from tests.support.tools.document_commands import DOCUMENTS, WAYS, Command, Desk, commands, mentioned, resolve

pytestmark = pytest.mark.slow

PUBLISHERS = {"init", "key generate", "images find", "release create", "media create", "site add"}
# Documents by what it takes to run their commands; tests/cluster_docs has the others.
HERE = ("README.md", "docs/guide-publisher.md", "docs/guide-site.md")
TESTED = {
    "": {*HERE, "docs/stolen-key.md", "docs/shared-store.md"},
    "api": {"README.md", "docs/apply.md", "docs/guide-publisher.md"},
    "offline": {"docs/install-offline.md"},  # tests/root/test_install_offline.py
    "nodes": {"README.md", "docs/registry-in-cluster.md", "docs/applier.md"},
}


def test_no_command_of_a_document_is_left_out() -> None:
    everything = [command for document in DOCUMENTS for command in commands(document)]
    assert len(everything) > 60
    assert [str(each) for each in everything if each.document not in TESTED[each.tier]] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_sentences_mention_exists(document: str) -> None:
    for mention in mentioned(document):
        names, command, arguments = resolve(mention.words)
        assert names or mention.words[0].startswith("-"), mention
        known = {
            option for parameter in command.params for option in parameter.opts + parameter.secondary_opts
        }
        said = {word.partition("=")[0] for word in arguments if word.startswith("--") and word != "--"}
        assert said <= known, mention


@dataclass
class Journey:
    """Both sides, and somebody who carries files between them as the documents say.

    Attributes:
        guide: the document begins in the middle: what it takes for granted is made.
    """

    publisher: Desk
    site: Desk
    guide: bool

    def play(self, command: Command) -> None:
        """Run one command, after what must come before it and before what must follow."""
        desk = self.site if self._is_at_site(command) else self.publisher
        self._before(command, desk)
        if command.name == "registry serve":
            _serve(desk, command)
        else:
            desk.run(command)
        self._after(command, desk)

    def _is_at_site(self, command: Command) -> bool:
        if command.document == "docs/guide-site.md" or "--site" in command.words:
            return True
        at_site = {"media import", "plan", "receipt", "registry push", "registry serve"}
        return command.name in at_site

    def _before(self, command: Command, desk: Desk) -> None:
        if command.name == "init":
            desk.forget("STORE")
        if "OUT" in command.words and command.name == "media create":
            desk.forget("OUT")
        first = command.name == "key generate" and "release" in command.words
        if first and self.guide:  # the guide shows two ways of making the first key
            desk.forget("STORE")
            done("init", desk.store, "--product", desk / "airstore.yaml")
        if "1.1.0" in command.words and command.name == "release create":
            if self.guide:
                done("-C", desk.store, "release", "create", "--version", "1.0.0", env=desk.environment)
            make_product(desk.directory, "1.1.0")
        if "--receipt" in command.words and self.guide and not self.site.store.exists():
            self._enrol()
        if command.name == "plan":
            write_site_file(self.site.store)

    def _enrol(self) -> None:
        """A site that holds 1.0.0 has sent its receipt."""
        publisher, site = ("-C", self.publisher.store), ("-C", self.site.store)
        self.site.forget("MEDIA")
        done("init", self.site.store, "--site", "acme", "--trust", self.publisher / "root.json")
        done(
            *publisher,
            "media",
            "create",
            "--to",
            "1.0.0",
            self.site / "MEDIA",
            env=self.publisher.environment,
        )
        done(*site, "media", "import", self.site / "MEDIA")
        done(*site, "receipt", "-o", self.publisher / "receipt.json")
        done(*publisher, "site", "add", "acme", self.site.store / "keys" / "site.pub")

    def _after(self, command: Command, desk: Desk) -> None:
        if command.name == "key generate":
            for other in (self.publisher, self.site):
                desk.hand_over("STORE/trust/root.json", other, "root.json")
        elif command.name == "media create":
            desk.hand_over("OUT", self.site, "MEDIA")
        elif command.name == "init" and "--site" in command.words:
            desk.hand_over("STORE/keys/site.pub", self.publisher, "site.pub")
        elif command.name == "receipt":
            desk.hand_over("receipt.json", self.publisher)


@pytest.fixture(params=WAYS)
def journey(request: pytest.FixtureRequest, tmp_path: Path) -> Journey:
    """Two empty desks; the publisher has a product."""
    publisher, site = Desk(tmp_path / "publisher", request.param), Desk(tmp_path / "site", request.param)
    make_product(publisher.directory, "1.0.0")
    site.directory.mkdir()
    (publisher / "passphrase").write_text("on the machine only\n")
    publisher.environment = {"AIRSTORE_PASSPHRASE_FILE": str(publisher / "passphrase")}
    publisher.names = {"IMAGE": "registry.example.com/shop/api:1.0.0"}
    return Journey(publisher, site, guide=False)


def _here(document: str) -> list[Command]:
    found = [command for command in commands(document) if not command.tier]
    assert found
    return found


def test_the_readme(journey: Journey, registry: RegistryServer, prefix: str) -> None:
    """From an empty directory to the second release's delta, which the site imports as well."""
    journey.site.names = {"HOST/PREFIX": f"http://{registry.host}/{prefix}", "serve": _listen("127.0.0.1:0")}
    for command in _here("README.md"):
        journey.play(command)
    done("-C", journey.site.store, "media", "import", journey.site / "MEDIA")
    site = open_directory(journey.site.store)
    assert [release.version for release in site.history.releases()] == ["1.0.0", "1.1.0"]
    assert len(list((journey.site / "MEDIA" / "packs").glob("*.delta"))) == 1
    stock = ["git", "-C", "STORE/history.git", "log", "--show-signature", "--stat", "main"]
    assert f"\n{' '.join(stock)}\n" in Path(__file__).parents[2].joinpath("README.md").read_text()
    said = subprocess.run(stock, cwd=journey.site.directory, capture_output=True, text=True, check=True)
    assert 'Good "git" signature' in said.stdout + said.stderr


def test_the_publishers_guide(journey: Journey) -> None:
    journey.guide = True
    for command in _here("docs/guide-publisher.md"):
        journey.play(command)


@pytest.fixture
def guarded_registry(docker_registry: Path, tmp_path: Path) -> Iterator[RegistryServer]:
    with registry_server(tmp_path / "guarded", htpasswd=True) as server:
        yield server


def test_the_sites_guide(journey: Journey, road: Road, guarded_registry: RegistryServer) -> None:
    site = journey.site
    for name, source in (("MEDIA", road.full_new), ("root.json", road.root)):
        Desk(source.parent, "relative").hand_over(source.name, site, name)
    (site / "FILE").write_text(f"{PASSWORD}\n")
    authority = Authority.create(site / "tls")
    authority.certificate.rename(site / "cert.pem")
    authority.key.rename(site / "key.pem")
    site.names = {
        "registry.acme.example/shop": f"http://{guarded_registry.host}/shop",
        "--user push": f"--user {USER}",
        "0.0.0.0:5000": f"0.0.0.0:{free_port()}",
    }
    for command in _here("docs/guide-site.md"):
        journey.play(command)


def _listen(address: str) -> str:
    """The default port is one, and tests run side by side."""
    return f"serve --listen {address}"


def _serve(desk: Desk, command: Command) -> None:
    """It answers, and ends when it is told to."""
    with process(*desk.words(command), cwd=desk.where) as running:
        try:
            assert running.stdout
            url = running.stdout.readline().strip()
            assert url.startswith("http"), running.communicate()
            if url.startswith("http://"):
                with urllib.request.urlopen(f"{url}/v2/") as answer:  # noqa: S310 - http, see above
                    assert answer.status == 200
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=60) == 0
        finally:
            running.kill()
