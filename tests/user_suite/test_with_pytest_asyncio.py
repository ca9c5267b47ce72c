"""A user's suite under pytest-asyncio in strict mode, with fixtures of their own around the plugin's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from footfall import weekly_report

from indivd_async import ZoneVisitors
from indivd_async.fastapi import IndivdDep, lifespan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from indivd_async import AsyncIndivd, Chunk
    from indivd_async.execution import ChunkStream
    from indivd_async.testing import IndivdSandbox

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def warm_client(indivd_client: AsyncIndivd) -> AsyncIterator[AsyncIndivd]:
    """Yield a client that has been used before, inside its own context."""
    async with indivd_client:
        await indivd_client.locations()
        yield indivd_client


@pytest_asyncio.fixture
async def chunks(indivd_client: AsyncIndivd) -> AsyncIterator[ChunkStream[Chunk]]:
    """Yield an open stream; the plugin may close it in another task than the one that opened it."""
    query = ZoneVisitors("2025-03-03", "2025-03-09", location=124, aggregate_by="dayofmonth", split=1)
    async with indivd_client.stream(query, ordered=True) as chunks:
        yield chunks


async def test_a_fixture_may_yield_a_stream(chunks: ChunkStream[Chunk]) -> None:
    """Read in the test, and left in the middle."""
    assert (await anext(chunks)).error is None


async def test_report(indivd_client: AsyncIndivd) -> None:
    """The same report as under anyio."""
    report = await weekly_report(indivd_client, "2025-03-03", "2025-03-09")
    assert all(report.visits.values())


async def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch, indivd_sandbox: IndivdSandbox) -> None:
    """A developer's own settings never reach the sandbox."""
    monkeypatch.setenv("INDIVD_BASE_URL", "https://gateway.example/indivd")
    monkeypatch.setenv("INDIVD_TOKEN", "of-the-real-service")
    assert await indivd_sandbox.client().locations()


async def test_a_fixture_may_yield_inside_the_client(warm_client: AsyncIndivd, indivd_sandbox: IndivdSandbox) -> None:
    """No task group is open across the yield; the locations were looked up once."""
    await warm_client.zone_visitors("2025-03-03", "2025-03-09", aggregate_by="zone")
    assert [request.path for request in indivd_sandbox.requests].count("/filters/locations") == 1


async def test_an_application_under_test_takes_its_client_from_the_sandbox(indivd_sandbox: IndivdSandbox) -> None:
    """`lifespan(client=…)` is where the one goes in for the other."""
    app = FastAPI(lifespan=lifespan(client=indivd_sandbox.client))

    @app.get("/places")
    async def places(client: IndivdDep) -> list[str | None]:
        return [location.name for location in await client.locations()]

    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        assert "Drottninggatan" in (await http.get("/places")).json()
