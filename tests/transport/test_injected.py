"""Clients and transports of the caller's, of httpx and of httpx2 alike."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
from asking import AT_ONCE, ONCE, ROOMY, TOKEN, Question, make_executor, send_each
from raw_server import Peer, RawServer, answer
from test_faults import BROKEN, DRIBBLING, SILENT, SMALL, TOO_LARGE, Handler, handlers

from indivd_async.errors import (
    ApiError,
    AuthenticationError,
    ClientClosedError,
    ConfigError,
    ConnectionFailedError,
    DecodeError,
    RequestTimeoutError,
    ResponseTooLargeError,
    UnexpectedStatusError,
)
from indivd_async.settings import Limits, RetryPolicy, Timeouts

pytestmark = pytest.mark.anyio
#: Each client would load all authorities for itself, and ask servers without TLS: that took half of the time.
TRUST = ssl.create_default_context()


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    """Name the library that the caller uses."""
    return request.param


async def test_mock_transport_sees_the_request(library: Any) -> None:
    """The traffic passes through an injected transport with our headers and the prefix."""
    seen: list[Any] = []

    def handle(request: Any) -> Any:
        seen.append(request)
        return library.Response(200, json=[1])

    executor = make_executor("https://gateway.example:8443/indivd/", transport=library.MockTransport(handle))
    reply = await executor.send(Question("/a/?b=1,2&c=%C3%A5"))
    assert reply.body == b"[1]"
    assert str(seen[0].url) == "https://gateway.example:8443/indivd/a/?b=1,2&c=%C3%A5"
    assert seen[0].headers["authorization"] == f"Token {TOKEN}"
    assert seen[0].headers["host"] == "gateway.example:8443"
    assert seen[0].headers["accept-encoding"] == "gzip"
    assert "cookie" not in seen[0].headers


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        pytest.param("ConnectError", ConnectionFailedError, id="connect"),
        pytest.param("ReadTimeout", RequestTimeoutError, id="timeout"),
        pytest.param("RemoteProtocolError", ConnectionFailedError, id="protocol"),
        pytest.param("UnsupportedProtocol", ConnectionFailedError, id="another"),
    ],
)
async def test_httpx_errors_are_ours(library: Any, raised: str, error: type[Exception]) -> None:
    """What an injected transport raises comes out as the tree's, with the cause chained."""

    cause = getattr(library, raised)("mocked")

    def handle(request: Any) -> Any:
        raise cause

    executor = make_executor(transport=library.MockTransport(handle))
    with pytest.raises(error, match=r"api\.invalid:443: mocked; GET .* after 3 attempts") as caught:
        await executor.send(Question())
    assert caught.value.__cause__ is cause
    assert executor.stats.attempts == 3


async def test_an_end_of_waiting_says_which(library: Any) -> None:
    """httpx's says nothing but its name; how its scopes are cancelled is no word for people."""
    async with library.AsyncClient() as client:
        with RawServer(lambda peer: peer.request() and peer.wait_for_close()) as server:
            executor = make_executor(server.url, http_client=client, timeouts=Timeouts(read=0.05), retry=ONCE)
            with pytest.raises(
                RequestTimeoutError, match=r"\d: nothing was received for 0\.05 s \(Timeouts\.read\); GET"
            ):
                await executor.send(Question())

    def handle(request: Any) -> Any:
        raise library.ConnectTimeout("")

    for connect, words in ((7, r"there was no connection after 7 s \(Timeouts\.connect\)"), (None, "ConnectTimeout")):
        executor = make_executor(
            transport=library.MockTransport(handle), timeouts=Timeouts(connect=connect), retry=ONCE
        )
        with pytest.raises(RequestTimeoutError, match=f"api.invalid:443: {words}; GET"):
            await executor.send(Question())


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (ConnectionResetError("lost"), ConnectionFailedError),
        (socket.gaierror(-2, "lost"), ConnectionFailedError),
        (ssl.SSLError(1, "lost"), ConnectionFailedError),
        (anyio.EndOfStream("lost"), ConnectionFailedError),
        (anyio.BrokenResourceError("lost"), ConnectionFailedError),
        (TimeoutError("lost"), RequestTimeoutError),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else type(one).__name__,
)
@pytest.mark.parametrize("begun", [False, True], ids=["asking", "reading"])
async def test_what_the_network_does_is_ours(
    library: Any, cause: Exception, error: type[Exception], begun: bool
) -> None:
    """A transport of the caller's may leave it as it is: it is sorted, and tried again, as on our own lanes."""

    async def body() -> AsyncIterator[bytes]:
        yield b"["
        raise cause

    def handle(request: Any) -> Any:
        if begun:
            return library.Response(200, content=body())
        raise cause

    executor = make_executor(transport=library.MockTransport(handle))
    with pytest.raises(error, match=r"api\.invalid:443: .*lost.*; GET .* after 3 attempts") as caught:
        await executor.send(Question())
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("code", [200, 401])
async def test_a_status_holds_whatever_becomes_of_closing(library: Any, code: int) -> None:
    """What the caller's stream raises then is told where there is no status to tell."""

    class Stream(library.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"[]"

        async def aclose(self) -> None:
            raise ZeroDivisionError

    executor = make_executor(transport=library.MockTransport(lambda request: library.Response(code, stream=Stream())))
    with pytest.raises(AuthenticationError if code == 401 else ZeroDivisionError):
        await executor.send(Question())
    assert executor.stats.attempts == 1


async def test_errors_of_the_callers_code_pass(library: Any) -> None:
    """An exception that is not about HTTP is the caller's own, and its frames are kept."""

    def handle(request: Any) -> Any:
        raise ZeroDivisionError

    executor = make_executor(transport=library.MockTransport(handle), limits=Limits(concurrency=1))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            await executor.send(Question())
        assert caught.traceback[-1].name == "handle"


async def test_injected_transport_is_never_closed(library: Any) -> None:
    """It belongs to the caller."""

    class Transport(library.AsyncBaseTransport):
        async def handle_async_request(self, request: Any) -> Any:
            return library.Response(200, content=b"[]")

        async def aclose(self) -> None:
            raise AssertionError("closed")

    executor = make_executor(transport=Transport())
    await executor.send(Question())
    await executor.aclose()


async def test_injected_transport_keeps_deadlines(library: Any) -> None:
    """An injected transport that hangs is cancelled at the end of the attempt."""

    async def handle(request: Any) -> Any:
        await anyio.sleep_forever()
        raise AssertionError

    executor = make_executor(transport=library.MockTransport(handle), retry=ONCE, timeouts=Timeouts(attempt=0.02))
    with pytest.raises(RequestTimeoutError, match=r"not whole after 0\.02 s"):
        await executor.send(Question())


async def test_injected_transport_keeps_body_limits(library: Any) -> None:
    """An injected transport cannot hand in more than the limit."""
    executor = make_executor(
        transport=library.MockTransport(lambda request: library.Response(200, content=b"x" * 2000)),
        limits=Limits(max_response_bytes=1000),
    )
    with pytest.raises(ResponseTooLargeError):
        await executor.send(Question())
    assert executor.stats.attempts == 1


async def test_unknown_coding_is_a_decode_error(library: Any) -> None:
    """An answer that cannot be read is the service's fault and not retried."""
    transport = library.MockTransport(
        lambda request: library.Response(200, stream=library.ByteStream(b"x"), headers={"Content-Encoding": "br"})
    )
    executor = make_executor(transport=transport)
    with pytest.raises(DecodeError, match="got 'br' in the answer to GET"):
        await executor.send(Question())
    assert executor.stats.attempts == 1


async def test_injected_client_is_used_as_it_is(library: Any) -> None:
    """
    Its hooks run, its headers, params and cookies are sent, beside ours; its base URL, auth and redirects do not reach
    our request; it stays open.
    """
    seen: list[Any] = []

    def handle(request: Any) -> Any:
        seen.append(request)
        return library.Response(302, headers={"Location": "https://evil.example/"})

    hooked: list[str] = []

    async def hook(request: Any) -> None:
        hooked.append(request.method)

    #: Of what we ask, ours is what counts: twice, it would ask something else.
    async with library.AsyncClient(
        transport=library.MockTransport(handle),
        base_url="https://elsewhere.example",
        headers={"X-Own": "1", "Authorization": "Bearer other", "Accept": "text/html", "Host": "elsewhere.example"},
        params={"key": "å b", "b": "9"},
        auth=("user", "password"),
        cookies={"own": "1"},
        follow_redirects=True,
        event_hooks={"request": [hook]},
    ) as client:
        executor = make_executor(http_client=client)
        for target in ("/a/", "/a/?b=1,2"):
            with pytest.raises(UnexpectedStatusError, match=r"302 .*redirects are never followed"):
                await executor.send(Question(target))
        await executor.aclose()
        assert not client.is_closed
    assert hooked == ["GET", "GET"]
    assert [str(request.url) for request in seen] == [
        "https://api.invalid/a/?key=%C3%A5+b&b=9",
        "https://api.invalid/a/?b=1,2&key=%C3%A5+b",
    ]
    for request in seen:
        assert request.headers["x-own"] == "1"
        assert request.headers["cookie"] == "own=1"
        for name, value in {
            "host": "api.invalid",
            "authorization": f"Token {TOKEN}",
            "accept": "application/json",
            "accept-encoding": "gzip",
        }.items():
            assert request.headers.get_list(name) == [value]


async def test_injected_client_gets_twenty_at_once(library: Any) -> None:
    """However many lanes are allowed, a caller's pool is not flooded."""
    now = peak = 0

    async def handle(request: Any) -> Any:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        now -= 1
        return library.Response(200, content=b"[]")

    async with library.AsyncClient(transport=library.MockTransport(handle)) as client:
        executor = make_executor(http_client=client, limits=Limits(concurrency=50))
        await send_each(executor, [Question()] * 100, executor.send, workers=50)
    assert peak == 20


async def test_a_body_that_a_hook_has_read_is_not_read_again(library: Any) -> None:
    """A hook may read the answer, as httpx's own documentation does to log it; gzip is decoded by then."""

    async def hook(response: Any) -> None:
        await response.aread()

    body = gzip.compress(b"[1, 2]")
    with RawServer(lambda peer: peer.serve(answer(body, headers=["Content-Encoding: gzip"]))) as server:
        async with library.AsyncClient(event_hooks={"response": [hook]}) as client:
            executor = make_executor(server.url, http_client=client)
            assert (await executor.send(Question())).body == b"[1, 2]"
            assert executor.stats.attempts == 1


async def test_a_body_that_a_hook_took_is_not_asked_for_again(library: Any) -> None:
    """A hook that consumed it without keeping it would take the next one too."""

    async def hook(response: Any) -> None:
        async for _ in response.aiter_raw():
            pass

    with RawServer(Peer.serve) as server:
        async with library.AsyncClient(event_hooks={"response": [hook]}) as client:
            executor = make_executor(server.url, http_client=client)
            with pytest.raises(ConnectionFailedError, match=r"without having called `read\(\)`"):
                await executor.send(Question())
            assert executor.stats.attempts == 1


async def test_closed_client_says_so(library: Any) -> None:
    """A caller's client that was closed is the caller's mistake, and is named."""
    client = library.AsyncClient()
    await client.aclose()
    executor = make_executor(http_client=client)
    with pytest.raises(ClientClosedError, match="http_client"):
        await executor.send(Question())


async def test_a_status_holds_whatever_becomes_of_its_body(library: Any) -> None:
    """A refused token is told as such, though the body behind it never ends."""

    async def dribble() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await anyio.sleep(0.001)

    executor = make_executor(
        transport=library.MockTransport(lambda request: library.Response(401, content=dribble())),
        timeouts=Timeouts(attempt=0.5),
    )
    with pytest.raises(AuthenticationError):
        await executor.send(Question())
    assert executor.stats.attempts == 1


@pytest.mark.parametrize("code", [301, 400, 401, 403, 404, 408, 418, 429, 500, 503])
async def test_a_status_says_more_than_a_hook_that_raises_for_it(library: Any, code: int) -> None:
    """A hook that calls raise_for_status changes no error, and no number of attempts."""

    async def hook(response: Any) -> None:
        response.raise_for_status()

    caught: list[tuple[type[BaseException], int, int | None, float | None]] = []
    with RawServer(lambda peer: peer.serve(answer(status=code, headers=["Retry-After: 0"]))) as server:
        for hooks in ([], [hook]):
            async with library.AsyncClient(event_hooks={"response": hooks}, verify=TRUST) as client:
                executor = make_executor(server.url, http_client=client, timeouts=ROOMY, retry=AT_ONCE)
                with pytest.raises(ApiError) as error:
                    await executor.send(Question())
                assert TOKEN not in repr(vars(error.value))
                caught.append((type(error.value), error.value.attempts, error.value.status, error.value.retry_after))
    assert caught[0] == caught[1]
    assert caught[0][1] == (3 if code in {408, 429} or code >= 500 else 1)


@pytest.mark.parametrize("code", [401, 429, 503])
async def test_a_status_that_a_transport_raises(library: Any, code: int) -> None:
    """As wrappers do that raise for it; also where they made the answer themselves, and it knows no request."""

    def handle(request: Any) -> Any:
        raise library.HTTPStatusError("raised", request=request, response=library.Response(code))

    executor = make_executor(transport=library.MockTransport(handle))
    with pytest.raises(ApiError) as caught:
        await executor.send(Question())
    assert (caught.value.status, caught.value.attempts) == (code, 1 if code == 401 else 3)


async def test_a_hook_that_asks_something_else(library: Any) -> None:
    """The status of another request of the caller's says nothing of ours."""

    async def hook(request: Any) -> None:
        library.Response(401, request=library.Request("GET", "https://login.example")).raise_for_status()

    async with library.AsyncClient(event_hooks={"request": [hook]}) as client:
        executor = make_executor("http://127.0.0.1:9", http_client=client, retry=ONCE)
        with pytest.raises(ConnectionFailedError, match=r"401 .*login\.example"):
            await executor.send(Question())


@pytest.mark.parametrize("handler", [*handlers(BROKEN), *handlers(SILENT), *handlers(DRIBBLING)])
async def test_faults_behind_a_client(library: Any, handler: Handler) -> None:
    """Whatever the caller's client meets ends in one of our errors, in time, and leaves a client that works."""
    with RawServer(handler) as server:
        async with library.AsyncClient(trust_env=False, verify=TRUST) as client:
            executor = make_executor(
                server.url,
                http_client=client,
                timeouts=Timeouts(connect=1, read=0.1, attempt=0.2, deadline=5),
                retry=RetryPolicy(attempts=2, base=0),
            )
            with anyio.fail_after(14), pytest.raises((ConnectionFailedError, RequestTimeoutError)) as caught:
                await executor.send(Question())
            assert TOKEN not in repr(vars(caught.value))
            assert executor.stats.in_flight == 0
            await executor.aclose()


@pytest.mark.parametrize("handler", handlers(TOO_LARGE))
async def test_too_much_behind_a_client(library: Any, handler: Handler) -> None:
    """A caller's client is left where an answer exceeds the limit."""
    with RawServer(handler) as server:
        async with library.AsyncClient(trust_env=False, verify=TRUST) as client:
            executor = make_executor(server.url, http_client=client, timeouts=ROOMY, limits=SMALL)
            with pytest.raises(ResponseTooLargeError):
                await executor.send(Question())
            assert executor.stats.attempts == 1
            await executor.aclose()


async def test_a_transport_of_either(library: Any) -> None:
    """A transport takes the requests of its own library, TLS certificates being the caller's affair."""
    with RawServer(Peer.serve) as server:
        async with library.AsyncHTTPTransport() as transport:
            executor = make_executor(server.url, transport=transport, timeouts=ROOMY)
            assert (await executor.send(Question())).body == b"[]"
            await executor.aclose()


async def test_neither(library: Any) -> None:
    """A blocking client or transport is refused by name, whichever library it is of."""
    with pytest.raises(ConfigError, match="http_client must be an AsyncClient of httpx or httpx2, got Client"):
        make_executor(http_client=library.Client())
    with pytest.raises(ConfigError, match='of httpx or httpx2, or "aiohttp", got HTTPTransport'):
        make_executor(transport=library.HTTPTransport())
