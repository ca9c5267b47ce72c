"""Drop-in rates above 100 %: a sign of how lines are set up, in one answer or in many that were merged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..models import DropInRow, DropInTotals, ZoneDropIn
from .notes import Note, word_note

#: The summary, the rows and the zones of one period.
_Period = tuple[DropInTotals | None, Iterable[DropInRow], Iterable[ZoneDropIn]]


def note_over_100(periods: Iterable[_Period]) -> Iterator[Note]:
    """Say, where it is so, that more came in than passed: in a summary, in a row, in a zone."""
    rates: list[tuple[float | None, int, int]] = []
    over = set()
    for total, rows, zones in periods:
        rates += [(total.enter_percentage, total.enter, total.passing_by)] if total is not None else []
        rates += [(row.drop_in_rate, row.enter, row.passing_by) for row in rows]
        for zone in zones:
            own = [(row.drop_in_rate, row.visits, row.passing_by) for row in zone.details]
            if any(map(_is_over, [(zone.drop_in_rate, zone.total_visits, zone.total_passing_by), *own])):
                over.add(zone.zone_id)
    if over or any(map(_is_over, rates)):
        yield word_note("drop_in_over_100", zones=f" Zones: {', '.join(map(str, sorted(over)))}." if over else "")


def _is_over(rated: tuple[float | None, int, int]) -> bool:
    """Tell whether more came in than passed, also where nobody passed and so there is no rate."""
    rate, enter, passing_by = rated
    return enter > passing_by or (rate is not None and rate > 100)
