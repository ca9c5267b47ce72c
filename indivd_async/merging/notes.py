"""What there is to know about the figures of a result: judged from what came back and what is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

import attrs

from ..fielded import Fielded
from ..models import Aggregation, Bucket, ZoneDropIn, ZoneVisitorsRow, clocks
from ..models.endpoints import LISTED_IN
from ..planning import Plan, Window
from ..profile import NOTHING_KNOWN, WEEKS, Numbering
from ..queries import DropInRate, LineCrosses, Query
from ..queries.fields import periods_of
from ..results import AnyResult, Coverage, DropInRateResult, Note, ZoneVisitorsResult
from ..results.drop_in_rate import note_over_100, rates_of
from ..results.notes import numbered, numbering_notes, word_note
from ..time_zones import is_time_zone
from ..wording import some_of


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Known(Fielded):
    """What notes may be judged by, where it is known: the time (aware), and what was looked up."""

    now: datetime | None = None
    #: Every list that was looked up, by its name and the ids of its entries.
    lists: Mapping[str, Mapping[int, Any]] = attrs.field(factory=dict)
    #: Whether the list of zones was asked for, where rows might not tell their location.
    has_asked_for_zones: bool = False


_LAST_OF_WEEK = timedelta(days=6)


def notes_on(plan: Plan, result: AnyResult, known: Known) -> Iterator[Note]:
    """Find what is worth saying about *result*; nothing here costs a request."""
    query = plan.query
    adds = isinstance(query, DropInRate) or (
        isinstance(query, LineCrosses)
        and (plan.layout.parts[0].rows_repeat or any(len(members) > 1 for members in plan.layout.families))
    )
    if adds and not result.complete:
        yield word_note("partial_sum")
    if not plan.layout.series:
        yield word_note("no_locations")
    if isinstance(query, LineCrosses) and not (query.zone_to or query.zone_from or query.category or query.line_ids):
        yield word_note("unscoped_lines")
    if isinstance(result, DropInRateResult):
        if getattr(query, "zone", None) is None and len(result.zone_details.current) > 1:
            yield word_note("unscoped_drop_in")
        sections = (result.summary, result.details, result.zone_details)
        rates = []
        for period in ("current", "comparison"):
            total, rows, zones = (getattr(section, period) for section in sections)
            rates += rates_of(total, rows or (), (zones or {}).values())
        yield from note_over_100(rates)
    yield from _on_lists(query, known)
    yield from _on_numbers(plan, result)
    if isinstance(result, ZoneVisitorsResult) and known.has_asked_for_zones:
        yield from _on_places(row.aggregation for row in _visits(result))
    elif isinstance(result, DropInRateResult) and any(
        len(item.request.locations or ()) > 1 for item in result.coverage
    ):
        blocks = (result.zone_details.current, result.zone_details.comparison or {})
        yield from _on_places(zone for block in blocks for zone in block.values())
    yield from _on_open_days(result.coverage, known)
    yield from _on_scope(result.coverage, known)


def _on_numbers(plan: Plan, result: AnyResult) -> Iterator[Note]:
    """Say where weeks or weekdays have numbers that nobody knows, or others than the profile says."""
    groupings = [part.resolved for part in plan.layout.parts]
    if not numbered(groupings) or not len(result):
        return
    yield from numbering_notes(groupings, plan.profile)
    numbering = (plan.profile or NOTHING_KNOWN).numbering
    buckets = _buckets(result)
    if any(_contradicts(bucket, numbering, plan) for bucket in buckets):
        yield word_note("profile_contradicted")
    for window in (Window(start, end) for _, start, end in periods_of(plan.query)):
        if any(_is_twice_in(window, bucket, numbering) for bucket in buckets):
            yield word_note("incomplete_labels", lacks="week's own year", window=window)
            return


def _buckets(result: AnyResult) -> set[Bucket]:
    if isinstance(result, DropInRateResult):
        return {row.bucket for row in (*result.details.current, *(result.details.comparison or ()))}
    if isinstance(result, ZoneVisitorsResult):
        return {row.aggregation.bucket for row in _visits(result)}
    return {row.bucket for row in result}


def _visits(result: ZoneVisitorsResult) -> Iterator[ZoneVisitorsRow]:
    """Yield the rows of both periods."""
    return chain(result.current.insights, result.comparison.insights if result.comparison else ())


def _contradicts(bucket: Bucket, numbering: Numbering, plan: Plan) -> bool:
    if bucket.dayofweek is not None and numbering.weekdays is not None:
        return numbering.weekday(bucket.dayofweek) is None
    if bucket.week is None or bucket.year is None or numbering.weeks is None:
        return False
    start = numbering.week_start(bucket.year, bucket.week)
    if start is None:
        return numbering.weeks != "iso-calendar-year"  # under which a label may stand for two weeks
    windows = [window for part in plan.layout.parts for window in (*part.windows, part.comparison) if window]
    return not any(start <= window.end and start + _LAST_OF_WEEK >= window.start for window in windows)


def _is_twice_in(window: Window, bucket: Bucket, numbering: Numbering) -> bool:
    """Tell whether a label stands for two weeks of *window*, one at either end of its year."""
    year, week = bucket.year, bucket.week
    if numbering.weeks is None or year is None or week is None or not window.start.year <= year <= window.end.year:
        return False
    ends = [first + timedelta(days=days) for first in (date(year, 1, 1), date(year, 12, 25)) for days in range(7)]
    told = [day for day in ends if window.start <= day <= window.end and WEEKS[numbering.weeks](day) == (year, week)]
    return bool(told) and told[-1] - told[0] > _LAST_OF_WEEK


def _on_places(places: Iterable[Aggregation | ZoneDropIn]) -> Iterator[Note]:
    unplaced = {place.zone_id for place in places if place.loc_id is None}
    if unplaced:
        yield word_note("location_unknown", zones=some_of(unplaced, 10))


def _on_open_days(coverage: Sequence[Coverage], known: Known) -> Iterator[Note]:
    if known.now is None:
        return
    asked: dict[tuple[str | None, tuple[int, ...] | None], date] = {}
    for item in coverage:
        request = item.request
        key = (request.tz, request.locations)
        asked[key] = max(asked.get(key, date.min), request.last_day)
    names = set()
    for (tz, locations), last_day in asked.items():
        for clock in _clocks(tz, locations, known):
            today = clocks.local_today(known.now, clock) if clock else clocks.last_today(known.now)
            if last_day >= today:
                names.add(clock or "the location's time zone, which is not known here")
    if names:
        yield word_note("provisional_period", clocks=", ".join(sorted(names)))


def _clocks(tz: str | None, locations: tuple[int, ...] | None, known: Known) -> set[str | None]:
    """List the clocks by which the days of a request end: its own, else those of its locations; None: not known."""
    if tz is not None:
        return {tz}
    listed = known.lists.get("locations", {})
    wanted = locations if locations is not None else tuple(listed)
    found = {listed[id].timezone if id in listed else None for id in wanted} or {None}
    return {name if is_time_zone(name) else None for name in found}


def _on_scope(coverage: Sequence[Coverage], known: Known) -> Iterator[Note]:
    if "locations" not in known.lists:
        return
    # Rows for one location alone show that it is in scope, whatever the list says; rows for several do not say whose.
    asked = [(item.status, item.request.locations or ()) for item in coverage if item.status != "failed"]
    doubtful = chain.from_iterable(ids for status, ids in asked if status != "ok" or len(ids) != 1)
    unlisted = sorted({id for id in doubtful if id not in known.lists["locations"]})
    if unlisted:
        yield word_note("possibly_out_of_scope", locations=", ".join(map(str, unlisted)))


def _on_lists(query: Query, known: Known) -> Iterator[Note]:
    for parameter, name in LISTED_IN.items():
        if parameter == "location":  # which `_on_scope` holds against what came back
            continue
        listed, asked = known.lists.get(name), getattr(query, parameter, None)
        if unlisted := [id for id in asked or () if id not in listed] if listed is not None else []:
            yield word_note("unlisted_ids", what=parameter, ids=some_of(unlisted), list=name)
