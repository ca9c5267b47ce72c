"""The token appears nowhere but on the wire."""

from __future__ import annotations

import contextlib
import logging
import pickle
import ssl
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
import respx
import trustme
from asking import AT_ONCE, ROOMY, TOKEN, Question, make_executor
from attrs import evolve
from fastapi import FastAPI
from fastapi.testclient import TestClient
from interrupting import by_scope
from raw_server import Peer, RawServer, answer

from indivd_async import AsyncIndivd, LineCrosses
from indivd_async.dask import read_indivd
from indivd_async.errors import ConfigError, IndivdError
from indivd_async.execution import Executor
from indivd_async.fastapi import lifespan
from indivd_async.otel import TracedIndivd
from indivd_async.settings import Limits
from indivd_async.transport import Token

pytestmark = pytest.mark.anyio


def told(error: BaseException) -> str:
    """Everything that a logger or a debugger could print of *error*: locals of all frames, causes, attributes."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format()) + repr(error) + repr(vars(error))


class Memory(logging.Handler):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def no_token_in_logs() -> Iterator[Memory]:
    """Log everything of everybody, and find no token in it."""
    root = logging.getLogger()
    memory = Memory()
    level = root.level
    root.addHandler(memory)
    root.setLevel(logging.DEBUG)
    try:
        yield memory
    finally:
        root.setLevel(level)
        root.removeHandler(memory)
    speakers = {record.name.partition(".")[0] for record in memory.records}
    assert "indivd_async" in speakers
    for record in memory.records:
        assert TOKEN not in record.getMessage() + repr(vars(record))


def reset(peer: Peer) -> None:
    peer.request()
    peer.reset()


FAULTS: dict[str, Callable[[Peer], object]] = {
    "refused token": lambda peer: peer.serve(answer(status=401)),
    "failing service": lambda peer: peer.serve(answer(status=500)),
    "redirect": lambda peer: peer.serve(answer(status=302, headers=["Location: https://elsewhere.example/"])),
    "too large": lambda peer: peer.serve(answer(b"x" * 2000)),
    "unknown coding": lambda peer: peer.serve(answer(headers=["Content-Encoding: br"])),
    "reset": reset,
    "closed": lambda peer: peer.request(),
    "closed at once": lambda peer: None,
    "not HTTP": lambda peer: peer.send(b"nonsense\r\n\r\n"),
    "silent": Peer.wait_for_close,
    "a header that is none": lambda peer: peer.send(f"HTTP/1.1 200 OK\r\nX: {TOKEN}\0\r\n\r\n".encode()),
    "an endless header": lambda peer: peer.send(f"HTTP/1.1 200 OK\r\nX: {TOKEN}{'x' * 200_000}\r\n\r\n".encode()),
}


@pytest.mark.usefixtures("no_token_in_logs")
@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "proxy"])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in FAULTS.items()])
async def test_no_token_in_errors(fault: Callable[[Peer], object], through_proxy: bool) -> None:
    """Neither an error, nor what it was raised from, nor a pickle of it holds the token."""
    timeouts = evolve(ROOMY, read=0.03)
    limits = Limits(concurrency=1, max_response_bytes=1000)
    with RawServer(fault) as server:
        where: dict[str, Any] = {"proxy": server.url} if through_proxy else {}
        url = "http://127.0.0.1:9" if through_proxy else server.url
        executor = make_executor(url, timeouts=timeouts, limits=limits, **where)
        for _ in range(2):
            with pytest.raises(IndivdError) as caught:
                await executor.send(Question())
            assert TOKEN not in told(caught.value)
            assert TOKEN.encode() not in pickle.dumps(caught.value)
        await executor.aclose()


@pytest.mark.usefixtures("no_token_in_logs")
@pytest.mark.parametrize("way", ["plain", "tls", "proxy", "transport"])
async def test_no_token_in_cancellations(way: str) -> None:
    """Wherever a request is cancelled, the frames of the cancellation hold no token."""
    authority = trustme.CA()
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    with RawServer(Peer.serve, tls=server_tls if way == "tls" else None) as server:
        options: dict[str, Any] = {
            "plain": {},
            "tls": {"ssl_context": client_tls},
            "proxy": {"proxy": server.url},
            "transport": {"transport": httpx.AsyncHTTPTransport()},
        }[way]
        url = "http://127.0.0.1:9" if way == "proxy" else server.url
        shown: list[bool] = []

        async def call(executor: Executor) -> None:
            try:
                await executor.send(Question())
            except BaseException as error:
                shown.append(TOKEN in told(error))
                raise

        for at in range(1, 200):
            executor = make_executor(url, timeouts=ROOMY, **options)
            finished = await by_scope(call(executor), at)
            await executor.aclose()
            if finished:
                break
        assert finished
        assert len(shown) > 1
        assert not any(shown)
        if way == "transport":
            await options["transport"].aclose()


async def test_no_token_in_logs_of_answers(no_token_in_logs: Memory) -> None:
    """The debug logs of httpcore, httpx and ours name requests, and no header of ours."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        await executor.send(Question())
        await executor.aclose()
        async with httpx.AsyncClient() as client:
            executor = make_executor(server.url, http_client=client, timeouts=ROOMY)
            await executor.send(Question())
    assert {"httpcore", "httpx"} <= {record.name.partition(".")[0] for record in no_token_in_logs.records}
    assert server.requests
    assert all(f"Authorization: Token {TOKEN}\r\n".encode() in head for head in server.requests)


async def test_no_token_in_frames_below_an_injected_transport() -> None:
    """An error of the caller's own transport shows the caller's frames, and stars for the token."""

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            headers = request.headers.raw
            raise ZeroDivisionError(f"{len(headers)} headers")

    executor = make_executor(transport=Broken())
    with pytest.raises(ZeroDivisionError) as caught:
        await executor.send(Question())
    shown = told(caught.value)
    assert "handle_async_request" in shown
    assert "b'***'" in shown
    assert TOKEN not in shown


async def test_no_token_in_representations() -> None:
    """No object of a client shows it, however deep one looks."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        await executor.send(Question())
        seen: set[int] = set()
        look_into(executor, seen)
        assert len(seen) > 20
        await executor.aclose()


def look_into(value: object, seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    assert TOKEN not in repr(value)
    assert TOKEN not in str(value)
    inner = list(value) if isinstance(value, (list, tuple, set, frozenset)) else []
    inner += list(value.values()) if isinstance(value, dict) else []
    if type(value).__module__.startswith("indivd_async"):
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        inner += [getattr(value, name, None) for name in names if name != "__weakref__"]
        inner += list(vars(value).values()) if hasattr(value, "__dict__") else []
        # Each lane keeps the real header under stars.
        inner = [item for item in inner if type(item).__name__ != "SecretBytes"]
    for item in inner:
        look_into(item, seen)


@pytest.mark.parametrize("token", [TOKEN + "\n", "Token " + TOKEN, TOKEN + "å"])
@pytest.mark.parametrize("make", [Token, AsyncIndivd])
def test_no_bad_token_in_its_error(make: Callable[[str], object], token: str) -> None:
    """A token that is refused is not shown either, by any frame of ours."""
    with pytest.raises(ConfigError) as caught:
        make(token)
    *_, ours = told(caught.value).partition("in __init__")
    assert ours
    assert TOKEN not in ours


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"base_url": "http://elsewhere.example"}, id="base_url"),
        pytest.param({"proxy": "nonsense"}, id="proxy"),
        pytest.param({"http_client": 1}, id="http_client"),
    ],
)
def test_no_token_in_errors_of_other_options(options: dict[str, Any]) -> None:
    """A client that cannot be made for another reason does not show its token on the way out."""
    with pytest.raises(ConfigError) as caught:
        AsyncIndivd(TOKEN, **options)
    assert TOKEN not in told(caught.value)


def open_application(**options: Any) -> None:
    application = FastAPI(lifespan=lifespan(token=TOKEN, **options))
    with TestClient(application):
        pass


@asynccontextmanager
async def failing(_: object) -> AsyncIterator[None]:
    raise LookupError
    yield


DAY = LineCrosses("2025-03-01", "2025-03-01", location=1)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: open_application(base_url="http://elsewhere.example"), id="an application's option"),
        pytest.param(lambda: open_application(client="no client"), id="an option of the application's"),
        pytest.param(lambda: open_application(also=failing), id="what starts within"),
        pytest.param(lambda: TracedIndivd(TOKEN, timeouts=30), id="a traced client"),
        pytest.param(lambda: TracedIndivd(TOKEN, tracer_provider=1), id="telemetry"),
        pytest.param(lambda: read_indivd(DAY, npartitions=1, token=TOKEN, limits=1), id="a cluster's option"),
        pytest.param(lambda: read_indivd(DAY, npartitions=1, token=TOKEN, proxy="nonsense"), id="a cluster's client"),
    ],
)
def test_no_token_in_errors_of_what_makes_clients(make: Callable[[], object]) -> None:
    """It is in no frame that it went through."""
    with pytest.raises((ConfigError, LookupError)) as caught:
        make()
    assert TOKEN not in told(caught.value)


WITH_PASSWORD = f"http://user:{TOKEN}@proxy.example:3128"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: AsyncIndivd("t", proxy=WITH_PASSWORD, limits=1), id="another option"),
        pytest.param(lambda: AsyncIndivd("t t", proxy=WITH_PASSWORD), id="the token"),
        pytest.param(lambda: AsyncIndivd("t", proxy=f"{WITH_PASSWORD}:x"), id="the proxy"),
        pytest.param(lambda: AsyncIndivd("t", proxy=WITH_PASSWORD, http_client=httpx.AsyncClient()), id="two"),
        pytest.param(
            lambda: TestClient(FastAPI(lifespan=lifespan(token="t", proxy=WITH_PASSWORD, limits=1))).__enter__(),
            id="an application's",
        ),
        pytest.param(lambda: read_indivd(DAY, npartitions=1, proxy=WITH_PASSWORD, limits=1), id="a cluster's"),
    ],
)
def test_no_password_of_a_proxy_either(make: Callable[[], object]) -> None:
    """Nor is it in what is said."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert TOKEN not in told(caught.value)


async def test_no_token_in_errors_of_the_client() -> None:
    """All of a client, from query to error, keeps it."""
    with respx.mock:
        respx.get(host="api.indivd.com").respond(500)
        async with AsyncIndivd(TOKEN, retry=AT_ONCE) as client:
            with pytest.raises(IndivdError) as caught:
                await client.locations()
            assert TOKEN not in told(caught.value)
            assert TOKEN not in repr(client) + repr(vars(client))


async def test_nothing_is_printed_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    """Who configures no logging sees nothing, failures and all."""
    executor = make_executor(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
    with contextlib.suppress(IndivdError):
        await executor.send(Question())
    await anyio.lowlevel.checkpoint()
    assert capfd.readouterr() == ("", "")
