"""One answer beside its question, taken apart for the witnesses; and what a witness says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, cast

import attrs

from ..fielded import Fielded
from ..models import Bucket
from ..planning import PlannedRequest, Window
from ..planning.request import grouping_of
from ..results import Answer, Block, Dates, Note


@attrs.frozen(eq=False, repr=False)
class Mismatch(Fielded):
    """What was asked and what the answer says, in words: its figures are certainly not those asked for."""

    asked: str
    said: str
    advice: str = ""


#: What a witness says: nothing, that the answer is another (an error), or that it may be (a note).
Testimony = Iterable[Mismatch | Note]
#: The counts of rows.
FIGURES = ("count", "visits", "enter", "passing_by")


@attrs.define(repr=False)
class Sheet(Fielded):
    """One list of rows: of a period, or of one zone in it. What labels each is the row itself, or its aggregation."""

    period: str
    window: Window
    rows: Sequence[Any]
    labels: Sequence[Any]
    zone: int | None = None
    #: Of all rows, by identity: equal ones are shared, and this is many times faster than their hash.
    buckets: Mapping[int, Bucket] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.buckets = {id(label.bucket): label.bucket for label in self.labels}


@attrs.define(repr=False)
class Case(Fielded):
    """An answer and its question."""

    request: PlannedRequest
    answer: Answer
    #: Headers that may say that there is more.
    signs: Sequence[tuple[str, str]]
    #: Locations by zone, as the catalogue has them, where it is known.
    zones: Mapping[int, int | None] | None
    grouping: str
    #: The days of the comparison, where one request brings both periods.
    other: Window | None
    #: Name and days of each period, with its first and last day as the answer repeats them.
    periods: list[tuple[str, Window, Dates]] = attrs.field(factory=list)
    sheets: list[Sheet] = attrs.field(factory=list)
    #: What says whose a row or block is: zone_visitors' aggregations, drop_in_rate's zones.
    places: list[Any] = attrs.field(factory=list)
    #: Of the periods that were asked for.
    blocks: list[Block] = attrs.field(factory=list)
    #: The ids of zones that came.
    zones_said: set[int] = attrs.field(init=False)

    def asked(self, name: str) -> str | None:
        value: str | None = self.request.params.get(name)
        return value


def take_apart(
    request: PlannedRequest,
    answer: Answer,
    signs: Sequence[tuple[str, str]] = (),
    zones: Mapping[int, int | None] | None = None,
) -> Case:
    params, other = request.params, None
    if "comparison_start_date" in params:
        other = Window(*(date.fromisoformat(params[f"comparison_{end}_date"]) for end in ("start", "end")))
    case = Case(request, answer, signs, zones, grouping_of(request), other)
    name, days = "current" if request.period == "both" else request.period, request.window
    assert days is not None
    _add_block(case, name, days, answer.current)
    if other is not None and answer.comparison is not None:
        _add_block(case, "comparison", other, answer.comparison)
    case.zones_said = {place.zone_id for place in case.places}
    return case


def _add_block(case: Case, name: str, days: Window, block: Block) -> None:
    summary = block.summary
    labels = rows = cast("Sequence[Any]", block.rows or block.details)
    if case.request.endpoint == "zone_visitors":
        case.places += (labels := [row.aggregation for row in rows])
    case.periods.append((name, days, block.dates if summary is None else (summary.startdate, summary.enddate)))
    case.sheets.append(Sheet(name, days, rows, labels))
    case.sheets += [Sheet(name, days, zone.details, zone.details, zone.zone_id) for zone in block.zones]
    case.places += block.zones
    case.blocks.append(block)
