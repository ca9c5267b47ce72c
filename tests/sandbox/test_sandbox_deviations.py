"""The sandbox as a service that is not as documented: every deviation shows, where it says, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import httpx
import pytest
from deviating import question_for, world

from indivd_async import sandbox
from indivd_async.sandbox.deviations import Expect
from indivd_async.sandbox.deviations.deviation import DATA, LISTS

pytestmark = pytest.mark.anyio

WORLD = world()
CASES = [(name, endpoint) for name, deviation in sandbox.DEVIATIONS.items() for endpoint in deviation.endpoints]
AT_ITS_OWN_TIME = {"the_same_otherwise_each_time", "late_rows"}


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: nothing here waits."""
    return "asyncio"


def _path(endpoint: str) -> str:
    return f"/filters/{endpoint}" if endpoint in LISTS else f"/api/v1/rnd/insights/external/{endpoint}/"


async def ask(
    endpoint: str, question: Mapping[str, Any], *deviations: str, times: int = 1, token: str = "sandbox"
) -> httpx.Response:
    application = sandbox.app(WORLD, deviations=deviations)
    params = {
        name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in question.items()
    }
    headers = {"Authorization": f"Token {token}"}
    async with httpx.AsyncClient(transport=sandbox.transport(application), base_url="http://sandbox") as client:
        for _ in range(times):
            response = await client.get(_path(endpoint), params=params, headers=headers)
    return response


def said(response: httpx.Response) -> tuple[Any, ...]:
    """Return all that a client sees, but for how it was packed."""
    packing = ("content-length", "content-encoding")
    headers = {name: value for name, value in response.headers.items() if name not in packing}
    return response.status_code, headers, response.content


_sound: dict[str, httpx.Response] = {}


async def ask_sound(endpoint: str, question: Mapping[str, Any]) -> httpx.Response:
    """Ask the service as documented, once for each question."""
    key = f"{endpoint} {sorted(question.items())}"
    if key not in _sound:
        _sound[key] = await ask(endpoint, question)
    return _sound[key]


@pytest.mark.parametrize(("name", "endpoint"), CASES)
async def test_a_deviation_shows_in_the_answer(name: str, endpoint: str) -> None:
    """Its question is sound, and its answer is not the documented one."""
    question = question_for(name, endpoint)
    sound = await ask_sound(endpoint, question)
    times = 2 if name in AT_ITS_OWN_TIME else 1
    refused = {"out_of_scope_is_empty": 403, "hours_of_lines_without_limit": 400, "weeks_of_lines_over_new_year": 400}
    assert sound.status_code == refused.get(name, 200)
    assert said(await ask(endpoint, question, name, times=times)) != said(sound)


@pytest.mark.parametrize("name", sandbox.DEVIATIONS)
async def test_a_deviation_does_not_show_elsewhere(name: str) -> None:
    """Other endpoints answer as documented."""
    for endpoint in {*DATA, *LISTS} - set(sandbox.DEVIATIONS[name].endpoints):
        question = question_for("", endpoint)
        assert said(await ask(endpoint, question, name)) == said(await ask_sound(endpoint, question)), endpoint


@pytest.mark.parametrize("name", sandbox.DEVIATIONS)
def test_a_deviation_is_described(name: str) -> None:
    """A sentence, endpoints that there are, and what is expected of a client."""
    deviation = sandbox.DEVIATIONS[name]
    assert deviation.name == name
    assert deviation.sentence[0].isupper()
    assert deviation.sentence.endswith(".")
    assert len(deviation.sentence) > 30
    assert set(deviation.endpoints) <= {*DATA, *LISTS}
    assert deviation.endpoints
    assert deviation.expect in get_args(Expect)


async def test_deviations_add_up() -> None:
    """Two of them, one on the form and one on the period."""
    answer = await ask(
        "zone_visitors", question_for("", "zone_visitors"), "shifted_by_a_day", "dates_as_utc_timestamps"
    )
    assert answer.json()["current"]["startdate"] == "2025-03-02T00:00:00Z"


async def test_limits_are_checked_before_a_deviation_changes_the_question() -> None:
    """What the service refuses as documented, it refuses all the same."""
    question = question_for("", "line_crosses") | {"aggregate_by": "hour", "end_date": "2025-03-31"}
    assert (await ask("line_crosses", question, "clamped_without_a_word")).status_code == 400


async def test_deviations_change_while_it_runs() -> None:
    """As latency and faults do."""
    application = sandbox.app(WORLD, deviations=["byte_order_mark"])
    headers = {"Authorization": "Token sandbox"}
    async with httpx.AsyncClient(transport=sandbox.transport(application), base_url="http://sandbox") as client:
        assert (await client.get("/filters/zones", headers=headers)).content.startswith(b"\xef\xbb\xbf[")
        application.deviate("has_more_on_top")
        assert (await client.get("/filters/zones", headers=headers)).json()["has_more"] is True
        application.deviate()
        assert len((await client.get("/filters/zones", headers=headers)).json()) == 32


def test_an_unknown_deviation_is_refused() -> None:
    """With the one that was meant."""
    with pytest.raises(ValueError, match="'ignored_zone'; did you mean 'ignored_zones'"):
        sandbox.app(deviations=["ignored_zone"])
    with pytest.raises(ValueError, match="no deviation is called 'x'; `indivd sandbox --list-deviations` names them"):
        sandbox.transport(deviations="x")


def test_an_application_keeps_its_own_deviations() -> None:
    """A transport of it takes no others."""
    with pytest.raises(ValueError, match="made already"):
        sandbox.transport(sandbox.app(WORLD), deviations=["byte_order_mark"])


async def test_a_deviation_shows_at_one_endpoint_only_where_one_is_named() -> None:
    """By its name and that of the endpoint; one at which it does not show is refused."""
    for endpoint in DATA:
        question = question_for("row_before_the_period", endpoint)
        changed = said(await ask(endpoint, question, "row_before_the_period@line_crosses"))
        assert (changed != said(await ask(endpoint, question))) == (endpoint == "line_crosses")
    with pytest.raises(ValueError, match="does not show at 'zones', but at line_crosses, zone_visitors"):
        sandbox.app(WORLD, deviations=["row_before_the_period@zones"])
    with pytest.raises(ValueError, match="no deviation is called 'row_before'"):
        sandbox.app(WORLD, deviations=["row_before@zones"])
