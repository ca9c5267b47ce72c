"""One answer beside its question, taken apart for the witnesses; and what a witness says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import Any

import attrs

from ..models import Bucket
from ..models.endpoints import DATA_ENDPOINTS, DataEndpoint
from ..planning import PlannedRequest, Window
from ..planning.windows import default_grouping
from ..results import Answer, Dates, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer

_bucket_of: Callable[[Any], Bucket] = attrgetter("bucket")
_place_of: Callable[[Any], Any] = attrgetter("aggregation")
_zone_of: Callable[[Any], int] = attrgetter("zone_id")


@attrs.frozen
class Difference:
    """What was asked and what the answer says, in words; an error unless it is of the *kind* of a note."""

    asked: str
    said: str
    kind: str = ""
    advice: str = ""


#: Buckets in the order of their rows: of a period, or of one zone in it, which the text names.
Sheet = tuple[str, list[Bucket], Sequence[Any]]


class Side:
    """One period of an answer: the days asked for, and what came."""

    __slots__ = ("block", "buckets", "dates", "name", "places", "rows", "sheets", "window", "zone_ids")

    def __init__(self, name: str, window: Window, dates: Dates) -> None:
        self.name = name
        self.window = window
        self.dates = dates
        #: Rows of line_crosses and zone_visitors; for drop_in_rate those of all zones together.
        self.rows: Sequence[Any] = ()
        #: What says whose a row or block is: zone_visitors' aggregations, drop_in_rate's zones.
        self.places: Sequence[Any] = ()
        self.zone_ids: list[int] = []
        self.block: DropInBlock | None = None
        self.sheets: list[Sheet] = []
        #: Every bucket that came, once.
        self.buckets: Iterable[Bucket] = ()

    def _hold(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        found = list(map(_bucket_of, self.places or rows))
        self.sheets = [("", found, rows)]
        # By identity: equal buckets are shared, and this is many times faster than their hash.
        self.buckets = dict(zip(map(id, found), found, strict=True)).values()

    @classmethod
    def of_lines(cls, name: str, window: Window, rows: Sequence[Any]) -> Side:
        side = cls(name, window, (None, None))
        side._hold(rows)
        return side

    @classmethod
    def of_visits(cls, name: str, window: Window, rows: Sequence[Any], dates: Dates) -> Side:
        side = cls(name, window, dates)
        side.places = list(map(_place_of, rows))
        side.zone_ids = list(map(_zone_of, side.places))
        side._hold(rows)
        return side

    @classmethod
    def of_block(cls, name: str, window: Window, block: DropInBlock) -> Side:
        summary = block.summary
        side = cls(name, window, (None, None) if summary is None else (summary.startdate, summary.enddate))
        side._hold(block.details)
        side.block = block
        side.places = block.zones
        side.zone_ids = [zone.zone_id for zone in block.zones]
        side.sheets += [
            (f"zone {zone.zone_id}: ", list(map(_bucket_of, zone.details)), zone.details) for zone in block.zones
        ]
        side.buckets = {id(bucket): bucket for _, found, _ in side.sheets for bucket in found}.values()
        return side


class Case:
    """An answer and its question; `zones` are locations by zone, as the catalogue has them, where it is known."""

    __slots__ = ("answer", "endpoint", "grouping", "params", "request", "sides", "signs", "zones")

    def __init__(
        self,
        request: PlannedRequest,
        answer: Answer,
        signs: Sequence[tuple[str, str]],
        zones: Mapping[int, int | None] | None,
    ) -> None:
        self.request = request
        self.answer = answer
        self.signs = signs
        self.zones = zones
        self.params: Mapping[str, str] = request.params
        self.endpoint: DataEndpoint = DATA_ENDPOINTS[request.endpoint]
        window = request.window
        assert window is not None
        self.grouping: str = self.params.get(self.endpoint.grouping) or default_grouping(self.endpoint, window)
        self.sides = list(_sides(self, window))

    @property
    def is_grouping_sent(self) -> bool:
        """Whether the grouping was named to the API, or left to it."""
        return self.endpoint.grouping in self.params

    @property
    def other_window(self) -> Window | None:
        """The second period of a request that brings both."""
        if "comparison_start_date" not in self.params:
            return None
        return Window(*(date.fromisoformat(self.params[f"comparison_{end}_date"]) for end in ("start", "end")))

    def ids(self, name: str) -> frozenset[int] | None:
        """Return the ids that the parameter *name* holds, None where it was not sent."""
        text = self.params.get(name)
        return None if text is None else _ids(text)


@lru_cache(maxsize=256)
def _ids(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _sides(case: Case, window: Window) -> Iterable[Side]:
    answer, other = case.answer, case.other_window
    first = "current" if case.request.period == "both" else case.request.period
    if isinstance(answer, LineCrossesAnswer):
        yield Side.of_lines(first, window, answer.rows)
    elif isinstance(answer, ZoneVisitorsAnswer):
        yield Side.of_visits(first, window, answer.current, answer.dates)
        if other is not None and answer.comparison is not None:
            yield Side.of_visits("comparison", other, answer.comparison, answer.comparison_dates)
    else:
        assert isinstance(answer, DropInAnswer)
        yield Side.of_block(first, window, answer.current)
        if other is not None and answer.comparison is not None:
            yield Side.of_block("comparison", other, answer.comparison)
