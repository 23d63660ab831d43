"""Registries and networks that misbehave: lost blobs, resets, stalls, limits, failures that pass or last."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import TransferError
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.model.release import Artifact
from airstore.registry.client.registry import RegistryClient
from airstore.registry.faults import RefusedError
from airstore.registry.push.push import PushResult, plan_push, push
from tests.support.registry.faults import Fault, FaultProxy, fault_proxy
from tests.support.registry.parts import Connect, LayoutReader, Shipment, single_blob_image
from tests.support.registry.servers import RegistryServer, registry_server


def _push(client: RegistryClient, artifacts: tuple[Artifact, ...], reader: LayoutReader) -> PushResult:
    return push(client, plan_push(client, artifacts, reader), reader, lambda _count: None)


def _complete(client: RegistryClient, shipment: Shipment) -> bool:
    plan = plan_push(client, shipment.images, shipment.reader)
    return (plan.uploads, plan.mounts, plan.manifests, plan.tags) == ((), (), (), ())


@pytest.mark.parametrize("cache", [True, False], ids=["lying cache", "no cache"])
def test_a_blob_lost_on_the_registrys_disk_is_noticed_and_sent_again(
    tmp_path: Path, connect: Connect, shipment: Shipment, cache: bool
) -> None:
    with registry_server(tmp_path / "registry", cache=cache) as server:
        client, image = connect(server.host), shipment.images[2]
        _push(client, (image,), shipment.reader)
        layer = max(image.blobs, key=lambda blob: blob.size)
        server.blob_file(layer.digest).unlink()

        plan = plan_push(client, [image], shipment.reader)
        assert [placed.blob.digest for placed in plan.uploads] == [layer.digest]
        push(client, plan, shipment.reader, lambda _count: None)

        assert server.blob_file(layer.digest).stat().st_size == layer.size
        assert plan_push(client, [image], shipment.reader).upload_bytes == 0


def test_a_blob_cut_short_on_the_registrys_disk_is_noticed(
    own_registry: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    client, image = connect(own_registry.host), shipment.images[2]
    _push(client, (image,), shipment.reader)
    layer = max(image.blobs, key=lambda blob: blob.size)
    os.truncate(own_registry.blob_file(layer.digest), layer.size // 2)

    plan = plan_push(client, [image], shipment.reader)

    assert [placed.blob.digest for placed in plan.uploads] == [layer.digest]


def test_a_registry_that_takes_blobs_and_gives_none_is_named_with_the_way_out(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    proxy.faults.append(Fault("GET", "/blobs/sha256:", times=1000, status=404))
    client, image = connect(proxy.host), shipment.images[2]
    with pytest.raises(TransferError, match="took it but does not give it back") as caught:
        _push(client, (image,), shipment.reader)
    assert "restart the registry" in caught.value.hint
    assert proxy.host in str(caught.value)
    assert "shop/db" in str(caught.value)
    assert any(str(blob.digest) in str(caught.value) for blob in image.blobs)


PASSING = {
    "server error": Fault("PUT", "digest=", status=500),
    "gateway without registry": Fault("POST", "uploads", status=502, body=b"<html>bad gateway</html>"),
    "too many requests": Fault("PUT", "digest=", status=429, headers={"Retry-After": "0"}),
    "reset while sending": Fault("PUT", "digest=", reset_sent=100_000),
    "reset before the answer": Fault("PUT", "digest=", reset_received=0, times=1),
    "reset while reading back": Fault("GET", "blobs", reset_received=70_000),
    "stall while sending": Fault("PUT", "digest=", stall=2.0),
    "stall while reading back": Fault("GET", "blobs", stall=2.0),
    "error on reading a manifest": Fault("GET", "manifests/", status=503),
    "error on a tag": Fault("PUT", "manifests/15", status=500),
    "error on a check": Fault("GET", "blobs/sha256", status=500),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PASSING)
def test_passing_faults_pass(connect: Connect, proxy: FaultProxy, shipment: Shipment, name: str) -> None:
    fault = replace(PASSING[name])
    proxy.faults.append(fault)
    client = connect(proxy.host, stall=1.0)
    _push(client, (shipment.images[2],), shipment.reader)
    assert fault.times == 0
    assert _complete(client, Shipment(shipment.layout, shipment.images[2:]))


def test_a_stall_in_the_middle_of_a_large_body_passes(
    connect: Connect, proxy: FaultProxy, tmp_path: Path
) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/large:1", 24 * MIB)
    proxy.faults.append(Fault("PUT", "digest=", stall=30.0))
    began = time.monotonic()
    client = connect(proxy.host, stall=2.0)
    _push(client, (image,), reader)
    assert time.monotonic() - began < 30
    assert proxy.count("^PUT .*digest=") == 3


LASTING = {
    "no space": (Fault("PUT", "digest=", times=99, status=500), "answered 500", 4),
    "forbidden": (
        Fault("POST", "uploads", times=99, status=403, body=b'{"errors":[{"code":"DENIED","message":"no"}]}'),
        "answered 403 Forbidden: DENIED no",
        1,
    ),
    "immutable": (Fault("PUT", "manifests/15", times=99, status=409), "answered 409", 1),
    "stalled": (Fault("PUT", "digest=", times=99, stall=0.6), "no byte moved for 0.3 seconds", 4),
}


@pytest.mark.parametrize("name", LASTING)
def test_lasting_faults_end_the_push_after_a_bounded_number_of_attempts(
    connect: Connect, proxy: FaultProxy, tmp_path: Path, name: str
) -> None:
    fault, message, attempts = LASTING[name]
    image, reader = single_blob_image(tmp_path / "image", "shop/one:15", 100_000)
    fault = replace(fault)
    proxy.faults.append(fault)
    with pytest.raises(TransferError, match=message) as caught:
        push(
            client := connect(proxy.host, stall=0.3, retries=3),
            plan_push(client, [image], reader),
            reader,
            lambda _count: None,
            jobs=1,
        )
    assert caught.value.exit_code == 40
    assert caught.value.hint
    assert 99 - fault.times == attempts


def test_retry_after_is_waited_for(connect: Connect, proxy: FaultProxy, shipment: Shipment) -> None:
    busy = {"Retry-After": "1"}
    proxy.faults += [Fault(method, "blobs", status=429, headers=busy) for method in ("GET", "HEAD")]
    began = time.monotonic()
    plan_push(connect(proxy.host), shipment.images[2:], shipment.reader)
    assert time.monotonic() - began >= 1


def test_a_proxy_that_limits_uploads_gets_small_pieces(
    connect: Connect, proxy: FaultProxy, tmp_path: Path
) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/large:1", 5 * MIB // 2)
    limits = [Fault(method, "uploads", times=1000, largest=MIB) for method in ("PUT", "PATCH")]
    proxy.faults += limits
    client = connect(proxy.host)
    _push(client, (image,), reader)
    assert plan_push(client, [image], reader).upload_bytes == 0
    assert proxy.count("^PATCH ") >= 3  # more where one was broken off and sent again


def test_two_uploads_may_meet_the_limit_at_once(connect: Connect, proxy: FaultProxy, tmp_path: Path) -> None:
    """The one that learns of it second goes over to small pieces as well."""
    pairs = [
        single_blob_image(tmp_path / name, f"shop/{name}:1", size)
        for name, size in (("one", 2 * MIB), ("two", 3 * MIB))
    ]
    together = threading.Barrier(2)

    class Reader:
        def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
            if stop and stop - start > MIB:
                together.wait(timeout=20)
            return self._holder(digest).read(digest, start, stop)

        def read_bytes(self, digest: Digest, limit: int) -> bytes:
            return self._holder(digest).read_bytes(digest, limit)

        def _holder(self, digest: Digest) -> LayoutReader:
            held = [(reader, {blob.digest for blob in image.blobs}) for image, reader in pairs]
            return next(reader for reader, digests in held if digest in digests)

    proxy.faults += [Fault(method, "uploads", times=1000, largest=MIB) for method in ("PUT", "PATCH")]
    client, images = connect(proxy.host), [image for image, _ in pairs]
    push(client, plan_push(client, images, Reader()), Reader(), lambda _count: None, jobs=2)
    assert plan_push(client, images, Reader()).upload_bytes == 0


def test_a_limit_below_that_is_explained(connect: Connect, proxy: FaultProxy, tmp_path: Path) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/large:1", 5 * MIB // 2)
    proxy.faults += [Fault(method, "uploads", times=1000, largest=MIB // 2) for method in ("PUT", "PATCH")]
    with pytest.raises(RefusedError, match="answered 413") as caught:
        _push(connect(proxy.host), (image,), reader)
    assert "client_max_body_size" in caught.value.hint
    assert "proxy-body-size" in caught.value.hint
    assert str(image.blobs[2].digest) in str(caught.value)


def test_progress_never_counts_a_byte_twice(connect: Connect, proxy: FaultProxy, shipment: Shipment) -> None:
    proxy.faults.append(Fault("PUT", "digest=", times=2, reset_sent=60_000))
    client = connect(proxy.host)
    plan = plan_push(client, shipment.images, shipment.reader)
    counts: list[int] = []
    push(client, plan, shipment.reader, counts.append)
    assert sum(counts) == plan.upload_bytes
    assert min(counts) > 0


def test_a_push_that_failed_goes_on_where_it_ended(
    registry: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    with fault_proxy(registry.host) as proxy:
        proxy.faults.append(Fault("PUT", "/manifests/", times=99, status=403))
        client = connect(proxy.host)
        with pytest.raises(TransferError):
            _push(client, shipment.images, shipment.reader)
    client = connect(registry.host)
    plan = plan_push(client, shipment.images, shipment.reader)
    assert plan.mounts == ()
    # Small configs of manifests that are not there are rather sent again than asked for.
    assert all("config" in placed.blob.media_type for placed in plan.uploads)
    push(client, plan, shipment.reader, lambda _count: None)
    assert _complete(client, shipment)


def test_one_failure_ends_the_other_uploads(
    connect: Connect, proxy: FaultProxy, shipment: Shipment, tmp_path: Path
) -> None:
    large, reader = single_blob_image(tmp_path / "image", "shop/large:1", 64 * MIB)
    small = next(blob for blob in large.blobs if blob.size < 1000 and "config" in blob.media_type)
    proxy.faults.append(Fault("PUT", f"digest=sha256%3A{small.digest.hex}", times=99, status=403))
    client = connect(proxy.host)
    plan = plan_push(client, [large], reader)
    sent: list[int] = []
    with pytest.raises(RefusedError, match=str(small.digest)):
        push(client, plan, reader, sent.append)
    assert sum(sent) < plan.upload_bytes


class _Damaged(LayoutReader):
    """Gives other bytes than asked for, as a store on a bad disk would if it did not verify."""

    def read(self, digest: Digest, start: int = 0, stop: int | None = None):  # type: ignore[no-untyped-def]
        for chunk in super().read(digest, start, stop):
            yield bytes([chunk[0] ^ 1]) + chunk[1:]


def test_the_registry_refuses_bytes_that_are_not_what_their_digest_says(
    registry: RegistryServer, connect: Connect, tmp_path: Path
) -> None:
    image, _ = single_blob_image(tmp_path / "image", "shop/one:1", 1000)
    with pytest.raises(RefusedError, match="DIGEST_INVALID"):
        _push(connect(registry.host), (image,), _Damaged(tmp_path / "image"))


_MEASURE = """
import resource, sys
sys.path[:0] = [{root!r}, {scripts!r}]
from pathlib import Path
from tests.support.registry.parts import single_blob_image
from airstore.registry.push.push import plan_push, push
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.endpoint import Endpoint
client = RegistryClient(Endpoint({host!r}, plain_http=True))
image, reader = single_blob_image(Path({directory!r}), "memory/large:1", 200 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
push(client, plan_push(client, [image], reader), reader, lambda _count: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_blob(registry: RegistryServer, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    program = _MEASURE.format(
        root=str(root),
        scripts=str(root / "scripts"),
        host=registry.host,
        directory=str(tmp_path / "image"),
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 24 << 10, "KiB more at the peak than before the push of 200 MiB"
