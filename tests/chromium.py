"""A headless Chromium, driven through its DevTools protocol: enough to open a page, look at it and use it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
import tempfile
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en",
    "--remote-debugging-port=0",
    # No name but the loopback address is found: whatever a page asks of the network fails.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
#: What DevTools wants to know of a key: its code, and the number that Windows has for it.
_KEYS = {
    "Tab": ("Tab", 9),
    " ": ("Space", 32),
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowUp": ("ArrowUp", 38),
    "ArrowRight": ("ArrowRight", 39),
    "ArrowDown": ("ArrowDown", 40),
}


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One page; `requested` are the addresses it asked for, `complaints` its errors in the console."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._session: str | None = None
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Read what the browser says until it ends."""
        async for frame in self._socket:
            message = frame.json()
            if "id" in message:
                self._replies.pop(message["id"]).set_result(message)
                continue
            told = message["params"]
            match message["method"]:
                case "Network.requestWillBeSent":
                    self.requested.append(told["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(told["exceptionDetails"].get("exception", {}).get("description", "?"))
                case "Log.entryAdded" if told["entry"]["level"] == "error":
                    self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def tell(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol."""
        number = next(self._numbers)
        self._replies[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **session})
        reply = await asyncio.wait_for(self._replies[number], 60)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    async def attach(self) -> Self:
        """Open a blank tab of an empty profile, which goes with it, and speak to it from now on."""
        profile = await self.tell("Target.createBrowserContext", disposeOnDetach=True)
        target = await self.tell("Target.createTarget", url="about:blank", **profile)
        attached = await self.tell("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.tell(f"{domain}.enable")
        return self

    async def look(self, width: int, height: int = 900, *, scheme: str = "light") -> None:
        """Set the size of the window, and light or dark."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await self.tell("Emulation.setEmulatedMedia", features=[feature])

    async def open(self, url: str) -> None:
        """Go to *url* and wait until the page says that it is done, well or not."""
        await self.tell("Page.navigate", url=url)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the page is done with loading."""
        await self.until("['ready', 'failed'].includes(document.documentElement?.dataset.state)")

    async def until(self, condition: str) -> None:
        """Wait until a condition in JavaScript holds."""
        async with asyncio.timeout(20):
            while not await self.evaluate(f"Boolean({condition})"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # the page has no event to wait for

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in JavaScript."""
        reply = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def text(self, selector: str) -> str:
        """Return the text that an element shows."""
        found = await self.evaluate(f"document.querySelector({selector!r})?.innerText")
        assert found is not None, f"there is no {selector}"
        return str(found)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            # A key has its effect only with its code and, where it has one, its text.
            shape = {"key": key, "code": _KEYS[key][0], "windowsVirtualKeyCode": _KEYS[key][1]}
            text = {"text": key} if key == " " else {}
            await self.tell("Input.dispatchKeyEvent", type="keyDown", **shape, **text)
            await self.tell("Input.dispatchKeyEvent", type="keyUp", **shape)

    async def picture(self) -> bytes:
        """Return a picture of the whole page, as PNG."""
        size = (await self.tell("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = await self.tell("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@contextmanager
def running(executable: str) -> Iterator[str]:
    """Run a browser, and yield the address of its DevTools."""
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [executable, *_FLAGS, f"--user-data-dir={profile}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stderr is not None
        hangs = threading.Timer(30, process.kill)
        hangs.start()
        try:
            while b"DevTools listening on " not in (line := process.stderr.readline()):
                assert line, "Chromium ended before it listened"
            hangs.cancel()
            drain = threading.Thread(target=process.stderr.read)  # a full pipe would stop it
            drain.start()
            yield line.decode().split("listening on ")[1].strip()
        finally:
            hangs.cancel()
            process.terminate()
            process.wait()
        drain.join()


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Page]:
    """Yield a blank page of the browser whose DevTools are at *url*."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        page = Page(socket)
        listener = asyncio.create_task(page.listen())
        try:
            yield await page.attach()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
