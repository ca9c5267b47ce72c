"""What the checks look at: the answers by name, read once, and which of them a check has used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from datetime import date
from itertools import takewhile
from typing import Any, Literal, TypeVar

import attrs

from .course import NEW_YEAR, Course, Run
from .questions import Heard
from .reading import DropIns, Row, UnreadableError, add_up, read_drop_ins, read_entities, read_lines, read_visits

Verdict = Literal["holds", "fails", "cannot be told"]
T = TypeVar("T")


class CannotTellError(Exception):
    """The answers do not tell; the text says why."""


@attrs.frozen
class Judgement:
    """What a check found. `evidence` names no figure of the customer's; `figures` does."""

    verdict: Verdict
    evidence: str
    figures: str = ""
    #: What is learned: fields of the profile, by name.
    learned: Mapping[str, Any] = attrs.field(factory=dict)


def holds(evidence: str, figures: str = "", **learned: Any) -> Judgement:
    """Judge that an assumption holds."""
    return Judgement("holds", evidence, figures, learned)


def fails(evidence: str, figures: str = "", **learned: Any) -> Judgement:
    """Judge that an assumption does not hold."""
    return Judgement("fails", evidence, figures, learned)


def cannot_tell(evidence: str, figures: str = "") -> Judgement:
    """Judge that nothing can be said, here."""
    return Judgement("cannot be told", evidence, figures)


@attrs.frozen
class Assumption:
    """One thing that right figures depend on."""

    name: str
    """As reports and tests call it."""
    sentence: str
    """What is assumed."""
    measured: str
    """How it is measured."""
    check: Callable[[Seen], Judgement]
    """Judges it by the answers."""
    decides: str = "whether the figures are those that were asked for"
    """What in the client, or in your figures, depends on it."""
    rests_on: tuple[str, ...] = ()
    """Names of assumptions without which this one cannot be judged to fail."""
    is_deep: bool = False
    """Whether only a deep run asks what it takes."""


class Seen:
    """The answers of one run."""

    def __init__(self, course: Course, heard: Mapping[str, Heard], *, run: Run, earlier: Earlier | None = None) -> None:
        self.course = course
        self.run = run
        self.heard = heard
        self.used: list[str] = []
        self._earlier = earlier
        self._read: dict[tuple[str, str], Any] = {}
        self._grouped: dict[tuple[str, str], bool] = {}

    def until(self, name: str) -> Seen:
        """Return what had been seen before the answer of that *name* came."""
        earlier = copy(self)
        earlier.heard = dict(takewhile(lambda item: item[0] != name, self.heard.items()))
        return earlier

    def answer(self, name: str) -> Heard:
        """Return an answer that there is; `CannotTellError` where there is none."""
        found = self.status_of(name)
        if not found.is_ok:
            raise CannotTellError(f"the question for {name} was {found.problem}")
        return found

    def status_of(self, name: str) -> Heard:
        """Return what came back, also where it is an error."""
        if name not in self.heard:
            raise CannotTellError(
                _NOT_ASKED.get(name, f"{name} was not asked for: --deep does, or no request was left")
            )
        if name not in self.used:
            self.used.append(name)
        return self.heard[name]

    def any_visits(self, name: str, part: str = "current") -> list[Row]:
        """Read rows of zone_visitors, however they are grouped."""
        return self.read(name, part, lambda document: read_visits(document, part))

    def visits(self, name: str, part: str = "current") -> list[Row]:
        """Read rows of zone_visitors that are grouped as they were asked for."""
        rows = self.any_visits(name, part)
        if (name, part) not in self._grouped:
            asked = self.heard[name].question.params.get("aggregate_by")
            self._grouped[name, part] = asked is None or not rows or is_grouped(rows, asked)
        if not self._grouped[name, part]:
            raise CannotTellError(f"{name} came under other labels than asked for")
        return rows

    def crossings(self, name: str) -> list[Row]:
        """Read rows of line_crosses."""
        return self.read(name, "", read_lines)

    def drop_ins(self, name: str, part: str = "current") -> DropIns:
        """Read a period of drop_in_rate."""
        if name == "drop-in by day" and name not in self.heard:
            name = "drop-in of two periods"  # which brings it, where comparisons are not refused
        return self.read(name, part, lambda document: read_drop_ins(document, part))

    def drop_in_rows(self, name: str) -> list[Row]:
        """Read the rows of drop_in_rate that are of all zones together."""
        return self.drop_ins(name).details

    def entities(self, name: str) -> list[Mapping[str, Any]]:
        """Read a list."""
        return self.read(name, "", read_entities)

    def read(self, name: str, part: str, read: Callable[[Any], T]) -> T:
        """Read an answer, or a *part* of it, once."""
        document = self.answer(name).document
        if (name, part) not in self._read:
            try:
                self._read[name, part] = read(document)
            except (UnreadableError, AttributeError, TypeError, ValueError) as error:
                raise CannotTellError(f"the answer for {name} has another shape than documented: {error}") from None
        found: T = self._read[name, part]
        return found

    def counted(self, rows: list[Row], figure: str) -> list[Row]:
        """Return *rows*, of which at least one counts a *figure*: sums of nothing agree with anything."""
        if not any(row.count(figure) for row in rows):
            raise CannotTellError(f"there was nothing to count: no {figure} in these days")
        return rows

    def some_visits(self, name: str, part: str = "current") -> list[Row]:
        """Read rows of zone_visitors, at least one of which counts somebody."""
        rows = self.visits(name, part)
        if not any(row.count("visits") for row in rows):
            raise CannotTellError(f"there was nobody to count in the days of {name}")
        return rows

    def measured_visits(self, name: str) -> list[Row]:
        """Read the rows of zones whose plan measures visitors and dwell times, too."""
        rows, zones = self.some_visits(name), self.measured_zones
        measured = [row for row in rows if row.zone in zones]
        if not measured:
            raise CannotTellError("the plan of this location measures no unique visitors, bounces and dwell times")
        return measured

    def stays(self, name: str) -> list[Row]:
        """Read the rows that have dwell times."""
        rows = [row for row in self.measured_visits(name) if row.count("n")]
        if not rows:
            raise CannotTellError("no row has dwell times")
        return rows

    @property
    def measured_zones(self) -> frozenset[int | None]:
        """The zones whose plan measures more than visits."""
        rows = self.any_visits("visits of the week")
        return frozenset(row.zone for row in rows if row.count("unique_visits") or row.count("n"))

    @property
    def new_year_days(self) -> list[Row]:
        """The rows by day around New Year."""
        course = self.course
        first, last = course.new_year
        name = NEW_YEAR if NEW_YEAR in self.heard else "visits by day, the whole range"
        rows = [row for row in self.visits(name) if row.day is not None and first <= row.day <= last]
        days = sorted({row.day for row in rows if row.day is not None and row.count("visits")})
        if not days or (days[0] - first).days > _QUIET_DAYS or (last - days[-1]).days > _QUIET_DAYS:
            raise CannotTellError("the days around New Year are not all there")
        return rows

    @property
    def earlier(self) -> Earlier:
        """The days of an earlier recording."""
        if self._earlier is None:
            raise CannotTellError("there is no earlier recording; --record keeps this one for next time")
        return self._earlier


#: Days on which nobody need have come.
_QUIET_DAYS = 5
_FINEST = ("minute", "hour", "dayofmonth", "week", "dayofweek")


def is_grouped(rows: list[Row], asked: str) -> bool:
    """Tell whether rows have the labels of a grouping; hours need not tell their dates."""
    names = set(asked.split(",")) - {"loc_id"}
    if names == {"zone"}:
        return not any(name in row.labels for row in rows for name in _FINEST)
    finest = next((name for name in _FINEST if name in names), None)
    finer = _FINEST[: _FINEST.index(finest)] if finest in _FINEST[:3] else _FINEST[:2]
    return all(
        (finest is None or finest in row.labels) and not any(name in row.labels for name in finer) for row in rows
    )


_NOT_ASKED = {
    "crossings of all other lines": "the list of lines does not tell which lead into a zone and which do not",
    "crossings on the lowest floor": "the lines of this location stand on one floor, as far as they are listed",
    "crossings of a category": "no category tells the lines of this location apart",
    **dict.fromkeys(
        (
            "visits filtered",
            "crossings into the zone by hour",
            "crossings into the zone by month",
            "crossings out of the zone",
            "drop-in of the zone by hour",
            "drop-in of the zone by hour of UTC",
            "visits of all zones, by a long URL",
        ),
        "no zone is listed for this location",
    ),
}


@attrs.frozen(kw_only=True)
class Earlier:
    """What an earlier run was told of days that had ended by then."""

    made_on: date
    location: int
    rows: list[Row]


def same_sums(
    first: Sequence[Row], second: Sequence[Row], figure: str, by: Sequence[str] = ("zone",)
) -> tuple[bool, str]:
    """Compare the sums of a figure in two answers, and say them."""
    sums = [add_up(rows, figure, by) for rows in (first, second)]
    same = {key: value for key, value in sums[0].items() if value} == {
        key: value for key, value in sums[1].items() if value
    }
    return same, f"{figure}: {sum(sums[0].values()):,} and {sum(sums[1].values()):,}"


def total(sums: Counter[Hashable]) -> int:
    """Sum up sums."""
    return sum(sums.values())
