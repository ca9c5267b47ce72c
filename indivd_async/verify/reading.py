"""From the service's JSON to plain rows, without judging them: labels of time, the place, figures by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

import attrs

from ..witnessing.more import say_more
from .questions import number, whole

Labels = Mapping[str, int]
#: The article's names for labels of time; others are read in small letters, and without "iso".
DOCUMENTED_LABELS = ("year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute", "day")
_LABELS = {name: name for name in DOCUMENTED_LABELS} | {"day": "dayofmonth", "weekyear": "year"}
#: Fields beside labels, which no time is read from.
_BESIDE = {
    *("zone_id", "zone_name", "bounce_threshold", "loc_id", "loc_name"),
    *("visits", "enter", "passing_by", "drop_in_rate", "enter_percentage"),
}
#: What a row of zone_visitors counts: by itself, in dwell_time_stats, and in exclude.
_FIGURES = (
    *("visits", "unique_visits", "bounce", "dwell_time", "n", "mean", "min", "max"),
    *("min_dwell_time", "max_dwell_time"),
)
#: Objects that hold the rows, and what is documented in them.
_SECTIONS = ("current", "comparison", "summary", "details")
_DATA = {
    *(*_SECTIONS, "zone_details", "insights", "startdate", "enddate", "interval"),
    *("passing_by", "enter", "enter_percentage"),
}


class UnreadableError(Exception):
    """The answer is not of the documented shape; the text says where."""


@attrs.frozen(kw_only=True)
class Row:
    """A row of any endpoint: its labels of time, its place, its figures."""

    labels: Labels
    zone: int | None = None
    location: int | None = None
    threshold: int | None = None
    figures: Mapping[str, float | None]
    quartiles: tuple[float, ...] = ()
    #: The names of the labels, as they came; of a row of drop_in_rate and of aggregations also those of unknown fields.
    names: tuple[str, ...] = ()

    @property
    def key(self) -> Hashable:
        """What no other row of the answer may share."""
        return self.zone, self.location, tuple(sorted(self.labels.items()))

    @cached_property
    def day(self) -> date | None:
        """The day that the labels fix."""
        try:
            return date(self.labels["year"], self.labels["month"], self.labels["dayofmonth"])
        except (KeyError, ValueError, OverflowError):
            return None

    @cached_property
    def moment(self) -> datetime | None:
        """The beginning of the hour that the labels fix, on the clock of the row."""
        day = self.day
        if day is None or not 0 <= self.labels.get("hour", -1) <= 23:
            return None
        return datetime(day.year, day.month, day.day, self.labels["hour"])

    def count(self, name: str) -> int:
        """Return a figure that is counted; 0 where there is none."""
        value = self.figures.get(name)
        return int(value) if value is not None else 0


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableError(f"{where} is not an object")
    return value


def _objects(value: Any, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnreadableError(f"{where} is not a list of objects")
    return value


def _labels(fields: Mapping[str, Any]) -> tuple[Labels, tuple[str, ...]]:
    names = tuple(name for name in fields if name not in _BESIDE)
    known = {_LABELS.get(name.lower().removeprefix("iso")): whole(fields[name]) for name in names}
    found = {name: value for name, value in known.items() if name is not None and value is not None}
    if "date" in fields:
        with suppress(ValueError):
            day = date.fromisoformat(str(fields["date"])[:10])
            found = {"year": day.year, "month": day.month, "dayofmonth": day.day} | found
    return found, names


def read_rows(endpoint: str, document: Any, part: str = "current") -> list[Row]:
    """Read an answer of line_crosses, or the rows of one period of zone_visitors; none where it is empty."""
    if endpoint == "line_crosses":
        return [_crossing(item) for item in _objects(document, "the answer")]
    block = _object(document, "the answer").get(part)
    if not block:
        return []
    return [_visit(item) for item in _objects(_object(block, part).get("insights"), f"{part}.insights")]


def _crossing(item: Mapping[str, Any]) -> Row:
    labels, names = _labels(_object(item.get("_id"), "_id"))
    return Row(labels=labels, names=names, figures={"count": number(item.get("count"))})


def _visit(item: Mapping[str, Any]) -> Row:
    aggregation = _object(item.get("aggregation"), "aggregation")
    labels, names = _labels(aggregation)
    blocks = [block for name in ("dwell_time_stats", "exclude") if isinstance(block := item.get(name), dict)]
    told = dict(item)
    for block in blocks:
        told |= block
    return Row(
        labels=labels,
        names=names,
        zone=whole(aggregation.get("zone_id")),
        location=whole(aggregation.get("loc_id")),
        threshold=whole(aggregation.get("bounce_threshold")),
        figures={name: number(told.get(name)) for name in _FIGURES},
        quartiles=tuple(read for value in told.get("quantiles") or () if (read := number(value)) is not None),
    )


@attrs.frozen(kw_only=True)
class DropIns:
    """One period of drop_in_rate, in rows of `enter`, `passing_by` and `rate`."""

    summary: Row
    details: list[Row]
    #: Zone to its totals and its rows.
    zones: Mapping[int, tuple[Row, list[Row]]]

    @property
    def totals(self) -> list[Row]:
        """The totals of the zones."""
        return [row for row, _ in self.zones.values()]


def read_drop_ins(document: Any, part: str = "current") -> DropIns:
    """Read one period of drop_in_rate."""
    answer = _object(document, "the answer")
    summary, details, zones = (
        _object(answer.get(name), name).get(part) for name in ("summary", "details", "zone_details")
    )
    blocks = {}
    for key, block in _object(zones or {}, f"zone_details.{part}").items():
        zone = whole(block.get("zone_id")) or int(key)
        rows = [_drop_in(item, zone=zone) for item in _objects(block.get("details"), "the details of a zone")]
        blocks[int(key)] = _drop_in(block, "total_", zone=zone, location=whole(block.get("loc_id")), labels={}), rows
    return DropIns(
        summary=_drop_in(_object(summary or {}, f"summary.{part}"), labels={}),
        details=[_drop_in(item) for item in _objects(details or [], f"details.{part}")],
        zones=blocks,
    )


def _drop_in(item: Mapping[str, Any], prefix: str = "", **place: Any) -> Row:
    labels, names = _labels(item)
    figures = {
        "enter": number(item.get("enter", item.get(f"{prefix}visits"))),
        "passing_by": number(item.get(f"{prefix}passing_by")),
        "rate": number(item.get("drop_in_rate", item.get("enter_percentage"))),
    }
    return Row(**{"labels": labels, "names": names, "figures": figures, **place})


def read_entities(document: Any) -> list[Mapping[str, Any]]:
    """Read a list of a filter endpoint: a list, one object, an object with one list in it, or a mapping by id."""
    if isinstance(document, list):
        return _objects(document, "the list")
    answer = _object(document, "the list")
    if "id" in answer:
        return [answer]
    lists = [value for value in answer.values() if isinstance(value, list)]
    if len(lists) == 1:
        return _objects(lists[0], "the list")
    return _objects(list(answer.values()), "the list")


def told_dates(document: Any, part: str = "current") -> tuple[str, str] | None:
    """Return the first and the last day that an answer says it is about; None where it says none."""
    block = document.get("summary", document) if isinstance(document, dict) else None
    block = block.get(part) if isinstance(block, dict) else None
    if not isinstance(block, dict) or not block.get("startdate") or not block.get("enddate"):
        return None
    return str(block["startdate"])[:10], str(block["enddate"])[:10]


def signs_of_more(document: Any, headers: Mapping[str, str]) -> list[str]:
    """Name the signs in an answer, or in its *headers*, that it is a part of the whole."""
    rows = [_count_rows(document)]
    signs = [name for name, value in headers.items() if say_more({}, [(name, value)], rows)[0]]
    return signs + [name for name, value in unknown_fields(document) if say_more({name: value}, (), rows)[0]]


def unknown_fields(block: Any) -> Iterator[tuple[str, Any]]:
    """Give what stands beside the rows and entries of an answer."""
    for name, value in block.items() if isinstance(block, dict) else ():
        if name in _SECTIONS and isinstance(value, dict):
            yield from unknown_fields(value)
        elif not (name in _DATA or name.isdigit() or isinstance(value, list)) or name == "errors":
            yield name, value


def _count_rows(document: Any) -> int:
    """Count the objects that stand in lists, at any depth."""
    if isinstance(document, list):
        return sum(isinstance(item, dict) for item in document)
    return sum(map(_count_rows, document.values())) if isinstance(document, dict) else 0


def total(rows: Iterable[Row], figure: str) -> int:
    """Sum up a figure of *rows*."""
    return sum(row.count(figure) for row in rows)


def add_up(rows: Iterable[Row], figure: str, by: Sequence[str] = ()) -> Counter[Any]:
    """Sum a figure of *rows*; *by* are names of labels, or `zone`, `day` or `moment`, that stay apart."""
    sums: Counter[Any] = Counter()
    for row in rows:
        labels = row.labels
        keys = [labels[name] if name in labels else getattr(row, name, None) for name in by]
        key = keys[0] if len(keys) == 1 else tuple(keys)
        sums[key] = sums.get(key, 0) + row.count(figure)
    return sums


def fitting_length(rows: Iterable[Row], start: date, end: date, visits: int) -> int | None:
    """Return of how many days, counted from the end or from the start, *visits* are the sum; None where of none."""
    sums = add_up(rows, "visits", ("day",))
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    for some in (days[::-1], days):
        reached = list(accumulate(sums[day] for day in some))
        if visits and visits in reached:
            return reached.index(visits) + 1
    return None


#: Labels that a grouping may be by, the finest first.
FINEST = ("minute", "hour", "dayofmonth", "week", "dayofweek")


def is_grouped(rows: Sequence[Row], asked: str) -> bool:
    """Tell whether rows have the labels of a grouping; hours need not tell their dates."""
    names = set(asked.split(",")) - {"loc_id"}
    if names == {"zone"}:
        return not any(name in row.labels for row in rows for name in FINEST)
    finest = next((name for name in FINEST if name in names), None)
    finer = FINEST[: FINEST.index(finest)] if finest in FINEST[:3] else FINEST[:2]
    return all(
        (finest is None or finest in row.labels) and not any(name in row.labels for name in finer) for row in rows
    )
