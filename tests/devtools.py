"""A page in headless Chromium, driven by the DevTools protocol: pointer, keys, files, screenshots."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

from browser import CHROMIUM

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
    "about:blank",
)
SECONDS = 60  # that a browser, an answer or a condition may take, on a busy machine


class Page:
    """A page of a browser of its own. `errors` has what stands on its console, `requests` the addresses of
    all that it has asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.errors, self.requests, self.number = folder, [], [], 0

    def __enter__(self) -> Self:
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={self.folder}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._connect())
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.run_until_complete(self.session.close())
        self.loop.close()
        self.process.terminate()
        self.process.wait()

    async def _connect(self) -> None:
        port = self.folder / "DevToolsActivePort"
        until = time.monotonic() + SECONDS
        while not (port.is_file() and port.read_text()):
            assert time.monotonic() < until, "Chromium did not start"
            await asyncio.sleep(0.05)
        self.session = aiohttp.ClientSession()
        async with self.session.get(f"http://127.0.0.1:{port.read_text().split()[0]}/json") as answer:
            [target] = [page for page in await answer.json(content_type=None) if page["type"] == "page"]
        self.socket = await self.session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; note the events that come before its result."""
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), SECONDS))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            self._note(message)
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        content = message.get("params")
        match message.get("method"):
            case "Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled":
                self.errors.append(content)
            case "Network.requestWillBeSent":
                self.requests.append(content["request"]["url"])

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, or await it, in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true; give its value."""
        until = time.monotonic() + SECONDS
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)
        return value

    def open(self, address: str, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        """Open an address in a window of a size and a colour scheme."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith('{address}')")

    def point(self, selector: str) -> None:
        """Move the pointer to the middle of an element."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        """Press the mouse on an element."""
        x, y = self._middle(selector)
        for event in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=event, x=x, y=y, button="left", clickCount=1)

    def _middle(self, selector: str) -> tuple[float, float]:
        self.evaluate(f"document.querySelector(`{selector}`).scrollIntoView({{block: 'nearest'}})")
        box = self.evaluate(f"document.querySelector(`{selector}`).getBoundingClientRect().toJSON()")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def give(self, selector: str, file: Path) -> None:
        """Choose a file in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def drop(self, selector: str, file: Path) -> None:
        """Drop a file on an element."""
        x, y = self._middle(selector)
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for event in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=event, x=x, y=y, data=data)

    def screenshot(self, path: Path) -> None:
        """Write a PNG of what the window shows."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
