"""
The documented shape, fast: msgspec reads and checks the bytes in one pass, and a loop here makes the rows.

It serves only what it reads exactly as cattrs would. All else it declines: fields that are not known, other types,
other names, every fault. A property test holds both ways to equal answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from sys import intern
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from ..models import (
    NOTHING_EXTRA,
    Aggregation,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    LineCrossesRow,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from ..models.values import MOST_INT, bucket_of, draft_of
from ..results import Answer, Dates, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer


def read_documented(endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int]) -> Answer | None:
    """Structure *body* if it has the documented shape, else return None; *tz* and *carried* go into the rows."""
    decoder, build = _SHAPES[endpoint]
    try:
        return build(decoder.decode(body.removeprefix(b"\xef\xbb\xbf")), tz=tz, carried=carried)
    except (_Declined, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class _Declined(Exception):
    """Sound as far as types go, but not the documented shape."""


# The shape, its fields in the article's order: msgspec looks for a field first behind the one before. Without the
# collector: these objects hold no cycles, and none outlives the call.

_Int = Annotated[int, msgspec.Meta(ge=-MOST_INT - 1, le=MOST_INT)]


class _Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class _Labels(_Wire):
    year: _Int | None = None
    month: _Int | None = None
    week: _Int | None = None
    dayofmonth: _Int | None = None
    dayofweek: _Int | None = None
    hour: _Int | None = None
    minute: _Int | None = None


class _Line(_Wire):
    labels: _Labels = msgspec.field(name="_id")
    count: _Int


class _Stats(_Wire):  # all of it, or {}
    mean: float | UnsetType | None = UNSET
    min: float | UnsetType | None = UNSET
    max: float | UnsetType | None = UNSET
    quantiles: tuple[float | None, ...] | UnsetType | None = UNSET
    n: _Int | UnsetType | None = UNSET


class _Exclude(_Wire):  # all of it, or {}
    min_dwell_time: _Int | UnsetType | None = UNSET
    max_dwell_time: _Int | UnsetType | None = UNSET


class _Aggregation(_Wire, kw_only=True):
    minute: _Int | None = None
    hour: _Int | None = None
    dayofmonth: _Int | None = None
    dayofweek: _Int | None = None
    week: _Int | None = None
    month: _Int | None = None
    year: _Int | None = None
    loc_id: _Int | None = None
    zone_id: _Int
    zone_name: str | None = None
    bounce_threshold: _Int | None = None


class _Visit(_Wire, kw_only=True):
    visits: _Int
    unique_visits: _Int | None = None
    bounce: _Int | None = None
    dwell_time: float | None = None
    dwell_time_stats: _Stats | None = None
    exclude: _Exclude | None = None
    aggregation: _Aggregation


class _Period(_Wire):  # all of it, or {}
    startdate: str | UnsetType = UNSET
    enddate: str | UnsetType = UNSET
    insights: list[_Visit] | UnsetType = UNSET


class _Visits(_Wire):
    current: _Period
    comparison: _Period | list[Any] | None = None


class _DropIn(_Wire, kw_only=True):
    year: _Int | None = None
    month: _Int | None = None
    week: _Int | None = None
    day: _Int | None = None
    hour: _Int | None = None
    passing_by: _Int
    enter: _Int
    drop_in_rate: float | None


class _ZoneDropInRow(_Labels, kw_only=True):
    visits: _Int
    passing_by: _Int
    drop_in_rate: float | None


class _ZoneDropIn(_Wire, kw_only=True):
    zone_id: _Int
    zone_name: str | None = None
    loc_id: _Int | None = None
    loc_name: str | None = None
    location_custom_id: str | None = None
    total_visits: _Int
    total_passing_by: _Int
    drop_in_rate: float | None
    details: list[_ZoneDropInRow]


class _Totals(_Wire):  # all of it, or {}
    startdate: str | UnsetType = UNSET
    enddate: str | UnsetType = UNSET
    passing_by: _Int | UnsetType = UNSET
    enter: _Int | UnsetType = UNSET
    enter_percentage: float | UnsetType = UNSET


class _Summary(_Wire):
    current: _Totals
    comparison: _Totals


class _Details(_Wire):
    interval: str
    current: list[_DropIn]
    comparison: list[_DropIn]


class _Zones(_Wire):
    current: dict[str, _ZoneDropIn]
    comparison: dict[str, _ZoneDropIn]


class _DropIns(_Wire):
    summary: _Summary
    details: _Details
    zone_details: _Zones


_NO_STATS, _NO_PERIOD, _NO_TOTALS = _Stats(), _Period(), _Totals()


def _is_sent(wire: Any) -> bool:
    """Tell whether a period or a total was sent whole, or left out; decline what is neither."""
    if not wire or wire in (_NO_PERIOD, _NO_TOTALS):
        return False
    if isinstance(wire, list) or UNSET in msgspec.structs.astuple(wire):
        raise _Declined
    return True


# From the shape to the rows: drafts that become rows (see `draft_of`); buckets, exclusions and names are shared.


def _build_lines(wires: list[_Line], *, tz: str | None, carried: Mapping[str, int]) -> LineCrossesAnswer:  # noqa: ARG001
    new_row, share_bucket, labels_of, nothing = (
        draft_of(LineCrossesRow),
        bucket_of,
        msgspec.structs.astuple,
        NOTHING_EXTRA,
    )
    location, organization, floor = map(carried.get, ("location", "organization", "floor"))
    zone_to, zone_from, category, line = map(carried.get, ("zone_to", "zone_from", "category", "line"))
    rows = []
    for wire in wires:
        row = new_row()
        row.bucket = share_bucket(*labels_of(wire.labels))
        row.count = wire.count
        row.location = location
        row.organization = organization
        row.floor = floor
        row.zone_to = zone_to
        row.zone_from = zone_from
        row.category = category
        row.line = line
        row.loc_name = None
        row.extra = nothing
        row.__class__ = LineCrossesRow
        rows.append(row)
    return LineCrossesAnswer(rows=tuple(rows))


def _build_visits(wire: _Visits, *, tz: str | None, carried: Mapping[str, int]) -> ZoneVisitorsAnswer:  # noqa: ARG001
    current, dates = _build_period(wire.current, tz)
    comparison, comparison_dates = _build_period(wire.comparison, tz)
    return ZoneVisitorsAnswer(
        current=current or (), comparison=comparison, dates=dates, comparison_dates=comparison_dates
    )


def _build_period(wire: Any, tz: str | None) -> tuple[tuple[ZoneVisitorsRow, ...] | None, Dates]:
    if not _is_sent(wire):
        return None, (None, None)
    return tuple(_build_visit_rows(wire.insights, tz)), (wire.startdate, wire.enddate)


def _build_visit_rows(wires: Any, tz: str | None) -> list[Any]:
    # The costliest loop of the library: no calls but those that share, no global names.
    new_row, new_place, new_stats = draft_of(ZoneVisitorsRow), draft_of(Aggregation), draft_of(DwellTimeStats)
    row_class, place_class, stats_class, nothing, unset = (
        ZoneVisitorsRow,
        Aggregation,
        DwellTimeStats,
        NOTHING_EXTRA,
        UNSET,
    )
    share_bucket, share_exclude, share_name = bucket_of, _exclude, intern
    rows = []
    for wire in wires:
        sent = wire.aggregation
        place = new_place()
        place.zone_id = sent.zone_id
        place.bucket = share_bucket(
            sent.year, sent.month, sent.week, sent.dayofmonth, sent.dayofweek, sent.hour, sent.minute
        )
        name = sent.zone_name
        place.zone_name = name and share_name(name)
        place.bounce_threshold = sent.bounce_threshold
        place.loc_id = sent.loc_id
        place.loc_name = None
        place.extra = nothing
        place.__class__ = place_class

        stats = None
        sent = wire.dwell_time_stats
        if sent is not None:
            mean, least, most, quantiles, n = sent.mean, sent.min, sent.max, sent.quantiles, sent.n
            if mean is unset or least is unset or most is unset or quantiles is unset or n is unset:
                if sent != _NO_STATS:
                    raise _Declined
            else:
                stats = new_stats()
                stats.mean = mean
                stats.min = least
                stats.max = most
                stats.quantiles = quantiles
                stats.n = n
                stats.extra = nothing
                stats.__class__ = stats_class

        row = new_row()
        row.visits = wire.visits
        row.unique_visits = wire.unique_visits
        row.bounce = wire.bounce
        row.dwell_time = wire.dwell_time
        row.dwell_time_stats = stats
        sent = wire.exclude
        row.exclude = None if sent is None else share_exclude(sent.min_dwell_time, sent.max_dwell_time)
        row.aggregation = place
        row.tz = tz
        row.extra = nothing
        row.__class__ = row_class
        rows.append(row)
    return rows


@lru_cache(maxsize=1024)
def _exclude(shorter: int | UnsetType | None, longer: int | UnsetType | None) -> Exclude | None:
    if shorter is UNSET and longer is UNSET:
        return None
    if shorter is UNSET or longer is UNSET:
        raise _Declined
    return Exclude(min_dwell_time=shorter, max_dwell_time=longer)


def _build_drop_in(wire: _DropIns, *, tz: str | None, carried: Mapping[str, int]) -> DropInAnswer:  # noqa: ARG001
    current, comparison = (
        DropInBlock(summary=_build_totals(totals), details=_build_drop_in_rows(rows), zones=_build_zones(zones, tz))
        for totals, rows, zones in (
            (wire.summary.current, wire.details.current, wire.zone_details.current),
            (wire.summary.comparison, wire.details.comparison, wire.zone_details.comparison),
        )
    )
    nothing = DropInBlock(summary=None, details=(), zones=())
    return DropInAnswer(
        interval=wire.details.interval, current=current, comparison=None if comparison == nothing else comparison
    )


def _build_totals(wire: _Totals) -> DropInTotals | None:
    if not _is_sent(wire):
        return None
    totals = msgspec.structs.asdict(wire)
    if totals["passing_by"] == 0:
        totals["enter_percentage"] = None
    return DropInTotals(**totals)


def _build_drop_in_rows(wires: list[_DropIn]) -> tuple[DropInRow, ...]:
    new_row, share_bucket = draft_of(DropInRow), bucket_of
    rows = []
    for wire in wires:
        row = new_row()
        row.bucket = share_bucket(wire.year, wire.month, wire.week, wire.day, None, wire.hour, None)
        row.passing_by = passing_by = wire.passing_by
        row.enter = wire.enter
        row.drop_in_rate = None if passing_by == 0 else wire.drop_in_rate
        row.extra = NOTHING_EXTRA
        row.__class__ = DropInRow
        rows.append(row)
    return tuple(rows)


def _build_zones(wires: dict[str, _ZoneDropIn], tz: str | None) -> tuple[ZoneDropIn, ...]:
    return tuple([_build_zone(key, wire, tz) for key, wire in wires.items()])


def _build_zone(key: str, wire: _ZoneDropIn, tz: str | None) -> ZoneDropIn:
    if key != str(wire.zone_id):
        raise _Declined
    return ZoneDropIn(
        zone_id=wire.zone_id,
        zone_name=wire.zone_name,
        loc_id=wire.loc_id,
        loc_name=wire.loc_name,
        location_custom_id=wire.location_custom_id,
        total_visits=wire.total_visits,
        total_passing_by=wire.total_passing_by,
        drop_in_rate=None if wire.total_passing_by == 0 else wire.drop_in_rate,
        details=_build_zone_rows(wire.details, wire.zone_id, wire.loc_id),
        tz=tz,
    )


def _build_zone_rows(wires: list[_ZoneDropInRow], zone_id: int, loc_id: int | None) -> tuple[ZoneDropInRow, ...]:
    new_row, share_bucket = draft_of(ZoneDropInRow), bucket_of
    rows = []
    for wire in wires:
        row = new_row()
        row.bucket = share_bucket(
            wire.year, wire.month, wire.week, wire.dayofmonth, wire.dayofweek, wire.hour, wire.minute
        )
        row.visits = wire.visits
        row.passing_by = passing_by = wire.passing_by
        row.drop_in_rate = None if passing_by == 0 else wire.drop_in_rate
        row.zone_id = zone_id
        row.loc_id = loc_id
        row.extra = NOTHING_EXTRA
        row.__class__ = ZoneDropInRow
        rows.append(row)
    return tuple(rows)


_SHAPES: Mapping[str, tuple[msgspec.json.Decoder[Any], Callable[..., Answer]]] = {
    "line_crosses": (msgspec.json.Decoder(list[_Line]), _build_lines),
    "zone_visitors": (msgspec.json.Decoder(_Visits), _build_visits),
    "drop_in_rate": (msgspec.json.Decoder(_DropIns), _build_drop_in),
}
