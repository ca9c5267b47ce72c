"""The same by the real client over the sandbox, which refuses what the API would refuse."""

from __future__ import annotations

from functools import partial

import anyio
import pytest
from asking_queries import line_queries, rate_queries, visit_queries
from hypothesis import given, strategies as st
from oracle import BARE_WORLD, TOKEN, WORLD, examples
from test_properties import check_result

from indivd_async import AsyncIndivd, LineCrosses, sandbox
from indivd_async.queries import Query
from indivd_async.results import AnyResult
from indivd_async.sandbox import Sandbox, World


async def fetch(application: Sandbox, query: Query) -> AnyResult:
    async with AsyncIndivd(token=TOKEN, transport=sandbox.transport(application)) as client:
        return await client.fetch(query)


def fetch_and_check(query: Query, world: World, backend: str = "asyncio") -> AnyResult:
    application = sandbox.app(world)
    result = anyio.run(partial(fetch, application, query), backend=backend)
    check_result(result, query, world)
    assert {request.status for request in application.requests} == {200}
    return result


@examples(30)
@given(
    query=st.one_of(line_queries(), visit_queries(), rate_queries()),
    backend=st.sampled_from(["asyncio", "trio"]),
)
def test_what_the_client_returns_is_what_one_unsplit_request_would_have_said(query: Query, backend: str) -> None:
    """Plan, requests, structuring and merge together; no request is one that the service refuses."""
    fetch_and_check(query, WORLD, backend)


@examples(15)
@given(query=visit_queries())
def test_a_service_that_groups_otherwise_is_asked_unsplit(query: Query) -> None:
    """Where labels come without those above them, the client asks again in one piece and says so."""
    result = fetch_and_check(query, BARE_WORLD)
    asked_again = any(note.kind == "asked_unsplit" for note in result.notes)
    assert asked_again == (result.plan.query != query)


@pytest.mark.parametrize(("grouping", "requests"), [("minute", 122), ("hour", 53)])
def test_a_year_of_one_location(grouping: str, requests: int) -> None:
    """A year of minutes takes 122 requests, a year of hours 53, and the counts are the oracle's."""
    query = LineCrosses("2025-01-01", "2025-12-31", aggregate_by=grouping, location=125, category=1)
    result = fetch_and_check(query, WORLD)
    assert len(result.coverage) == requests
