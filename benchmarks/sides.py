"""
The sides that are compared: the same questions asked through this library, and as its users would ask without it.

Each side is an async context manager that opens a client and gives a function, which asks so many questions, holds what
it got to the end or drops it, and uses each row once. Peers do what their users do: `gather` under a semaphore, and the
fastest documented way from a response to objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from .answers import FIRST_DAY, LINES_PATH, ZONES, ZONES_PATH

TOKEN = "benchmark"
TZ = "Europe/Stockholm"
#: Takes the first number, how many to ask from it on, and whether to hold the results; returns how many rows were used.
Ask = Callable[[int, int, bool], Awaitable[int]]
Side = Callable[[str, int, bool], Any]

_HEADERS = {"Authorization": f"Token {TOKEN}"}


def _lines_params(number: int) -> dict[str, str]:
    return {
        "start_date": "2025-03-01",
        "end_date": "2025-03-01",
        "aggregate_by": "hour",
        "location": str(number),
    }


def _zones_params(number: int) -> dict[str, str]:
    day = (FIRST_DAY + timedelta(days=number)).isoformat()
    return {"start_date": day, "end_date": day, "aggregate_by": "dayofmonth", "location": "124", "tz": TZ}


def _params(rows: bool) -> Callable[[int], dict[str, str]]:
    return _zones_params if rows else _lines_params


async def _gather(
    get: Callable[[int], Awaitable[Any]], use: Callable[[Any], int], first: int, count: int, lanes: int, hold: bool
) -> int:
    """Ask as a user without this library does; *use* is called on each answer as it comes, or on all at the end."""
    turns = asyncio.Semaphore(lanes)

    async def ask(number: int) -> Any:
        async with turns:
            answer = await get(number)
        return answer if hold else use(answer)

    answers = await asyncio.gather(*(ask(number) for number in range(first, first + count)))
    return sum(map(use, answers)) if hold else sum(answers)


def _use_json(answer: Any) -> int:
    """Count the rows of decoded JSON."""
    rows = answer if isinstance(answer, list) else answer["current"]["insights"]
    return sum(1 for row in rows if row.get("count", row.get("visits")))


def _use_objects(answer: Any) -> int:
    return sum(1 for row in answer.current.insights if row.visits)


def _use_table(answer: Any) -> int:
    return int(answer.num_rows)


# This library.


def _ours(transport: str | None = None, *, query_each: bool = False, to_arrow: bool = False) -> Side:
    @asynccontextmanager
    async def side(url: str, lanes: int, rows: bool) -> AsyncIterator[Ask]:
        from indivd_async import AsyncIndivd, Limits, LineCrosses, ZoneVisitors

        def query(first: int, count: int) -> Any:
            if not rows:
                return LineCrosses(
                    "2025-03-01",
                    "2025-03-01",
                    aggregate_by="hour",
                    location=range(first, first + count),
                    per="location",
                )
            start, end = (FIRST_DAY + timedelta(days=k) for k in (first, first + count - 1))
            return ZoneVisitors(start, end, aggregate_by="dayofmonth", location=124, tz=TZ, split=1)

        async def ask_for_tables(first: int, count: int, hold: bool) -> int:
            import pyarrow

            return int(pyarrow.table(await client.stream(query(first, count)).table()).num_rows)

        async def ask(first: int, count: int, hold: bool) -> int:
            asked = (query(n, 1) for n in range(first, first + count)) if query_each else query(first, count)
            if hold:
                results = await client.fetch_all(asked) if query_each else [await client.fetch(asked)]
                return sum(1 for result in results for row in result if (row.visits if rows else row.count))
            used = 0
            async with client.stream(asked) as chunks:
                async for chunk in chunks:
                    if chunk.error is not None:
                        raise chunk.error
                    used += sum(1 for row in chunk.rows if (row.visits if rows else row.count))
            return used

        # Peers take the authority of the server over TLS from the environment, too.
        options: Any = {"trust_env": url.startswith("https")} | ({"transport": transport} if transport else {})
        async with AsyncIndivd(TOKEN, base_url=url, limits=Limits(concurrency=lanes), **options) as client:
            yield ask_for_tables if to_arrow else ask

    return side


# httpx, as a user writes it; httpx2 has the same surface.


def _httpx(name: str, *, pydantic: bool = False) -> Side:
    @asynccontextmanager
    async def side(url: str, lanes: int, rows: bool) -> AsyncIterator[Ask]:
        import importlib

        httpx = importlib.import_module(name)
        params, path = _params(rows), ZONES_PATH if rows else LINES_PATH
        read = _models().model_validate_json if pydantic else None

        async def get(number: int) -> Any:
            response = await client.get(path, params=params(number))
            response.raise_for_status()
            return response.json() if read is None else read(response.content)

        async def ask(first: int, count: int, hold: bool) -> int:
            return await _gather(get, _use_json if read is None else _use_objects, first, count, lanes, hold)

        async with httpx.AsyncClient(base_url=url, headers=_HEADERS) as client:
            yield ask

    return side


def _aiohttp(kind: str) -> Side:
    @asynccontextmanager
    async def side(url: str, lanes: int, rows: bool) -> AsyncIterator[Ask]:
        import aiohttp

        params, path = _params(rows), ZONES_PATH if rows else LINES_PATH
        make_read, use = _READS[kind]
        read: Any = make_read()

        async def get(number: int) -> Any:
            async with session.get(path, params=params(number)) as response:
                response.raise_for_status()
                return await response.json() if read is None else read(await response.read())

        async def ask(first: int, count: int, hold: bool) -> int:
            return await _gather(get, use, first, count, lanes, hold)

        async with aiohttp.ClientSession(url, headers=_HEADERS) as session:
            yield ask

    return side


@asynccontextmanager
async def _openai(url: str, lanes: int, rows: bool) -> AsyncIterator[Ask]:
    """The base client of a generated SDK on httpx and pydantic; `get` is its documented door for other paths."""
    from openai import AsyncOpenAI, BaseModel

    params, path = _params(rows), ZONES_PATH if rows else LINES_PATH
    model: Any = _models(BaseModel) if rows else list[dict[str, Any]]

    async def get(number: int) -> Any:
        return await client.get(path, cast_to=model, options={"params": params(number)})

    async def ask(first: int, count: int, hold: bool) -> int:
        return await _gather(get, _use_objects if rows else _use_json, first, count, lanes, hold)

    async with AsyncOpenAI(api_key=TOKEN, base_url=url, default_headers=_HEADERS) as client:
        yield ask


# The objects of the peers.


def _models(base: Any = None) -> Any:
    from pydantic import BaseModel as PydanticBaseModel

    base = base or PydanticBaseModel

    class Stats(base):
        mean: float | None = None
        min: float | None = None
        max: float | None = None
        quantiles: list[float] | None = None
        n: int | None = None

    class Exclude(base):
        min_dwell_time: int | None = None
        max_dwell_time: int | None = None

    class Aggregation(base):
        zone_id: int
        zone_name: str | None = None
        bounce_threshold: int | None = None
        loc_id: int | None = None
        year: int | None = None
        month: int | None = None
        week: int | None = None
        dayofmonth: int | None = None
        dayofweek: int | None = None
        hour: int | None = None
        minute: int | None = None

    class Visits(base):
        visits: int
        unique_visits: int | None = None
        bounce: int | None = None
        dwell_time: float | None = None
        dwell_time_stats: Stats | None = None
        exclude: Exclude | None = None
        aggregation: Aggregation

    class Period(base):
        startdate: str | None = None
        enddate: str | None = None
        insights: list[Visits] | None = None

    class Answer(base):
        current: Period
        comparison: Period

    for model in (Visits, Period, Answer):
        model.model_rebuild(_types_namespace=locals())
    return Answer


def _wire() -> Any:
    from typing import Optional

    import msgspec

    def struct(name: str, **types: Any) -> Any:
        required = [(field, kind) for field, kind in types.items() if type(None) not in getattr(kind, "__args__", ())]
        optional = [(field, kind, None) for field, kind in types.items() if type(None) in getattr(kind, "__args__", ())]
        return msgspec.defstruct(name, [*required, *optional])

    whole, real, text = Optional[int], Optional[float], Optional[str]  # noqa: UP045 values, not annotations
    labels = dict.fromkeys(("loc_id", "year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute"), whole)
    stats = struct("Stats", mean=real, min=real, max=real, quantiles=list[float] | None, n=whole)
    exclude = struct("Exclude", min_dwell_time=whole, max_dwell_time=whole)
    aggregation = struct("Aggregation", zone_id=int, zone_name=text, bounce_threshold=whole, **labels)
    visits = struct(
        "Visits",
        visits=int,
        unique_visits=whole,
        bounce=whole,
        dwell_time=real,
        dwell_time_stats=stats | None,
        exclude=exclude | None,
        aggregation=aggregation,
    )
    period = struct("Period", startdate=text, enddate=text, insights=list[visits] | None)
    answer = struct("Answer", current=period, comparison=period)
    return msgspec.json.Decoder(answer).decode


def _tabled() -> Any:
    import pyarrow

    decode = _wire()

    def read(content: bytes) -> Any:
        rows = []
        for row in decode(content).current.insights:
            labels, stats, exclude = row.aggregation, row.dwell_time_stats, row.exclude
            first, second, third = stats.quantiles
            rows.append(
                {
                    "year": labels.year,
                    "month": labels.month,
                    "dayofmonth": labels.dayofmonth,
                    "zone_id": labels.zone_id,
                    "zone_name": labels.zone_name,
                    "bounce_threshold": labels.bounce_threshold,
                    "visits": row.visits,
                    "unique_visits": row.unique_visits,
                    "bounce": row.bounce,
                    "dwell_time": row.dwell_time,
                    "mean": stats.mean,
                    "min": stats.min,
                    "max": stats.max,
                    "quantile_25": first,
                    "quantile_50": second,
                    "quantile_75": third,
                    "n": stats.n,
                    "min_dwell_time": exclude.min_dwell_time,
                    "max_dwell_time": exclude.max_dwell_time,
                }
            )
        return pyarrow.Table.from_pylist(rows)

    return read


#: How a user of aiohttp reads an answer, and uses what is read.
_READS: dict[str, tuple[Callable[[], Any], Callable[[Any], int]]] = {
    "json": (lambda: None, _use_json),
    "pydantic": (lambda: _models().model_validate_json, _use_objects),
    "msgspec": (_wire, _use_objects),
    "tables": (_tabled, _use_table),
}

SIDES: dict[str, Side] = {
    "indivd_async": _ours(),
    "indivd_async, a query each": _ours(query_each=True),
    "indivd_async over aiohttp": _ours("aiohttp"),
    "indivd_async to Arrow": _ours(to_arrow=True),
    "httpx": _httpx("httpx"),
    "httpx2": _httpx("httpx2"),
    "aiohttp": _aiohttp("json"),
    "httpx + pydantic": _httpx("httpx", pydantic=True),
    "aiohttp + pydantic": _aiohttp("pydantic"),
    "aiohttp + msgspec": _aiohttp("msgspec"),
    "aiohttp + msgspec to Arrow": _aiohttp("tables"),
    "openai": _openai,
}
#: How many rows one answer has, by whether they are those of zone_visitors.
ROWS = {True: ZONES, False: 14}
