"""What the parameters of queries have in common: turned into their type, or refused by name, rule and value."""

# Annotations are evaluated: signatures of queries take over those of converters, whose names they need not know.

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Literal, TypeGuard

import attrs
from attrs import converters
from attrs.validators import optional

from ..fielded import Fielded
from ..models.endpoints import DataEndpoint
from ..models.values import MOST_INT
from ..refusals import InvalidQueryError
from ..time_zones import is_time_zone
from ..wording import brief

Split = int | Literal["auto"] | None
OnError = Literal["raise", "collect"]
Ids = int | Iterable[int] | None

_ISO_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SIGNED = frozenset({"floor"})  # basement floors are negative; ids are not
_MOST_DWELL_S = 10_800
#: The least, the most and both in words.
_SECONDS = {
    "bounce_threshold": (-1, MOST_INT, "-1 (the zone's own), 0 (none) or more"),
    "min_dwell": (0, MOST_INT, "0 or more"),
    "max_dwell": (0, _MOST_DWELL_S, f"from 0 to {_MOST_DWELL_S}"),
}
LineGrouping = Literal["year", "month", "week", "day", "dayofmonth", "dayofweek", "hour", "minute"]
ZoneGrouping = Literal["year", "month", "week", "day", "dayofmonth", "dayofweek", "hour", "minute", "loc_id", "zone"]
Interval = Literal["year", "month", "week", "day", "dayofmonth", "hour"]
#: Names with commas, or several of them.
Groupings = str | Iterable[str] | None
PerLine = Literal["location", "organization", "floor", "zone_to", "zone_from", "category", "line"]

# Converters turn what they can into the field's type and leave the rest as it is; validators, who know the field's
# name, refuse it.


def to_date(value: date | str) -> date:
    if isinstance(value, str) and re.fullmatch(_ISO_DATE, value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    return value  # type: ignore[return-value]


def _is_int(value: object) -> TypeGuard[int]:
    # True is an int to Python, and never meant as one here.
    return isinstance(value, int) and not isinstance(value, bool)


def to_whole(value: int | None) -> int | None:
    if value is None or type(value) is int or isinstance(value, bool):
        return value
    try:
        return operator.index(value)  # numpy's integers among others
    except TypeError:
        return value


def to_split(value: Split) -> Split:
    return value if isinstance(value, str) else to_whole(value)


def to_grouping(value: Groupings, day: str = "dayofmonth") -> str | None:
    """Join the names of a grouping with commas; the *day* goes by one of its two names."""
    given: Any = value
    if given is None or isinstance(given, (bytes, Mapping)):
        return given  # type: ignore[return-value]
    try:
        names = given.split(",") if isinstance(given, str) else list(given)
        return ",".join([day if name in ("day", "dayofmonth") else name for name in names])
    except TypeError:
        return given  # type: ignore[no-any-return]


def to_interval(value: Groupings) -> str | None:
    return to_grouping(value, "day")


def to_ids(value: Ids) -> tuple[int, ...] | None:
    given: Any = value
    if given is None or isinstance(given, (str, bytes, bytearray, bool, Mapping)):
        return given  # type: ignore[return-value]
    try:
        found: Any = tuple(map(to_whole, given))
    except TypeError:
        found = to_whole(given)
        return (found,) if _is_int(found) else found
    return tuple(dict.fromkeys(found)) if all(map(_is_int, found)) else found


def check_date(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, datetime):
        raise InvalidQueryError(
            field.name,
            "must be a date, not a moment: which day that is depends on a time zone",
            value,
            "Pass value.date().",
        )
    if isinstance(value, str) and re.fullmatch(_ISO_DATE, value):
        raise InvalidQueryError(field.name, "must be a day that exists", value)
    if not isinstance(value, date):
        raise InvalidQueryError(field.name, "must be a datetime.date or a string in the form yyyy-mm-dd", value)


def check_ids(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or not all(map(_is_int, value)):
        raise InvalidQueryError(field.name, "must be an int, or an iterable of ints", value)
    if not value:
        raise InvalidQueryError(
            field.name,
            "must not be empty: an empty list would ask for everything",
            value,
            f"Leave {{{field.name}}} out to ask for all.",
        )
    if field.name not in _SIGNED and min(value) < 0:
        raise InvalidQueryError(field.name, "ids must not be negative", min(value))
    if not -MOST_INT <= min(value) <= max(value) <= MOST_INT:
        raise InvalidQueryError(field.name, "must be within 64 bits", max(value, key=abs))


def _must(fits: Callable[[Any], bool], rule: str) -> Any:
    """Return the validator for a *rule* that a value *fits*."""

    def check(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if not fits(value):
            raise InvalidQueryError(field.name, rule, value)

    return check


def check_seconds(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    least, most, rule = _SECONDS[field.name]
    if value is not None and not (_is_int(value) and least <= value <= most):
        raise InvalidQueryError(field.name, f"must be a whole number of seconds, {rule}", value)


check_tz = optional(_must(is_time_zone, "must be an IANA time zone name, such as Europe/Stockholm"))
check_split = optional(
    _must(
        lambda value: (_is_int(value) and value >= 1) or (isinstance(value, str) and value == "auto"),
        'must be {:"auto"}, {:None}, or a whole number of days of at least 1',
    )
)
check_on_error = _must(
    lambda value: isinstance(value, str) and value in ("raise", "collect"), 'must be {:"raise"} or {:"collect"}'
)
#: What the zone endpoints can ask apart.
check_per = optional(
    _must(lambda value: isinstance(value, str) and value == "location", "must be location, or left out")
)


def check_grouping(query: "BaseQuery", field: "attrs.Attribute[Any]", value: object) -> None:
    if value is None:
        return
    endpoint = query.endpoint
    names = value.split(",") if isinstance(value, str) and endpoint.combines else [value]
    if not isinstance(value, str) or not endpoint.groupings.issuperset(names):
        several = "one or more, with commas," if endpoint.combines else "one"
        raise InvalidQueryError(field.name, f"must be {several} of {', '.join(sorted(endpoint.groupings))}", value)
    if len(set(names)) != len(names):
        raise InvalidQueryError(field.name, "must name each grouping once", value)
    if "zone" in names and len(names) > 1:
        raise InvalidQueryError(
            field.name,
            "zone stands alone: it asks for one total per zone over the whole period",
            value,
            "Rows are per zone whatever the grouping, so leave zone out.",
        )


def check_order(start: date, end: date, name: str) -> None:
    if end < start:
        raise InvalidQueryError(name, f"must not be before {{{name.replace('end', 'start')}}} ({start})", str(end))


def arrange(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    """Put what queries have in common behind what they have not, and let reprs show of a long list its beginning."""
    places = {name: place for place, name in enumerate(("tz", "per", "split", "on_error"), start=1)}
    return sorted([field.evolve(repr=brief) for field in fields], key=lambda field: places.get(field.name, 0))


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class BaseQuery(Fielded):
    """What the queries of all three endpoints have in common."""

    endpoint: ClassVar[DataEndpoint]
    """The endpoint that is asked: its name, path, groupings and limits."""
    start_date: date = attrs.field(converter=to_date, validator=check_date)
    """First day, included: a date or `yyyy-mm-dd`, by the clock that the buckets of its rows have."""
    end_date: date = attrs.field(converter=to_date, validator=check_date)
    """Last day, included."""
    split: Split = attrs.field(default="auto", converter=to_split, validator=check_split, kw_only=True)
    """
    Most days a request: "auto" splits long periods for speed, None only where the API's limits force it, or a number.
    """
    on_error: OnError = attrs.field(default="raise", validator=check_on_error, kw_only=True)
    """"raise" ends at the first failure; "collect" finishes the rest and lists what failed in `coverage`."""

    def __attrs_post_init__(self) -> None:
        if not hasattr(self, "endpoint"):
            raise TypeError(f"{type(self).__name__} asks nothing by itself: LineCrosses, ZoneVisitors, DropInRate do")
        check_order(self.start_date, self.end_date, "end_date")


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class ZoneQuery(BaseQuery):
    """What the queries of zones have in common: a period to compare with, a clock, and locations asked apart."""

    comparison_start_date: date | None = attrs.field(
        default=None, converter=converters.optional(to_date), validator=optional(check_date), kw_only=True
    )
    """First day of the period to compare with; needs `comparison_end_date`."""
    comparison_end_date: date | None = attrs.field(
        default=None, converter=converters.optional(to_date), validator=optional(check_date), kw_only=True
    )
    """Last day of the period to compare with, included."""
    tz: str | None = attrs.field(default=None, validator=check_tz, kw_only=True)
    """The clock of all rows, an IANA name; None: each location's own, which drop_in_rate is not sent."""
    per: Literal["location"] | None = attrs.field(default=None, validator=check_per, kw_only=True)
    """"location" asks for each location apart; None together, as the API takes lists."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        start, end = self.comparison_start_date, self.comparison_end_date
        name = self.endpoint.comparison_grouping or ""
        if start is not None and end is not None:
            check_order(start, end, "comparison_end_date")
        elif start is not None:
            raise InvalidQueryError("comparison_end_date", "is required when {comparison_start_date} is given", None)
        elif end is not None:
            raise InvalidQueryError("comparison_start_date", "is required when {comparison_end_date} is given", None)
        elif (grouping := getattr(self, name)) is not None:
            rule = "has no meaning without {comparison_start_date} and {comparison_end_date}"
            raise InvalidQueryError(name, rule, grouping)


def one_by_one(parameter: str, given: object, kinds: Any, rule: str) -> Iterator[Any]:
    """Yield what *given* holds as it is pulled, each of one of *kinds*; InvalidQueryError where that cannot be."""

    def check(one: Any) -> Any:
        if not isinstance(one, kinds):
            raise InvalidQueryError(parameter, rule, one)
        return one

    if not isinstance(given, Iterable) or isinstance(given, (str, bytes, type)):
        raise InvalidQueryError(parameter, rule, given)
    return map(check, given)


def periods_of(query: Any) -> Iterator[tuple[str, date, date]]:
    """Yield the name, first and last day of each period that *query* asks for."""
    yield "current", query.start_date, query.end_date
    start, end = (getattr(query, f"comparison_{name}_date", None) for name in ("start", "end"))
    if start is not None and end is not None:
        yield "comparison", start, end
