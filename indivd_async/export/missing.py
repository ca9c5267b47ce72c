"""What a run asks for: what is not there, what is to be asked again, and what goes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial

from ..models.clocks import ONE_DAY
from ..planning import Window
from ..planning.windows import bucket_unit
from ..queries import Query
from .asks import Ask
from .coverage import Holding, Wanted, last_day_of_bucket, overlap, to_ask
from .manifest import Manifest, Subject
from .question import first_day_kept, groupings_of, periods_of
from .store import Change, Region
from .world import World
from .zones import Zones

_LONG_AGO = date(1970, 1, 2)


def refresh_since(before: Manifest | None, *, ended: date, days: int | None) -> dict[str, date]:
    """Return, for each period, the first day to ask again: of the last *days* that are there; nothing where none is."""
    if days is None or before is None:
        return {}
    # By the days that are there, not by those that were wanted: a run that was killed before it had any new day is
    # followed by one that asks the same days again. (Days are asked again before new ones are asked for.)
    last: dict[str, date] = {}
    for (period, _), holding in before.held.items():
        for window in holding.windows:
            last[period] = max(window.end, last.get(period, window.end))
    return {period: min(day, ended + ONE_DAY) - timedelta(days=days - 1) for period, day in last.items()}


def make_asks(manifest: Manifest, world: World, ended: date, refresh_since: Mapping[str, date]) -> Iterator[Ask]:
    """Yield what is missing, and what is to be asked again."""
    for subject, wanted in _wanted(manifest.query, world, ended, refresh_since):
        yield from _make_asks(subject, manifest.held.get(subject, Holding()), wanted)


def follow_up(manifest: Manifest, world: World, zones: Zones, ended: date) -> Iterator[Ask]:
    """Yield what is to be asked because zones are in the answers for another location than before."""
    waiting: dict[Subject, list[Window]] = {}
    for answered in zones.waiting:
        for other, days in zones.days_to_ask(answered):
            waiting.setdefault((answered.ask.period, other), []).append(days)
    for subject, wanted in _wanted(manifest.query, world, ended, {}):
        held = manifest.held.get(subject, Holding()).doubt(waiting.get(subject, ()))
        yield from (ask for ask in _make_asks(subject, held, wanted) if ask.accept_empty)


def _wanted(
    query: Query, world: World, ended: date, refresh_since: Mapping[str, date]
) -> Iterator[tuple[Subject, Wanted]]:
    groupings = groupings_of(query)
    # By clock: the hours of a location are those of the one before it then, and need not be read again.
    places = sorted(world.places.items(), key=lambda place: place[1] or "")
    for period, window in periods_of(query).items():
        for location, clock in places:
            yield (
                (period, location),
                Wanted(
                    period=window,
                    clock=clock,
                    unit=bucket_unit(groupings[period]),
                    ended=ended,
                    refresh_since=refresh_since.get(period),
                ),
            )


def _make_asks(subject: Subject, held: Holding, wanted: Wanted) -> Iterator[Ask]:
    period, location = subject
    again, new = to_ask(held, wanted)
    doubted = held.doubted
    ask = partial(Ask, period=period, location=location, clock=wanted.clock)
    for window in again:
        yield ask(
            window=window,
            again=True,
            whole=window == wanted.period,
            at_once=held.kind != "days",
            accept_empty=any(overlap(window, days) is not None for days in doubted),
        )
    for window in new:
        yield ask(window=window, whole=window == wanted.period)


def prune(manifest: Manifest, settled: Query) -> tuple[list[Change], dict[Subject, Holding]]:
    """Say which rows go because the period begins later, and what is there then."""
    changes = []
    held = dict(manifest.held)
    units = {period: bucket_unit(grouping) for period, grouping in groupings_of(settled).items()}
    for period, first in first_day_kept(manifest.query, settled).items():
        unit = units[period]
        if unit is None:
            continue  # all is asked for again
        changes.append(Change(region=Region(period=period, window=Window(_LONG_AGO, first - ONE_DAY))))
        # A month of which some days go is asked for again: its row goes whole.
        gone = Window(_LONG_AGO, last_day_of_bucket(first - ONE_DAY, unit))
        for subject, holding in held.items():
            if subject[0] == period and holding.kind != "whole":
                held[subject] = holding.remove(gone)
    return changes, held
