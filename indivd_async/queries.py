"""
The three questions that can be asked, valid from birth.

A query is a frozen value. Its constructor refuses everything the vendor's article lets one know to be wrong, with an
`InvalidQueryError` that names parameter, rule and value: the API itself would answer 400 without a word. Parameter
names are the API's own. Both dates belong to the period.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

import attrs
from attrs.validators import optional

from .errors import InvalidQueryError
from .models import clocks
from .models.endpoints import DROP_IN_RATE, LINE_CROSSES, ZONE_VISITORS, DataEndpoint

Split = int | Literal["auto"] | None
OnError = Literal["raise", "collect"]
Ids = int | Iterable[int] | None

#: What `per` fans out, with the parameter that holds its values. The row's field has the name on the left.
PER = {
    "location": "location",
    "organization": "organization",
    "floor": "floor",
    "zone_to": "zone_to",
    "zone_from": "zone_from",
    "category": "category",
    "line": "line_ids",
}
MAX_DWELL_S = 10_800
_MOST_INT = 2**63 - 1  # what a database holds; larger ids are nobody's

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIGNED = frozenset({"floor"})  # basement floors are negative; ids are not
#: The day goes by two names.
_OTHER_NAMES = {"day": "dayofmonth", "dayofmonth": "day"}

# Converters turn what they can into the field's type and leave the rest as it is; validators, who know the field's
# name, refuse it.


def _to_date(value: date | str) -> date:
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    return value  # type: ignore[return-value]


def _to_optional_date(value: date | str | None) -> date | None:
    return None if value is None else _to_date(value)


def _is_int(value: object) -> bool:
    # True is an int to Python, and never meant as one here.
    return isinstance(value, int) and not isinstance(value, bool)


def _to_int(value: Any) -> Any:
    if type(value) is int or isinstance(value, bool):
        return value
    try:
        return operator.index(value)  # numpy's integers among others
    except TypeError:
        return value


def _to_whole(value: int | None) -> int | None:
    found: int | None = _to_int(value)
    return found


def _to_split(value: Split) -> Split:
    return value if isinstance(value, str) else _to_whole(value)


def _to_ids(value: Ids) -> tuple[int, ...] | None:
    if value is None or isinstance(value, (str, bytes, bytearray, bool, Mapping)):
        return value  # type: ignore[return-value]
    try:
        found = tuple(map(_to_int, value))  # type: ignore[arg-type]
    except TypeError:
        one = _to_int(value)
        return (one,) if _is_int(one) else one
    return tuple(dict.fromkeys(found)) if all(map(_is_int, found)) else found


def _check_date(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, datetime):
        raise InvalidQueryError(
            field.name,
            "must be a date, not a moment: which day that is depends on a time zone",
            value,
            "Pass value.date().",
        )
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        raise InvalidQueryError(field.name, "must be a day that exists", value)
    if not isinstance(value, date):
        raise InvalidQueryError(field.name, "must be a datetime.date or a string in the form yyyy-mm-dd", value)


def _check_ids(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if value == ():
        raise InvalidQueryError(
            field.name,
            "must not be empty: an empty list would ask for everything",
            value,
            f"Leave {{{field.name}}} out to ask for all.",
        )
    if not isinstance(value, tuple) or not all(map(_is_int, value)):
        raise InvalidQueryError(field.name, "must be an int, or an iterable of ints", value)
    if field.name not in _SIGNED and min(value) < 0:
        raise InvalidQueryError(field.name, "ids must not be negative", min(value))
    if not -_MOST_INT <= min(value) <= max(value) <= _MOST_INT:
        raise InvalidQueryError(field.name, "must be within 64 bits", max(value, key=abs))


def _check_seconds(minimum: int, maximum: int, rule: str) -> Any:
    def check(_: object, field: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not (_is_int(value) and minimum <= value <= maximum):
            raise InvalidQueryError(field.name, f"must be a whole number of seconds, {rule}", value)

    return check


def _check_tz(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value and clocks.is_time_zone(value)):
        raise InvalidQueryError(field.name, "must be an IANA time zone name, such as Europe/Stockholm", value)


def _check_split(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not (value is None or (_is_int(value) and value >= 1) or (isinstance(value, str) and value == "auto")):
        raise InvalidQueryError(
            field.name, 'must be {:"auto"}, {:None}, or a whole number of days of at least 1', value
        )


def _check_on_error(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or value not in ("raise", "collect"):
        raise InvalidQueryError(field.name, 'must be {:"raise"} or {:"collect"}', value)


def _check_grouping(endpoint: DataEndpoint) -> Any:
    allowed = ", ".join(sorted(endpoint.groupings))
    rule = f"must be {'one or more, with commas,' if endpoint.combines else 'one'} of {allowed}"

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is None:
            return
        if not isinstance(value, str):
            raise InvalidQueryError(field.name, rule, value)
        names = value.split(",") if endpoint.combines else [value]
        for name in names:
            if name not in endpoint.groupings:
                other = _OTHER_NAMES.get(name)
                raise InvalidQueryError(field.name, rule, value, f"The day is called {other} here." if other else "")
        if len(set(names)) != len(names):
            raise InvalidQueryError(field.name, "must name each grouping once", value)
        if "zone" in names and len(names) > 1:
            raise InvalidQueryError(
                field.name,
                "zone stands alone: it asks for one total per zone over the whole period",
                value,
                "Rows are per zone whatever the grouping, so leave zone out.",
            )

    return check


def _check_order(start: date, end: date, name: str) -> None:
    if end < start:
        raise InvalidQueryError(name, f"must not be before {{{name.replace('end', 'start')}}} ({start})", str(end))


def _check_comparison(query: ZoneVisitors | DropInRate, grouping_name: str) -> None:
    start, end = query.comparison_start_date, query.comparison_end_date
    for name, one, other_name, other in (
        ("comparison_start_date", start, "comparison_end_date", end),
        ("comparison_end_date", end, "comparison_start_date", start),
    ):
        if one is None and other is not None:
            raise InvalidQueryError(name, f"is required when {{{other_name}}} is given", None)
    if start is not None and end is not None:
        _check_order(start, end, "comparison_end_date")
    elif (grouping := getattr(query, grouping_name)) is not None:
        raise InvalidQueryError(
            grouping_name, "has no meaning without {comparison_start_date} and {comparison_end_date}", grouping
        )


@attrs.frozen
class LineCrosses:
    """
    Ask for crossings of lines.

    `per` asks for one series per value, which the API's rows cannot tell apart: ``"location"``, ``"organization"``,
    ``"floor"``, ``"zone_to"``, ``"zone_from"``, ``"category"`` or ``"line"``; the values must be given, except
    locations, which then means all of them. Several locations or organisations imply it. The API counts a visitor once
    for each line crossed, so ask for certain zones, categories or lines.

    >>> LineCrosses("2025-03-01", "2025-03-02", location=124, zone_to=[201, 202]).zone_to
    (201, 202)
    """

    start_date: date = attrs.field(converter=_to_date, validator=_check_date)
    end_date: date = attrs.field(converter=_to_date, validator=_check_date)
    aggregate_by: str | None = attrs.field(default=None, validator=_check_grouping(LINE_CROSSES), kw_only=True)
    organization: tuple[int, ...] | None = attrs.field(
        default=None, converter=_to_ids, validator=_check_ids, kw_only=True
    )
    location: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    floor: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    zone_to: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    zone_from: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    category: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    line_ids: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    per: str | None = attrs.field(default=None, kw_only=True)
    split: Split = attrs.field(default="auto", converter=_to_split, validator=_check_split, kw_only=True)
    on_error: OnError = attrs.field(default="raise", validator=_check_on_error, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_order(self.start_date, self.end_date, "end_date")
        if self.per is None:
            return
        if not isinstance(self.per, str) or self.per not in PER:
            raise InvalidQueryError("per", f"must be one of {', '.join(PER)}", self.per)
        if self.per != "location" and getattr(self, PER[self.per]) is None:
            raise InvalidQueryError(
                "per",
                f"needs its values: one series per {self.per} of which?",
                self.per,
                f"Pass {{{PER[self.per]}:[…]}}.",
            )

    @property
    def endpoint(self) -> DataEndpoint:
        """The endpoint's entry in the table."""
        return LINE_CROSSES


@attrs.frozen
class ZoneVisitors:
    """
    Ask for visits, unique visitors, bounces and dwell times, by zone and bucket.

    `tz` None means each location's own time zone. `bounce_threshold`, `min_dwell` and `max_dwell` are seconds;
    thresholds exclude no visit from `visits`.

    >>> ZoneVisitors("2025-03-01", "2025-03-07", location=124, max_dwell=10_801)
    Traceback (most recent call last):
        ...
    indivd_async.errors.InvalidQueryError: max_dwell: must be a whole number of seconds, from 0 to 10800; got 10801.
    """

    start_date: date = attrs.field(converter=_to_date, validator=_check_date)
    end_date: date = attrs.field(converter=_to_date, validator=_check_date)
    comparison_start_date: date | None = attrs.field(
        default=None, converter=_to_optional_date, validator=optional(_check_date), kw_only=True
    )
    comparison_end_date: date | None = attrs.field(
        default=None, converter=_to_optional_date, validator=optional(_check_date), kw_only=True
    )
    aggregate_by: str | None = attrs.field(default=None, validator=_check_grouping(ZONE_VISITORS), kw_only=True)
    comparison_aggregate_by: str | None = attrs.field(
        default=None, validator=_check_grouping(ZONE_VISITORS), kw_only=True
    )
    location: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    zones: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    bounce_threshold: int | None = attrs.field(
        default=None,
        converter=_to_whole,
        validator=_check_seconds(-1, _MOST_INT, "-1 (the zone's own), 0 (none) or more"),
        kw_only=True,
    )
    min_dwell: int | None = attrs.field(
        default=None, converter=_to_whole, validator=_check_seconds(0, _MOST_INT, "0 or more"), kw_only=True
    )
    max_dwell: int | None = attrs.field(
        default=None,
        converter=_to_whole,
        validator=_check_seconds(0, MAX_DWELL_S, f"from 0 to {MAX_DWELL_S}"),
        kw_only=True,
    )
    tz: str | None = attrs.field(default=None, validator=_check_tz, kw_only=True)
    split: Split = attrs.field(default="auto", converter=_to_split, validator=_check_split, kw_only=True)
    on_error: OnError = attrs.field(default="raise", validator=_check_on_error, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_order(self.start_date, self.end_date, "end_date")
        _check_comparison(self, "comparison_aggregate_by")
        if self.min_dwell is not None and self.max_dwell is not None and self.min_dwell > self.max_dwell:
            raise InvalidQueryError("min_dwell", f"must not be above {{max_dwell}} ({self.max_dwell})", self.min_dwell)

    @property
    def endpoint(self) -> DataEndpoint:
        """The endpoint's entry in the table."""
        return ZONE_VISITORS


@attrs.frozen
class DropInRate:
    """
    Ask which share of the people passing a zone's entrance went in.

    `tz` is sent only if given; without it, locations are asked in groups of one time zone, as the article demands.

    >>> DropInRate("2025-05-15", "2025-05-20", location=124, zone=1121).zone
    (1121,)
    """

    start_date: date = attrs.field(converter=_to_date, validator=_check_date)
    end_date: date = attrs.field(converter=_to_date, validator=_check_date)
    comparison_start_date: date | None = attrs.field(
        default=None, converter=_to_optional_date, validator=optional(_check_date), kw_only=True
    )
    comparison_end_date: date | None = attrs.field(
        default=None, converter=_to_optional_date, validator=optional(_check_date), kw_only=True
    )
    interval: str | None = attrs.field(default=None, validator=_check_grouping(DROP_IN_RATE), kw_only=True)
    comparison_interval: str | None = attrs.field(default=None, validator=_check_grouping(DROP_IN_RATE), kw_only=True)
    location: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    zone: tuple[int, ...] | None = attrs.field(default=None, converter=_to_ids, validator=_check_ids, kw_only=True)
    tz: str | None = attrs.field(default=None, validator=_check_tz, kw_only=True)
    split: Split = attrs.field(default="auto", converter=_to_split, validator=_check_split, kw_only=True)
    on_error: OnError = attrs.field(default="raise", validator=_check_on_error, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_order(self.start_date, self.end_date, "end_date")
        _check_comparison(self, "comparison_interval")

    @property
    def endpoint(self) -> DataEndpoint:
        """The endpoint's entry in the table."""
        return DROP_IN_RATE


Query = LineCrosses | ZoneVisitors | DropInRate
QUERIES: dict[str, type[LineCrosses] | type[ZoneVisitors] | type[DropInRate]] = {
    "line_crosses": LineCrosses,
    "zone_visitors": ZoneVisitors,
    "drop_in_rate": DropInRate,
}
