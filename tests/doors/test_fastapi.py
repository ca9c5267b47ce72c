"""The parts for FastAPI: one client an application, problems, response models, streams; without a server."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
from fastapi import FastAPI, WebSocket
from scripted import Params, Script, visits_by_day

from indivd_async import (
    AsyncIndivd,
    ConfigError,
    DropInRateResult,
    IndivdError,
    LineCrossesResult,
    Location,
    MergeConflictError,
    NotMergeableError,
    ResponseTooLargeError,
    RetryPolicy,
    ZoneVisitors,
    ZoneVisitorsResult,
)
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model, stream_ndjson
from indivd_async.models import FrozenMap

pytestmark = pytest.mark.anyio

TOKEN = "a-token-to-be-kept"
NO_WAIT = RetryPolicy(attempts=1)
WEEK = {"start_date": "2025-03-01", "end_date": "2025-03-07", "location": "124"}


def application(transport: httpx.AsyncBaseTransport, **options: Any) -> FastAPI:
    """Make an application as a user would."""
    app = FastAPI(lifespan=lifespan(token=TOKEN, transport=transport, retry=NO_WAIT, **options))
    install_error_handlers(app)

    @app.get("/visits", response_model=response_model(ZoneVisitorsResult))
    async def visits(client: IndivdDep, start_date: str, end_date: str, location: int) -> Any:
        return await client.zone_visitors(start_date, end_date, location=location)

    @app.get("/rows")
    async def rows(client: IndivdDep, start_date: str, end_date: str, location: int) -> Any:
        query = ZoneVisitors(start_date, end_date, location=location, aggregate_by="dayofmonth", split=2)
        return stream_ndjson(client, query, ordered=True)

    return app


@asynccontextmanager
async def visiting(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application, and be its visitor."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app.example") as visitor,
    ):
        yield visitor


# One client an application.


async def test_there_is_one_client_for_the_life_of_an_application() -> None:
    """It is there from start to end, the same for every request, and closed afterwards."""
    app = application(Script(visits_by_day))
    seen: list[AsyncIndivd] = []

    @app.get("/seen")
    async def see(client: IndivdDep) -> int:
        seen.append(client)
        return len(seen)

    async with visiting(app) as visitor:
        assert [(await visitor.get("/seen")).json() for _ in range(2)] == [1, 2]
        assert seen[0] is seen[1] is app.state.indivd
    assert not hasattr(app.state, "indivd")
    with pytest.raises(IndivdError, match="closed"):
        await seen[0].locations()


async def test_the_lifespan_of_the_user_runs_inside_and_its_state_is_passed_on() -> None:
    """`also` finds the client, and requests find what it yields."""
    order: list[str] = []

    @asynccontextmanager
    async def mine(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        order.append(f"open with {type(app.state.indivd).__name__}")
        yield {"answer": 42}
        order.append(f"close with {type(app.state.indivd).__name__}")

    app = FastAPI(lifespan=lifespan(token=TOKEN, also=mine))
    async with app.router.lifespan_context(app) as state:
        assert state == {"answer": 42}
    assert order == ["open with AsyncIndivd", "close with AsyncIndivd"]


async def test_it_is_a_lifespan_itself_and_fits_into_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the token from the environment, and `async with lifespan(app)` does within one of the user's."""
    monkeypatch.setenv("INDIVD_TOKEN", TOKEN)
    app = FastAPI(lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert isinstance(app.state.indivd, AsyncIndivd)

    @asynccontextmanager
    async def mine(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            yield

    other = FastAPI(lifespan=mine)
    async with other.router.lifespan_context(other):
        assert isinstance(other.state.indivd, AsyncIndivd)


async def test_client_may_be_anything_that_makes_one() -> None:
    """A subclass or a function is called with the options."""

    class Mine(AsyncIndivd):
        pass

    app = FastAPI(lifespan=lifespan(client=Mine, token=TOKEN))
    async with app.router.lifespan_context(app):
        assert type(app.state.indivd) is Mine


async def test_options_that_do_not_fit_stop_the_start() -> None:
    """A faulty token is told when the application starts, not at its first request."""
    app = FastAPI(lifespan=lifespan(token="with space"))
    with pytest.raises(ConfigError, match="token"):
        async with app.router.lifespan_context(app):
            pass


async def test_websockets_have_the_client_too() -> None:
    """The dependency asks for a connection, not for a request."""
    app = application(Script(visits_by_day))

    @app.websocket("/live")
    async def live(socket: WebSocket, client: IndivdDep) -> None:
        await socket.accept()
        await socket.send_text(type(client).__name__)
        await socket.close()

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/live", "headers": [], "query_string": b"", "subprotocols": []}
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)  # type: ignore[arg-type]
    assert [message.get("text") for message in sent if message["type"] == "websocket.send"] == ["AsyncIndivd"]


async def test_an_application_without_a_client_says_what_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """The visitor gets a problem of the server's, the log tells what to do."""
    app = application(Script(visits_by_day))
    visitor = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app.example")
    answer = await visitor.get("/visits", params=WEEK)
    assert answer.status_code == 500
    assert "lifespan" not in answer.text
    assert "FastAPI(lifespan=indivd_async.fastapi.lifespan(…))" in caplog.text


# Errors.


class Refusing(httpx.AsyncBaseTransport):
    """Answers the data endpoints with a status, headers and a body, or raises; lists one location."""

    def __init__(self, answer: int | Exception, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self._answer = answer
        self._headers = headers
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/filters/locations":
            return httpx.Response(200, json=[{"id": 124, "timezone": "Europe/Stockholm"}])
        if isinstance(self._answer, Exception):
            raise self._answer
        return httpx.Response(self._answer, headers=self._headers, content=self._body)


@pytest.mark.parametrize(
    ("upstream", "status", "name"),
    [
        pytest.param(Refusing(400), 502, "BadRequestError", id="400"),
        pytest.param(Refusing(401), 500, "AuthenticationError", id="401"),
        pytest.param(Refusing(403), 403, "PermissionDeniedError", id="403"),
        pytest.param(Refusing(404), 502, "NotFoundError", id="404"),
        pytest.param(Refusing(429), 503, "RateLimitedError", id="429"),
        pytest.param(Refusing(500), 502, "ServerError", id="500"),
        pytest.param(Refusing(302), 502, "UnexpectedStatusError", id="redirect"),
        pytest.param(Refusing(200, body=b"<html>"), 502, "DecodeError", id="html"),
        pytest.param(Refusing(httpx.ReadTimeout("slow")), 504, "RequestTimeoutError", id="timeout"),
        pytest.param(Refusing(httpx.ConnectError("refused")), 502, "ConnectionFailedError", id="refused"),
    ],
)
async def test_a_fault_of_the_service_is_a_problem_without_secrets(
    upstream: Refusing, status: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The status fits, the visitor reads neither host nor path nor token, and the log has what happened."""
    async with visiting(application(upstream)) as visitor:
        answer = await visitor.get("/visits", params=WEEK)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"], problem["error"]) == ("about:blank", status, name)
    assert problem["title"]
    assert problem["detail"]
    for secret in (TOKEN, "indivd.com", "external", "token"):
        assert secret not in answer.text.lower()
    assert TOKEN not in caplog.text
    assert ("zone_visitors" in caplog.text) == (status >= 500)


@pytest.mark.parametrize(
    ("error", "status", "members"),
    [
        pytest.param(
            NotMergeableError("unique_visits", "people come twice", "Ask for the whole."),
            422,
            {"metric": "unique_visits", "instead": "Ask for the whole."},
            id="not-mergeable",
        ),
        pytest.param(MergeConflictError("a row", ()), 502, {}, id="conflict"),
        pytest.param(ResponseTooLargeError("big", host="h", port=1), 502, {}, id="too-large"),
        pytest.param(ConfigError("token: none"), 500, {}, id="config"),
    ],
)
async def test_every_other_error_has_its_status(error: Exception, status: int, members: dict[str, str]) -> None:
    """Whatever a route raises of this package is answered by the same rules."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    visitor = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app.example")
    answer = await visitor.get("/")
    assert answer.status_code == status
    assert members.items() <= answer.json().items()


async def test_an_incomplete_result_that_is_refused_is_a_problem() -> None:
    """`raise_for_failures` in a route is answered by 502."""
    app = application(Refusing(500))

    @app.get("/whole")
    async def whole(client: IndivdDep) -> None:
        result = await client.zone_visitors("2025-03-01", "2025-03-02", location=124, on_error="collect")
        result.raise_for_failures()

    async with visiting(app) as visitor:
        answer = await visitor.get("/whole")
    assert (answer.status_code, answer.json()["error"]) == (502, "PartialResultError")


async def test_a_query_that_cannot_be_is_explained() -> None:
    """The visitor reads parameter and rule; nothing was asked."""
    script = Script(visits_by_day)
    async with visiting(application(script)) as visitor:
        answer = await visitor.get("/visits", params=WEEK | {"end_date": "2025-02-01"})
    problem = answer.json()
    assert (answer.status_code, problem["parameter"]) == (422, "end_date")
    assert "must not be before" in problem["rule"]
    assert "2025-02-01" in problem["detail"]
    assert script.asked == []


async def test_patience_asked_of_us_is_asked_of_the_visitor() -> None:
    """A Retry-After is passed on, in whole seconds."""
    async with visiting(application(Refusing(429, {"Retry-After": "120"}))) as visitor:
        answer = await visitor.get("/visits", params=WEEK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "120")


# Response models.


async def test_the_answer_is_the_result_field_by_field() -> None:
    """JSON, taken apart, has what the attrs values have; coverage is text."""
    app = application(Script(visits_by_day))
    async with visiting(app) as visitor:
        answer = (await visitor.get("/visits", params=WEEK)).json()
        result = await app.state.indivd.zone_visitors(**WEEK | {"location": 124})
    rows = [
        attrs.asdict(row, value_serializer=lambda _, __, value: {} if isinstance(value, FrozenMap) else value)
        for row in result
    ]
    assert answer["current"]["insights"] == json.loads(json.dumps(rows))
    assert (answer["comparison"], answer["complete"], len(rows)) == (None, True, 7)
    assert answer["coverage"] == [
        {
            "request": "zone_visitors, current: 2025-03-01 to 2025-03-07",
            "status": "ok",
            "rows": 7,
            "attempts": 1,
            "error": None,
        }
    ]
    told = json.loads(response_model(ZoneVisitorsResult, upstream=True).model_validate(result).model_dump_json())
    assert told["coverage"] == [
        {"request": str(item.request), "status": "ok", "rows": 7, "attempts": 1, "error": None}
        for item in result.coverage
    ]
    assert answer["notes"] == [attrs.asdict(note) for note in result.notes]
    assert set(answer) == set(told) == {"coverage", "notes", "current", "comparison", "complete"}


@pytest.mark.parametrize("cls", [ZoneVisitorsResult, DropInRateResult, LineCrossesResult])
def test_openapi_has_every_field_with_its_description_and_nulls(cls: type) -> None:
    """Names, units and nulls come from the attrs classes, nested ones too; a field is never left out of an answer."""
    app = FastAPI()

    @app.get("/", response_model=response_model(cls))
    async def route() -> None: ...

    schemas = app.openapi()["components"]["schemas"]
    assert cls.__name__ in schemas
    for name, schema in schemas.items():
        if name not in ("HTTPValidationError", "ValidationError"):
            assert schema["description"], name
            assert set(schema["required"]) == set(schema["properties"]), name


def test_openapi_says_units_and_what_adds_up() -> None:
    """The comments above the fields are their descriptions."""
    row = response_model(ZoneVisitorsResult).model_json_schema(mode="serialization")["$defs"]["ZoneVisitorsRow"]
    assert row["properties"]["dwell_time"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert "in seconds" in row["properties"]["dwell_time"]["description"]
    assert "Does not add up" in row["properties"]["unique_visits"]["description"]
    assert row["properties"]["visits"]["type"] == "integer"


def test_models_are_made_once_and_take_what_is_unknown() -> None:
    """The same class gives the same model; `extra` and untyped fields become plain JSON."""
    model = response_model(Location)
    assert model is response_model(Location)
    extra = FrozenMap.freeze({"tags": ["a", {"b": 1}]})
    location = Location(id=1, opening_hours=FrozenMap.freeze({"mon": ["09:00", "18:00"]}), extra=extra)
    told = json.loads(model.model_validate(location).model_dump_json())
    assert told["extra"] == {"tags": ["a", {"b": 1}]}
    assert told["opening_hours"] == {"mon": ["09:00", "18:00"]}


def test_only_attrs_classes_have_models() -> None:
    """Anything else is refused by name."""
    with pytest.raises(TypeError, match="attrs class"):
        response_model(dict)


# Streams.


async def test_a_stream_is_a_row_a_line() -> None:
    """Each line is a row as in to_dicts(), in the order of the plan."""
    app = application(Script(visits_by_day))
    async with visiting(app) as visitor:
        answer = await visitor.get("/rows", params=WEEK)
        result = await app.state.indivd.zone_visitors(
            "2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth"
        )
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["visits"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert [list(line) for line in lines] == [list(row) for row in result.to_dicts()]


async def test_a_failed_piece_is_a_line_and_the_rest_goes_on() -> None:
    """The line has the one member `error`, a problem document."""

    def answer(path: str, params: Params) -> Any:
        return 500 if params["start_date"] == "2025-03-03" else visits_by_day(path, params)

    async with visiting(application(Script(answer))) as visitor:
        lines = [json.loads(line) for line in (await visitor.get("/rows", params=WEEK)).text.splitlines()]
    assert [line.get("visits") for line in lines] == [1, 2, None, 5, 6, 7]
    assert (list(lines[2]), lines[2]["error"]["error"], lines[2]["error"]["status"]) == (["error"], "ServerError", 502)


async def test_a_stream_that_cannot_begin_is_a_problem() -> None:
    """Nothing is sent before the first chunk, so a look-up that fails has its own status."""
    async with visiting(application(Script(visits_by_day, locations=401))) as visitor:
        answer = await visitor.get("/rows", params=WEEK)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


async def test_a_look_up_that_fails_late_is_the_last_line() -> None:
    """When lines have been sent the status is gone; the fault is told in a line and the body ends well."""
    app = application(Script(visits_by_day))

    @app.get("/two")
    async def two(client: IndivdDep) -> Any:
        first = ZoneVisitors("2025-03-01", "2025-03-01", location=124, tz="UTC", aggregate_by="dayofmonth")

        def queries() -> Any:
            yield first
            raise NotMergeableError("visits", "of the test", "Nothing.")

        return stream_ndjson(client, queries(), ordered=True)

    async with visiting(app) as visitor:
        answer = await visitor.get("/two")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.status_code == 200
    assert lines[-1]["error"]["metric"] == "visits"


async def test_lines_leave_no_doubt_untold() -> None:
    """They have no notes, so the server warns of what somebody should look at."""

    def doubled(path: str, params: Params) -> Any:
        document = visits_by_day(path, params)
        document["current"]["insights"] *= 2
        return document

    async with visiting(application(Script(doubled))) as visitor:
        with pytest.warns(UserWarning, match="^repeated_key: "):
            answer = await visitor.get("/rows", params=WEEK)
    assert answer.status_code == 200


async def test_an_empty_stream_is_an_empty_answer(caplog: pytest.LogCaptureFixture) -> None:
    """No query, no line; and nothing to log."""
    caplog.set_level(logging.WARNING)
    app = application(Script(visits_by_day))

    @app.get("/none")
    async def none(client: IndivdDep) -> Any:
        return stream_ndjson(client, [])

    async with visiting(app) as visitor:
        answer = await visitor.get("/none")
    assert (answer.status_code, answer.text, caplog.text) == (200, "", "")
