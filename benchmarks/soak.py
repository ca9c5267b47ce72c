"""
A million requests, ten thousand of them met with a fault and a thousand cancelled: what is left over of it.

And a storm of cancels, on asyncio and on trio: how many lanes it costs.

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
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import anyio

from indivd_async.errors import IndivdError
from indivd_async.execution import Executor
from indivd_async.planning import PlannedRequest
from indivd_async.settings import Limits, RetryPolicy, Timeouts

from .measuring import Row, row
from .sending import make_executor, send_each

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
            client = [*command, "--url", url, "--count"]
            told = _run_client([*client, str(count)])
            cancels = 500 if quick else 100_000
            storms = {
                backend: _run_client([*client, str(cancels), "--storm", backend]) for backend in ("asyncio", "trio")
            }
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
    ] + [
        row(f"lanes lost in {storm['cancelled']:,} cancels, {backend}", storm["lost_lanes"], 0, "lanes")
        for backend, storm in storms.items()
    ]


def _run_client(command: list[str]) -> dict[str, float]:
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return told


# The client.


async def soak(url: str, count: int) -> dict[str, float]:
    """Warm up with a tenth, so that every kind of fault has been met, then count what the rest leaves behind."""
    tally = {"unanswered": 0, "swapped": 0, "cancelled": 0}
    warm = count // 10
    tasks = len(asyncio.all_tasks())
    files = _open_files()
    executor = _make_executor(url)

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

    await send_each(executor, range(warm), ask, workers=_LANES)
    gc.collect()
    before = _resident_mib()
    await send_each(executor, range(warm, count), ask, workers=_LANES)
    gc.collect()
    grown = _resident_mib() - before
    lost = _lost_lanes(executor)
    await executor.aclose()
    await asyncio.sleep(0.05)
    return {
        **tally,
        "grown_mib": grown,
        "faults": count // _FAULTY,
        "lost_lanes": lost,
        "tasks": len(asyncio.all_tasks()) - tasks,
        "descriptors": _open_files() - files,
    }


async def storm(url: str, count: int) -> dict[str, float]:
    """Cancel so many requests, each after some turns of the loop, and have every lane serve again."""
    dice = random.Random(count)
    executor = _make_executor(url)
    cancelled = 0

    async def ask(number: int) -> None:
        nonlocal cancelled
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await executor.send(PlannedRequest(index=number, endpoint="soak", path=f"/{number * _FAULTY + 1}"))
        cancelled += scope.cancelled_caught

    while cancelled < count:
        scopes: list[anyio.CancelScope] = []
        async with anyio.create_task_group() as tasks:
            for number in range(4 * _LANES):
                tasks.start_soon(ask, number)
            while len(scopes) < 4 * _LANES:
                await anyio.lowlevel.checkpoint()
            for scope in dice.sample(scopes, 3 * _LANES):
                scope.cancel()
                # Turns of the loop now and then: to find some connecting, some asking and some waiting.
                for _ in range(dice.choice((0,) * 15 + (1, 2, 4))):
                    await anyio.lowlevel.checkpoint()
    await send_each(executor, range(1, 10 * _LANES, 2), ask, workers=_LANES)
    lost = _lost_lanes(executor)
    await executor.aclose()
    return {"cancelled": cancelled, "lost_lanes": lost}


def _make_executor(url: str) -> Executor:
    return make_executor(
        url,
        timeouts=Timeouts(read=0.25),
        retry=RetryPolicy(base=0.001, base_overloaded=0.001),
        limits=Limits(concurrency=_LANES),
    )


def _lost_lanes(executor: Executor) -> int:
    lanes = executor.lanes
    return len(lanes._made) - len(lanes._idle)


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
    parser.add_argument("--storm", metavar="BACKEND")
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    elif options.storm:
        print(json.dumps(anyio.run(storm, options.url, options.count, backend=options.storm)))
    else:
        print(json.dumps(asyncio.run(soak(options.url, options.count))))


if __name__ == "__main__":
    _run()
