"""Questions of every kind, drawn fast and always the same: short periods about odd days, few and many places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from indivd_async import DropInRate, LineCrosses, ZoneVisitors
from indivd_async.queries import Query

#: The ends of years and of February, and the days on which clocks change at the sandbox's places.
ODD_DAYS = (
    date(2024, 2, 29),
    date(2023, 2, 28),
    date(2024, 12, 31),
    date(2025, 1, 1),
    date(2025, 3, 9),
    date(2025, 11, 2),
    date(2025, 3, 30),
    date(2025, 10, 26),
    date(2025, 4, 6),
    date(2025, 10, 5),
    date(2025, 6, 11),
)
#: Round the clock and shops, half an hour of daylight saving, Basic plans beside Pro.
PLACES = (124, 125, 126, 127, 128, 129, 130, 131, 140, 141)
ZONES = tuple(201 + 10 * (place - 124) + number for place in PLACES for number in range(4))
LINES = tuple(10 * zone + number for zone in ZONES[:16] for number in range(4))
_TIMES = (None, "year", "month", "week", "dayofmonth", "dayofmonth", "hour", "hour", "minute")
_SEVERAL = ("zone", "loc_id", "year,month", "dayofweek,hour", "dayofmonth,loc_id", "hour,loc_id", "dayofweek")
_SPLITS = ("auto", "auto", "auto", None, 1, 5, 31)


def questions(seed: int, count: int) -> Iterator[Query]:
    """Draw *count* questions."""
    chance = Random(seed)
    draws = (_lines, _visits, _visits, _rates)
    for _ in range(count):
        yield chance.choice(draws)(chance)


def _period(chance: Random, grouping: str | None) -> tuple[date, date]:
    longest = {"minute": 2, "hour": 9}.get((grouping or "").split(",")[-1], 45)
    length = chance.choice((1, 2, 5, chance.randint(1, longest), chance.randint(1, longest)))
    if grouping in ("week", "month", "year", "zone") and chance.random() < 0.1:
        length = chance.randint(46, 400)
    length = min(length, max(longest, length if grouping in ("week", "month", "year", "zone") else 0))
    start = chance.choice(ODD_DAYS) - timedelta(days=chance.randrange(length))
    return start, start + timedelta(days=length - 1)


def _some(chance: Random, values: Sequence[int], most: int, *, share: float = 0.5) -> list[int] | None:
    return chance.sample(values, chance.randint(1, most)) if chance.random() < share else None


def _places(chance: Random) -> list[int] | None:
    return _some(chance, PLACES, chance.choice((1, 1, 2, 4)), share=0.9)


def _zones(chance: Random, places: list[int] | None) -> list[int] | None:
    """Draw zones, mostly of the places asked for."""
    if places is not None and chance.random() < 0.8:
        return _some(chance, [zone for zone in ZONES if 124 + (zone - 201) // 10 in places], 3)
    return _some(chance, ZONES, 3, share=0.2)


def _lines(chance: Random) -> Query:
    grouping = chance.choice((*_TIMES, "dayofweek"))
    lists: dict[str, list[int] | None] = {
        "location": _places(chance),
        "organization": _some(chance, (1, 2, 3), 2, share=0.1),
        "floor": _some(chance, (-1, 0, 1), 2, share=0.2),
        "zone_to": _some(chance, ZONES, 4, share=0.2),
        "zone_from": _some(chance, ZONES, 4, share=0.1),
        "category": _some(chance, (1, 2, 3, 4), 2),
        "line_ids": _some(chance, LINES, 4, share=0.1),
    }
    given = [name for name in ("floor", "zone_to", "zone_from", "category", "line_ids") if lists[name]]
    per = chance.choice([None, None, "location", *given])
    per = "line" if per == "line_ids" else per
    start, end = _period(chance, grouping)
    return LineCrosses(start, end, aggregate_by=grouping, per=per, split=chance.choice(_SPLITS), **lists)


def _comparison(chance: Random, grouping: str | None, name: str) -> dict[str, Any]:
    if chance.random() < 0.6:
        return {}
    own = grouping if chance.random() < 0.7 else None
    start, end = _period(chance, grouping)
    return {"comparison_start_date": start, "comparison_end_date": end, name: own}


def _visits(chance: Random) -> Query:
    grouping = chance.choice((*_TIMES, *_SEVERAL))
    start, end = _period(chance, grouping)
    places = _places(chance)
    thresholds: dict[str, int] = chance.choice(
        ({}, {}, {"min_dwell": 60}, {"max_dwell": 600}, {"min_dwell": 30, "max_dwell": 900}, {"min_dwell": 9_000})
    )
    return ZoneVisitors(
        start,
        end,
        aggregate_by=grouping,
        location=places,
        zones=_zones(chance, places),
        bounce_threshold=chance.choice((None, None, None, -1, 0, 45)),
        tz=chance.choice((None, None, None, "UTC", "Asia/Kathmandu")),
        split=chance.choice(_SPLITS),
        **thresholds,
        **_comparison(chance, grouping, "comparison_aggregate_by"),
    )


def _rates(chance: Random) -> Query:
    grouping = chance.choice((None, "year", "month", "week", "day", "day", "hour", "hour"))
    start, end = _period(chance, grouping)
    places = _places(chance)
    return DropInRate(
        start,
        end,
        interval=grouping,
        location=places,
        zone=_zones(chance, places),
        tz=chance.choice((None, None, None, "UTC")),
        split=chance.choice(_SPLITS),
        **_comparison(chance, grouping, "comparison_interval"),
    )
