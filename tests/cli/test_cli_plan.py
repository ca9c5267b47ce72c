"""A plan is printed, and nothing is sent but a look-up of locations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from indivd_async import Plan

Indivd = Callable[..., Any]

YEAR = ("--start-date", "2025", "--end-date", "2025")


@pytest.mark.parametrize(
    ("argv", "looked_up"),
    [
        (("line_crosses", *YEAR, "--aggregate-by", "hour", "--location", "124,125"), False),
        (("line_crosses", *YEAR, "--per", "location"), True),
        (("zone_visitors", *YEAR, "--aggregate-by", "minute"), True),
        (("zone_visitors", *YEAR, "--tz", "UTC", "--location", "124"), False),
        (("drop_in_rate", *YEAR, "--interval", "hour"), True),
        (("drop_in_rate", *YEAR, "--interval", "hour", "--split", "none", "--tz", "UTC"), False),
    ],
    ids=["given locations", "all locations", "each on its clock", "one clock", "grouped by clock", "as the API limits"],
)
def test_what_a_plan_sends(argv: tuple[str, ...], looked_up: bool, site: Any, indivd: Indivd) -> None:
    """As text and as JSON it is the same plan, told on stdout."""
    text, as_json = indivd("plan", *argv), indivd("plan", *argv, "--json")
    assert (text.code, text.err, as_json.code, as_json.err) == (0, "", 0, "")
    plan = Plan.from_json(as_json.out)
    assert text.out == f"{plan.explain()}\n"
    assert [request.path for request in site.application.requests] == ["/filters/locations"] * 2 * looked_up
