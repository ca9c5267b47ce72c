"""Services that are broken or young in ways that nobody listed: no traceback, no word of what was not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest
from verifying import DAYS, MALL, NOW, WORLD, names

from indivd_async import AsyncIndivd, InvalidQueryError, RetryPolicy, sandbox
from indivd_async.verify import MOST_REQUESTS, MOST_REQUESTS_DEEP, NotVerifiableError, Report, verify
from indivd_async.verify.questions import Asker
from indivd_async.verify.run import make_report, measure

pytestmark = pytest.mark.anyio

#: From path, the number of the request and the documented answer to another one: a document, or a status and a body.
Change = Callable[[str, int, Any], Any]
BROKEN = "questions_answered"
#: What lists alone can show.
OF_LISTS = {
    *(f"{name}_listed" for name in ("locations", "zones", "lines", "categories", "organizations")),
    *("locations_have_time_zones", "zones_name_locations", "lines_name_places"),
    "numbers_are_numbers",
}
#: What answers without rows show, too.
OF_FORM = {
    *("answers_whole", "questions_answered", "shapes_documented", "answers_documented", "answers_repeat"),
    *("period_echoed", "interval_echoed", "long_period_accepted", "line_limits_are_real", "line_weeks_within_a_year"),
}
FIGURES = {
    *("visits", "unique_visits", "bounce", "dwell_time", "count", "enter", "passing_by", "total_visits"),
    *("total_passing_by", "drop_in_rate", "enter_percentage", "min_dwell_time", "max_dwell_time", "n", "mean", "min"),
    "max",
}
SECTIONS = {"summary", "details", "zone_details", "insights", "aggregation", "_id"}
OF_DROP_IN = {
    *("summary_is_its_details", "zone_totals_are_their_details", "entries_add_up_over_zones", "interval_echoed"),
    *("passing_lines_not_shared", "rates_are_percent"),
}
STAYS = {
    *("days_add_up_n", "dwell_means_weighted", "dwell_extremes_kept", "dwell_counts_visits", "quartiles_ordered"),
    *("dwell_time_is_mean", "excluded_make_the_whole", "min_dwell_honoured", "max_dwell_honoured"),
}
BOUNCES = {
    *("threshold_honoured", "threshold_zero_ends_bounces", "days_add_up_bounce", "hours_add_up_bounce"),
    "bounces_within_visits",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """The sandbox, whose answers somebody changes on their way."""

    def __init__(self, change: Change, world: sandbox.World = WORLD) -> None:
        self._sandbox = sandbox.app(world)
        self._change = change
        self.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        messages: list[Any] = []

        async def keep(message: Any) -> None:
            messages.append(message)

        plain = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
        await self._sandbox(dict(scope, headers=plain), receive, keep)
        status, body = messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])
        if status == 200:
            changed = self._change(scope["path"], self.requests, orjson.loads(body))
            status, body = changed if isinstance(changed, tuple) else (200, orjson.dumps(changed))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


NO_WAIT = RetryPolicy(base=0, base_overloaded=0)


async def attack(change: Change, *, world: sandbox.World = WORLD, location: int | None = MALL) -> tuple[Report, Report]:
    """Verify a service so changed, deeply; return what a usual run had said, too."""
    service = Service(change, world)
    async with AsyncIndivd("sandbox", transport=httpx.ASGITransport(service), retry=NO_WAIT) as client:
        asker = Asker(client, most=MOST_REQUESTS)
        try:
            seen = await measure(asker, location=location, days=DAYS, deep=True, now=NOW)
        finally:
            assert asker.sent == service.requests <= MOST_REQUESTS_DEEP
    return make_report(seen.until("categories"), deep=False), make_report(seen, deep=True)


def is_data(path: str) -> bool:
    return "/external/" in path


def figures_only(answer: Any) -> Change:
    """Answer every question about figures with this."""
    return lambda path, _number, document: answer if is_data(path) else document


def each_object(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """Change every object in answers about figures."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        return change({name: walk(item) for name, item in value.items()}) if isinstance(value, dict) else value

    return lambda path, _number, document: walk(document) if is_data(path) else document


def every_figure(value: Any) -> Change:
    return each_object(lambda row: {name: value if name in FIGURES else item for name, item in row.items()})


def sections(value: Any) -> Change:
    """Answer with this where the article has objects and lists, at any depth."""
    return each_object(lambda row: {name: value if name in SECTIONS else item for name, item in row.items()})


def without(*fields: str) -> Change:
    return each_object(lambda row: {name: item for name, item in row.items() if name not in fields})


def the_list(name: str, answer: Any) -> Change:
    return lambda path, _number, document: answer if path.endswith(f"/{name}") else document


def _emptied(path: str, _number: int, document: Any) -> Any:
    if path.endswith("line_crosses/"):
        return []
    if path.endswith("zone_visitors/"):
        return {name: part and part | {"insights": []} for name, part in document.items()}
    if path.endswith("drop_in_rate/"):
        nothing: dict[str, Any] = {"current": [], "comparison": []}
        return document | {"details": document["details"] | nothing, "zone_details": {"current": {}, "comparison": {}}}
    return document


#: What fails, and what may hold: all else cannot be told. None where it is not looked at.
SERVICES: dict[str, tuple[Change, tuple[str, ...], set[str] | None]] = {
    "every_question_500": (figures_only((500, b"")), (BROKEN,), OF_LISTS),
    "every_question_404": (figures_only((404, b"")), (BROKEN,), OF_LISTS),
    "every_question_429": (figures_only((429, b"")), (), OF_LISTS),
    "an_empty_object": (figures_only({}), ("shapes_documented",), OF_LISTS | OF_FORM),
    "an_empty_list": (figures_only([]), ("shapes_documented",), OF_LISTS | OF_FORM),
    "null": (figures_only(None), ("shapes_documented",), OF_LISTS | OF_FORM),
    "a_number": (figures_only(5), ("shapes_documented",), OF_LISTS | OF_FORM),
    "no_rows": (_emptied, ("answers_believed",), OF_LISTS | OF_FORM),  # and sums beside them
    "rows_of_another_clock": (
        each_object(lambda row: row | {"timezone": "Asia/Tokyo"} if "aggregation" in row else row),
        ("answers_believed",),
        None,
    ),
    "zones_without_an_id": (
        each_object(lambda row: row | {"zone_id": None} if "total_visits" in row else row),
        ("answers_believed",),
        None,
    ),
    "figures_that_are_null": (every_figure(None), ("counts_are_counts",), None),
    "figures_that_are_words": (every_figure("many"), ("counts_are_counts",), None),
    "figures_that_are_true": (every_figure(True), ("counts_are_counts",), None),
    "figures_beyond_all_bounds": (every_figure(10**18), ("counts_are_counts",), None),
    "figures_near_infinity": (every_figure(1e308), ("counts_are_counts",), None),
    "figures_that_are_objects": (every_figure({"a": [1]}), ("counts_are_counts",), None),
    "hours_of_no_clock": (
        each_object(lambda row: {k: 10**12 if k in ("hour", "year") else v for k, v in row.items()}),
        ("labels_documented",),
        None,
    ),
    "sections_that_are_words": (sections("x"), ("shapes_documented",), OF_LISTS | OF_FORM),
    "sections_that_are_lists": (sections([5]), ("shapes_documented",), OF_LISTS | OF_FORM),
    "sections_that_are_numbers": (sections(7), ("shapes_documented",), OF_LISTS | OF_FORM),
    "zones_not_answered": (the_list("zones", (500, b"")), (), None),
    "no_zones": (the_list("zones", []), ("zones_all_listed",), None),
    "zones_that_are_words": (the_list("zones", ["Entrance"]), ("zones_listed",), None),
    "lines_forbidden": (the_list("lines", (403, b"")), (), None),
    "no_lines": (the_list("lines", []), (), None),
    "hours_that_are_words": (
        lambda path, _, document: (
            [place | {"opening_hours": "9 to 5"} for place in document] if path.endswith("locations") else document
        ),
        (),
        None,
    ),
    "a_limit_after_twenty": (lambda _, number, document: (429, b"") if number > 20 else document, (), None),
    "a_limit_after_ten": (lambda _, number, document: (429, b"") if number > 10 else document, (), None),
    "every_second_429": (lambda _, number, document: (429, b"") if number % 2 else document, (), None),
}


@pytest.mark.parametrize("name", SERVICES)
async def test_what_was_not_measured_does_not_hold(name: str) -> None:
    """What is broken is named once, and all that would rest on it cannot be told, in a usual and in a deep run."""
    change, fails, may_hold = SERVICES[name]
    for report in await attack(change):
        assert tuple(names(report)) == fails
        if may_hold is not None:
            assert set(names(report, "holds")) <= may_hold
            assert report.profile.numbering.weeks is None


@pytest.mark.parametrize(
    "name",
    ["every_question_500", "every_question_429", "a_limit_after_twenty", "a_limit_after_ten", "every_second_429"],
)
@pytest.mark.parametrize(("deep", "most"), [(False, MOST_REQUESTS), (True, MOST_REQUESTS_DEEP)])
async def test_what_is_asked_again_is_counted(name: str, deep: bool, most: int) -> None:
    """A service that asks for patience is not sent more than was promised."""
    service = Service(SERVICES[name][0])
    async with AsyncIndivd("sandbox", transport=httpx.ASGITransport(service), retry=NO_WAIT) as client:
        report = await verify(client, location=MALL, days=DAYS, now=NOW, deep=deep)
    assert report.retries > 0
    assert report.requests + report.retries == service.requests <= most
    assert f"; {service.requests} requests" in report.summary


@pytest.mark.parametrize("status", [400, 403, 404, 503])
async def test_an_endpoint_that_is_not_there_is_not_accused(status: int) -> None:
    """No passing lines are set up, or the plan has none: nothing of it can be told, and all else is judged."""
    for report in await attack(
        lambda path, _number, document: (status, b"") if path.endswith("drop_in_rate/") else document
    ):
        assert names(report) == []
        assert not [name for name in names(report, "holds") if "drop_in" in name or name in OF_DROP_IN]
        assert report.profile.most_days == ()


@pytest.mark.parametrize(
    ("change", "unmeasured"),
    [
        (without("dwell_time_stats", "exclude"), STAYS),
        (each_object(lambda row: row | ({"dwell_time_stats": {}} if "dwell_time_stats" in row else {})), STAYS),
        (without("bounce"), BOUNCES),
        (each_object(lambda row: row | ({"bounce": 0} if "bounce" in row else {})), BOUNCES),
    ],
    ids=["no_stays", "empty_stays", "no_bounces", "bounces_0"],
)
async def test_figures_that_are_not_there_are_not_judged(change: Change, unmeasured: set[str]) -> None:
    """Nor is anything learned of them; all else is judged."""
    _, report = await attack(change)
    assert names(report) == []
    assert set(names(report, "cannot be told")) == unmeasured | {"unchanged_since"}
    assert (report.profile.dwell_counts is None) == (unmeasured is STAYS)


NEW_YORK = ZoneInfo("America/New_York")


class Seldom(sandbox.World):
    """Visitors at those moments only, on the clock of New York."""

    def __init__(self, is_open: Callable[[datetime], bool], *, scale: float = 1.0) -> None:
        super().__init__(now=NOW, scale=scale)
        self._visitors: Any = _Filtered(self._visitors, is_open)


class _Filtered:
    def __init__(self, visitors: Any, is_open: Callable[[datetime], bool]) -> None:
        self._visitors = visitors
        # By the hour, which is whole on the clock of New York: there are many events in each.
        self._is_open = lru_cache(maxsize=None)(lambda hour: is_open(datetime.fromtimestamp(3_600 * hour, NEW_YORK)))

    def __getattr__(self, name: str) -> Callable[..., Iterator[Any]]:
        place = {"visits": 2, "passings": 2, "crossings": 1}[name]

        def events(location: int, start: int, end: int) -> Iterator[Any]:
            for columns in getattr(self._visitors, name)(location, start, end):
                inside = [self._is_open(moment // 3_600) for moment in columns[place]]
                yield tuple([list(compress(column, inside)) for column in columns])

        return events


TODAY = NOW.date()
TIMES: dict[str, Callable[[datetime], bool]] = {
    "opened_last_week": lambda moment: moment.date() >= TODAY - timedelta(days=7),
    "opened_the_day_before_yesterday": lambda moment: moment.date() >= TODAY - timedelta(days=2),
    "closed_for_good_ten_days_ago": lambda moment: moment.date() < TODAY - timedelta(days=9),
    "closed_for_good_long_ago": lambda moment: moment.date() < TODAY - timedelta(days=60),
    "closed_on_sundays": lambda moment: moment.isoweekday() != 7,
    "open_on_mondays": lambda moment: moment.isoweekday() == 1,
    "closed_over_new_year": lambda moment: not date(2025, 12, 20) <= moment.date() <= date(2026, 1, 6),
    "open_for_an_hour_a_day": lambda moment: moment.hour == 12,
    "open_every_tenth_day": lambda moment: moment.toordinal() % 10 == 0,
    "a_day_without_cameras": lambda moment: moment.date() != TODAY - timedelta(days=5),
    "nobody": lambda _: False,
}


@pytest.mark.parametrize("name", TIMES)
async def test_nothing_fails_where_few_came_or_at_few_times(name: str) -> None:
    """A sound service of a place that is young, closed, or open now and then."""
    world = Seldom(TIMES[name])
    for report in await attack(lambda _path, _number, document: document, world=world):
        assert names(report) == []
        if name == "nobody":
            assert set(names(report, "holds")) <= OF_LISTS | OF_FORM


@pytest.mark.parametrize(("location", "scale"), [(124, 0.02), (MALL, 0.02), (129, 0.1), (130, 0.1)])
async def test_nothing_fails_where_hardly_anybody_came(location: int, scale: float) -> None:
    """Small shops are not accused of what small numbers do."""
    _, report = await attack(
        lambda _path, _number, document: document, world=sandbox.World(now=NOW, scale=scale), location=location
    )
    assert names(report) == []


ODD: tuple[Any, ...] = (
    *(None, True, -1, 5, 3.7, 10**18, 1e300, "", "x", "12", "2026-01-01", [], {}, [None], ["a"], [[1]], {"a": 1}),
    *("\x00", "9999-12-31", [{}], {"id": None}),
)
BODIES = (b"", b"nonsense", b'{"a":', b"null", b"[]", b"{}", b'"x"')


def _spoil(chance: Random, value: Any, rate: float) -> Any:
    """Put odd values, names and lengths into a document, here and there."""
    if chance.random() < rate:
        return chance.choice(ODD)
    if isinstance(value, list):
        spoiled = [_spoil(chance, item, rate) for item in value]
        draw = chance.random()
        return spoiled[: len(spoiled) // 2] if draw < rate else spoiled + spoiled[:1] if draw < 2 * rate else spoiled
    if isinstance(value, dict):
        odd_names = ("x", "year", "hour", "date", "id", "week")
        return {
            chance.choice(odd_names) if chance.random() < rate / 2 else name: _spoil(chance, item, rate)
            for name, item in value.items()
            if chance.random() > rate / 2
        }
    return value


@pytest.mark.parametrize("seed", range(8))
async def test_spoiled_answers_end_in_a_report(seed: int) -> None:
    """Or in an error of the tree that says why there is none."""
    chance = Random(seed)
    rate = (0.0003, 0.003, 0.03, 0.2)[seed % 4]

    def change(path: str, _number: int, document: Any) -> Any:
        draw = chance.random()
        if draw < 0.03:
            return chance.choice((400, 404, 429, 500, 503, 204, 202, 403)), b""
        if draw < 0.05:
            return 200, chance.choice(BODIES)
        return _spoil(chance, document, rate) if is_data(path) or seed % 3 else document

    with suppress(NotVerifiableError, InvalidQueryError):
        for report in await attack(change, location=None if seed % 2 else MALL):
            assert report.to_markdown(with_figures=True)
