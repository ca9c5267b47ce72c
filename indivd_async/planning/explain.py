"""A plan in words, as a database explains how it will run a query: from the question down to what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ..profile import NOTHING_KNOWN
from ..queries import DropInRate, LineCrosses, Query
from ..wording import plural
from .layout import Layout
from .request import encode_params
from .windows import Part, Window, bucket_unit, days_at_most, days_wanted

_MOST_SERIES = 12
_MOST_TEXT = 100
_MOST_SERIES_TEXT = 50


def explain(query: Query, layout: Layout, *, cutoff: date | None, selection: tuple[int, int] | None) -> Iterator[str]:
    """Describe the requests of a plan, or of the shard of it that *selection* names, line by line."""
    windows, series = sum(len(part.windows) for part in layout.parts), len(layout.series)
    product = f" ({plural(windows, 'window')} x {series:,} series)" if windows > 1 and series > 1 else ""
    yield f"{layout.endpoint.name}: {plural(layout.count(), 'request')}{product}"
    if selection is not None:
        mine, units = layout.count(selection), f"{selection[0] + 1} to {selection[1]} of {layout.units}"
        yield f"  this shard: {plural(mine, 'request')} (units {units})"
    for part in layout.parts:
        yield from _explain_part(query, part, layout, cutoff)
    yield from _explain_series(layout)
    yield from _explain_merge(query, layout)
    yield from _explain_ends(layout, selection)


def _explain_part(query: Query, part: Part, layout: Layout, cutoff: date | None) -> Iterator[str]:
    asked = Window(part.windows[0].start, part.windows[-1].end)
    grouping = f"by {part.resolved}" + ("" if part.grouping else " (the API's default for so many days, not sent)")
    name = "comparison" if part.period == "comparison" else "period"
    yield f"  {name}: {asked}, {plural(asked.days, 'day')}, {grouping}"
    if part.comparison is not None:
        yield f"  comparison: {part.comparison}, {plural(part.comparison.days, 'day')}, in the same request"
    if len(part.windows) > 1:
        longest = max(window.days for window in part.windows)
        yield f"    cut into {len(part.windows):,} windows of at most {plural(longest, 'day')}:"
        yield from (f"      {why}" for why in _why_cut(query, part, layout, asked, cutoff))


def _why_cut(query: Query, part: Part, layout: Layout, asked: Window, cutoff: date | None) -> Iterator[str]:
    limit = days_at_most(layout.endpoint, part.resolved, layout.profile or NOTHING_KNOWN)
    if part.resolved in layout.endpoint.within_year:
        yield f"by {part.resolved} the API answers within one calendar year only"
    elif part.forced > 1:
        measured = limit != layout.endpoint.max_days.get(part.resolved)
        who = "this service, as its profile says," if measured else "the API"
        yield f"by {part.resolved} {who} answers {plural(limit or 0, 'day')} at most"
    if not part.is_own_cut:
        return
    wanted = days_wanted(query.split, bucket_unit(part.resolved), asked)
    if wanted is not None and wanted < asked.days:
        yield f"split={wanted}" if isinstance(query.split, int) else "long answers are fetched in parts, side by side"
    if cutoff is not None and asked.start <= cutoff < asked.end:
        yield f"what comes after {cutoff} is asked apart"


def _explain_series(layout: Layout) -> Iterator[str]:
    if not layout.series:
        yield "  nothing to ask: the token's list of locations is empty"
    elif len(layout.series) == 1:
        asked = _shorten(encode_params(layout.series[0].params), _MOST_TEXT)
        yield f"  asking for: {asked or 'everything the token may see'}"
    else:
        is_cut = any(len(part.windows) > 1 for part in layout.parts)
        yield f"  {len(layout.series):,} series{', each for every window' if is_cut else ''}:"
        for series in layout.series[:_MOST_SERIES]:
            yield f"    {series.why}: {_shorten(encode_params(series.params), _MOST_SERIES_TEXT)}"
        if len(layout.series) > _MOST_SERIES:
            yield f"    and {len(layout.series) - _MOST_SERIES:,} more"


def _explain_merge(query: Query, layout: Layout) -> Iterator[str]:
    if layout.count() <= 1:
        yield "  merge: nothing to merge"
        return
    repeats = any(part.rows_repeat and len(part.windows) > 1 for part in layout.parts)
    if isinstance(query, DropInRate):
        yield "  merge: zones are put together by id, passers-by and entries added, rates computed from the sums"
        yield "  check: no row of a zone may come from two requests"
    elif isinstance(query, LineCrosses) and (repeats or any(len(members) > 1 for members in layout.families)):
        over = "windows" if repeats else "parts of the list"
        yield f"  merge: counts of equal buckets are added over the {over}; rows are put in order of their buckets"
        yield "  check: no other row may come from two requests"
    else:
        yield "  merge: rows are put in order of their buckets; nothing is added up"
        yield "  check: no row may come from two requests"


def _explain_ends(layout: Layout, selection: tuple[int, int] | None) -> Iterator[str]:
    first, end = selection or (0, layout.units)
    if first < end:
        opening, *_ = layout.build((first, first + 1))
        *_, closing = layout.build((end - 1, end))
        ends = {"request": opening} if opening == closing else {"first": opening, "last": closing}
        for name, request in ends.items():
            yield f"  {name}: {_shorten(encode_params(request.params.items()), _MOST_TEXT)}"


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2]} …"
