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

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from typing import Any

import attrs

from ..models import FrozenMap
from ..models.endpoints import DataEndpoint
from ..profile import NOTHING_KNOWN, Profile
from ..queries import LineCrosses, Query
from .series import Series, fan_out, time_zone_groups
from .urls import size_of
from .windows import Part, Window, periods


@attrs.frozen(kw_only=True)
class Layout:
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
        return sum(len(self.families) * (1 if part.rows_repeat else len(part.windows)) for part in self.parts)

    def count(self, selection: tuple[int, int] | None = None) -> int:
        """Count the requests without building them."""
        if selection is None:
            return len(self.series) * sum(len(part.windows) for part in self.parts)
        return sum(len(members) * len(windows) for _, windows, members, _ in self._selected(selection))

    def build(self, selection: tuple[int, int] | None = None) -> Iterator[dict[str, Any]]:
        """Build the fields of each request, in order."""
        for part, windows, members, index in self._selected(selection or (0, self.units)):
            for window, number in product(windows, members):
                yield self._fields(part, window, number, index)
                index += 1

    def _selected(self, selection: tuple[int, int]) -> Iterator[tuple[Part, Sequence[Window], tuple[int, ...], int]]:
        first, end = selection
        unit = index = 0
        for part in self.parts:
            slices = [part.windows] if part.rows_repeat else [(window,) for window in part.windows]
            for windows, members in product(slices, self.families):
                if first <= unit < end:
                    yield part, windows, members, index
                unit += 1
                index += len(windows) * len(members)

    def _fields(self, part: Part, window: Window, number: int, index: int) -> dict[str, Any]:
        series = self.series[number]
        params = dict(_dates(window, part.comparison))
        if part.grouping is not None:
            params[self.endpoint.grouping] = part.grouping
        params.update(series.params)
        return {
            "index": index,
            "endpoint": self.endpoint.name,
            "path": self.endpoint.path,
            "params": FrozenMap.adopt(params),
            "reason": self._reason(part, window, series),
            "window": window,
            "period": part.period,
            "tz": series.tz,
            "carried": series.carried,
            "series": number,
            "locations": series.locations,
            "profile": self.profile,
        }

    def _reason(self, part: Part, window: Window, series: Series) -> str:
        reasons = []
        if len(self.parts) > 1:
            reasons.append(f"{part.period} period")
        if len(part.windows) > 1:
            reasons.append(f"days {window}")
        if series.why:
            reasons.append(series.why)
        return "; ".join(reasons) or "all that is asked fits one request"


def _dates(window: Window, comparison: Window | None) -> Iterator[tuple[str, str]]:
    yield "start_date", window.start.isoformat()
    yield "end_date", window.end.isoformat()
    if comparison is not None:
        yield "comparison_start_date", comparison.start.isoformat()
        yield "comparison_end_date", comparison.end.isoformat()


def lay_out(
    query: Query,
    locations: tuple[tuple[int, str], ...] | None,
    cutoff: date | None,
    profile: Profile | None = None,
) -> Layout:
    """Cut *query* along its axes."""
    known = profile or NOTHING_KNOWN
    parts = periods(query, cutoff, known)
    # Beside its series a request has dates and a grouping.
    beside = max(
        size_of([*_dates(part.windows[0], part.comparison), (query.endpoint.grouping, part.grouping or "")])
        for part in parts
    )
    if isinstance(query, LineCrosses):
        series = fan_out(query, locations, beside, known)
    else:
        series = time_zone_groups(query, locations, beside, known)
    families: dict[int, list[int]] = {}
    for number, item in enumerate(series):
        families.setdefault(item.family, []).append(number)
    return Layout(
        endpoint=query.endpoint,
        parts=parts,
        series=tuple(series),
        families=tuple(tuple(members) for members in families.values()),
        profile=profile,
    )
