"""Drop-in rates, and those above 100 %: a sign of how lines are set up, in one answer or many merged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..models import DropInRow, DropInTotals, ZoneDropIn
from .notes import Note, word_note

#: A zone, or None for all together; its rate in percent, who came in, and who passed.
Rate = tuple[int | None, float | None, int, int]


def rates_of(total: DropInTotals | None, rows: Iterable[DropInRow], zones: Iterable[ZoneDropIn]) -> list[Rate]:
    """List the rates of one period: of its rows, its zones and their rows, and its summary."""
    rates: list[Rate] = [(None, row.drop_in_rate, row.enter, row.passing_by) for row in rows]
    for zone in zones:
        id = zone.zone_id
        rates.append((id, zone.drop_in_rate, zone.total_visits, zone.total_passing_by))
        rates += [(id, row.drop_in_rate, row.visits, row.passing_by) for row in zone.details]
    if total is not None:
        rates.append((None, total.enter_percentage, total.enter, total.passing_by))
    return rates


def note_over_100(rates: Iterable[Rate]) -> Iterator[Note]:
    """Say, where it is so, that more came in than passed, also where nobody passed and so there is no rate."""
    over = {zone for zone, rate, enter, passing_by in rates if enter > passing_by or (rate or 0) > 100}
    if over:
        zones = ", ".join(map(str, sorted(zone for zone in over if zone is not None)))
        yield word_note("drop_in_over_100", zones=f" Zones: {zones}." if zones else "")
