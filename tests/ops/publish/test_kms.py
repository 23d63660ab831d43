"""Keys in a key management service sign releases, media and roots. The services are fakes with real keys."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from airstore.core.errors import UsageError
from airstore.trust.ssh.kms import KmsKey
from tests.support.product.agents import signer_of
from tests.support.product.kms import FakeService, fake_aws, fake_vault
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged


@pytest.fixture
def vault() -> Iterator[FakeService]:
    pytest.importorskip("hvac", reason="airstore[kms-vault] is not installed")
    with fake_vault() as service:
        yield service


@pytest.fixture
def aws() -> Iterator[FakeService]:
    with fake_aws() as service:
        yield service


def signs_everything(road: Road, service: FakeService, uri: str, media: Path) -> None:
    """A release and a root by a key of the service, which the root key named, reach a site."""
    publisher, inside = ("-C", road.publisher), service.environment
    done(*publisher, "key", "import", "cloud", uri, env=inside)
    with unchanged(road.publisher):
        refused(airstore(*publisher, "key", "import", "cloud", uri, env=inside), 2, "there is a key")
    words = ("--release-key", "cloud", "--root-key", "cloud", "--expires", "never")
    done(*publisher, "trust", "root", "create", *words)
    keys = ("--key", "root", "--key", "cloud")
    assert "is in force" in done(*publisher, "trust", "root", "sign", *keys, env=inside).err
    done(*publisher, "release", "create", "--version", "1.2.0", "--key", "cloud", env=inside)
    done(*publisher, "media", "create", "--to", "1.2.0", "--key", "cloud", media, env=inside)
    assert service.signed >= 5  # a root, a release's envelope, its commit and tag, an index
    done("-C", road.site, "media", "import", media)
    sound(road.site, "1.0.0", "1.1.0", "1.2.0")
    assert signer_of(road.site) == "G cloud"


def test_a_key_in_vault_signs_what_sites_take(own_road: Road, vault: FakeService, tmp_path: Path) -> None:
    signs_everything(own_road, vault, "hv:release", tmp_path / "m")
    assert (own_road.publisher / "keys" / "cloud.pub").read_text().endswith(" hv:release/2\n")


def test_a_key_at_aws_signs_what_sites_take(own_road: Road, aws: FakeService, tmp_path: Path) -> None:
    signs_everything(own_road, aws, "awskms:alias/release", tmp_path / "m")


def test_a_vault_that_refuses_lies_or_is_gone_signs_nothing(
    own_road: Road, vault: FakeService, tmp_path: Path
) -> None:
    publisher, key = ("-C", own_road.publisher), tmp_path / "cloud.pub"
    done(*publisher, "key", "import", "cloud", "hv:release", env=vault.environment)
    (own_road.publisher / "keys" / "cloud.pub").rename(key)
    done(*publisher, "trust", "root", "create", "--release-key", f"cloud={key}")
    done(*publisher, "trust", "root", "sign", "--key", "root")
    words = (*publisher, "media", "create", "--to", "1.1.0", "--key", "cloud", tmp_path / "m")
    key.rename(own_road.publisher / "keys" / "cloud.pub")
    with unchanged(own_road.publisher):
        for wrong, why in (("VAULT_TOKEN", "permission denied"), ("VAULT_ADDR", "refused")):
            seen = {**vault.environment, wrong: "http://127.0.0.1:1" if wrong == "VAULT_ADDR" else "no"}
            refused(airstore(*words, env=seen), 40, "hv:release/2", why)
        vault.keys[1] = Ed25519PrivateKey.generate()
        refused(airstore(*words, env=vault.environment), 30, "is not by SHA256:")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("uri", ["hv:", "hv:none", "awskms", "gcpkms:a", "release", "", "hv:a/b/c"])
def test_what_names_no_key_leaves_nothing(own_road: Road, vault: FakeService, uri: str) -> None:
    with unchanged(own_road.publisher):
        found = airstore("-C", own_road.publisher, "key", "import", "cloud", uri, env=vault.environment)
        assert found.code in {2, 40}
        assert "Traceback" not in found.err


def test_without_the_library_it_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['hvac'] = None\nfrom airstore.trust.ssh.kms import KmsKey\n"
        "try:\n    KmsKey.ask('hv:release')\nexcept Exception as fault:\n    print(fault, fault.hint)\n"
    )
    done_ = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True
    )
    assert "pip install 'airstore[kms-vault]'" in done_.stdout


def test_a_key_of_vaults_of_another_kind_is_refused(
    vault: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in vault.environment.items():
        monkeypatch.setenv(name, value)

    class Other:
        def public_key(self) -> Other:
            return self

        def public_bytes_raw(self) -> bytes:
            return b"-----BEGIN PUBLIC KEY-----"

    vault.keys.append(Other())
    with pytest.raises(UsageError, match="no key that can sign here"):
        KmsKey.ask("hv:release")
