"""
The documented shape, fast: msgspec reads and checks the bytes in one pass, and a loop here makes the rows.

It serves only what it reads exactly as cattrs would. All else it declines: fields that are not known, other types,
other names, every fault. A property test holds both ways to equal answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from sys import intern
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from ..models import (
    NOTHING_EXTRA,
    Aggregation,
    Bucket,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    LineCrossesRow,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from ..models.values import LABELS, MOST_INT, bucket_of, draft_of
from ..results import Answer, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer
from .forms import FORMS, DropIns, Form, Period, Visits


def read_documented(
    endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int], for_table: bool = False
) -> Answer | None:
    """
    Structure *body* if it has the documented shape, else return None; *tz* and *carried* go into the rows.

    *for_table* leaves rows of zone_visitors as they were decoded: they have the attributes of rows, no more, and go
    when their columns are made.
    """
    decoder, build = _SHAPES[endpoint]
    if for_table and endpoint == "zone_visitors":
        build = partial(_build_visits, make_rows=_complete_visit_rows)
    try:
        return build(decoder.decode(body.removeprefix(b"\xef\xbb\xbf")), tz=tz, carried=carried)
    except (_Declined, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class _Declined(Exception):
    """Sound as far as types go, but not the documented shape."""


# The shape, from the models and their forms.

_Int: Any = Annotated[int, msgspec.Meta(ge=-MOST_INT - 1, le=MOST_INT)]
#: Objects of which all is sent, or {}.
_WHOLE_OR_EMPTY = (DwellTimeStats, Exclude, Period, DropInTotals)


class _Ours:
    """The type of fields that are filled in here: no value that is sent is of it."""


#: Classes whose place the structs can take: they have the fields that are not sent, too.
_STANDS_FOR = {ZoneVisitorsRow: ("tz",), Aggregation: ("bucket", "loc_name")}


def _wire_of(kind: Any) -> Any:
    """Return the type by which msgspec reads what an annotation calls *kind*."""
    parts = get_args(kind)
    if kind is int:
        return _Int
    if attrs.has(kind):
        return _struct_of(kind)
    if get_origin(kind) is tuple and attrs.has(parts[0]):
        return list[_wire_of(parts[0])]  # type: ignore[misc]
    if get_origin(kind) is dict:
        return dict[str, _wire_of(parts[1])]  # type: ignore[misc]
    return _wire_of(parts[0]) | None if type(None) in parts else kind


def _struct_of(cls: type, **otherwise: Any) -> Any:
    """Make the class of what is sent of *cls*: its fields, in order, and no others."""
    form, hints = FORMS.get(cls, Form()), get_type_hints(cls)
    fields: list[tuple[Any, ...]] = []
    for field in attrs.fields(cls):
        if field.name in (*form.carried, "extra"):
            continue
        if hints[field.name] is Bucket and form.labels:
            fields.append(("labels", _struct_of(Bucket), msgspec.field(name=form.labels)))
        elif hints[field.name] is Bucket:
            day = "day" if cls is DropInRow else None
            named = {"dayofmonth": msgspec.field(default=None, name=day)}
            # Ordered as the article writes them: msgspec looks for a field first behind the one before it.
            labels = reversed(LABELS) if cls is Aggregation else LABELS
            fields = [*((label, _Int | None, named.get(label)) for label in labels), *fields]
        else:
            wire = otherwise.get(field.name) or _wire_of(hints[field.name])
            if cls in _WHOLE_OR_EMPTY:
                fields.append((field.name, wire | UnsetType, UNSET))
            else:
                fields.append((field.name, wire, None) if field.default is None else (field.name, wire))
    fields += [(name, _Ours, _Ours()) for name in _STANDS_FOR.get(cls, ())]
    namespace = {"extra": NOTHING_EXTRA} if cls in _STANDS_FOR else {}
    # Without the collector: these objects hold no cycles, and none outlives the call.
    return msgspec.defstruct(
        cls.__name__, fields, namespace=namespace, kw_only=True, forbid_unknown_fields=True, gc=False
    )


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


def _build_lines(wires: list[Any], *, tz: str | None, carried: Mapping[str, int]) -> LineCrossesAnswer:  # noqa: ARG001
    new_row, share_bucket, labels_of = draft_of(LineCrossesRow), bucket_of, _fields_of
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
        row.extra = NOTHING_EXTRA
        row.__class__ = LineCrossesRow
        rows.append(row)
    return LineCrossesAnswer(rows=tuple(rows))


def _build_visits(
    wire: Any,
    *,
    tz: str | None,
    carried: Mapping[str, int],  # noqa: ARG001
    make_rows: Callable[[list[Any], str | None], Any] | None = None,
) -> ZoneVisitorsAnswer:
    make_rows = make_rows or _build_visit_rows
    periods = [(each, _is_sent(each)) for each in (wire.current, wire.comparison)]
    current, comparison = (make_rows(each.insights, tz) if sent else None for each, sent in periods)
    dates, others = ((each.startdate, each.enddate) if sent else (None, None) for each, sent in periods)
    return ZoneVisitorsAnswer(current=current or (), comparison=comparison, dates=dates, comparison_dates=others)


def _build_visit_rows(wires: list[Any], tz: str | None) -> tuple[ZoneVisitorsRow, ...]:
    # The costliest loop of the library: no calls but those that share, no global names.
    new_row, new_place, new_stats = draft_of(ZoneVisitorsRow), draft_of(Aggregation), draft_of(DwellTimeStats)
    row_class, place_class, stats_class = ZoneVisitorsRow, Aggregation, DwellTimeStats
    share_bucket, share_exclude, share_name, nothing, unset = bucket_of, _exclude, intern, NOTHING_EXTRA, UNSET
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
        row.exclude = None if sent is None else share_exclude(sent.min_dwell_time, sent.max_dwell_time)
        row.aggregation = place
        row.tz = tz
        row.extra = nothing
        row.__class__ = row_class
        rows.append(row)
    return tuple(rows)


def _complete_visit_rows(wires: list[Any], tz: str | None) -> tuple[Any, ...]:
    """Give *wires* what rows have, and what was sent as {} the form that it has in them."""
    share_bucket, share_exclude, is_sent = bucket_of, _exclude, _is_sent
    for wire in wires:
        wire.tz = tz
        place = wire.aggregation
        place.bucket = share_bucket(
            place.year, place.month, place.week, place.dayofmonth, place.dayofweek, place.hour, place.minute
        )
        place.loc_name = None
        if (sent := wire.dwell_time_stats) is not None and not is_sent(sent):
            wire.dwell_time_stats = None
        if (sent := wire.exclude) is not None:
            wire.exclude = share_exclude(sent.min_dwell_time, sent.max_dwell_time)
    return tuple(wires)


@lru_cache(maxsize=1024)
def _exclude(shorter: int | UnsetType | None, longer: int | UnsetType | None) -> Exclude | None:
    if shorter is UNSET and longer is UNSET:
        return None
    if shorter is UNSET or longer is UNSET:
        raise _Declined
    return Exclude(min_dwell_time=shorter, max_dwell_time=longer)


def _build_drop_in(wire: Any, *, tz: str | None, carried: Mapping[str, int]) -> DropInAnswer:  # noqa: ARG001
    summary, details, zones = wire.summary, wire.details, wire.zone_details
    comparison = _build_block(summary.comparison, details.comparison, zones.comparison, tz)
    return DropInAnswer(
        interval=details.interval,
        current=_build_block(summary.current, details.current, zones.current, tz),
        comparison=comparison if comparison != _NOTHING else None,
    )


_NOTHING = DropInBlock(summary=None, details=(), zones=())


def _build_block(totals: Any, rows: list[Any], zones: dict[str, Any], tz: str | None) -> DropInBlock:
    summary = None
    if _is_sent(totals):
        if totals.passing_by == 0:
            totals.enter_percentage = None
        summary = DropInTotals(**msgspec.structs.asdict(totals))
    return DropInBlock(
        summary=summary,
        details=_build_details(rows),
        zones=tuple([_build_zone(key, zone, tz) for key, zone in zones.items()]),
    )


def _build_zone(key: str, wire: Any, tz: str | None) -> ZoneDropIn:
    if key != str(wire.zone_id):
        raise _Declined
    if wire.total_passing_by == 0:
        wire.drop_in_rate = None
    wire.details = _build_zone_details(wire.details, wire.zone_id, wire.loc_id)
    return ZoneDropIn(**msgspec.structs.asdict(wire), tz=tz)


def _build_details(wires: list[Any]) -> tuple[DropInRow, ...]:
    new_row, share_bucket = draft_of(DropInRow), bucket_of
    rows = []
    for wire in wires:
        row = new_row()
        row.bucket = share_bucket(
            wire.year, wire.month, wire.week, wire.dayofmonth, wire.dayofweek, wire.hour, wire.minute
        )
        row.passing_by = passing_by = wire.passing_by
        row.enter = wire.enter
        row.drop_in_rate = None if passing_by == 0 else wire.drop_in_rate
        row.extra = NOTHING_EXTRA
        row.__class__ = DropInRow
        rows.append(row)
    return tuple(rows)


def _build_zone_details(wires: list[Any], zone_id: int, loc_id: int | None) -> tuple[ZoneDropInRow, ...]:
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
    "line_crosses": (msgspec.json.Decoder(list[_struct_of(LineCrossesRow)]), _build_lines),  # type: ignore[misc]
    "zone_visitors": (
        msgspec.json.Decoder(_struct_of(Visits, comparison=_struct_of(Period) | list[Any] | None)),
        _build_visits,
    ),
    "drop_in_rate": (msgspec.json.Decoder(_struct_of(DropIns)), _build_drop_in),
}
