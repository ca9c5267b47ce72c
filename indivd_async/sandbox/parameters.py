"""
The parameters of the data endpoints: from text to values, by the article's rules and limits.

This is stricter than the service need be, so that it finds mistakes: unknown, repeated and empty parameters are
refused, and so is a drop_in_rate over several time zones without `tz`, which the article tells one to ask apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import Any

from .catalogue import AREAS, Access
from .visitors import FIRST_DAY, zone_of

_TIMES = ("year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute")
#: What line_crosses groups by minute or hour: so many days at most.
_MOST_DAYS: dict[str | None, int] = {"minute": 3, "hour": 7}
_MAX_DWELL_S = 10_800
#: Days times locations that one answer may take; ten seconds of work, which would keep everybody else waiting.
_MOST_WORK = 20_000


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int) -> None:
        self.status = status


def read_parameters(
    name: str, params: Iterable[tuple[str, str]], access: Access, *, lifted: Collection[str] = ()
) -> dict[str, Any]:
    """Return the arguments for the method *name* of `World`, or raise `Refused`; groupings *lifted* have no limit."""
    values: dict[str, Any] = {}
    for param, text in params:
        _require(param in READERS[name] and param not in values)
        try:
            values[param] = READERS[name][param](text)
        except (ValueError, KeyError, OSError):  # each of them is a way of ZoneInfo to know no such time zone
            raise Refused(400) from None
    _require("start_date" in values)
    _check_range(values, "start_date", "end_date")
    _check_range(values, "comparison_start_date", "comparison_end_date")
    _CHECKS[name](values, access)
    if name == "line_crosses" and values.get("aggregate_by") not in lifted:
        _check_length(values)
    return values


def _require(truth: bool, status: int = 400) -> None:
    if not truth:
        raise Refused(status)


# Each reader turns text into a value, or raises ValueError.


def _date(text: str) -> date:
    found = date.fromisoformat(text)
    if found.isoformat() != text:  # Python reads other forms, too
        raise ValueError
    return found


def _int(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def _ints(text: str) -> tuple[int, ...]:
    return tuple(map(_int, text.split(",")))


def _between(least: int, most: float) -> Callable[[str], int]:
    def read(text: str) -> int:
        found = _int(text)
        if not least <= found <= most:
            raise ValueError
        return found

    return read


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    known = frozenset(names)

    def read(text: str) -> str:
        if text not in known:
            raise ValueError
        return text

    return read


def _groupings(text: str) -> str:
    if text != "zone":
        for name in text.split(","):
            _one_of((*_TIMES, "loc_id"))(name)
    return text


def _time_zone(text: str) -> str:
    zone_of(text)
    return text


_RANGE = {"start_date": _date, "end_date": _date}
_COMPARISON = {"comparison_start_date": _date, "comparison_end_date": _date}
READERS: dict[str, dict[str, Callable[[str], Any]]] = {
    "line_crosses": {
        **_RANGE,
        "aggregate_by": _one_of(_TIMES),
        "organization": _int,
        "location": _int,
        **dict.fromkeys(("floor", "zone_to", "zone_from", "category", "line_ids"), _ints),
    },
    "zone_visitors": {
        **_RANGE,
        **_COMPARISON,
        "aggregate_by": _groupings,
        "location": _ints,
        "zones": _ints,
        "bounce_threshold": _between(-1, float("inf")),
        "min_dwell": _between(0, float("inf")),
        "max_dwell": _between(0, _MAX_DWELL_S),
        "tz": _time_zone,
    },
    "drop_in_rate": {
        **_RANGE,
        **_COMPARISON,
        "interval": _one_of(("year", "month", "week", "day", "hour")),
        "location": _ints,
        "zone": _ints,
        "tz": _time_zone,
    },
}


def check_work(values: Mapping[str, Any], access: Access, today: date) -> None:
    """
    Refuse what takes too long, as a gateway does that waits no longer: with 504.

    The documentation names no longest period; the days before the first visitor and after *today* cost nothing.
    """
    asked = values.get("location", ())
    ids = set(asked if isinstance(asked, tuple) else (asked,)) or {place.id for place in access.places()}
    days = 0
    for name in ("", "comparison_"):
        if f"{name}start_date" in values:
            first, last = max(values[f"{name}start_date"], FIRST_DAY), min(values[f"{name}end_date"], today)
            days += max(0, (last - first).days + 1)
    _require(days * len(ids) <= _MOST_WORK, 504)


# Rules between parameters, and scope.


def _check_range(values: Mapping[str, Any], start: str, end: str) -> None:
    _require((start in values) == (end in values))
    _require(start not in values or values[start] <= values[end])


def _check_length(values: Mapping[str, Any]) -> None:
    start, end, grouping = values["start_date"], values["end_date"], values.get("aggregate_by")
    _require((end - start).days < _MOST_DAYS.get(grouping, math.inf))
    _require(grouping != "week" or start.year == end.year)


def _check_line_crosses(values: Mapping[str, Any], access: Access) -> None:
    _require("organization" not in values or values["organization"] in access.organizations, 403)
    _check_scope(values, access)


def _check_zone_visitors(values: Mapping[str, Any], access: Access) -> None:
    _require(values.get("min_dwell", 0) <= values.get("max_dwell", math.inf))
    _check_scope(values, access)


def _check_drop_in_rate(values: Mapping[str, Any], access: Access) -> None:
    _check_scope(values, access)
    asked = {area.location for area in AREAS if area.id in values.get("zone", (area.id,))}
    places = [place for place in access.places() if place.id in asked & set(values.get("location", asked))]
    _require("tz" in values or len({place.timezone for place in places}) <= 1)


def _check_scope(values: Mapping[str, Any], access: Access) -> None:
    asked = values.get("location", ())
    _require({place.id for place in access.places()}.issuperset(asked if isinstance(asked, tuple) else (asked,)), 403)


_CHECKS: dict[str, Callable[[Mapping[str, Any], Access], None]] = {
    "line_crosses": _check_line_crosses,
    "zone_visitors": _check_zone_visitors,
    "drop_in_rate": _check_drop_in_rate,
}
