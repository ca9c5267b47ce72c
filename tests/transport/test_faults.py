"""Hostile and broken servers, over loopback: each fault has its one end, and leaves a client that works."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import httpx
import pytest
from asking import AT_ONCE, ONCE, ROOMY, SENDERS, TOKEN, FakeTime, Question, each_sender, make_executor, send_each
from attrs import evolve
from raw_server import Peer, RawServer, answer

from indivd_async import AsyncIndivd
from indivd_async.errors import (
    ApiError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    UnexpectedStatusError,
)
from indivd_async.execution import Executor
from indivd_async.settings import Limits, RetryPolicy, Timeouts

pytestmark = pytest.mark.anyio
anyio_backend = pytest.fixture(each_sender, params=SENDERS)

SMALL = Limits(concurrency=2, max_response_bytes=2**20)
Handler = Callable[[Peer], object]


def once(head_first: bool, *parts: bytes) -> Handler:
    """Serve each connection one answer made of *parts*, then close it."""

    def handle(peer: Peer) -> None:
        if head_first:
            peer.request()
        for part in parts:
            peer.send(part)

    return handle


def then_reset(*parts: bytes) -> Handler:
    def handle(peer: Peer) -> None:
        peer.request()
        for part in parts:
            peer.send(part)
        if parts:
            time.sleep(0.01)  # else the reset overtakes what was sent
        peer.reset()

    return handle


def for_ever(first: bytes, again: bytes, *, pause_s: float = 0) -> Handler:
    """Send *first*, then *again* until the client has had enough."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(first)
        while True:
            peer.send(again)
            time.sleep(pause_s)

    return handle


def silent(peer: Peer) -> None:
    peer.wait_for_close()


def gzip_bomb() -> bytes:
    """One member of gzip that decodes to 1 GiB of spaces: a block that stands by itself, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    head = packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 1024 + packer.flush()


GZIPPED = ["Content-Encoding: gzip"]
PACKED = gzip.compress(b'{"visits": 284}' * 100)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

BROKEN = {
    "closed before an answer": once(True),
    "closed before the request": once(False),
    "reset before an answer": then_reset(),
    "closed in the headers": once(True, b"HTTP/1.1 200 OK\r\nContent-"),
    "reset in the headers": then_reset(b"HTTP/1.1 200 OK\r\nContent-"),
    "reset in the body": then_reset(answer(b"[1", length=4)),
    "body shorter than its length": once(True, answer(b"[]", length=3)),
    "no body at all": once(True, answer(b"", length=3)),
    "cut gzip": once(True, answer(PACKED[:-9], headers=GZIPPED)),
    "gzip that is none": once(True, answer(b"[]", headers=GZIPPED)),
    "cut in a chunk": once(True, CHUNKED + b"5\r\n[1"),
    "cut between chunks": once(True, CHUNKED + b"2\r\n[]\r\n"),
    "no chunk size": once(True, CHUNKED + b"no\r\n[]\r\n"),
    "not HTTP": once(True, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "status that is none": once(True, b"HTTP/1.1 2000 OK\r\n\r\n"),
    "two lengths": once(True, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]1"),
    "negative length": once(True, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]"),
    "unknown transfer coding": once(True, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n[]"),
    "endless header": for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "endless headers": for_ever(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 8192),
}
SILENT = {
    "accepted and silent": silent,
    "silent in the headers": for_ever(b"HTTP/1.1 200 OK\r\n", b"", pause_s=0.05),
    "silent in the body": for_ever(answer(b"[", length=9), b"", pause_s=0.05),
}
DRIBBLING = {
    "dribbled headers": for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause_s=0.02),
    "dribbled body": for_ever(answer(b"[", length=999), b" ", pause_s=0.02),
    "dribbled chunks": for_ever(CHUNKED, b"1\r\n \r\n", pause_s=0.02),
    "endless 1xx": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
}
TOO_LARGE = {
    "length beyond the limit": for_ever(answer(b"", length=2**30), b"x" * 65536),
    "endless chunks": for_ever(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "no length and no end": for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "gzip bomb": once(True, answer(gzip_bomb(), headers=GZIPPED)),
}


def handlers(faults: dict[str, Handler]) -> list[object]:
    return [pytest.param(handler, id=name) for name, handler in faults.items()]


async def fails(executor: Executor, error: type[IndivdError], match: str = ".") -> IndivdError:
    """Ask, and end with *error*, within the deadline and what a busy machine needs."""
    deadline = executor.timeouts.deadline
    assert deadline is not None
    with anyio.fail_after(deadline + 5), pytest.raises(error, match=match) as caught:
        await executor.send(Question())
    assert type(caught.value) is error
    assert executor.stats.in_flight == 0
    return caught.value


@pytest.mark.parametrize("handler", handlers(BROKEN))
async def test_broken_answers(handler: Handler) -> None:
    """An answer that is not whole is asked for again, and ends as a failed connection, with host and port."""
    with RawServer(handler) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=RetryPolicy(attempts=2, base=0))
        error = await fails(executor, ConnectionFailedError, f"127.0.0.1:{server.port}: .* after 2 attempts")
        assert isinstance(error, ConnectionFailedError)
        assert (error.host, error.port, error.attempts) == ("127.0.0.1", server.port, 2)
        assert server.connections == 2
        await executor.aclose()


@pytest.mark.parametrize("handler", handlers(SILENT))
async def test_silent_servers(handler: Handler) -> None:
    """A wait for the next byte has its own bound, which is named."""
    with RawServer(handler) as server:
        executor = make_executor(server.url, timeouts=evolve(ROOMY, read=0.05), retry=ONCE)
        await fails(executor, RequestTimeoutError, r"nothing was received for 0\.05 s \(Timeouts.read\)")
        await executor.aclose()


async def test_a_wait_that_is_over_at_once_is_not_taken_for_another() -> None:
    """The connection had its own time."""
    with RawServer(Peer.wait_for_close) as server:
        executor = make_executor(server.url, retry=ONCE, timeouts=Timeouts(read=1e-9))
        await fails(executor, RequestTimeoutError, r"nothing was received for 1e-09 s \(Timeouts.read\)")
        await executor.aclose()


@pytest.mark.parametrize("handler", handlers(DRIBBLING))
async def test_dribbling_servers(handler: Handler) -> None:
    """A byte now and then keeps no attempt alive beyond its bound, and no request beyond its deadline."""
    with RawServer(handler) as server:
        executor = make_executor(server.url, timeouts=evolve(ROOMY, attempt=0.1), retry=ONCE)
        await fails(executor, RequestTimeoutError, r"not whole after 0\.1 s")
        stubborn = executor.with_options(
            timeouts=evolve(ROOMY, attempt=0.1, deadline=0.15), retry=RetryPolicy(attempts=9, base=0)
        )
        await fails(stubborn, DeadlineExceededError)
        await executor.aclose()


@pytest.mark.parametrize("handler", handlers(TOO_LARGE))
async def test_answers_that_are_too_large(handler: Handler) -> None:
    """They are given up at the limit, once: a second attempt would bring the same."""
    with RawServer(handler) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=SMALL)
        await fails(executor, ResponseTooLargeError, r"max_response_bytes \(1,048,576 bytes\)")
        assert executor.stats.attempts == 1
        await executor.aclose()


async def test_a_bomb_costs_the_limit() -> None:
    """1 GiB in a megabyte of gzip costs at most the limit and 32 MiB."""
    limit = 16 * 2**20
    with RawServer(once(True, answer(gzip_bomb(), headers=GZIPPED))) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1, max_response_bytes=limit))
        tracemalloc.start()
        try:
            await fails(executor, ResponseTooLargeError, "decoded")
            assert tracemalloc.get_traced_memory()[1] <= limit + 32 * 2**20
        finally:
            tracemalloc.stop()
        await executor.aclose()


async def test_refused() -> None:
    """Nobody listens: it is asked again, and told with the system's words."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    executor = make_executor(f"http://127.0.0.1:{port}")
    await fails(executor, ConnectionFailedError, "after 3 attempts")
    await executor.aclose()


@pytest.mark.parametrize(
    "host", [pytest.param("no-such-host.invalid", id="unknown"), pytest.param("x" * 64 + ".invalid", id="impossible")]
)
async def test_unknown_host(host: str) -> None:
    """A name that leads nowhere is told with the name."""
    executor = make_executor(f"https://{host}", retry=ONCE, timeouts=ROOMY)
    with pytest.raises(TransportError, match=host):
        await executor.send(Question())
    await executor.aclose()


async def test_no_connection_in_time() -> None:
    """A handshake that does not come is bounded by its own timeout."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # The queue is full: the system answers no further handshake.
        with socket.create_connection(("127.0.0.1", port)):
            executor = make_executor(
                f"http://127.0.0.1:{port}", retry=ONCE, timeouts=Timeouts(connect=0.1, read=2, deadline=3)
            )
            await fails(executor, RequestTimeoutError, r"no connection after 0\.1 s \(Timeouts.connect\)")
            await executor.aclose()


async def test_every_status() -> None:
    """Each status from 200 to 599 ends as the table says, on one connection, with and without a body."""
    statuses = iter([code for code in range(200, 600) for _ in range(2)])

    def handle(peer: Peer) -> None:
        number = 0
        while peer.request() is not None:
            code = next(statuses)
            number += 1
            body = b"" if number % 2 or code in {204, 304} else b"[]"
            peer.send(answer(body, status=code))

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE, limits=Limits(concurrency=1))
        for _ in range(2):
            assert (await executor.send(Question())).status == 200
        for code in range(201, 600):
            for _ in range(2):
                with pytest.raises(ServerError if code >= 500 else ApiError) as caught:
                    await executor.send(Question())
                assert caught.value.status == code
        assert server.connections == 1
        await executor.aclose()


async def test_a_broken_error_page_takes_nothing_from_its_status() -> None:
    """The status is told though its body breaks off, drips or never ends; the connection is not used again."""
    pages = [
        once(True, answer(b"<html>", status=403, length=999)),
        for_ever(answer(b"", status=403, length=2**30), b"x" * 65536),
        for_ever(answer(b"", status=403, length=999), b"x", pause_s=0.02),
    ]
    for page in pages:
        with RawServer(page) as server:
            executor = make_executor(server.url, timeouts=Timeouts(attempt=0.6))
            for _ in range(2):
                with pytest.raises(ApiError, match="403"):
                    await executor.send(Question())
            assert server.connections == 2
            await executor.aclose()


async def test_a_burst_of_failures_is_survived() -> None:
    """Sixty-four calls that all fail once are all saved."""
    failed: set[bytes] = set()

    def handle(peer: Peer) -> None:
        while (head := peer.request()) is not None:
            if head in failed:
                peer.send(answer())
            else:
                failed.add(head)
                peer.send(answer(status=503))

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=8))
        await send_each(executor, (Question(f"/{n}") for n in range(64)), executor.send, workers=64)
        assert executor.stats.attempts == 128
        await executor.aclose()


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        pytest.param("61", 61.0, id="seconds"),
        pytest.param("in an hour", 3600.0, id="date"),
        pytest.param("-1", None, id="negative"),
        pytest.param("later", None, id="nonsense"),
        pytest.param("Sat, 01 Mar 2025 12:00:00 GMT", None, id="passed"),
    ],
)
async def test_retry_after_forms(value: str, carried: float | None) -> None:
    """Whatever the header says, the error carries what it meant."""
    if value == "in an hour":  # from now on, not from when the tests were collected
        value = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with RawServer(lambda peer: peer.serve(answer(status=429, headers=[f"Retry-After: {value}"]))) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        error = await fails(executor, RateLimitedError)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == (carried and pytest.approx(carried, abs=300))
        assert executor.stats.attempts == (1 if carried else 3)
        await executor.aclose()


async def test_retry_after_by_a_clock_that_is_wrong() -> None:
    """What a server says by its own clock is meant by it, however far that is from ours."""
    headers = ["Date: Sat, 01 Mar 2025 12:00:00 GMT", "Retry-After: Sat, 01 Mar 2025 12:02:00 GMT"]
    with RawServer(lambda peer: peer.serve(answer(status=429, headers=headers))) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        error = await fails(executor, RateLimitedError)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == 120
        await executor.aclose()


async def test_a_redirect_is_not_followed() -> None:
    """Another origin receives nothing, least of all the token."""
    with RawServer(Peer.serve) as other:
        moved = answer(status=302, headers=[f"Location: {other.url}/elsewhere"])
        with RawServer(lambda peer: peer.serve(moved)) as server:
            executor = make_executor(server.url, timeouts=ROOMY)
            await fails(executor, UnexpectedStatusError, "302")
            await executor.aclose()
    assert other.connections == 0


async def test_cookies_are_not_kept() -> None:
    """1,500 of them come with an answer, and none goes back."""
    cookies = [f"Set-Cookie: c{n}={'x' * 20}; Path=/" for n in range(1500)]
    with RawServer(lambda peer: peer.serve(answer(headers=cookies))) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        for _ in range(2):
            await executor.send(Question())
        await executor.aclose()
    assert server.connections == 1
    assert b"ookie" not in b"".join(server.requests)


# A connection that serves again.


def echo(peer: Peer, extra: bytes = b"") -> None:
    """Answer each request with its own target, and *extra* behind the first."""
    while (head := peer.request()) is not None:
        target = head.split()[1]
        peer.send(answer(b'["%s"]' % target) + extra)
        extra = b""


async def test_a_second_answer_is_never_served() -> None:
    """Two responses in one segment: the second is not taken for the answer to the next request."""
    evil = answer(b'["evil"]')
    with RawServer(lambda peer: echo(peer, extra=evil)) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1))
        for number in range(5):
            reply = await executor.send(Question(f"/{number}"))
            assert reply.body == b'["/%d"]' % number
        assert server.connections == 5
        assert executor.stats.attempts == 5
        await executor.aclose()


@pytest.mark.parametrize("evil", [answer(b'["evil"]'), b"\r\n", b"HTTP/1.1 408 Timeout\r\n\r\n"])
async def test_unasked_bytes_are_never_served(evil: bytes) -> None:
    """What comes while a connection is idle ends that connection."""
    said = threading.Event()

    def handle(peer: Peer) -> None:
        while (head := peer.request()) is not None:
            peer.send(answer(b'["%s"]' % head.split()[1]))
            asked.wait()
            peer.send(evil)
            said.set()

    for busy in (False, True):
        asked = threading.Event()
        said.clear()
        with RawServer(handle) as server:
            executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1))
            assert (await executor.send(Question("/1"))).body == b'["/1"]'
            asked.set()
            said.wait()
            if not busy:
                # The loop has seen the bytes, and not only the system.
                await anyio.sleep(0.01)
            assert (await executor.send(Question("/2"))).body == b'["/2"]'
            assert executor.stats.attempts == 2
            await executor.aclose()


async def test_a_connection_closed_between_requests() -> None:
    """The server closes after each answer without saying so; nobody notices."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(answer())

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE, limits=Limits(concurrency=1))
        for _ in range(20):
            await executor.send(Question())
        await executor.aclose()
    assert len(server.requests) >= 20


@pytest.mark.parametrize("end", [None, Peer.reset], ids=["closed", "reset"])
async def test_a_stale_connection_is_tried_again_for_free(end: Callable[[Peer], object] | None) -> None:
    """A used connection that ends before the first byte costs no attempt and no wait, but budget."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        if peer.number == 1:
            peer.request()
            if end is not None:
                end(peer)
        else:
            peer.serve()

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE, limits=Limits(concurrency=1))
        await executor.send(Question())
        reply = await executor.send(Question())
        assert reply.attempts == 2
        assert executor.budget.tokens == 991
        await executor.aclose()


async def test_only_one_retry_is_free() -> None:
    """After the free one the policy counts, and a broken answer on a used connection is not free at all."""

    def handle(peer: Peer) -> None:
        if peer.number == 1:
            peer.request()
            peer.send(answer())
            peer.request()

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=RetryPolicy(attempts=2, base=0))
        await executor.send(Question())
        await fails(executor, ConnectionFailedError, "after 3 attempts")
        await executor.aclose()

    def half(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.request()
        peer.send(b"HTTP/1.1")

    with RawServer(half) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE)
        await executor.send(Question())
        await fails(executor, ConnectionFailedError, "after 1 attempt")
        await executor.aclose()


async def test_a_connection_that_is_said_to_close_is_not_used_again() -> None:
    """Connection: close and HTTP/1.0 are honoured."""
    for response in (answer(headers=["Connection: close"]), b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]"):
        with RawServer(lambda peer, response=response: peer.serve(response)) as server:
            executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1))
            for _ in range(3):
                await executor.send(Question())
            assert server.connections == 3
            await executor.aclose()


async def test_a_body_that_ends_with_its_connection() -> None:
    """Without a length the answer ends where the connection does."""
    with RawServer(once(True, b"HTTP/1.1 200 OK\r\n\r\n[1", b"]")) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        assert (await executor.send(Question())).body == b"[1]"
        await executor.aclose()


async def test_interim_answers_are_skipped() -> None:
    """Some 1xx before the answer are no fault."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 10
    with RawServer(lambda peer: peer.serve(hints + answer())) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        for _ in range(3):
            await executor.send(Question())
        assert server.connections == 1
        await executor.aclose()


@pytest.mark.parametrize("size", [2**20, 5 * 2**20], ids=["1 MiB", "5 MiB"])
async def test_large_answers_arrive_whole(size: int) -> None:
    """Bodies beyond all buffers come as they were sent, plain, packed and in chunks."""
    body = b"[" + b'"x"' * (size // 3) + b"]"
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (body[i : i + 9999] for i in range(0, size, 9999))
    )
    for response in (
        answer(body),
        answer(gzip.compress(body, 1), headers=GZIPPED),
        CHUNKED + chunks + b"0\r\n\r\n",
    ):
        with RawServer(lambda peer, response=response: peer.serve(response)) as server:
            executor = make_executor(server.url, timeouts=ROOMY)
            reply = await executor.send(Question())
            assert reply.body == body
            await executor.aclose()


# Answers that are whole, and yet none.

NOT_ANSWERS = {
    "HTML with 200": (b"<!doctype html><title>Sign in</title>", "JSON"),
    "half a document": (b'[{"_id": {"year": 2025}, "cou', "JSON"),
    "another shape": (b'{"error": "no"}', "expected"),
    "NaN": (b'[{"_id": {"year": 2025}, "count": NaN}]', "JSON"),
    "100,000 levels": (b"[" * 100_000 + b"]" * 100_000, "JSON"),
    "UTF-16": ("[]".encode("utf-16"), "JSON"),
    "gzip in gzip": (gzip.compress(b"[]"), "JSON"),
    "nothing": (b"", "JSON"),
}


@pytest.mark.parametrize(("body", "problem"), [pytest.param(*fault, id=name) for name, fault in NOT_ANSWERS.items()])
async def test_answers_that_are_none(body: bytes, problem: str) -> None:
    """They are the service's fault, not retried, and told without their content."""
    packed = answer(gzip.compress(body), headers=GZIPPED)
    with RawServer(lambda peer: peer.serve(packed)) as server:
        async with AsyncIndivd(TOKEN, base_url=server.url, retry=AT_ONCE) as client:
            with pytest.raises(DecodeError, match=problem) as caught:
                await client.line_crosses("2025-03-01", "2025-03-02", location=124, line_ids=1)
            assert "Sign in" not in str(caught.value)
            assert caught.value.request is not None
            assert client.stats.attempts == 1


# Crowds and outages.


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_ten_thousand_callers_at_once() -> None:
    """All are served, on as many connections as there are lanes."""
    with RawServer(Peer.serve) as server:
        # Starting so many callers holds up the loop, which is no fault of the server's.
        patient = Timeouts(connect=60, read=60, attempt=60, deadline=120)
        executor = make_executor(server.url, timeouts=patient, limits=Limits(concurrency=16))
        served = 0

        async def call() -> None:
            nonlocal served
            await executor.send(Question())
            served += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(10_000):
                tasks.start_soon(call)
        assert served == 10_000
        assert server.connections == 16
        assert executor.stats.peak_in_flight == 16
        await executor.aclose()


async def test_an_outage_of_a_minute_and_the_recovery() -> None:
    """While all fails the service gets little more than was asked; from its first good minute on, all is as before."""
    time_ = FakeTime()
    down_until = time_.now + 60
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(503 if time_.now < down_until else 200, content=b"[]")

    executor = make_executor(
        transport=httpx.MockTransport(handle),
        retry=RetryPolicy(),
        clock=time_.clock,
        sleep=time_.sleep,
        timeouts=Timeouts(),
    )

    def arrivals(number: int, every_s: float) -> Iterator[Question]:
        for _ in range(number):
            time_.now += every_s
            yield Question()

    failed = 0
    while time_.now < down_until:
        for question in arrivals(1, 0.02):
            try:
                await executor.send(question)
            except ServerError:
                failed += 1
    sent, during = executor.stats.requests, asked
    assert failed >= sent - 1
    assert during <= 1.1 * sent + 100
    for question in arrivals(1000, 0.02):
        assert (await executor.send(question)).attempts == 1
    assert executor.budget.tokens == 1000
