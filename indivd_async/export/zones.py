"""
Which location a zone belongs to, as the answers tell.

A zone that is in the answers for two locations would be kept twice. Where both were asked in this run for the same
days, one of the answers is wrong, and the location that had it stays right. Where a zone turns up at another location
than before, it may have moved: the location that had it is asked again for the days in question, and if it has it no
longer, both are asked again for all the days that it was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from ..errors import DecodeError
from ..planning import Window
from .asks import Answered
from .coverage import Holding, overlap
from .manifest import Subject

_Days = tuple[str, Window]  # of a period


@attrs.define(kw_only=True)
class Zones:
    """The zones of one run."""

    #: The location that each zone is of; begins as the manifest has it.
    owners: dict[int, int]
    held: Mapping[Subject, Holding]
    #: Locations that can still be asked.
    present: frozenset[int]
    #: Answers with a zone that was another location's: until that one has been asked.
    waiting: list[Answered] = attrs.field(factory=list)
    #: Zones that have moved in this run: from where, and where to.
    moved: dict[int, tuple[int, int]] = attrs.field(factory=dict)
    #: Where each zone is, by the answers that were kept; and by all that came, with the days of every answer.
    _kept: dict[int, dict[int, list[_Days]]] = attrs.field(factory=dict)
    _told: dict[int, dict[int, list[_Days]]] = attrs.field(factory=dict)
    _asked: dict[int, list[_Days]] = attrs.field(factory=dict)

    def judge(self, answered: Answered) -> bool:
        """Tell whether *answered* can be kept; else it waits. DecodeError where a zone of it is another location's."""
        location = answered.ask.location
        if location is None:
            return True
        days = (answered.ask.period, answered.window)
        self._asked.setdefault(location, []).append(days)
        for zone in answered.zones:
            self._told.setdefault(zone, {}).setdefault(location, []).append(days)
        for zone in answered.zones:
            owner = self.owners.get(zone, location)
            kept = {other: seen for other, seen in self._kept.get(zone, {}).items() if other != location}
            told = {} if owner == location else {owner: self._told[zone].get(owner, [])}
            for other, seen in (kept | told).items():
                if any(_meet(days, one) for one in seen):
                    raise _two_owners(answered, zone, other)
        if any(self.days_to_ask(answered)):
            self.waiting.append(answered)
            return False
        self._keep(answered, location)
        return True

    def days_to_ask(self, answered: Answered) -> Iterator[tuple[int, Window]]:
        """Yield locations that had a zone of *answered*, and the days for which they are to be asked first."""
        period = answered.ask.period
        for other in {self.owners[zone] for zone in answered.zones if zone in self.owners} - {answered.ask.location}:
            if other in self.present:
                for window in self.held.get((period, other), Holding()).windows:
                    both = overlap(window, answered.window)
                    asked = self._asked.get(other, ())
                    if both is not None and not any(one[0] == period and _covers(one[1], both) for one in asked):
                        yield other, both

    def give_up(self) -> Iterator[tuple[Answered, DecodeError]]:
        """Yield what still waits: the location that had its zone could not be asked."""
        for answered in self.waiting:
            zone = next(zone for zone in answered.zones if self.owners.get(zone) not in (None, answered.ask.location))
            yield answered, _two_owners(answered, zone, self.owners[zone])

    def _keep(self, answered: Answered, location: int) -> None:
        days = (answered.ask.period, answered.window)
        for zone in answered.zones:
            self._kept.setdefault(zone, {}).setdefault(location, []).append(days)
            owner = self.owners.get(zone)
            if owner is not None and owner != location:
                self.moved[zone] = (owner, location)
            self.owners[zone] = location


def _meet(one: _Days, other: _Days) -> bool:
    return one[0] == other[0] and overlap(one[1], other[1]) is not None


def _covers(one: Window, other: Window) -> bool:
    return one.start <= other.start and other.end <= one.end


def _two_owners(answered: Answered, zone: int, other: int) -> DecodeError:
    here = f"location {answered.ask.location}"
    problem = f"expected zone {zone} in the answers for location {other} only, got it for {here} too @ $"
    return DecodeError([problem], request=answered.request)
