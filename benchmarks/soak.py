"""
A million requests, ten thousand of them met with a fault and a thousand cancelled: what is left over of it.

The server, in a process of its own, echoes the number that it is asked for, so that an answer to another request is
seen. Run as a script this is that server, or the one client that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import anyio

from indivd_async._execution import Executor
from indivd_async._transport import Token, parse_base_url
from indivd_async.errors import IndivdError
from indivd_async.plans import PlannedRequest
from indivd_async.settings import Limits, RetryPolicy, Timeouts

from .measuring import Row, row

#: One request in so many meets a fault, one in so many is cancelled.
_FAULTY, _CANCELLED = 100, 1_000
_LANES = 50


def main(quick: bool) -> list[Row]:
    count = 5_000 if quick else 1_000_000
    command = [sys.executable, "-m", "benchmarks.soak"]
    with subprocess.Popen([*command, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            client = [*command, "--url", url, "--count", str(count)]
            told = json.loads(subprocess.run(client, check=True, stdout=subprocess.PIPE, text=True).stdout)
        finally:
            server.terminate()
    asked = f"{count:,} requests, {told['faults']:,} faults, {told['cancelled']:,} cancels"
    return [
        row(f"memory grown after {asked}", told["grown_mib"], 4 if not quick else None, "MiB"),
        row("file descriptors more than before", told["descriptors"], 0, "files"),
        row("tasks more than before", told["tasks"], 0, "tasks"),
        row("answers that belong to another request", told["swapped"], 0, "answers"),
        row("lanes lost", told["lost_lanes"], 0, "lanes"),
        row("requests without an answer, of those not cancelled", told["unanswered"], count // 10_000, "requests"),
    ]


# The client.


async def soak(url: str, count: int) -> dict[str, float]:
    """Warm up with a tenth, so that every kind of fault has been met, then count what the rest leaves behind."""
    tally = {"unanswered": 0, "swapped": 0, "cancelled": 0}
    warm = count // 10
    tasks = len(asyncio.all_tasks())
    files = _open_files()
    executor = Executor(
        base_url=parse_base_url(url),
        token=Token("soak"),
        timeouts=Timeouts(read=0.25),
        retry=RetryPolicy(base=0.001, base_overloaded=0.001),
        limits=Limits(concurrency=_LANES),
    )

    async def ask(number: int) -> None:
        request = PlannedRequest(index=number, endpoint="soak", path=f"/{number}")
        try:
            if number % _CANCELLED:
                reply = await executor.send(request)
            else:
                reply = None
                with anyio.move_on_after(0.001):
                    reply = await executor.send(request)
                if reply is None:
                    tally["cancelled"] += 1
                    return
        except IndivdError:
            tally["unanswered"] += 1
        else:
            tally["swapped"] += reply.body != b"[%d]" % number

    await executor.map(range(warm), ask, workers=_LANES)
    gc.collect()
    before = _resident_mib()
    await executor.map(range(warm, count), ask, workers=_LANES)
    gc.collect()
    grown = _resident_mib() - before
    idle, made = len(executor._core.lanes._idle), len(executor._core.lanes._made)
    await executor.aclose()
    await asyncio.sleep(0.05)
    return {
        **tally,
        "grown_mib": grown,
        "faults": count // _FAULTY,
        "lost_lanes": made - idle,
        "tasks": len(asyncio.all_tasks()) - tasks,
        "descriptors": _open_files() - files,
    }


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


# The server.


def _plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _cut_gzip(body: bytes) -> bytes:
    packed = gzip.compress(body)[:-4]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    return head + packed


#: What each fault sends, and whether the connection is closed behind it; None is reset.
_FAULTS: tuple[tuple[Callable[[bytes], bytes], bool | None], ...] = (
    (lambda body: b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n", False),
    (lambda body: b"HTTP/1.1 429 Slowly\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", False),
    (lambda body: b"", True),
    (lambda body: b"", None),
    (lambda body: _plain(body)[:-1], True),
    (lambda body: _plain(body)[:20], None),
    (lambda body: b"nonsense\r\n\r\n", True),
    (_cut_gzip, False),
    (lambda body: _plain(body) + _plain(b"[-1]"), False),
    (_plain, True),
    (lambda body: b"", False),
)


class _Serving(asyncio.Protocol):
    """Echoes; a request that has just met a fault is answered."""

    met: ClassVar[set[int]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(int(head.split(b" ", 2)[1][1:]))

    def _answer(self, number: int) -> None:
        body = b"[%d]" % number
        if number % _FAULTY or number in self.met:
            self.met.discard(number)
            self._transport.write(_plain(body))
            return
        self.met.add(number)
        say, closes = _FAULTS[number // _FAULTY % len(_FAULTS)]
        self._transport.write(say(body))
        if closes is None:
            self._transport.abort()
        elif closes:
            self._transport.close()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Serving, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--url")
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    else:
        print(json.dumps(asyncio.run(soak(options.url, options.count))))


if __name__ == "__main__":
    _run()
