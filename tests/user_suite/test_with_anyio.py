"""A user's suite under anyio's plugin, on asyncio and trio, written against nothing but the plugin's fixtures."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from footfall import weekly_report

from indivd_async import AuthenticationError, ConnectionFailedError, RateLimitedError, ServerError, sandbox

if TYPE_CHECKING:
    from indivd_async import AsyncIndivd
    from indivd_async.testing import IndivdSandbox

pytestmark = pytest.mark.anyio


async def test_report_has_every_location(indivd_client: AsyncIndivd) -> None:
    """The sandbox has places; each has visits in a week."""
    report = await weekly_report(indivd_client, "2025-03-03", "2025-03-09")
    assert "Drottninggatan" in report.visits
    assert all(report.visits.values())


async def test_blips_are_not_noticed(indivd_client: AsyncIndivd, indivd_sandbox: IndivdSandbox) -> None:
    """Two failures are retried, without waiting."""
    indivd_sandbox.fail(503, times=2, endpoint="zone_visitors")
    result = await indivd_client.zone_visitors("2025-03-03", "2025-03-09", location=124, aggregate_by="zone")
    assert result.total("visits")
    statuses = [request.status for request in indivd_sandbox.requests if request.path.endswith("/zone_visitors/")]
    assert statuses == [503, 503, 200]


async def test_an_outage_leaves_holes(indivd_client: AsyncIndivd, indivd_sandbox: IndivdSandbox) -> None:
    """Where an endpoint stays down the report says so; after it has recovered the figures are there."""
    indivd_sandbox.fail(500, times=None, endpoint="zone_visitors")
    report = await weekly_report(indivd_client, "2025-03-03", "2025-03-09")
    assert set(report.visits.values()) == {None}
    indivd_sandbox.recover()
    report = await weekly_report(indivd_client, "2025-03-03", "2025-03-09")
    assert None not in report.visits.values()


async def test_faults_happen_in_turn(indivd_sandbox: IndivdSandbox) -> None:
    """A status, then a broken connection, then the answer."""
    client = indivd_sandbox.client()
    indivd_sandbox.fail(502)
    indivd_sandbox.fail(httpx.ConnectError("refused"))
    assert await client.locations()
    assert [request.status for request in indivd_sandbox.requests] == [502, 200]
    assert client.stats.retries == 2


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        pytest.param(401, AuthenticationError, id="401"),
        pytest.param(500, ServerError, id="500"),
        pytest.param(httpx.ConnectError("refused"), ConnectionFailedError, id="refused"),
    ],
)
async def test_errors_are_those_of_the_real_service(
    indivd_client: AsyncIndivd, indivd_sandbox: IndivdSandbox, outcome: int | Exception, error: type[Exception]
) -> None:
    """What one's own error handling must know can be brought about."""
    indivd_sandbox.fail(outcome, times=None)
    with pytest.raises(error):
        await indivd_client.locations()


async def test_patience_that_is_too_long_is_raised(indivd_sandbox: IndivdSandbox) -> None:
    """A Retry-After of an hour is not waited for."""
    indivd_sandbox.fail(429, retry_after="3600")
    with pytest.raises(RateLimitedError) as caught:
        await indivd_sandbox.client().locations()
    assert caught.value.retry_after == 3600


async def test_tokens_see_what_is_theirs(indivd_sandbox: IndivdSandbox) -> None:
    """The sandbox has a token for one location alone."""
    assert [place.id for place in await indivd_sandbox.client("sandbox-narrow").locations()] == [124]


async def test_figures_can_be_checked_against_the_world(
    indivd_client: AsyncIndivd, indivd_sandbox: IndivdSandbox
) -> None:
    """The world counts the same events without the limits of the API."""
    start, end = date(2025, 1, 1), date(2025, 3, 31)
    indivd_sandbox.app.latency_s = 0.001
    result = await indivd_client.line_crosses(start, end, aggregate_by="hour", location=124)
    rows = indivd_sandbox.world.line_crosses(start, end, aggregate_by="hour", location=(124,))
    assert result.total() == sum(row["count"] for row in rows)
    assert 1 < indivd_sandbox.peak_in_flight <= 32


class TestAnotherWorld:
    """Where a suite wants other visitors it overrides one fixture."""

    @pytest.fixture
    def indivd_world(self) -> sandbox.World:
        return sandbox.World(seed="a quiet town", scale=0.1)

    async def test_visitors_are_fewer(self, indivd_client: AsyncIndivd) -> None:
        """A tenth of the visitors."""
        asked = {"start_date": "2025-03-03", "end_date": "2025-03-09", "location": 124, "aggregate_by": "zone"}
        usual = sandbox_client_of_the_usual_world()
        quiet = await indivd_client.zone_visitors(**asked)  # type: ignore[arg-type]
        busy = await usual.zone_visitors(**asked)  # type: ignore[arg-type]
        assert (quiet.total("visits") or 0) < (busy.total("visits") or 0) / 4


def sandbox_client_of_the_usual_world() -> AsyncIndivd:
    """Make a client without the plugin: it is one line."""
    from indivd_async import AsyncIndivd

    return AsyncIndivd(token="sandbox", transport=sandbox.transport())
