"""A coordination.k8s.io Lease: one applier at a time in the whole cluster.

The holder's identity is host, process and boot. A holder of this host and boot whose process is gone is
dead for certain; any other one is only when it has not renewed for the Lease's duration, measured here on
our own monotonic clock from when we saw the last renewal, so that clocks need not agree (client-go does so).
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airstore.cluster.api.labels import PRODUCT
from airstore.cluster.api.transport.connection import ApiError, Call, Connection, path_of
from airstore.core.errors import AirstoreError, LockedError, TransferError
from airstore.core.frozen import frozen
from airstore.core.poll import poll

DURATION = 30  # seconds without a renewal after which others may take over
_RENEW = 8.0  # seconds between renewals
_GROUP = ("apis", "coordination.k8s.io", "v1", "namespaces")


@frozen
class Holder:
    """A process on a host since a boot; threads of one process are one holder.

    Attributes:
        space: of process numbers; a container has its own.
    """

    host: str
    pid: int
    boot: str
    space: str

    @classmethod
    def current(cls) -> Holder:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), *_boot())

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """From what `str` gives; None for identities of other programs."""
        parts = text.split("/")
        if len(parts) != 4 or not parts[1].isdecimal():
            return None
        return cls(parts[0], int(parts[1]), parts[2], parts[3])

    def is_gone(self, here: Holder) -> bool:
        """Whether this holder is known to be dead: the host has booted since, or has no such process."""
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        if self.space != here.space:
            return False
        return self.pid != here.pid and not Path(f"/proc/{self.pid}").exists()

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.boot}/{self.space}"


class Lease:
    """A Lease that is ours until `release`; a thread renews it."""

    def __init__(
        self, connection: Connection, namespace: str, name: str, holder: Holder, product: str = ""
    ) -> None:
        self._connection = connection
        self._path = path_of(*_GROUP, namespace, "leases")
        self._metadata = {"name": name, **({"annotations": {PRODUCT: product}} if product else {})}
        self._name = name
        self._about = f"Lease {namespace}/{name}"
        self._me = str(holder)
        self._holder = holder
        self._ended = threading.Event()
        self._lost = ""
        self._thread = threading.Thread(target=self._renew_on, name="airstore-lease", daemon=True)

    def acquire(self) -> None:
        """Take it, waiting for at most its duration where the holder may be dead.

        Raises:
            LockedError: another process holds it and renews it.
            TransferError: the API server refused or did not answer.
        """
        seen = ""
        for last in poll(DURATION, 1):
            if self._try():
                break
            spec = self._read().get("spec") or {}
            mark = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
            if seen and mark != seen:
                raise self._locked(spec)  # it is alive
            if last and not self._take(self._read()):
                raise self._locked(self._read().get("spec") or {})
            seen = mark
        self._thread.start()

    def check(self) -> None:
        """Go on only while the Lease is ours.

        Raises:
            LockedError: it was lost.
        """
        if self._lost:
            raise LockedError(
                f"{self._about} was lost: {self._lost}", hint="nothing further was done; run it again"
            )

    def confirm(self) -> None:
        """Renew it now; an API server that is away is waited for as long as its connection does.

        Raises:
            LockedError: it was lost, or the server stayed away: by then others may take it over.
        """
        self.check()
        try:
            self._renew()
        except AirstoreError as fault:
            self._lost = f"it could not be renewed: {fault}"
        self.check()

    def release(self) -> None:
        """Give it up; a Lease that meanwhile belongs to somebody else is left alone."""
        self._ended.set()
        self._thread.join(timeout=2 * _RENEW)
        current = self._read()
        if self._is_mine(current):
            self._write({**current, "spec": {**current["spec"], "holderIdentity": ""}})

    def _try(self) -> bool:
        try:
            current = self._read()
        except ApiError as fault:
            if fault.status != 404:
                raise
            return self._create()
        spec = current.get("spec") or {}
        holder = Holder.parse(str(spec.get("holderIdentity") or ""))
        if spec.get("holderIdentity") and not (holder and holder.is_gone(self._holder)):
            if holder == self._holder:
                raise self._locked(spec)
            return False
        return self._take(current)

    def _create(self) -> bool:
        document = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": self._metadata,
            "spec": self._spec(0),
        }
        return self._sent(Call("POST", self._path, self._about, body=document))

    def _take(self, current: Mapping[str, Any]) -> bool:
        transitions = int((current.get("spec") or {}).get("leaseTransitions") or 0)
        return self._write({**current, "spec": self._spec(transitions + 1)})

    def _write(self, document: Mapping[str, Any]) -> bool:
        # The resource version in it makes this fail when somebody was faster.
        return self._sent(Call("PUT", self._path + path_of(self._name), self._about, body=document))

    def _sent(self, call: Call) -> bool:
        try:
            self._connection.send(call)
        except ApiError as fault:
            if fault.status == 409:
                return False
            raise
        return True

    def _read(self) -> dict[str, Any]:
        return self._connection.send(Call("GET", self._path + path_of(self._name), self._about))

    def _spec(self, transitions: int) -> dict[str, Any]:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self._me,
            "leaseDurationSeconds": DURATION,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _is_mine(self, document: Mapping[str, Any]) -> bool:
        return bool((document.get("spec") or {}).get("holderIdentity") == self._me)

    def _locked(self, spec: Mapping[str, Any]) -> LockedError:
        return LockedError(
            f"another applier holds the lock in this cluster: {self._about} is held by"
            f" {spec.get('holderIdentity')}, renewed {spec.get('renewTime')}",
            hint="wait for it to end; a Lease that is no longer renewed is taken over",
        )

    def _renew_on(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(_RENEW):
            try:
                if not self._renew():
                    return
                renewed = time.monotonic()
            except AirstoreError as fault:
                # Others take over when the time is up, not before.
                if time.monotonic() - renewed > DURATION - _RENEW:
                    self._lost = f"it could not be renewed: {fault}"
                    return

    def _renew(self) -> bool:
        current = self._read()
        if not self._is_mine(current):
            self._lost = f"{(current.get('spec') or {}).get('holderIdentity') or 'somebody'} took it over"
            return False
        spec = {**current["spec"], "renewTime": self._spec(0)["renewTime"]}
        self._write({**current, "spec": spec})
        return True


@contextmanager
def hold(connection: Connection, namespace: str, name: str, product: str = "") -> Iterator[Lease]:
    """Hold a Lease for the length of the block.

    Args:
        connection: to the API server.
        namespace: of the Lease.
        name: of the Lease.
        product: whose Lease it is, noted where it is made.

    Raises:
        LockedError: another process holds it; the message names the holder.
        TransferError: the API server refused or did not answer.
    """
    lease = Lease(connection, namespace, name, Holder.current(), product)
    lease.acquire()
    try:
        yield lease
    except BaseException:
        _quietly(lease.release)  # what went wrong in the block is what matters
        raise
    lease.release()


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except TransferError:
        return  # the Lease expires by itself


def _boot() -> tuple[str, str]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "unknown", "unknown"
