"""Deep runs, lengths that are found by halves, and the report as a value."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from verifying import DAYS, MALL, NOW, WORLD, judge, names

from indivd_async import AsyncIndivd, RetryPolicy, sandbox
from indivd_async.planning.request import encode_params
from indivd_async.profile import MostDays
from indivd_async.verify import ASSUMPTIONS, MOST_REQUESTS, MOST_REQUESTS_DEEP, Report, verify
from indivd_async.verify.questions import Asker
from indivd_async.verify.run import make_report, measure
from indivd_async.verify.seen import CannotTellError, Seen

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("location", [124, 125, 127, 130])
async def test_a_deep_run_of_the_sound_sandbox_fails_nothing(location: int) -> None:
    """Over a year and more, with another New Year."""
    report = await judge(deep=True, days=400, location=location)
    assert names(report) == []
    assert len(report) == len(ASSUMPTIONS)
    assert len(report.of("cannot be told")) <= 6


async def test_the_hour_that_a_clock_repeats_comes_once() -> None:
    """In the week in which clocks go back, at a place that is open at night."""
    world = sandbox.World(now=datetime(2025, 11, 6, 12, tzinfo=UTC))
    assert names(await judge("repeated_hour_in_two_rows", world=world, location=128)) == ["rows_come_once"]
    assert names(await judge(world=world, location=128)) == []


class Lenient:
    """A service that answers what the article says it refuses: with nothing."""

    def __init__(self) -> None:
        self._sandbox = sandbox.app(WORLD)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                message = message | {"status": 200, "headers": []}
            elif message["type"] == "http.response.body" and not message.get("body"):
                message = message | {"body": b"[]"}
            await send(message)

        await self._sandbox(scope, receive, answer)


async def test_limits_that_are_none_are_told() -> None:
    """The planner cuts more than it need."""
    async with AsyncIndivd("sandbox", transport=httpx.ASGITransport(Lenient())) as client:
        report = await verify(client, location=MALL, days=DAYS, deep=True, now=NOW)
    assert names(report) == ["line_limits_are_real", "line_weeks_within_a_year"]


async def with_faults(refuse: Any, **options: Any) -> Report:
    application = sandbox.app(WORLD, faults=sandbox.Faults(hook=refuse))
    retry = RetryPolicy(base=0, base_overloaded=0)
    async with AsyncIndivd("sandbox", transport=sandbox.transport(application), retry=retry) as client:
        report = await verify(client, location=MALL, now=NOW, **{"days": DAYS} | options)
        assert report.requests + report.retries == client.stats.attempts == len(application.requests)
        return report


def days_of(params: dict[str, str]) -> int:
    if "start_date" not in params:
        return 0
    return (date.fromisoformat(params["end_date"]) - date.fromisoformat(params["start_date"])).days + 1


@pytest.mark.parametrize(("limit", "found"), [(31, 31), (100, 62), (200, 124), (399, 248)])
async def test_the_longest_period_is_found_by_halves(limit: int, found: int) -> None:
    """Within the 30 requests: by doubling, up to the user's own range."""

    def refuse(_number: int, path: str, params: dict[str, str]) -> int | None:
        return 400 if path.endswith("zone_visitors/") and days_of(params) > limit else None

    report = await with_faults(refuse, days=400)
    assert names(report) == ["long_period_accepted"]
    assert f"400 days are refused with 400; {found} days were answered" in report["long_period_accepted"].evidence
    assert MostDays(endpoint="zone_visitors", unit="any", days=found) in report.profile.most_days
    assert report.requests <= 30


@pytest.mark.parametrize(
    ("endpoint", "assumption"),
    [("line_crosses", "line_long_period_whole"), ("drop_in_rate", "drop_in_long_period_whole")],
)
@pytest.mark.parametrize("status", [400, 504])
async def test_the_longest_period_of_each_endpoint_is_learned(endpoint: str, assumption: str, status: int) -> None:
    """By halves in a deep run; a usual one has few requests left, and learns what was answered at the least."""

    def refuse(_number: int, path: str, params: dict[str, str]) -> int | None:
        return status if path.endswith(f"{endpoint}/") and days_of(params) > 100 else None

    usual, deep = await with_faults(refuse, days=400), await with_faults(refuse, days=400, deep=True)
    assert names(usual) == names(deep) == [assumption]
    (least,) = usual.profile.most_days
    assert (least.endpoint, least.unit) == (endpoint, "any")
    assert 7 <= least.days <= 62
    assert deep.profile.most_days == (MostDays(endpoint=endpoint, unit="any", days=62),)
    assert f"400 days are refused with {status}; 62 days were answered" in deep[assumption].evidence
    assert usual.requests + usual.retries <= 30


async def test_days_alone_may_have_a_limit() -> None:
    """What totals allow says nothing of days."""

    def refuse(_number: int, path: str, params: dict[str, str]) -> int | None:
        by_day = params.get("aggregate_by") == "year,month,dayofmonth"
        return 400 if path.endswith("zone_visitors/") and by_day and days_of(params) > 100 else None

    report = await with_faults(refuse, days=400, deep=True)
    assert names(report) == ["long_period_accepted"]
    assert report.profile.most_days == (MostDays(endpoint="zone_visitors", unit="day", days=62),)


async def test_the_longest_url_is_found_by_halves() -> None:
    """And planned by."""

    def refuse(_number: int, path: str, params: dict[str, str]) -> int | None:
        return 414 if len(path) + len(encode_params(params.items())) > 3_000 else None

    report = await with_faults(refuse)
    assert names(report) == ["long_url_taken"]
    assert report.profile.longest_url == 2_000
    assert report["lists_honoured"].verdict == "holds"


async def test_a_service_that_breaks_down_is_not_judged() -> None:
    """Server errors say nothing of how it counts; what could be asked is judged all the same."""

    def break_down(_number: int, path: str, _params: dict[str, str]) -> int | None:
        return 500 if path.endswith("drop_in_rate/") else None

    report = await with_faults(break_down)
    assert {finding.verdict for finding in report.findings if "drop_in" in finding.name} <= {
        "cannot be told",
        "fails",
    }
    assert report["days_add_up_visits"].verdict == "holds"


async def test_a_report_is_a_value() -> None:
    """Looked up by name, counted, summed up in a line, and the requests of each finding are those that were sent."""
    report = await judge("ignored_zones")
    assert report["zones_honoured"].verdict == "fails"
    assert not report.is_sound
    assert [finding.name for finding in report.failed] == ["zones_honoured", "drop_in_zone_honoured"]
    with pytest.raises(KeyError):
        report["nothing_of_this_name"]
    assert any("zones=231" in request for request in report["zones_honoured"].requests)
    assert report.summary.startswith(f"{len(report)} assumptions: ")
    assert "2 fail" in report.summary
    document = report.to_dict()
    assert "figures" not in document["assumptions"][0]
    assert document["profile"]["numbering"]["weekdays"] == "sunday-1"
    assert report.to_markdown(with_figures=True) != report.to_markdown()


async def test_a_finding_names_every_request_that_it_rests_on() -> None:
    """Those at which its check looks where it is the only one, whatever the checks before it had looked at."""
    async with AsyncIndivd("sandbox", transport=sandbox.transport(WORLD), base_url="https://sandbox.test") as client:
        asker = Asker(client, most=MOST_REQUESTS_DEEP)
        seen = await measure(asker, location=MALL, days=DAYS, deep=True, now=NOW)
    report = make_report(seen, deep=True)
    for assumption in ASSUMPTIONS:
        alone = Seen(seen.course, seen.heard, run=seen.run)
        with contextlib.suppress(CannotTellError):
            assumption.check(alone)
        assert report[assumption.name].requests == tuple(seen.heard[name].question.target for name in alone.used)


async def test_a_week_without_an_answer_is_not_taken_for_a_plan_without_figures() -> None:
    """Which zones measure more than visits is told by the week; where it was not answered, nobody knows."""

    def refuse(_number: int, path: str, params: dict[str, str]) -> int | None:
        return 500 if path.endswith("zone_visitors/") and params.get("aggregate_by") == "zone" else None

    report = await with_faults(refuse)
    assert report["uniques_over_days"].verdict == "cannot be told"
    assert "visits of the week" in report["uniques_over_days"].evidence
    assert [finding.name for finding in report.findings if "plan of this location" in finding.evidence] == []


class _Slow(httpx.AsyncBaseTransport):
    """Lists the places at once, and lets every question about figures run into the client's timeouts."""

    def __init__(self) -> None:
        self._inner = sandbox.transport(WORLD)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/filters/" not in request.url.path:
            raise httpx.ReadTimeout("too slow", request=request)
        return await self._inner.handle_async_request(request)


async def test_a_service_slower_than_the_timeouts_is_told_as_that() -> None:
    """It ends within its requests, nothing fails, and the last line says what to do."""
    quick = RetryPolicy(attempts=2, base=0.001)
    async with AsyncIndivd("sandbox", transport=_Slow(), retry=quick) as client:
        report = await verify(client, location=MALL, now=WORLD.now)
    assert not report.failed
    assert report.requests + report.retries <= MOST_REQUESTS
    assert report.unanswered > report.requests / 2
    assert f"{report.unanswered} of {report.requests} questions were not answered" in report.summary
    assert "--timeout" in report.summary
    assert report.to_dict()["unanswered"] == report.unanswered
    assert "not answered" not in (await judge()).summary
