"""The forms of what is sent: what annotations do not say of the models, and the objects around the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .. import models
from ..fielded import Fielded
from .strict import Hook, read_date, read_name


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Form(Fielded):
    """How objects of a class are sent, as far as its annotations do not say it."""

    #: Wire names that stand for a field where the field's own is absent: the API has several for one thing.
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    #: Fields that the object does not hold: they come from the request, or from the object around it.
    carried: tuple[str, ...] = ()
    #: The object that holds the labels of the bucket; "": they lie among the fields; None: there is no bucket.
    labels: str | None = None
    #: (rate, passers-by): where nobody passed the rate is undefined, whatever was sent.
    rate: tuple[str, str] | None = None
    #: Fields whose names are likely and whose types are not documented: another type is no fault, it stays in `extra`.
    guessed: tuple[str, ...] = ()
    #: Field to the values that leave it empty, and what they stand for.
    empty: Mapping[str, tuple[tuple[Any, ...], Any]] = attrs.field(factory=dict)
    #: Fields that must be there whatever their default: rows left out would be rows lost.
    needed: tuple[str, ...] = ()
    #: Fields that are read otherwise than others of their type.
    read: Mapping[str, Hook] = attrs.field(factory=dict)


Lines = tuple[models.LineCrossesRow, ...]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Period(Fielded):
    """One period of zone_visitors."""

    startdate: str | None = None
    enddate: str | None = None
    insights: tuple[models.ZoneVisitorsRow, ...]
    extra: models.FrozenMap = models.NOTHING_EXTRA


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Visits(Fielded):
    """An answer of zone_visitors."""

    current: Period
    comparison: Period | None = None
    extra: models.FrozenMap = models.NOTHING_EXTRA


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Summary(Fielded):
    """The totals of an answer of drop_in_rate."""

    current: models.DropInTotals | None
    comparison: models.DropInTotals | None = None
    extra: models.FrozenMap = models.NOTHING_EXTRA


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Details(Fielded):
    """Its rows of all zones together."""

    interval: str | None = None
    current: tuple[models.DropInRow, ...]
    comparison: tuple[models.DropInRow, ...] = ()
    extra: models.FrozenMap = models.NOTHING_EXTRA


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Zones(Fielded):
    """Its zones, by their ids."""

    current: dict[str, models.ZoneDropIn]
    comparison: dict[str, models.ZoneDropIn] = attrs.field(factory=dict)
    extra: models.FrozenMap = models.NOTHING_EXTRA


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropIns(Fielded):
    """An answer of drop_in_rate."""

    summary: Summary
    details: Details
    zone_details: Zones
    extra: models.FrozenMap = models.NOTHING_EXTRA


_EMPTY: tuple[Any, ...] = ({}, [])
_NOTHING = (None, *_EMPTY)
#: Basic plans "return empty", as the article says: an empty text, list or object is nothing there.
_UNLICENSED = (("", *_EMPTY), None)
#: Rows of drop_in_rate name the day so in one place; it is read in all.
DAY: Mapping[str, str] = {"day": "dayofmonth"}
_DATES = {"start_date": "startdate", "end_date": "enddate"}
_NAMED: Mapping[str, Hook] = {"name": read_name}


def _read_optional_date(value: Any, kind: Any) -> str | None:
    return None if value is None else read_date(value, kind)


FORMS: Mapping[type, Form] = {
    models.LineCrossesRow: Form(
        labels="_id",
        carried=tuple(
            name for name in attrs.fields_dict(models.LineCrossesRow) if name not in ("bucket", "count", "extra")
        ),
    ),
    models.ZoneVisitorsRow: Form(
        carried=("tz",),
        empty=dict.fromkeys(("unique_visits", "bounce", "dwell_time", "dwell_time_stats"), _UNLICENSED)
        | {"exclude": (_EMPTY, None)},
    ),
    models.Aggregation: Form(labels="", carried=("loc_name",), read={"zone_name": read_name}),
    models.DropInRow: Form(
        labels="",
        aliases={"visits": "enter", "enter_percentage": "drop_in_rate"},
        rate=("drop_in_rate", "passing_by"),
    ),
    models.ZoneDropInRow: Form(
        labels="",
        aliases={"enter": "visits", "enter_percentage": "drop_in_rate"},
        carried=("zone_id", "loc_id"),
        rate=("drop_in_rate", "passing_by"),
    ),
    models.ZoneDropIn: Form(
        aliases={"enter_percentage": "drop_in_rate"},
        carried=("tz",),
        rate=("drop_in_rate", "total_passing_by"),
        needed=("details",),
        read=dict.fromkeys(("zone_name", "loc_name", "location_custom_id"), read_name),
    ),
    models.DropInTotals: Form(
        aliases={"visits": "enter", "drop_in_rate": "enter_percentage", **_DATES},
        rate=("enter_percentage", "passing_by"),
        read=dict.fromkeys(("startdate", "enddate"), read_date),
    ),
    models.Location: Form(guessed=("organization",), read=_NAMED),
    models.Zone: Form(guessed=("location", "floor", "bounce_threshold"), read=_NAMED),
    models.Category: Form(read=_NAMED),
    models.Line: Form(guessed=("location", "floor", "zone_to", "zone_from"), read=_NAMED),
    models.Organization: Form(read=_NAMED),
    Period: Form(aliases=_DATES, read=dict.fromkeys(("startdate", "enddate"), _read_optional_date)),
    Visits: Form(empty={"current": (_EMPTY, {"insights": []}), "comparison": (_EMPTY, None)}),
    Summary: Form(empty=dict.fromkeys(("current", "comparison"), (_NOTHING, None))),
    Details: Form(empty=dict.fromkeys(("current", "comparison"), (_NOTHING, []))),
    Zones: Form(empty=dict.fromkeys(("current", "comparison"), (_NOTHING, {}))),
    DropIns: Form(
        empty={
            "summary": (_EMPTY, {"current": None}),
            "details": (_EMPTY, {"current": []}),
            "zone_details": (_EMPTY, {"current": {}}),
        }
    ),
}
