"""Tools that answer in the network's place: they see what the default lanes ask, and no token leaves a test."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
import vcr
from asking import ONCE, ROOMY, SENDERS, TOKEN, Question, make_executor
from pytest_httpx import HTTPXMock
from raw_server import Peer, RawServer, answer

from indivd_async.errors import ConnectionFailedError, RequestTimeoutError
from indivd_async.settings import Limits

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
@pytest.mark.parametrize("options", [{}, {"proxy": "http://127.0.0.1:9"}], ids=["direct", "proxy"])
async def test_respx(using: str, options: dict[str, Any]) -> None:
    """Both of its ways see requests and answer them, through a proxy, too."""
    with respx.mock(using=using) as router:
        route = router.get("https://api.invalid/path/", headers={"Authorization": f"Token {TOKEN}"})
        route.respond(200, json=[1])
        executor = make_executor(**options)
        for _ in range(2):
            assert (await executor.send(Question())).body == b"[1]"
        await executor.aclose()
        assert route.call_count == 2
        assert str(route.calls[0].request.url) == "https://api.invalid/path/?start_date=2025-03-01"


async def test_respx_knows_no_such_route() -> None:
    """What no route matches goes nowhere, and respx says so."""
    with RawServer(Peer.serve) as server:
        with respx.mock:
            executor = make_executor(server.url)
            with pytest.raises(AssertionError, match="not mocked"):
                await executor.send(Question())
            await executor.aclose()
        assert server.connections == 0


async def test_pytest_httpx(httpx_mock: HTTPXMock) -> None:
    """Its fixture sees requests and answers them; what it raises is ours."""
    httpx_mock.add_response(url="https://api.invalid/path/?start_date=2025-03-01", json=[1])
    httpx_mock.add_exception(httpx.ReadTimeout("mocked"))
    executor = make_executor(retry=ONCE)
    assert (await executor.send(Question())).body == b"[1]"
    with pytest.raises(RequestTimeoutError, match="mocked"):
        await executor.send(Question())
    await executor.aclose()
    assert httpx_mock.get_requests()[0].headers["authorization"] == f"Token {TOKEN}"


@pytest.mark.parametrize(
    ("anyio_backend", "transport"), [("asyncio", None), ("trio", None), ("asyncio", "aiohttp")], ids=SENDERS
)
async def test_vcrpy(tmp_path: Path, transport: Any) -> None:
    """It records what was sent, and plays it again without the network."""
    tapes = vcr.VCR(filter_headers=["authorization"])
    cassette = tmp_path / "cassette.yaml"
    with RawServer(lambda peer: peer.serve(answer(b"[1]"))) as server:
        for _ in range(2):
            with tapes.use_cassette(cassette):
                executor = make_executor(server.url, transport=transport, timeouts=ROOMY)
                assert (await executor.send(Question())).body == b"[1]"
                await executor.aclose()
        assert len(server.requests) == 1
        assert TOKEN.encode() in server.requests[0]
    assert TOKEN not in cassette.read_text()
    assert "start_date=2025-03-01" in cassette.read_text()


@pytest.mark.parametrize(
    ("anyio_backend", "transport"), [("asyncio", None), ("trio", None), ("asyncio", "aiohttp")], ids=SENDERS
)
async def test_a_tool_that_begins_and_ends(transport: Any) -> None:
    """It sees what is asked while it stands there, whatever was connected before; then the network is used again."""
    with RawServer(lambda peer: peer.serve(answer(b"[1]"))) as server:
        executor = make_executor(server.url, transport=transport, timeouts=ROOMY, limits=Limits(concurrency=1))
        assert (await executor.send(Question())).body == b"[1]"
        with respx.mock:
            respx.get(url__startswith=server.url).respond(200, json=[2])
            assert (await executor.send(Question())).body == b"[2]"
        assert (await executor.send(Question())).body == b"[1]"
        await executor.aclose()
    assert server.connections == 1
    assert len(server.requests) == 2


async def test_a_transport_that_is_patched_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it was used before."""

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"[2]")

    with RawServer(lambda peer: peer.serve(answer(b"[1]"))) as server:
        async with httpx.AsyncHTTPTransport() as transport:
            executor = make_executor(server.url, transport=transport, timeouts=ROOMY, limits=Limits(concurrency=1))
            assert (await executor.send(Question())).body == b"[1]"
            monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
            assert (await executor.send(Question())).body == b"[2]"
            await executor.aclose()


async def test_a_route_that_is_passed_through() -> None:
    """What a tool lets pass keeps its guarantees: a second answer is not served to the next request."""
    evil = answer(b'["evil"]')
    with RawServer(lambda peer: peer.serve(answer(b"[1]") + evil)) as server, respx.mock:
        respx.get(url__startswith=server.url).pass_through()
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1))
        for _ in range(3):
            assert (await executor.send(Question())).body == b"[1]"
        await executor.aclose()


async def test_a_client_that_is_patched_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test puts in the place of httpx's `send` answers, and nothing goes out."""

    async def send(self: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        return httpx.Response(200, content=b"[2]", request=request)

    monkeypatch.setattr(httpx.AsyncClient, "send", send)
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url)
        assert (await executor.send(Question())).body == b"[2]"
        await executor.aclose()
    assert server.connections == 0


async def test_a_tool_that_forbids_sockets(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """What it raises comes out plain, not in a group, though a name has two addresses."""

    class BlockedError(RuntimeError):
        pass

    def blocked(*arguments: object, **options: object) -> Any:
        raise BlockedError("no sockets in tests")

    if anyio_backend == "asyncio":
        import asyncio

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", blocked)
    else:
        import trio

        monkeypatch.setattr(trio.socket, "socket", blocked)
    executor = make_executor("https://localhost", retry=ONCE)
    with pytest.raises(BlockedError, match="no sockets"):
        await executor.send(Question())
    await executor.aclose()


async def connections_of_three() -> int:
    """Ask three times, and return how many connections that took."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        for _ in range(3):
            await executor.send(Question())
        await executor.aclose()
    return server.connections


async def test_what_traces_is_no_mock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instruments wrap what they watch and pass it on: a service that is traced keeps its connections."""
    import wrapt

    def traced(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    original = httpx.AsyncHTTPTransport.handle_async_request
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", wrapt.FunctionWrapper(original, traced))
    assert await connections_of_three() == 1


async def test_a_class_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one that only tells of what passes, it is no mock; one that answers is seen."""

    class Traced(httpx.AsyncClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)

    class Answering(Traced):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)

        async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            return httpx.Response(200, content=b"[2]", request=request)

    with RawServer(lambda peer: peer.serve(answer(b"[1]"))) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=1))
        monkeypatch.setattr(httpx, "AsyncClient", Traced)
        for _ in range(3):
            assert (await executor.send(Question())).body == b"[1]"
        assert server.connections == 1
        monkeypatch.setattr(httpx, "AsyncClient", Answering)
        assert (await executor.send(Question())).body == b"[2]"
        await executor.aclose()


async def test_a_method_of_another_object_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may put a mock's own method there, which is of httpx, too."""
    mock = httpx.MockTransport(lambda request: httpx.Response(200, content=b"[2]", request=request))
    client = httpx.AsyncClient(transport=mock)
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        for kind, method, its in (
            (httpx.AsyncHTTPTransport, "handle_async_request", mock.handle_async_request),
            (httpx.AsyncClient, "_transport_for_url", client._transport_for_url),
        ):
            with monkeypatch.context() as patched:
                patched.setattr(kind, method, its)
                assert (await executor.send(Question())).body == b"[2]", method
        await executor.aclose()
    assert server.connections == 0
    await client.aclose()


async def test_what_traces_by_a_function_of_its_own_is_no_mock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry puts a plain one there, in whatever has httpx, and passes on."""

    async def send(self: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        return await original(self, request, **options)

    original = httpx.AsyncClient.send
    its = {"__name__": "sentry_sdk.integrations.httpx"}
    traced = types.FunctionType(send.__code__, its, closure=send.__closure__)
    monkeypatch.setattr(httpx.AsyncClient, "send", traced)
    assert await connections_of_three() == 1


async def test_refused_after_a_mock() -> None:
    """Once a mock has ended nothing of it is left."""
    with respx.mock:
        respx.get(url__startswith="http://127.0.0.1").respond(200, json=[])
        executor = make_executor("http://127.0.0.1:9", retry=ONCE)
        await executor.send(Question())
    with pytest.raises(ConnectionFailedError):
        await executor.send(Question())
    await executor.aclose()
