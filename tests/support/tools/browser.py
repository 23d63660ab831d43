"""A real Chromium, driven over a pipe by the Chrome DevTools Protocol; no network of its own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"),
)


@dataclass
class Browser:
    """One tab.

    Attributes:
        requests: URLs that were asked for, in order.
        complaints: what the console said, and errors of scripts.
    """

    to: BinaryIO
    back: BinaryIO
    session: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    number: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its result."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, page: Path, width: int = 1200, height: int = 900) -> None:
        """Load a page from a file, and wait until it is there."""
        self.requests.clear()
        self.complaints.clear()
        self.resize(width, height)
        self.call("Page.navigate", url=page.as_uri())
        while self.script("document.readyState") != "complete":
            pass

    def resize(self, width: int, height: int = 900) -> None:
        """A window of so many pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def script(self, expression: str) -> Any:
        """The value of an expression; a promise is waited for."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        found = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, to: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(shot["data"]))

    def paper(self) -> bytes:
        """The page as a PDF, A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self.call("Page.printToPDF", **size)["data"])

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.back.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        message: dict[str, Any] = json.loads(data)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, said: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        if method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.complaints.append(json.dumps(said)[:500])


@contextmanager
def browser() -> Iterator[Browser]:
    """Run one for the length of the block."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed"
    (there, to), (back, here) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as home:
        words = [program, *_FLAGS, f"--user-data-dir={home}", "about:blank"]
        # It reads commands from descriptor 3 and answers on 4.
        command = ["bash", "-c", f'exec "$@" 3<&{there} 4>&{here}', "bash", *words]
        process = subprocess.Popen(
            command, pass_fds=(there, here), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(there)
        os.close(here)
        try:
            with os.fdopen(to, "wb") as out, os.fdopen(back, "rb") as answers:
                yield _tab(Browser(out, answers))
        finally:
            process.kill()
            process.wait(timeout=60)


def _tab(made: Browser) -> Browser:
    target = made.call("Target.createTarget", url="about:blank")["targetId"]
    made.session = made.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        made.call(f"{domain}.enable")
    return made
