"""How errors are told to visitors of a FastAPI application: in answers, in OpenAPI, and what the log has."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import PlainTextResponse
from scripted import Script, visits_by_day
from starlette.websockets import WebSocketDisconnect
from visiting import TestClient

from indivd_async import (
    AsyncIndivd,
    ClientClosedError,
    InvalidQueryError,
    PartialResultError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    ZoneVisitors,
    ZoneVisitorsResult,
)
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model, stream_ndjson

TOKEN = "a-token-to-be-kept"
WEEK = {"start_date": "2025-03-01", "end_date": "2025-03-07", "location": "124"}


def application(script: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Make an application with its client in its lifespan."""
    transport = Script(visits_by_day) if script is None else script
    app = FastAPI(lifespan=lifespan(token=TOKEN, transport=transport, retry=RetryPolicy(attempts=1)))
    install_error_handlers(app)
    return app


def raising(error: Exception) -> httpx.Response:
    """Ask a route that raises *error*."""
    app = application()

    @app.get("/")
    async def fail() -> None:
        raise error

    with TestClient(app, raise_server_exceptions=False) as visitor:
        return visitor.get("/")


# Groups.


def test_a_query_that_cannot_be_is_explained_from_within_a_task_group() -> None:
    """Whoever asks several things at once in a route is answered as whoever asks one."""
    app = application()

    @app.get("/both")
    async def both(client: IndivdDep) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.zone_visitors("2025-03-02", "2025-03-01", location=124))
            tasks.start_soon(client.locations)

    with TestClient(app) as visitor:
        answer = visitor.get("/both")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["parameter"] == "end_date"


def test_of_several_errors_the_fault_of_the_application_is_told() -> None:
    """It keeps its visitor from an answer whatever they ask; groups in groups are looked into."""
    refused = InvalidQueryError("end_date", "must not be before start_date", "2025-02-01")
    busy = RateLimitedError("busy", status=429, retry_after=30)
    answer = raising(ExceptionGroup("all", [refused, ExceptionGroup("some", [busy])]))
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (
        503,
        "RateLimitedError",
        "30",
    )


def test_a_group_with_an_error_of_others_stays_theirs(caplog: pytest.LogCaptureFixture) -> None:
    """A bug beside a refused query is a bug: 500, and nothing of it is hidden."""
    group = ExceptionGroup("all", [InvalidQueryError("a", "b", "c"), ZeroDivisionError("a bug")])
    app = application()

    @app.get("/")
    async def fail() -> None:
        raise group

    with TestClient(app) as visitor, pytest.raises(ExceptionGroup, match="all") as caught:
        visitor.get("/")
    assert caught.value is group


def test_groups_of_others_still_reach_a_handler_that_was_there() -> None:
    """A handler for groups that the application has is asked for what is not ours."""
    app = FastAPI()

    @app.exception_handler(ExceptionGroup)
    async def mine(request: Request, group: Exception) -> PlainTextResponse:
        return PlainTextResponse("mine", status_code=418)

    install_error_handlers(app)

    @app.get("/theirs")
    async def theirs() -> None:
        raise ExceptionGroup("all", [HTTPException(404)])

    @app.get("/ours")
    async def ours() -> None:
        raise ExceptionGroup("all", [InvalidQueryError("a", "b", "c")])

    visitor = TestClient(app)
    assert visitor.get("/theirs").status_code == 418
    assert visitor.get("/ours").status_code == 422


# Retry-After.


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(0.4, "1", id="a part of a second"),
        pytest.param(0, "1", id="at once"),
        pytest.param(1.0, "1", id="whole"),
        pytest.param(59.01, "60", id="rounded up"),
        pytest.param(1e9, "3600", id="far too long"),
        pytest.param(float("inf"), "3600", id="for ever"),
        pytest.param(None, None, id="not said"),
    ],
)
def test_a_wait_is_passed_on_in_whole_seconds(asked: float | None, told: str | None) -> None:
    """Never less than the service asked for, and never beyond an hour."""
    answer = raising(RateLimitedError("busy", status=429, retry_after=asked))
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, told)


def test_a_result_in_part_passes_on_what_its_failures_ask_for() -> None:
    """The longest of the waits."""

    class Result:
        coverage = ()

    failures = [
        ServerError("down", status=503, retry_after=7.2),
        RateLimitedError("busy", status=429, retry_after=3),
        ServerError("down", status=500),
    ]
    answer = raising(PartialResultError(Result(), failures))
    assert (answer.status_code, answer.headers["retry-after"]) == (502, "8")


# A client that cannot be used.


def asking(app: FastAPI) -> FastAPI:
    """Let *app* ask something."""

    @app.get("/locations")
    async def locations(client: IndivdDep) -> int:
        return len(await client.locations())

    return app


def test_an_application_that_shuts_down_says_so() -> None:
    """503: somebody else may answer."""
    app = asking(application())
    with TestClient(app) as visitor:
        assert visitor.get("/locations").json() == 3
        visitor.portal.call(app.state.indivd.aclose)  # type: ignore[union-attr]
        answer = visitor.get("/locations")
    assert (answer.status_code, answer.json()["error"]) == (503, "ClientClosedError")
    assert "shutting down" in answer.json()["detail"]


def test_a_test_client_without_with_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """It runs every request on an event loop of its own: a client of the application's serves the first only."""
    app = asking(FastAPI())
    install_error_handlers(app)
    app.state.indivd = AsyncIndivd(TOKEN, transport=Script(visits_by_day))
    visitor = TestClient(app, raise_server_exceptions=False)
    assert visitor.get("/locations").json() == 3
    answer = visitor.get("/locations")
    assert (answer.status_code, answer.json()["error"]) == (500, "ClientClosedError")
    assert "event loop that has ended" in answer.json()["detail"]
    assert "with TestClient(app)" in answer.json()["detail"]
    assert "another event loop" in caplog.text


def test_a_lifespan_that_did_not_run_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    """There is no client yet; the log has the line to write."""
    answer = TestClient(asking(application()), raise_server_exceptions=False).get("/locations")
    assert (answer.status_code, answer.json()["error"]) == (500, "ClientMissingError")
    assert "was not started" in answer.json()["detail"]
    assert "with TestClient(app)" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_worker_is_told_apart() -> None:
    """A client made before the fork is refused in the worker, which says why."""
    script = """
        import os, sys
        from fastapi import FastAPI
        from visiting import TestClient
        from indivd_async import AsyncIndivd, sandbox
        from indivd_async.fastapi import IndivdDep, install_error_handlers

        app = FastAPI()
        install_error_handlers(app)
        app.state.indivd = AsyncIndivd("sandbox", transport=sandbox.transport())

        @app.get("/locations")
        async def locations(client: IndivdDep) -> int:
            return len(await client.locations())

        child = os.fork()
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        answer = TestClient(app, raise_server_exceptions=False).get("/locations")
        os._exit(0 if answer.status_code == 500 and "before its worker was forked" in answer.json()["detail"] else 1)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=True, timeout=60)


async def _elsewhere(client: AsyncIndivd) -> None:
    with pytest.raises(ClientClosedError) as caught:
        await client.locations()
    assert caught.value.reason == "other_loop"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_still_runs_is_not_one_that_has_ended(backend: str) -> None:
    """The two are told apart on both backends."""
    client = AsyncIndivd(TOKEN, transport=Script(visits_by_day))

    async def use() -> None:
        await client.locations()
        await anyio.to_thread.run_sync(anyio.run, _elsewhere, client)

    async def use_again() -> None:
        with pytest.raises(ClientClosedError) as caught:
            await client.locations()
        assert caught.value.reason == "loop_ended"

    anyio.run(use, backend=backend)
    anyio.run(use_again, backend=backend)


# Websockets.


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        pytest.param(InvalidQueryError("end_date", "too early", "x" * 200), 1008, "end_date: too early", id="query"),
        pytest.param(RateLimitedError("busy", status=429), 1013, "busy", id="busy"),
        pytest.param(ServerError("down", status=500), 1011, "no usable answer", id="service"),
    ],
)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_websocket_is_closed_with_the_reason(error: Exception, code: int, reason: str, accepted: bool) -> None:
    """By a code that says whose fault it is, in the words of the problem document, as far as a frame holds them."""
    app = application()

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        if accepted:
            await socket.accept()
        raise error

    with (
        TestClient(app) as visitor,
        pytest.raises(WebSocketDisconnect) as caught,
        visitor.websocket_connect("/live") as socket,
    ):
        socket.receive_text()
    assert caught.value.code == code
    assert reason in caught.value.reason
    assert len(caught.value.reason.encode()) <= 123


def test_a_websocket_that_is_gone_is_left_alone() -> None:
    """What fails after the visitor left is nobody's to be told."""
    app = application()
    seen: list[bool] = []

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect:
            seen.append(True)
            raise InvalidQueryError("a", "b", "c") from None

    with TestClient(app) as visitor, visitor.websocket_connect("/live"):
        pass
    assert seen == [True]


# OpenAPI.


def test_openapi_has_the_problem_documents_of_what_asks() -> None:
    """Each operation that the client is injected into, also through a dependency or a router; and no other."""
    app = application()
    router = APIRouter(prefix="/router")

    async def wanted(client: IndivdDep) -> str:
        return ""

    @app.get("/direct", responses={503: {"description": "Mine.", "content": {"text/plain": {}}}})
    async def direct(client: IndivdDep, start_date: str) -> None: ...

    @app.get("/through")
    async def through(name: str = Depends(wanted)) -> None: ...

    @router.post("/inner")
    async def inner(client: IndivdDep) -> None: ...

    @app.get("/health")
    async def health() -> None: ...

    @app.get("/hidden", include_in_schema=False)
    async def hidden(client: IndivdDep) -> None: ...

    app.include_router(router)
    schema = app.openapi()
    assert "/hidden" not in schema["paths"]
    assert set(schema["paths"]["/health"]["get"]["responses"]) == {"200"}
    for path, method in (("/direct", "get"), ("/through", "get"), ("/router/inner", "post")):
        responses = schema["paths"][path][method]["responses"]
        for status in ("403", "422", "500", "502", "503", "504"):
            reference = responses[status]["content"]["application/problem+json"]["schema"]["$ref"]
            assert reference.removeprefix("#/components/schemas/") in schema["components"]["schemas"]
    mine = schema["paths"]["/direct"]["get"]["responses"]
    assert (mine["503"]["description"], list(mine["503"]["content"])) == (
        "Mine.",
        ["text/plain", "application/problem+json"],
    )
    assert set(mine["422"]["content"]) == {"application/json", "application/problem+json"}
    assert "Retry-After" in mine["503"]["headers"]


def test_openapi_tells_of_routes_that_came_after_it_was_read() -> None:
    """The schema is made anew where routes were added."""
    app = application()
    assert app.openapi()["paths"] == {}

    @app.get("/late")
    async def late(client: IndivdDep) -> None: ...

    app.openapi_schema = None  # what earlier versions need
    assert "503" in app.openapi()["paths"]["/late"]["get"]["responses"]
    assert app.openapi() is app.openapi()


@pytest.mark.parametrize(
    "error",
    [
        InvalidQueryError("end_date", "must not be before start_date", "2025-02-01"),
        PermissionDeniedError("no", status=403),
        ServerError("down", status=500),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_answer_is_as_openapi_says(error: Exception) -> None:
    """Every member is described, those that must be there are there, and each is of its type."""
    app = application()

    @app.get("/")
    async def fail(client: IndivdDep) -> None:
        raise error

    with TestClient(app) as visitor:
        problem = visitor.get("/").json()
    schema = app.openapi()["components"]["schemas"]["IndivdProblem"]
    assert set(schema["required"]) <= set(problem) <= set(schema["properties"])
    types = {"string": str, "integer": int}
    assert all(isinstance(value, types[schema["properties"][name]["type"]]) for name, value in problem.items())


# What the log has, and what a visitor never reads.


def test_a_public_body_names_no_upstream_path() -> None:
    """Coverage tells the days; the requests as they were sent are there for who asks."""
    app = application()

    @app.get("/visits", response_model=response_model(ZoneVisitorsResult))
    async def visits(client: IndivdDep) -> Any:
        return await client.zone_visitors("2025-03-01", "2025-03-02", location=124)

    with TestClient(app) as visitor:
        body = visitor.get("/visits").text
        described = visitor.get("/openapi.json").text
    for told in (body, described):
        assert "/api/" not in told
        assert "external" not in told
    assert "2025-03-01 to 2025-03-02" in body


@pytest.fixture
def serve(tmp_path: Path) -> Callable[[str], str]:
    """Run an application's source under plain uvicorn, ask "/" once, and return what the server logged."""

    def run(route: str) -> str:
        (tmp_path / "app.py").write_text(textwrap.dedent(HEAD) + textwrap.dedent(route))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        log = (tmp_path / "log").open("w+")
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0"]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, stdout=log) as server:
            try:
                port = _port(tmp_path / "log", server)
                httpx.get(f"http://127.0.0.1:{port}/", timeout=30)
            finally:
                server.terminate()
        log.close()
        return (tmp_path / "log").read_text()

    return run


def _port(log: Path, server: subprocess.Popen[bytes]) -> str:
    while "127.0.0.1:" not in log.read_text():
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    return log.read_text().partition("127.0.0.1:")[2].split()[0]


HEAD = """
    import httpx
    from fastapi import FastAPI
    from indivd_async import RetryPolicy, ZoneVisitors
    from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, stream_ndjson

    def answer(request):
        if "locations" in request.url.path:
            return httpx.Response(200, json=[{"id": 124, "timezone": "Europe/Stockholm"}])
        if "2025-03-02" in str(request.url):
            raise httpx.ConnectError("the cable was cut")
        return httpx.Response(503)

    transport = httpx.MockTransport(answer)
    app = FastAPI(lifespan=lifespan(token="a-token-to-be-kept", transport=transport, retry=RetryPolicy(attempts=1)))
    install_error_handlers(app)
"""


def test_causes_are_in_the_log_of_a_plain_server(serve: Callable[[str], str]) -> None:
    """With nothing set up uvicorn's own log says what was asked, what the service said, and what was behind it."""
    log = serve(
        """
        @app.get("/")
        async def visits(client: IndivdDep):
            return await client.zone_visitors("2025-03-02", "2025-03-02", location=124)
        """
    )
    assert "GET / failed: ConnectionFailedError:" in log
    assert "/zone_visitors/?" in log
    assert "caused by ConnectError: the cable was cut" in log
    assert "502 Bad Gateway" in log
    assert log.count("ConnectionFailedError") == 1
    assert TOKEN not in log


def test_pieces_that_fail_in_a_stream_are_in_the_log(serve: Callable[[str], str]) -> None:
    """The status was sent long before: the log is where the application's author learns of it."""
    log = serve(
        """
        @app.get("/")
        async def rows(client: IndivdDep):
            return stream_ndjson(client, ZoneVisitors("2025-03-01", "2025-03-02", location=124, split=1,
                                                      aggregate_by="dayofmonth"))
        """
    )
    assert "A piece of GET / failed: ServerError: 503 for" in log
    assert "A piece of GET / failed: ConnectionFailedError" in log
    assert "200 OK" in log


def test_who_set_up_logging_hears_it_once(caplog: pytest.LogCaptureFixture) -> None:
    """On the package's logger, where handlers and filters of the application are; 4xx are no matter for a log."""
    with caplog.at_level(logging.WARNING):
        raising(ServerError("down", status=500))
        raising(InvalidQueryError("a", "b", "c"))
    assert [record.name for record in caplog.records] == ["indivd_async"]


def test_a_path_begins_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks writes it: what is in it is shown."""
    app = application()

    @app.get("/of/{name}")
    async def fail(name: str) -> None:
        raise ServerError("down", status=500)

    with caplog.at_level(logging.ERROR), TestClient(app) as visitor:
        visitor.get("/of/x%0Aindivd: all is well%1B%5B2J")
    (record,) = [one for one in caplog.records if one.name == "indivd_async"]
    assert "GET /of/xindivd: all is well\\x1b[2J failed: ServerError: down" in record.getMessage()


# Background tasks.


@pytest.mark.parametrize("leaves", [False, True])
def test_background_tasks_run_with_a_stream(leaves: bool) -> None:
    """The route's own run after the last line, as with every other answer, also when the visitor has left."""
    app = application()
    done: list[str] = []

    @app.get("/rows")
    async def rows(client: IndivdDep, background: BackgroundTasks) -> Any:
        background.add_task(done.append, "done")
        query = ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1)
        return stream_ndjson(client, query, ordered=True)

    bodies: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            assert done == []
            bodies.append(message["body"])

    async def receive() -> dict[str, Any]:
        if not leaves:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def visit() -> None:
        scope = {"type": "http", "method": "GET", "path": "/rows", "headers": [], "query_string": b""}
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)  # type: ignore[arg-type]

    anyio.run(visit)
    assert done == ["done"]
    assert (b"".join(bodies).count(b"\n") == 7) is not leaves
