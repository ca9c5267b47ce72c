"""Queries are valid from birth: what the article lets one know to be wrong is refused, and nothing is sent."""

from __future__ import annotations

import itertools
import pickle
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import attrs
import httpx
import numpy
import pytest

from indivd_async import AsyncIndivd, BaseQuery, DropInRate, InvalidQueryError, LineCrosses, ZoneQuery, ZoneVisitors
from indivd_async.queries import QUERIES, Query, one_by_one

LINES, VISITS, RATES = "line_crosses", "zone_visitors", "drop_in_rate"
ALL = (LINES, VISITS, RATES)
DAYS = {"start_date": "2025-03-01", "end_date": "2025-03-07"}
OTHER = {"comparison_start_date": "2025-02-01", "comparison_end_date": "2025-02-07"}


class Indexed:
    """An integer of another library."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Shy:
    """A value that cannot show itself, nor be pickled."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __reduce__(self) -> Any:
        raise TypeError("no")


# id: endpoints, what is passed beside the two dates, the parameter that is at fault, and what the message says.
BAD: dict[str, tuple[tuple[str, ...], dict[str, Any], str, str]] = {
    "start date missing": (ALL, {"start_date": None}, "start_date", "must be a datetime.date or a string.*got None"),
    "end date missing": (ALL, {"end_date": None}, "end_date", "must be a datetime.date.*got None"),
    "date of slashes": (ALL, {"start_date": "2025/03/01"}, "start_date", "yyyy-mm-dd; got '2025/03/01'"),
    "date without dashes": (ALL, {"start_date": "20250301"}, "start_date", "yyyy-mm-dd; got '20250301'"),
    "date without zeros": (ALL, {"start_date": "2025-3-1"}, "start_date", "yyyy-mm-dd; got '2025-3-1'"),
    "date with a time": (ALL, {"end_date": "2025-03-07T00:00"}, "end_date", "yyyy-mm-dd; got '2025-03-07T00:00'"),
    "date in words": (ALL, {"end_date": "today"}, "end_date", "yyyy-mm-dd; got 'today'"),
    "date as a number": (ALL, {"end_date": 20250307}, "end_date", "yyyy-mm-dd; got 20250307"),
    "date in other digits": (ALL, {"end_date": "２０２５-03-07"}, "end_date", "yyyy-mm-dd; got"),  # noqa: RUF001
    "date with a line end": (ALL, {"end_date": "2025-03-07\n"}, "end_date", "yyyy-mm-dd; got"),
    "30 February": (ALL, {"end_date": "2025-02-30"}, "end_date", "must be a day that exists; got '2025-02-30'"),
    "29 February of 2025": (ALL, {"end_date": "2025-02-29"}, "end_date", "must be a day that exists"),
    "year zero": (ALL, {"start_date": "0000-01-01"}, "start_date", "must be a day that exists"),
    "a moment": (ALL, {"start_date": datetime(2025, 3, 1, 9)}, "start_date", r"not a moment.*Pass value.date\(\)"),
    "reversed": (ALL, {"end_date": "2025-02-28"}, "end_date", r"not be before start_date \(2025-03-01\).*2025-02-28"),
    "half a comparison, its start": (
        (VISITS, RATES),
        {"comparison_start_date": "2025-02-01"},
        "comparison_end_date",
        "is required when comparison_start_date is given; got None",
    ),
    "half a comparison, its end": (
        (VISITS, RATES),
        {"comparison_end_date": "2025-02-01"},
        "comparison_start_date",
        "is required when comparison_end_date is given",
    ),
    "comparison reversed": (
        (VISITS, RATES),
        {"comparison_start_date": "2025-02-07", "comparison_end_date": "2025-02-01"},
        "comparison_end_date",
        r"must not be before comparison_start_date \(2025-02-07\); got '2025-02-01'",
    ),
    "comparison malformed": (
        (VISITS, RATES),
        {"comparison_start_date": "feb", "comparison_end_date": "2025-02-01"},
        "comparison_start_date",
        "yyyy-mm-dd; got 'feb'",
    ),
    "comparison grouping without a comparison": (
        (VISITS,),
        {"comparison_aggregate_by": "hour"},
        "comparison_aggregate_by",
        "has no meaning without comparison_start_date",
    ),
    "comparison interval without a comparison": (
        (RATES,),
        {"comparison_interval": "hour"},
        "comparison_interval",
        "has no meaning without comparison_start_date",
    ),
    "comparison grouping unknown": (
        (VISITS,),
        {**OTHER, "comparison_aggregate_by": "decade"},
        "comparison_aggregate_by",
        "one or more, with commas, of .*got 'decade'",
    ),
    "comparison interval unknown": (
        (RATES,),
        {**OTHER, "comparison_interval": "minute"},
        "comparison_interval",
        "one of day, hour, month, week, year; got 'minute'",
    ),
    "grouping unknown": ((LINES, VISITS), {"aggregate_by": "quarter"}, "aggregate_by", "must be one.*got 'quarter'"),
    "grouping in capitals": ((LINES, VISITS), {"aggregate_by": "Hour"}, "aggregate_by", "got 'Hour'"),
    "grouping with a space": ((VISITS,), {"aggregate_by": "hour, loc_id"}, "aggregate_by", "got 'hour, loc_id'"),
    "grouping empty": ((LINES, VISITS), {"aggregate_by": ""}, "aggregate_by", "got ''"),
    "grouping as numbers": ((LINES, VISITS), {"aggregate_by": [1]}, "aggregate_by", r"got \[1\]"),
    "a list of groupings of lines": ((LINES,), {"aggregate_by": ["month", "hour"]}, "aggregate_by", "must be one of"),
    "per what is not asked apart": ((VISITS, RATES), {"per": "zone"}, "per", "must be location.*got 'zone'"),
    "two groupings of lines": ((LINES,), {"aggregate_by": "month,hour"}, "aggregate_by", "must be one of"),
    "lines by location": ((LINES,), {"aggregate_by": "loc_id"}, "aggregate_by", "must be one of"),
    "lines by zone": ((LINES,), {"aggregate_by": "zone"}, "aggregate_by", "must be one of"),
    "grouping twice": ((VISITS,), {"aggregate_by": "hour,hour"}, "aggregate_by", "must name each grouping once"),
    "zone and more": ((VISITS,), {"aggregate_by": "zone,hour"}, "aggregate_by", "zone stands alone.*leave zone out"),
    "interval unknown": ((RATES,), {"interval": "minute"}, "interval", "one of day, hour, month, week, year"),
    "two intervals": ((RATES,), {"interval": "day,hour"}, "interval", "must be one of"),
    "location as text": (ALL, {"location": "124"}, "location", "an int, or an iterable of ints; got '124'"),
    "locations as text": (ALL, {"location": "124,125"}, "location", "an int, or an iterable of ints"),
    "location as bytes": (ALL, {"location": b"124"}, "location", "an int, or an iterable of ints"),
    "location true": (ALL, {"location": True}, "location", "an int, or an iterable of ints; got True"),
    "location among bools": (ALL, {"location": [124, False]}, "location", r"got \(124, False\)"),
    "location a float": (ALL, {"location": 124.0}, "location", "got 124.0"),
    "location a float of numpy": (ALL, {"location": numpy.float64(124)}, "location", r"got np.float64\(124.0\)"),
    "location a moment of numpy": (
        ALL,
        {"location": numpy.datetime64("2025-03-01")},
        "location",
        "an iterable of ints",
    ),
    "location a mapping": (ALL, {"location": {124: "Stockholm"}}, "location", "an int, or an iterable of ints"),
    "location none in a list": (ALL, {"location": [None]}, "location", r"got \(None,\)"),
    "location a class": (ALL, {"location": int}, "location", "an int, or an iterable of ints"),
    "location negative": (ALL, {"location": -124}, "location", "ids must not be negative; got -124"),
    "location beyond 64 bits": (ALL, {"location": [1, 2**63]}, "location", "within 64 bits; got 9223372036854775808"),
    "location of 5,000 digits": (ALL, {"location": 10**5000}, "location", "within 64 bits; got <int>"),
    "no locations": (ALL, {"location": []}, "location", "an empty list would ask for everything.*Leave location out"),
    "no zones": ((VISITS,), {"zones": ()}, "zones", "must not be empty"),
    "no zone": ((RATES,), {"zone": iter(())}, "zone", "must not be empty"),
    "zones as text": ((VISITS,), {"zones": ["201"]}, "zones", r"got \('201',\)"),
    "zone negative": ((RATES,), {"zone": [-1, 201]}, "zone", "ids must not be negative; got -1"),
    "organization as text": ((LINES,), {"organization": "1"}, "organization", "an int, or an iterable of ints"),
    "floor as text": ((LINES,), {"floor": "-1"}, "floor", "an int, or an iterable of ints"),
    "floor a fraction": ((LINES,), {"floor": [Fraction(1, 2)]}, "floor", "an int, or an iterable of ints"),
    "floor below 64 bits": ((LINES,), {"floor": -(2**63)}, "floor", "within 64 bits"),
    "zone_to negative": ((LINES,), {"zone_to": -5}, "zone_to", "ids must not be negative; got -5"),
    "zone_from empty": ((LINES,), {"zone_from": set()}, "zone_from", "must not be empty"),
    "category nested": ((LINES,), {"category": [[1, 2]]}, "category", "an int, or an iterable of ints"),
    "line_ids a shy object": ((LINES,), {"line_ids": [Shy()]}, "line_ids", "got <tuple>"),
    "per unknown": ((LINES,), {"per": "zone"}, "per", "must be one of location, organization, floor.*got 'zone'"),
    "per by its parameter": ((LINES,), {"per": "line_ids", "line_ids": [1]}, "per", "must be one of"),
    "per as a list": ((LINES,), {"per": ["location"]}, "per", "must be one of"),
    "per line, of which": ((LINES,), {"per": "line"}, "per", r"needs its values.*Pass line_ids=\[…\]"),
    "per floor, of which": ((LINES,), {"per": "floor"}, "per", r"needs its values.*Pass floor=\[…\]"),
    "per organization, of which": ((LINES,), {"per": "organization"}, "per", "needs its values"),
    "bounce_threshold below -1": ((VISITS,), {"bounce_threshold": -2}, "bounce_threshold", "-1 .*or more; got -2"),
    "bounce_threshold a float": ((VISITS,), {"bounce_threshold": 60.0}, "bounce_threshold", "whole number of seconds"),
    "bounce_threshold true": ((VISITS,), {"bounce_threshold": True}, "bounce_threshold", "whole number of seconds"),
    "bounce_threshold beyond 64 bits": ((VISITS,), {"bounce_threshold": 2**63}, "bounce_threshold", "whole number"),
    "min_dwell negative": ((VISITS,), {"min_dwell": -1}, "min_dwell", "0 or more; got -1"),
    "min_dwell as text": ((VISITS,), {"min_dwell": "60"}, "min_dwell", "whole number of seconds.*got '60'"),
    "max_dwell beyond three hours": ((VISITS,), {"max_dwell": 10_801}, "max_dwell", "from 0 to 10800; got 10801"),
    "max_dwell negative": ((VISITS,), {"max_dwell": -1}, "max_dwell", "from 0 to 10800; got -1"),
    "min above max": ((VISITS,), {"min_dwell": 61, "max_dwell": 60}, "min_dwell", r"above max_dwell \(60\); got 61"),
    "min above the most of max": (
        (VISITS,),
        {"min_dwell": 10_801, "max_dwell": 10_800},
        "min_dwell",
        "above max_dwell",
    ),
    "time zone unknown": ((VISITS, RATES), {"tz": "Europe/Gothenburg"}, "tz", "IANA time zone name.*Gothenburg"),
    "time zone as an abbreviation": ((VISITS, RATES), {"tz": "CEST"}, "tz", "IANA time zone name"),
    "time zone as an offset": ((VISITS, RATES), {"tz": "+01:00"}, "tz", "IANA time zone name"),
    "time zone empty": ((VISITS, RATES), {"tz": ""}, "tz", "IANA time zone name"),
    "time zone as a folder": ((VISITS, RATES), {"tz": "Europe"}, "tz", "IANA time zone name"),
    "time zone beside the table": ((VISITS, RATES), {"tz": "../zoneinfo/UTC"}, "tz", "IANA time zone name"),
    "time zone of the machine": ((VISITS, RATES), {"tz": "localtime"}, "tz", "IANA time zone name"),
    "time zone with leap seconds": ((VISITS, RATES), {"tz": "right/UTC"}, "tz", "IANA time zone name"),
    "time zone as a number": ((VISITS, RATES), {"tz": 1}, "tz", "IANA time zone name"),
    "time zone with a zero byte": ((VISITS, RATES), {"tz": "UTC\0"}, "tz", "IANA time zone name"),
    "split zero": (ALL, {"split": 0}, "split", 'must be "auto", None, or a whole number.*got 0'),
    "split negative": (ALL, {"split": -7}, "split", "of at least 1; got -7"),
    "split a float": (ALL, {"split": 7.0}, "split", "a whole number of days"),
    "split true": (ALL, {"split": True}, "split", "a whole number of days"),
    "split in words": (ALL, {"split": "monthly"}, "split", "a whole number of days.*got 'monthly'"),
    "on_error unknown": (ALL, {"on_error": "ignore"}, "on_error", 'must be "raise" or "collect"; got \'ignore\''),
    "on_error none": (ALL, {"on_error": None}, "on_error", 'must be "raise" or "collect"; got None'),
    "on_error a list": (ALL, {"on_error": ["raise"]}, "on_error", 'must be "raise" or "collect"'),
}
CASES = [
    pytest.param(endpoint, {**DAYS, **asked}, parameter, message, id=f"{endpoint}: {name}")
    for name, (endpoints, asked, parameter, message) in BAD.items()
    for endpoint in endpoints
]


def test_the_table_is_as_long_as_it_should_be() -> None:
    """At least sixty things that cannot be asked."""
    assert len(BAD) >= 60


@pytest.mark.parametrize(("endpoint", "asked", "parameter", "message"), CASES)
def test_a_bad_input_is_refused_with_parameter_rule_and_value(
    endpoint: str, asked: dict[str, Any], parameter: str, message: str
) -> None:
    """The message says what is wrong with what, and the error carries it and pickles."""
    with pytest.raises(InvalidQueryError, match=message) as caught:
        QUERIES[endpoint](**asked)
    error = caught.value
    assert error.parameter == parameter
    assert str(error).startswith(f"{parameter}: {error.rule}; got ")
    assert isinstance(error, ValueError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.parameter, again.rule) == (str(error), error.parameter, error.rule)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_client_refuses_all_of_them_before_anything_is_sent() -> None:
    """Through the methods: the same errors, and not one request, not even for locations."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"sent {request.url}")

    async with AsyncIndivd(token="a-token", transport=httpx.MockTransport(fail)) as client:
        for case in CASES:
            endpoint, asked, _, message = case.values
            with pytest.raises(InvalidQueryError, match=message):
                await getattr(client, endpoint)(**asked)
        assert client.stats.requests == client.stats.attempts == 0


GOOD: dict[str, tuple[type[Query], dict[str, Any], dict[str, Any]]] = {
    "dates as text": (LineCrosses, {}, {"start_date": date(2025, 3, 1), "end_date": date(2025, 3, 7)}),
    "dates as dates": (DropInRate, {"start_date": date(2025, 3, 1)}, {"start_date": date(2025, 3, 1)}),
    "leap day": (ZoneVisitors, {"start_date": "2024-02-29"}, {"start_date": date(2024, 2, 29)}),
    "one day": (ZoneVisitors, {"start_date": "2025-03-07"}, {"start_date": date(2025, 3, 7)}),
    "basement": (LineCrosses, {"floor": -1}, {"floor": (-1,)}),
    "floors": (LineCrosses, {"floor": [-1, 0, 2]}, {"floor": (-1, 0, 2)}),
    "one id": (ZoneVisitors, {"location": 124}, {"location": (124,)}),
    "id zero": (ZoneVisitors, {"location": 0}, {"location": (0,)}),
    "largest id": (ZoneVisitors, {"location": 2**63 - 1}, {"location": (2**63 - 1,)}),
    "ids in any iterable": (ZoneVisitors, {"zones": (id for id in (3, 1, 2))}, {"zones": (3, 1, 2)}),
    "ids in a range": (LineCrosses, {"line_ids": range(3)}, {"line_ids": (0, 1, 2)}),
    "ids that repeat": (DropInRate, {"zone": [2, 1, 2, 1]}, {"zone": (2, 1)}),
    "ids of another library": (
        DropInRate,
        {"zone": [Indexed(7)], "location": Indexed(8)},
        {"zone": (7,), "location": (8,)},
    ),
    "bounce by the zone's own threshold": (ZoneVisitors, {"bounce_threshold": -1}, {"bounce_threshold": -1}),
    "no bounce": (ZoneVisitors, {"bounce_threshold": 0}, {"bounce_threshold": 0}),
    "dwell equal": (ZoneVisitors, {"min_dwell": 60, "max_dwell": 60}, {"min_dwell": 60, "max_dwell": 60}),
    "dwell at its most": (ZoneVisitors, {"max_dwell": 10_800}, {"max_dwell": 10_800}),
    "dwell of another library": (ZoneVisitors, {"min_dwell": Indexed(60)}, {"min_dwell": 60}),
    "groupings together": (ZoneVisitors, {"aggregate_by": "hour,loc_id"}, {"aggregate_by": "hour,loc_id"}),
    "zone alone": (ZoneVisitors, {"aggregate_by": "zone"}, {"aggregate_by": "zone"}),
    "per location without locations": (LineCrosses, {"per": "location"}, {"per": "location", "location": None}),
    "per line": (LineCrosses, {"per": "line", "line_ids": 7}, {"line_ids": (7,)}),
    "minutes of a year": (
        LineCrosses,
        {"start_date": "2024-03-07", "aggregate_by": "minute"},
        {"aggregate_by": "minute"},
    ),
    "minutes of a year, cut only where it must be": (
        LineCrosses,
        {"start_date": "2024-03-07", "aggregate_by": "minute", "split": None},
        {"split": None},
    ),
    "split of another library": (LineCrosses, {"split": Indexed(7)}, {"split": 7}),
    "comparison by another grouping": (
        ZoneVisitors,
        {**OTHER, "comparison_aggregate_by": "hour"},
        {"comparison_start_date": date(2025, 2, 1), "comparison_aggregate_by": "hour"},
    ),
    "old time zone name": (DropInRate, {"tz": "US/Eastern"}, {"tz": "US/Eastern"}),
}


@pytest.mark.parametrize(("kind", "asked", "fields"), GOOD.values(), ids=GOOD.keys())
def test_a_good_input_is_kept_in_its_one_form(kind: type[Query], asked: dict[str, Any], fields: dict[str, Any]) -> None:
    """Dates are dates, ids are tuples of ints in order of first appearance; the value hashes and pickles."""
    query = kind(**{**DAYS, **asked})
    found = {name: getattr(query, name) for name in fields}
    assert found == fields
    assert all(type(found[name]) is type(fields[name]) for name in fields)
    assert hash(pickle.loads(pickle.dumps(query))) == hash(query)
    assert pickle.loads(pickle.dumps(query)) == query


def test_a_query_cannot_be_changed_but_copied() -> None:
    """Frozen; a changed copy is checked as any other."""
    query = LineCrosses("2025-03-01", "2025-03-07")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        query.per = "location"  # type: ignore[misc]
    with pytest.raises(InvalidQueryError, match="end_date"):
        attrs.evolve(query, end_date="2024-01-01")


@pytest.mark.parametrize(("endpoint", "kind"), QUERIES.items())
def test_a_query_knows_its_endpoint(endpoint: str, kind: type[Query]) -> None:
    """By the name that the API has for it."""
    assert kind("2025-03-01", "2025-03-07").endpoint.name == endpoint


def test_a_refused_value_that_cannot_be_pickled_is_told_in_words() -> None:
    """The error pickles all the same."""
    with pytest.raises(InvalidQueryError) as caught:
        LineCrosses("2025-03-01", "2025-03-07", location=lambda: 124)  # type: ignore[arg-type]
    assert callable(caught.value.value)
    assert pickle.loads(pickle.dumps(caught.value)).value.startswith("<function")


@pytest.mark.parametrize(
    ("query", "name", "given", "sent"),
    [
        (LineCrosses, "aggregate_by", "day", "dayofmonth"),
        (LineCrosses, "aggregate_by", ["hour"], "hour"),
        (ZoneVisitors, "aggregate_by", ["year", "month", "day"], "year,month,dayofmonth"),
        (ZoneVisitors, "aggregate_by", "day,loc_id", "dayofmonth,loc_id"),
        (DropInRate, "interval", "dayofmonth", "day"),
        (DropInRate, "interval", ("hour",), "hour"),
    ],
)
def test_the_day_has_two_names_and_groupings_may_be_listed(query: Any, name: str, given: Any, sent: str) -> None:
    """Both names of the day mean the same, and go out as the endpoint calls it."""
    assert getattr(query("2025-03-01", "2025-03-07", **{name: given}), name) == sent


@pytest.mark.parametrize("kind", [BaseQuery, ZoneQuery])
def test_what_queries_have_in_common_is_no_query(kind: type[BaseQuery]) -> None:
    """It asks no endpoint, and says which classes do; they are of it."""
    with pytest.raises(TypeError, match="LineCrosses, ZoneVisitors, DropInRate"):
        kind("2025-03-01", "2025-03-02")
    assert isinstance(ZoneVisitors("2025-03-01", "2025-03-02"), kind)


@pytest.mark.parametrize("given", [5, "zone_visitors", b"", ZoneVisitors, None], ids=repr)
def test_what_holds_no_values_is_named(given: object) -> None:
    """Text is no list of its letters."""
    with pytest.raises(InvalidQueryError, match="must be a list of queries"):
        one_by_one("queries", given, ZoneVisitors, "must be a list of queries")


def test_values_are_looked_at_as_they_are_pulled() -> None:
    """A list may be endless."""
    pulled = one_by_one("queries", itertools.cycle([1, "x"]), int, "must be numbers")
    assert next(pulled) == 1
    with pytest.raises(InvalidQueryError, match="must be numbers"):
        next(pulled)
