"""What a deviation is, and the parts of an answer that most of them walk over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, Literal

import attrs

from ..aggregation import World
from ..catalogue import Access

LINES: Final = ("line_crosses",)
ZONES: Final = ("zone_visitors", "drop_in_rate")
DATA: Final = (*LINES, *ZONES)
LISTS: Final = ("locations", "zones", "lines", "categories", "organizations")

#: What a client is to make of the answer. error: its figures are certainly not what was asked. note: they may not be.
#: same: it means what the documented answer means, and is read with equal results. unseen: no answer shows it by
#: itself, only measuring does. any: an error, a note or equal results, but not other figures without a word.
Expect = Literal["error", "note", "same", "unseen", "error_or_note", "error_or_same", "note_or_same", "any"]


@attrs.frozen(kw_only=True)
class Question:
    """
    A request that was found sound: its parameters as text and as the values that `World` takes.

    `nth` counts how often it was asked, from 1; `url_bytes` is the length of path and query; `today` the world's date
    in UTC.
    """

    endpoint: str
    params: Mapping[str, str] = attrs.field(factory=dict)
    values: Mapping[str, Any] = attrs.field(factory=dict)
    nth: int = 1
    url_bytes: int = 0
    today: date

    @property
    def days(self) -> int:
        """Count the days of the longer of its periods."""
        starts = ("start_date", "comparison_start_date")
        ends = ("end_date", "comparison_end_date")
        spans = [
            (self.values[end] - self.values[start]).days + 1
            for start, end in zip(starts, ends, strict=True)
            if start in self.values
        ]
        return max(spans, default=0)

    @property
    def tz(self) -> str:
        """Name the clock that its labels have: the one asked for, else the first location's."""
        from ..catalogue import PLACES

        named = self.values.get("tz")
        if named:
            return str(named)
        wanted = self.values.get("location")
        first = (wanted if isinstance(wanted, int) else wanted[0]) if wanted else PLACES[0].id
        return next(place.timezone for place in PLACES if place.id == first)

    def has(self, *names: str) -> bool:
        """Tell whether any of these parameters was sent."""
        return any(name in self.values for name in names)


@attrs.define(kw_only=True)
class Reply:
    """An answer under way, which nobody else holds: a deviation may change it in place."""

    document: Any
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    prefix: bytes = b""


@attrs.frozen(kw_only=True)
class Deviation:
    """
    A way to answer otherwise than asked, and why a real service may.

    What is None, or empty, is as documented.
    """

    name: str
    """As in `--deviate`."""
    sentence: str
    """What it does, and why a real service may."""
    endpoints: tuple[str, ...]
    """Those that it changes."""
    expect: Expect
    """What a client is to make of it."""
    ask: Callable[[Question], dict[str, Any]] | None = None
    """Changes the question before it is answered."""
    world: Callable[[World], World] | None = None
    """Changes the visitors, places or plan."""
    access: Callable[[Access], Access] | None = None
    """Changes what a token may see."""
    lifts: tuple[str, ...] = ()
    """Groupings whose documented limits are not enforced."""
    refuse: Callable[[Question], int | None] | None = None
    """A status to refuse with, or None."""
    answer: Callable[[Question, Reply], None] | None = None
    """Changes the answer."""


@attrs.frozen(kw_only=True)
class Sheet:
    """Rows that stand in one list of an answer: of one section and period, and of one zone in drop_in_rate's blocks."""

    endpoint: str
    section: str
    period: str
    rows: list[dict[str, Any]]

    def label(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that say which bucket *row* is of: a part of it, or (drop_in_rate) the row itself."""
        part: dict[str, Any] = row if self.endpoint == "drop_in_rate" else row[_LABEL_IN[self.endpoint]]
        return part

    def labels(self) -> Iterator[dict[str, Any]]:
        """Give the labels of all rows."""
        return map(self.label, self.rows)


_LABEL_IN = {"line_crosses": "_id", "zone_visitors": "aggregation"}
PERIODS: Final = ("current", "comparison")
#: The names of label fields, as the documentation has them.
LABEL_FIELDS: Final = ("year", "month", "week", "dayofmonth", "day", "dayofweek", "hour", "minute")


def sheets(question: Question, document: Any) -> Iterator[Sheet]:
    """Walk over all lists of rows of a data answer."""
    endpoint = question.endpoint
    if endpoint == "line_crosses":
        yield Sheet(endpoint=endpoint, section="rows", period="current", rows=document)
        return
    for period in PERIODS:
        if endpoint == "zone_visitors":
            if document[period]:
                yield Sheet(endpoint=endpoint, section="insights", period=period, rows=document[period]["insights"])
            continue
        yield Sheet(endpoint=endpoint, section="details", period=period, rows=document["details"][period])
        for block in document["zone_details"][period].values():
            yield Sheet(endpoint=endpoint, section="zone_details", period=period, rows=block["details"])


def echoes(question: Question, document: Any) -> Iterator[dict[str, Any]]:
    """Walk over the objects that repeat the dates of a period."""
    if question.endpoint != "line_crosses":
        periods = document["summary"] if question.endpoint == "drop_in_rate" else document
        yield from (periods[period] for period in PERIODS if periods[period])


def relabel(question: Question, reply: Reply, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace the label of every row by what *change* makes of its time fields; the rest of each row stays."""
    for sheet in sheets(question, reply.document):
        for row in sheet.rows:
            label = sheet.label(row)
            times: dict[str, Any] = {name: label.pop(name) for name in LABEL_FIELDS if name in label}
            rest = dict(label)
            label.clear()
            label.update(change(times) | rest)
