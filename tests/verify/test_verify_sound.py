"""A sound service gets no bad word: every location, every plan, clock changes, a New Year, few requests, gently."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from verifying import MALL, NOW, WORLD, judge, names

from indivd_async import AsyncIndivd, InvalidQueryError, sandbox
from indivd_async.profile import Numbering
from indivd_async.verify import ASSUMPTIONS, MOST_REQUESTS, MOST_REQUESTS_DEEP, NotVerifiableError, verify

pytestmark = pytest.mark.anyio

#: Weeks after clocks went back or forward, at noon UTC, and after New Year.
MOMENTS = {
    "autumn_in_europe": datetime(2025, 10, 30, 12, tzinfo=UTC),
    "spring_in_europe": datetime(2025, 4, 3, 12, tzinfo=UTC),
    "autumn_in_america": datetime(2025, 11, 6, 12, tzinfo=UTC),
    "new_year": NOW,
}
SHOPS = (124, 126, 129)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("location", range(124, 132))
@pytest.mark.parametrize("moment", MOMENTS)
async def test_nothing_fails_on_the_sound_sandbox(location: int, moment: str) -> None:
    """At each of the eight locations, when clocks have just changed, too."""
    world = sandbox.World(now=MOMENTS[moment], scale=0.7)
    report = await judge(world=world, location=location)
    assert names(report) == []
    assert report.requests <= MOST_REQUESTS
    assert len(report.of("holds")) >= 75
    assert report.profile.numbering.weekdays == "sunday-1"
    # A shop that is closed on Sundays cannot tell weeks from Sunday from weeks from Monday.
    weeks = {None, "sunday-0"} if location in SHOPS else {"sunday-0"}
    assert report.profile.numbering.weeks in weeks


@pytest.mark.parametrize("token", ["sandbox", "sandbox-basic", "sandbox-mixed", "sandbox-narrow"])
async def test_nothing_fails_whatever_the_token_sees(token: str) -> None:
    """On a Basic plan what needs the Pro plan cannot be told, and says why."""
    report = await judge(token=token, location=None)
    assert names(report) == []
    if token == "sandbox-basic":
        assert report["days_add_up_visits"].verdict == "holds"
        assert report["uniques_bounded"].verdict == "cannot be told"
        assert "the plan of this location measures no unique visitors" in report["uniques_bounded"].evidence


async def test_a_location_that_opens_every_day_is_chosen() -> None:
    """Among those that have lines into a zone: there all weekdays can be told apart."""
    report = await judge(location=None)
    assert report.location == 125
    assert report.profile.numbering == Numbering(weeks="sunday-0", weekdays="sunday-1")
    # What one holds in a notebook is one look, and goes through its findings.
    assert len(repr(report)) < 1_000
    assert [finding.name for finding in report] == [finding.name for finding in report.findings]


@pytest.mark.parametrize(("deep", "most"), [(False, MOST_REQUESTS), (True, MOST_REQUESTS_DEEP)])
async def test_requests_are_few_gentle_and_about_closed_days(deep: bool, most: int) -> None:
    """At most 30, or 100, four at once, counted by the client, no day that has not ended everywhere."""
    application = sandbox.app(WORLD)
    async with AsyncIndivd("sandbox", transport=sandbox.transport(application)) as client:
        report = await verify(client, now=NOW, days=400, deep=deep)
        assert client.stats.requests == report.requests == len(application.requests) <= most
        assert (MOST_REQUESTS, MOST_REQUESTS_DEEP) == (30, 100)
        assert client.stats.peak_in_flight <= 4
    days = [text for request in application.requests for name, text in request.params.items() if "date" in name]
    assert max(days) <= "2026-01-18"
    assert deep or min(days) == str(date(2026, 1, 18).replace(year=2024, month=12, day=15))
    assert {request.params.get("location") for request in application.requests} == {None, "125"}
    assert len(report) == len([item for item in ASSUMPTIONS if deep or not item.is_deep]) >= 40


async def test_names_are_of_one_kind_and_sentences_whole() -> None:
    """A name once, a sentence that ends, what it decides, how it was measured."""
    assert len({item.name for item in ASSUMPTIONS}) == len(ASSUMPTIONS)
    known = {item.name for item in ASSUMPTIONS}
    for item in ASSUMPTIONS:
        assert item.name.replace("_", "").isalnum()
        assert item.sentence.endswith(".")
        assert item.decides
        assert set(item.rests_on) <= known - {item.name}
    assert all(finding.measured for finding in await judge())


async def test_what_cannot_be_asked_is_refused_before_anything_is_sent() -> None:
    """Too short a range; a location that the token does not see is named."""
    with pytest.raises(InvalidQueryError, match="days: must be a whole number from 14 to 4000"):
        await judge(days=3)
    with pytest.raises(InvalidQueryError, match="999 is not one of those that the token may see"):
        await judge(location=999)


async def test_a_location_goes_by_its_name() -> None:
    """In any case of letters; one that is called otherwise is refused."""
    report = await judge(location="fifth avenue")
    assert report.location == MALL
    with pytest.raises(InvalidQueryError, match="Sixth Avenue is not one of those"):
        await judge(location="Sixth Avenue")


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_it_runs_on_trio_too(anyio_backend: str) -> None:
    """As the client does."""
    report = await judge(days=31)
    assert names(report) == []
    with pytest.raises(NotVerifiableError):
        await judge("page_with_200")


async def test_without_an_answer_there_is_no_report() -> None:
    """The list of locations is what everything is laid out from."""
    application = sandbox.app(WORLD, faults=sandbox.Faults(hook=lambda *_: 403))
    async with AsyncIndivd("sandbox", transport=sandbox.transport(application)) as client:
        with pytest.raises(NotVerifiableError, match="answered with 403"):
            await verify(client, now=NOW, location=MALL)
