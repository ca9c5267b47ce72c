"""What there is to know about the figures of a result: judged from what came back and what is known. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import attrs

from ..models import Bucket, LineCrossesRow, Location, ZoneDropIn, clocks
from ..planning import Plan, PlannedRequest
from ..profile import NOTHING_KNOWN, Numbering
from ..queries import LineCrosses, Query
from ..results import AnyResult, Coverage, DropInRateResult, Note, ZoneVisitorsResult
from ..results.notes import numbering_unknown


@attrs.frozen(kw_only=True)
class Known:
    """What notes may be judged by, where it is known: the time (aware), and the locations that were looked up."""

    now: datetime | None = None
    locations: Mapping[int, Location] | None = None
    #: Whether the list of zones was asked for, where rows might not tell their location.
    has_asked_for_zones: bool = False
    #: The ids of every list that was looked up, by its name.
    lists: Mapping[str, Container[int]] = attrs.field(factory=dict)


PARTIAL_SUM = Note(
    kind="partial_sum",
    message="A failed request was one part of sums: some figures lack its share until it is fetched (retry_failed).",
)
_UNSCOPED = Note(
    kind="unscoped_lines",
    message="No zones, categories or lines were given, so a visitor is counted once for every line crossed; "
    "Indivd's article on the API says to scope such requests.",
)
_UNSCOPED_ZONES = Note(
    kind="unscoped_drop_in",
    message="No zone was given, so the summary and the details are of all zones together, which Indivd's "
    "article on the API calls rarely useful; zone_details has each by itself.",
)
#: The list that the ids of a parameter are in.
_LISTS = {
    "zones": "zones",
    "zone": "zones",
    "zone_to": "zones",
    "zone_from": "zones",
    "category": "categories",
    "line_ids": "lines",
    "organization": "organizations",
}
#: Labels that have numbers, and what they are called.
_NUMBERED = {"week": "weeks", "dayofweek": "weekdays"}
_LAST_OF_WEEK = timedelta(days=6)
_NO_LOCATIONS = Note(
    kind="no_locations",
    message="The token's list of locations is empty, so there was nothing to ask for and nothing was sent.",
)


def notes_on(plan: Plan, result: AnyResult, known: Known) -> Iterator[Note]:
    """Find what is worth saying about *result*; nothing here costs a request."""
    query = plan.query
    if not plan.layout.series:
        yield _NO_LOCATIONS
    if isinstance(query, LineCrosses) and not (query.zone_to or query.zone_from or query.category or query.line_ids):
        yield _UNSCOPED
    if isinstance(result, DropInRateResult):
        if getattr(query, "zone", None) is None and len(result.zone_details.current) > 1:
            yield _UNSCOPED_ZONES
        yield from _on_rates(result)
    yield from _on_lists(query, known)
    yield from _on_numbers(plan, result)
    if isinstance(result, ZoneVisitorsResult) and known.has_asked_for_zones:
        yield from _on_places(result)
    yield from _on_open_days(result.coverage, known)
    yield from _on_scope(result.coverage, known)


def _on_numbers(plan: Plan, result: AnyResult) -> Iterator[Note]:
    """Say where weeks or weekdays have numbers that nobody knows, or others than the profile says."""
    numbering = (plan.profile or NOTHING_KNOWN).numbering
    grouped = {name for part in plan.layout.parts for name in part.resolved.split(",")}
    asked = [(name, words) for name, words in _NUMBERED.items() if name in grouped and len(result)]
    unknown = [words for name, words in asked if getattr(numbering, f"{words}") is None]
    if unknown:
        yield numbering_unknown(unknown)
    contradicting = [words for name, words in asked if any(_contradicts(b, numbering, plan) for b in _buckets(result))]
    if contradicting:
        yield Note(
            kind="profile_contradicted",
            message="Some labels are not numbered as the profile says, so it is not followed here: weeks and weekdays "
            "stay the API's own. Let `indivd verify` write the profile anew.",
        )


def _buckets(result: AnyResult) -> set[Bucket]:
    if isinstance(result, DropInRateResult):
        return {row.bucket for row in (*result.details.current, *(result.details.comparison or ()))}
    return {row.bucket if isinstance(row, LineCrossesRow) else row.aggregation.bucket for row in result}


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


def _on_rates(result: DropInRateResult) -> Iterator[Note]:
    zones = [*result.zone_details.current.values(), *(result.zone_details.comparison or {}).values()]
    over = sorted({zone.zone_id for zone in zones if _is_zone_over(zone)})
    totals = [total for total in (result.summary.current, result.summary.comparison) if total is not None]
    rates = [(total.enter_percentage, total.enter, total.passing_by) for total in totals]
    rows = (*result.details.current, *(result.details.comparison or ()))
    rates += [(row.drop_in_rate, row.enter, row.passing_by) for row in rows]
    if over or any(map(_is_over, rates)):
        where = f" Zones: {', '.join(map(str, over))}." if over else ""
        yield Note(
            kind="drop_in_over_100",
            message="Some drop-in rates are above 100 %: more entries than passers-by were recorded, a sign of how "
            f"lines are set up, not a rate.{where}",
        )


def _on_places(result: ZoneVisitorsResult) -> Iterator[Note]:
    unplaced = {row.aggregation.zone_id for row in result if row.aggregation.loc_id is None}
    if unplaced:
        shown = ", ".join(map(str, sorted(unplaced)[:10])) + (" and more" if len(unplaced) > 10 else "")
        yield Note(
            kind="location_unknown",
            message=f'Nothing tells in which location zones {shown} are; per="location" asks for each apart.',
        )


def _is_zone_over(zone: ZoneDropIn) -> bool:
    rates = [(row.drop_in_rate, row.visits, row.passing_by) for row in zone.details]
    return any(map(_is_over, [*rates, (zone.drop_in_rate, zone.total_visits, zone.total_passing_by)]))


def _is_over(rated: tuple[float | None, int, int]) -> bool:
    """Tell whether more came in than passed, also where nobody passed and so there is no rate."""
    rate, enter, passing_by = rated
    return enter > passing_by or (rate is not None and rate > 100)


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
            if last_day >= _today(clock, known.now):
                names.add(clock or "the location's time zone, which is not known here")
    if names:
        yield Note(
            kind="provisional_period",
            message=f"The period reaches a day that has not ended ({', '.join(sorted(names))}): "
            "its figures still grow.",
        )


def _clocks(tz: str | None, locations: tuple[int, ...] | None, known: Known) -> set[str | None]:
    """List the clocks by which the days of a request end: its own, else those of its locations; None: not known."""
    if tz is not None:
        return {tz}
    listed = known.locations or {}
    wanted = locations if locations is not None else tuple(listed)
    found = {listed[id].timezone if id in listed else None for id in wanted} or {None}
    return {name if name and clocks.is_time_zone(name) else None for name in found}


def _today(clock: str | None, now: datetime) -> date:
    return clocks.local_today(now, clock) if clock else clocks.last_today(now)


def _on_scope(coverage: Sequence[Coverage], known: Known) -> Iterator[Note]:
    if known.locations is None:
        return
    # Rows for one location alone show that it is in scope, whatever the list says; rows for several do not say whose.
    doubtful = (item.request for item in coverage if item.status != "failed" and not _shows_scope(item))
    unlisted = sorted({id for request in doubtful for id in request.locations or () if id not in known.locations})
    if unlisted:
        yield Note(
            kind="possibly_out_of_scope",
            message=f"Locations {', '.join(map(str, unlisted))} are not in this token's list of locations: they may be "
            "out of its scope, and missing here.",
        )


def _on_lists(query: Query, known: Known) -> Iterator[Note]:
    for parameter, name in _LISTS.items():
        listed, asked = known.lists.get(name), getattr(query, parameter, None)
        if unlisted := [id for id in asked or () if id not in listed] if listed is not None else []:
            yield Note(
                kind="unlisted_ids",
                message=f"{parameter} {', '.join(map(str, unlisted[:5]))}: the list of {name} has no such id.",
            )


def _shows_scope(item: Coverage) -> bool:
    return item.status == "ok" and _is_about_one(item.request)


def _is_about_one(request: PlannedRequest) -> bool:
    return len(request.locations or ()) == 1
