"""
A query and the locations it needs become an ordered layout of requests. Pure: no clock, no I/O.

Theory of operation. A query asks for one or two *periods*. Each is cut into *windows* of whole days, because the API
limits a request or because long answers are better fetched in parallel. Beside that it is cut into *series*: time-zone
groups, the values of a fan-out, the pieces of a list too long for a URL. The requests are the product: for each
period, for each window, for each series.

Series whose rows may share a key, and are then added up, form a *family*. A *unit* is the smallest part that holds
every request that may bring the same row: a window of a family, or a whole family where rows repeat from window to
window (weeks). Shards are ranges of units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product

import attrs

from ..fielded import Fielded
from ..models import FrozenMap
from ..models.endpoints import DataEndpoint
from ..profile import NOTHING_KNOWN, Profile
from ..queries import Query
from .request import PlannedRequest
from .series import Series, list_series
from .urls import size_of
from .windows import Part, Window, cut_periods


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Layout(Fielded):
    """The axes of a plan, from which its requests are counted and built."""

    endpoint: DataEndpoint
    parts: tuple[Part, ...]
    series: tuple[Series, ...]
    #: The numbers of the series in each family.
    families: tuple[tuple[int, ...], ...]
    profile: Profile | None = None

    @property
    def units(self) -> int:
        """How many units shards can be made of."""
        return sum(1 for _ in self._walk())

    def count(self, selection: tuple[int, int] | None = None) -> int:
        """Count the requests without building them."""
        if selection is None:
            return len(self.series) * sum(len(part.windows) for part in self.parts)
        return sum(len(members) * len(windows) for _, windows, members, _ in self._selected(selection))

    def build(self, selection: tuple[int, int] | None = None) -> Iterator[PlannedRequest]:
        """Build each request, in order."""
        for part, windows, members, first in self._selected(selection):
            for index, (window, number) in enumerate(product(windows, members), first):
                yield self._build(part, window, number, index)

    def _walk(self) -> Iterator[tuple[Part, Sequence[Window], tuple[int, ...]]]:
        """Yield the part, windows and series of each unit."""
        for part in self.parts:
            apart = [part.windows] if part.rows_repeat else [(window,) for window in part.windows]
            for windows, members in product(apart, self.families):
                yield part, windows, members

    def _selected(
        self, selection: tuple[int, int] | None
    ) -> Iterator[tuple[Part, Sequence[Window], tuple[int, ...], int]]:
        """Yield the selected units, each with the index of its first request."""
        first, end = selection or (0, math.inf)
        index = 0
        for unit, (part, windows, members) in enumerate(self._walk()):
            if first <= unit < end:
                yield part, windows, members, index
            index += len(windows) * len(members)

    def _build(self, part: Part, window: Window, number: int, index: int) -> PlannedRequest:
        series = self.series[number]
        params = dict(_dates(window, part.comparison))
        if part.grouping is not None:
            params[self.endpoint.grouping] = part.grouping
        params.update(series.params)
        return PlannedRequest(
            index=index,
            endpoint=self.endpoint.name,
            path=self.endpoint.path,
            params=FrozenMap.adopt(params),
            reason=self._reason(part, window, series),
            window=window,
            period=part.period,
            tz=series.tz,
            carried=series.carried,
            series=number,
            locations=series.locations,
            profile=self.profile,
        )

    def _reason(self, part: Part, window: Window, series: Series) -> str:
        period = f"{part.period} period" if len(self.parts) > 1 else ""
        days = f"days {window}" if len(part.windows) > 1 else ""
        return "; ".join(filter(None, (period, days, series.why))) or "all that is asked fits one request"


def _dates(window: Window, comparison: Window | None) -> Iterator[tuple[str, str]]:
    yield "start_date", window.start.isoformat()
    yield "end_date", window.end.isoformat()
    if comparison is not None:
        yield "comparison_start_date", comparison.start.isoformat()
        yield "comparison_end_date", comparison.end.isoformat()


def lay_out(
    query: Query, locations: tuple[tuple[int, str], ...] | None, cutoff: date | None, profile: Profile | None = None
) -> Layout:
    """Cut *query* along its axes."""
    asked = query.location if query.location is not None else locations or ()
    known = (profile or NOTHING_KNOWN).for_locations(len(asked))
    parts = cut_periods(query, cutoff, known)
    # Beside its series a request has dates and a grouping.
    beside = max(
        size_of([*_dates(part.windows[0], part.comparison), (query.endpoint.grouping, part.grouping or "")])
        for part in parts
    )
    series = list_series(query, locations, beside, known)
    families: dict[int, tuple[int, ...]] = {}
    for number, item in enumerate(series):
        families[item.family] = (*families.get(item.family, ()), number)
    return Layout(
        endpoint=query.endpoint,
        parts=parts,
        series=series,
        families=tuple(families.values()),
        profile=profile and known,
    )
