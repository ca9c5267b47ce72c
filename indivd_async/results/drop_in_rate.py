"""What a question for the drop-in rate gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from ..errors import InvalidQueryError
from ..escaping import ShownAsText
from ..models import DropInRow, DropInTotals, ZoneDropIn
from ..wording import counted
from .notes import Note, word_note
from .result import Number, Period, Result, of_period


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropInSummary(ShownAsText):
    """All zones together over each period; `comparison` is None if it was not asked for."""

    current: DropInTotals
    """The period asked for."""
    comparison: DropInTotals | None = None
    """The period to compare with; None if it was not asked for."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropInDetails(ShownAsText):
    """All zones together by bucket."""

    interval: str | None
    """What the rows are grouped by, as the API names it."""
    current: tuple[DropInRow, ...] = attrs.field(repr=counted)
    """Rows of the period asked for."""
    comparison: tuple[DropInRow, ...] | None = attrs.field(default=None, repr=counted)
    """Rows of the period to compare with; None if it was not asked for."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropInZones(ShownAsText):
    """Each zone by its id."""

    current: Mapping[int, ZoneDropIn] = attrs.field(repr=counted)
    """Each zone of the period asked for."""
    comparison: Mapping[int, ZoneDropIn] | None = attrs.field(default=None, repr=counted)
    """Each zone of the period to compare with; None if it was not asked for."""


@attrs.frozen(kw_only=True, repr=False, eq=False)
class DropInRateResult(Result[DropInRow]):
    """Passers-by, entries and their ratio. Its own rows are `details.current`; in Arrow, those of each zone."""

    summary: DropInSummary
    """All zones together over each period."""
    details: DropInDetails
    """All zones together by bucket."""
    zone_details: DropInZones
    """Each zone, with its rows by bucket."""

    def _sequence(self) -> tuple[DropInRow, ...]:
        return self.details.current

    def total(self, metric: str, *, period: Period = "current") -> Number | None:
        """Return `passing_by`, `enter` or `drop_in_rate` (percent, None where nobody passed) over a whole period."""
        totals: DropInTotals = of_period(self.summary, period)
        names = {"passing_by": "passing_by", "enter": "enter", "drop_in_rate": "enter_percentage"}
        if metric not in list(names):
            raise InvalidQueryError("metric", f"must be one of {', '.join(names)}", metric)
        value: Number | None = getattr(totals, names[metric])
        return value


# Rates, and those above 100 %: a sign of how lines are set up, in one answer or many merged.

#: A zone, or None for all together; its rate in percent, who came in, and who passed.
Rate = tuple[int | None, float | None, int, int]


def rate(part: int, whole: int) -> float | None:
    """Return 100 · *part* / *whole* to one decimal, as the API rounds; None where *whole* is 0."""
    return round(100 * part / whole, 1) if whole else None


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
