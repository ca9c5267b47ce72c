"""A parameter of a question is one everywhere: in the client's method, in what is sent, in the sandbox."""

from __future__ import annotations

import inspect
from datetime import date
from typing import Any

import attrs
import pytest
from deviating import question_for

from indivd_async import AsyncIndivd, DropInRate, LineCrosses, Location, ZoneVisitors, sandbox
from indivd_async.planning import make_plan
from indivd_async.sandbox.deviations.deviation import Question
from indivd_async.sandbox.parameters import READERS

QUERIES = {"line_crosses": LineCrosses, "zone_visitors": ZoneVisitors, "drop_in_rate": DropInRate}
#: How a call is made: the client's own affair, never sent.
OURS = {"split", "on_error", "per"}
#: One that every rule allows, where the type does not say it.
EXAMPLES: dict[str, Any] = {
    "start_date": date(2025, 3, 1),
    "end_date": date(2025, 3, 2),
    "comparison_start_date": date(2024, 3, 1),
    "comparison_end_date": date(2024, 3, 2),
    "aggregate_by": "hour",
    "interval": "hour",
    "comparison_aggregate_by": "month",
    "comparison_interval": "month",
    "tz": "Europe/Stockholm",
}
LOCATIONS = {1: Location(id=1, name="One", timezone="Europe/Stockholm")}


def fields(name: str) -> list[attrs.Attribute[Any]]:
    return list(attrs.fields(QUERIES[name]))


@pytest.mark.parametrize("name", QUERIES)
def test_the_method_takes_what_the_query_has(name: str) -> None:
    """The same names, order and defaults."""
    taken = list(inspect.signature(getattr(AsyncIndivd, name)).parameters.values())[1:]
    wanted = [
        (field.name, inspect.Parameter.empty if field.default is attrs.NOTHING else field.default)
        for field in fields(name)
    ]
    assert [(parameter.name, parameter.default) for parameter in taken if parameter.name != "progress"] == wanted


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_asked_is_sent(name: str) -> None:
    """Each parameter that the API knows reaches the requests; a comparison's grouping goes out as that of a request."""
    known = {field.name for field in fields(name)} - OURS
    whole = {key: value for key, value in EXAMPLES.items() if key in known and "comparison" in key}
    for parameter in known:
        beside = whole if "comparison" in parameter else {}
        days = {key: EXAMPLES[key] for key in ("start_date", "end_date")}
        value = EXAMPLES.get(parameter, 1)
        query = QUERIES[name](**{**days, **beside, parameter: value})
        sent = {item for request in make_plan(query, LOCATIONS).requests for item in request.params.items()}
        assert sent & {(key, str(value)) for key in (parameter, parameter.removeprefix("comparison_"))}, parameter


@pytest.mark.parametrize("name", QUERIES)
def test_the_sandbox_reads_what_a_query_has(name: str) -> None:
    """What it does not know it would ignore, and every test of that parameter would show nothing."""
    ours = OURS | {"comparison_aggregate_by", "comparison_interval"}
    assert set(READERS[name]) == {field.name for field in fields(name)} - ours


def _ignored_by(deviation: sandbox.Deviation, endpoint: str) -> set[str]:
    """Name the parameters of the question for *deviation* that it leaves unread."""
    if deviation.ask is None or endpoint not in deviation.endpoints:
        return set()
    asked = {
        key: date.fromisoformat(value) if key.endswith("_date") else value
        for key, value in question_for(deviation.name, endpoint).items()
    }
    return asked.keys() - deviation.ask(Question(endpoint=endpoint, values=asked, today=date(2026, 1, 1)))


@pytest.mark.parametrize("name", QUERIES)
def test_a_service_that_ignores_it_is_imagined(name: str) -> None:
    """By a deviation, which is asked a question that has the parameter: what a client makes of it is tried then."""
    ignored = {parameter for each in sandbox.DEVIATIONS.values() for parameter in _ignored_by(each, name)}
    assert set(READERS[name]) - {"start_date", "end_date"} - ignored == set()
