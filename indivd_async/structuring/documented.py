"""
The documented shape, fast: msgspec reads and checks the bytes in one pass, and a loop here makes the rows.

It serves only what it reads exactly as cattrs would. All else it declines: fields that are not known, other types,
other names, every fault. A property test holds both ways to equal answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any, cast

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from .. import models
from ..fielded import Fielded
from ..models.values import bucket_of, draft_of
from ..results import Answer, Block
from .forms import DropIns, Period, Visits
from .places import fill_in
from .wires import do_agree, struct_of


def read_documented(
    endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int], for_table: bool = False
) -> Answer | None:
    """
    Structure *body* if it has the documented shape, else return None; *tz* and *carried* go into the rows.

    *for_table* leaves rows as they were decoded: they have the attributes of rows, no more, and go when their columns
    are made.
    """
    shape = _SHAPES[endpoint]
    make_rows = shape.complete_rows if for_table else shape.build_rows
    try:
        sent = _decoder_of(endpoint, for_table).decode(body.removeprefix(b"\xef\xbb\xbf"))
        return shape.build(sent, tz, carried, make_rows)
    except (_Declined, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class _Declined(Exception):
    """Sound as far as types go, but not the documented shape."""


_fields_of = msgspec.structs.astuple


def _is_sent(wire: Any) -> bool:
    """Tell whether an object was sent whole, or left out; decline what is neither."""
    if not wire:
        return False
    if isinstance(wire, list):
        raise _Declined
    left_out = _fields_of(wire).count(UNSET)
    if 0 < left_out < len(wire.__struct_fields__):
        raise _Declined
    return not left_out


# From the shape to the rows: drafts that become rows (see `draft_of`); buckets, exclusions and names are shared.


#: Makes the rows of what was sent and of what the request, or the object around them, says of all of them.
_MakeRows = Callable[[list[Any], Mapping[str, Any]], tuple[Any, ...]]


def _complete_rows(wires: list[Any], labelled: list[Any], carried: Mapping[str, Any]) -> tuple[Any, ...]:
    """Let *wires* stand for rows: give them the bucket of *labelled*, and what is *carried*."""
    last, bucket = cast("Any", [None] * 2)
    for wire, sent in zip(wires, labelled, strict=True):
        labels = (sent.year, sent.month, sent.week, sent.dayofmonth, sent.dayofweek, sent.hour, sent.minute)
        if labels != last:  # most rows have those of the row before
            last, bucket = labels, bucket_of(*labels)
        wire.bucket = bucket
    fill_in(wires, carried)
    return tuple(wires)


def _build_line_rows(wires: list[Any], carried: Mapping[str, Any]) -> tuple[models.LineCrossesRow, ...]:
    row_class, nothing, share_bucket, labels_of = models.LineCrossesRow, models.NOTHING_EXTRA, bucket_of, _fields_of
    new_row = draft_of(row_class)
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
        row.__class__ = row_class
        rows.append(row)
    return tuple(rows)


def _build_visits(wire: Any, tz: str | None, _: Mapping[str, int], make_rows: _MakeRows) -> Answer:
    periods = [(each, _is_sent(each)) for each in (wire.current, wire.comparison)]
    are_plain = all(do_agree(each.insights) for each, sent in periods if sent)
    current, comparison = (
        Block(rows=make_rows(each.insights, {"tz": tz}), dates=(each.startdate, each.enddate)) if sent else None
        for each, sent in periods
    )
    return Answer(current=current or Block(), comparison=comparison, is_plain=are_plain)


def _build_visit_rows(wires: list[Any], carried: Mapping[str, Any]) -> tuple[models.ZoneVisitorsRow, ...]:
    # The costliest loop of the library: no calls but those that share, no global names.
    row_class, place_class, stats_class = models.ZoneVisitorsRow, models.Aggregation, models.DwellTimeStats
    new_row, new_place, new_stats = map(draft_of, (row_class, place_class, stats_class))
    share_bucket, share_exclude, share_name, nothing, unset = bucket_of, _exclude, intern, models.NOTHING_EXTRA, UNSET
    tz = carried["tz"]
    last, bucket, excluded, exclude = cast("Any", [None] * 4)
    rows = []
    for wire in wires:
        sent = wire.aggregation
        place = new_place()
        place.zone_id = sent.zone_id
        labels = (sent.year, sent.month, sent.week, sent.dayofmonth, sent.dayofweek, sent.hour, sent.minute)
        if labels != last:  # most rows have those of the row before, and its exclusions
            last, bucket = labels, share_bucket(*labels)
        place.bucket = bucket
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
            mean, least, most = sent.mean, sent.min, sent.max
            quantiles, n = sent.quantiles, sent.n
            if mean is unset or least is unset or most is unset or quantiles is unset or n is unset:
                _is_sent(sent)
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
        if sent is None:
            row.exclude = None
        else:
            pair = (sent.min_dwell_time, sent.max_dwell_time)
            if pair != excluded:
                excluded, exclude = pair, share_exclude(*pair)
            row.exclude = exclude
        row.aggregation = place
        row.tz = tz
        row.extra = nothing
        row.__class__ = row_class
        rows.append(row)
    return tuple(rows)


def _complete_visit_rows(wires: list[Any], carried: Mapping[str, Any]) -> tuple[Any, ...]:
    """Also give what was sent as {} the form that it has in rows."""
    places = [wire.aggregation for wire in wires]
    _complete_rows(places, places, {})
    fill_in(wires, carried)
    unset, excluded, exclude = UNSET, None, None
    for wire in wires:
        sent = wire.dwell_time_stats
        if sent is not None and (
            sent.n is unset or sent.mean is unset or sent.min is unset or sent.max is unset or sent.quantiles is unset
        ):
            wire.dwell_time_stats = _is_sent(sent) or None
        sent = wire.exclude
        if sent is not None:
            pair = (sent.min_dwell_time, sent.max_dwell_time)
            if pair != excluded:
                excluded, exclude = pair, _exclude(*pair)
            wire.exclude = exclude
    return tuple(wires)


@lru_cache(maxsize=1024)
def _exclude(shorter: int | UnsetType | None, longer: int | UnsetType | None) -> models.Exclude | None:
    if shorter is UNSET and longer is UNSET:
        return None
    if shorter is UNSET or longer is UNSET:
        raise _Declined
    return models.Exclude(min_dwell_time=shorter, max_dwell_time=longer)


def _build_drop_in(wire: Any, tz: str | None, _: Mapping[str, int], make_rows: _MakeRows) -> Answer:
    summary, details, zones = wire.summary, wire.details, wire.zone_details
    comparison = _build_block(summary.comparison, details.comparison, zones.comparison, tz, make_rows)
    return Answer(
        interval=details.interval,
        current=_build_block(summary.current, details.current, zones.current, tz, make_rows),
        comparison=comparison if comparison != Block() else None,
    )


def _build_block(totals: Any, rows: list[Any], zones: dict[str, Any], tz: str | None, make_rows: _MakeRows) -> Block:
    summary = None
    if _is_sent(totals):
        if totals.passing_by == 0:
            totals.enter_percentage = None
        summary = models.DropInTotals(**msgspec.structs.asdict(totals))
    return Block(
        summary=summary,
        details=_build_details(rows),
        zones=tuple([_build_zone(key, zone, tz, make_rows) for key, zone in zones.items()]),
    )


def _build_zone(key: str, wire: Any, tz: str | None, make_rows: _MakeRows) -> models.ZoneDropIn:
    if key != str(wire.zone_id):
        raise _Declined
    if wire.total_passing_by == 0:
        wire.drop_in_rate = None
    wire.details = make_rows(wire.details, {"zone_id": wire.zone_id, "loc_id": wire.loc_id})
    return models.ZoneDropIn(**msgspec.structs.asdict(wire), tz=tz)


def _build_details(wires: list[Any]) -> tuple[models.DropInRow, ...]:
    row_class, nothing, share_bucket = models.DropInRow, models.NOTHING_EXTRA, bucket_of
    new_row = draft_of(row_class)
    rows = []
    for wire in wires:
        row = new_row()
        row.bucket = share_bucket(
            wire.year, wire.month, wire.week, wire.dayofmonth, wire.dayofweek, wire.hour, wire.minute
        )
        row.passing_by = passing_by = wire.passing_by
        row.enter = wire.enter
        row.drop_in_rate = None if passing_by == 0 else wire.drop_in_rate
        row.extra = nothing
        row.__class__ = row_class
        rows.append(row)
    return tuple(rows)


def _build_zone_details(wires: list[Any], carried: Mapping[str, Any]) -> tuple[models.ZoneDropInRow, ...]:
    row_class, nothing, share_bucket = models.ZoneDropInRow, models.NOTHING_EXTRA, bucket_of
    new_row = draft_of(row_class)
    zone_id, loc_id = carried["zone_id"], carried["loc_id"]
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
        row.extra = nothing
        row.__class__ = row_class
        rows.append(row)
    return tuple(rows)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _Shape(Fielded):
    #: The type of what is sent, for rows (False) or to stand for them (True).
    sent: Callable[[bool], Any]
    build: Callable[[Any, str | None, Mapping[str, int], _MakeRows], Answer]
    build_rows: _MakeRows
    complete_rows: _MakeRows


_SHAPES: Mapping[str, _Shape] = {
    "line_crosses": _Shape(
        sent=lambda for_table: list[struct_of(models.LineCrossesRow, for_table)],  # type: ignore[misc]
        build=lambda wires, _, carried, make_rows: Answer(current=Block(rows=make_rows(wires, carried))),
        build_rows=_build_line_rows,
        complete_rows=lambda wires, carried: _complete_rows(wires, [wire.labels for wire in wires], carried),
    ),
    "zone_visitors": _Shape(
        sent=lambda for_table: struct_of(Visits, for_table, comparison=struct_of(Period, for_table) | list[Any] | None),
        build=_build_visits,
        build_rows=_build_visit_rows,
        complete_rows=_complete_visit_rows,
    ),
    "drop_in_rate": _Shape(
        sent=lambda for_table: struct_of(DropIns, for_table),
        build=_build_drop_in,
        build_rows=_build_zone_details,
        complete_rows=_build_zone_details,  # its rows are small: made of them, columns cost the same
    ),
}


@lru_cache
def _decoder_of(endpoint: str, for_table: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_SHAPES[endpoint].sent(for_table))
