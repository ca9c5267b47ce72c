"""What checks look at: the answers by name, read once, and which of them a check has used; and how they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import takewhile
from typing import Any, Literal, TypeVar

import attrs

from ..models import NOTHING_EXTRA
from ..models.endpoints import FILTER_ENDPOINTS
from .asked import NEW_YEAR, RANGE_BY_DAY
from .course import Course, Run
from .questions import Heard
from .reading import DropIns, Row, UnreadableError, add_up, is_grouped, read_drop_ins, read_entities, read_rows
from .recording import Recording

#: Days around New Year on which nobody need have come.
_QUIET_DAYS = 5
#: Why a question is not asked, where another reason than --deep is known.
_NOT_ASKED = {
    "crossings of all other lines": "the list of lines does not tell which lead into a zone and which do not",
    "crossings on the lowest floor": "the lines of this location stand on one floor, as far as they are listed",
    "crossings of a category": "no category tells the lines of this location apart",
}
#: What an answer brings besides.
_BROUGHT_BY = {"drop-in by day": "drop-in of two periods"}
_WORDS = {"unique_visits": "unique visitors", "bounce": "bounces", "n": "dwell times"}

Verdict = Literal["holds", "fails", "cannot be told"]
T = TypeVar("T")


class CannotTellError(Exception):
    """The answers do not tell; the text says why."""


class FailsError(Exception):
    """The assumption does not hold."""

    def __init__(self, evidence: str, figures: str = "", learned: Mapping[str, Any] = NOTHING_EXTRA) -> None:
        super().__init__(evidence)
        self.judgement = Judgement("fails", evidence, figures, learned)


@attrs.frozen
class Judgement:
    """What a check found. `evidence` names no figure of the customer's; `figures` does."""

    verdict: Verdict
    evidence: str
    figures: str = ""
    #: What is learned: fields of the profile, by name.
    learned: Mapping[str, Any] = NOTHING_EXTRA
    #: The questions whose answers were looked at.
    used: tuple[str, ...] = ()

    @property
    def measured(self) -> str:
        """How it was measured: what was asked."""
        names = [f"the list of {name}" if name in FILTER_ENDPOINTS else name for name in self.used]
        return "; ".join(names) or ("nothing" if self.verdict == "cannot be told" else "every answer")


def need(is_so: object, why: str) -> None:
    """Go on only where *is_so*: else nothing can be told, *why* says of what."""
    if not is_so:
        raise CannotTellError(why)


def expect(is_so: object, otherwise: str, figures: str = "", learned: Mapping[str, Any] = NOTHING_EXTRA) -> None:
    """Go on only where *is_so*: else the assumption fails, *otherwise* says how."""
    if not is_so:
        raise FailsError(otherwise, figures, learned)


def holds(evidence: str = "", figures: str = "", learned: Mapping[str, Any] = NOTHING_EXTRA) -> Judgement:
    """Judge that an assumption holds; *evidence* where there is more to say than how it was measured."""
    return Judgement("holds", evidence, figures, learned)


def held(is_so: object, otherwise: str, figures: str) -> Judgement:
    """Judge that an assumption holds where *is_so*, and else fails, with *figures* in both cases."""
    expect(is_so, otherwise, figures)
    return holds(figures=figures)


Check = Callable[..., "Judgement | None"]


def is_so(check: Check, seen: Seen) -> bool:
    """Tell whether a check of another assumption ends well; raises CannotTellError where it cannot be told."""
    try:
        check(seen)
    except FailsError:
        return False
    return True


@attrs.frozen(kw_only=True)
class Assumption:
    """One thing that right figures depend on."""

    name: str
    """As reports and tests call it."""
    sentence: str
    """What is assumed."""
    check: Check
    """Judges it by the answers: it ends, or returns what it found, where it holds."""
    decides: str = "whether the figures are those that were asked for"
    """What in the client, or in your figures, depends on it."""
    rests_on: tuple[str, ...] = ()
    """Names of assumptions without which this one cannot be judged to fail."""
    is_deep: bool = False
    """Whether only a deep run asks what it takes."""

    def judge(self, seen: Seen) -> Judgement:
        """Judge by what was *seen*."""
        seen.used = []
        try:
            found = self.check(seen) or holds()
        except CannotTellError as reason:
            found = Judgement("cannot be told", str(reason))
        except FailsError as failure:
            found = failure.judgement
        found = attrs.evolve(found, used=tuple(dict.fromkeys(seen.used)))
        return found if found.evidence else attrs.evolve(found, evidence=f"measured: {found.measured}")


class Table(list[Assumption]):
    """Assumptions, in the order of the report, and what most of them have in common."""

    def __init__(self, **common: Any) -> None:
        super().__init__()
        self._common = common

    def add(
        self, sentence: str, *, name: str = "", given: Mapping[str, Any] = NOTHING_EXTRA, **fields: Any
    ) -> Callable[[Check], Check]:
        """Enter the check that follows, which more may be *given*, under its own *name* unless one is told."""

        def enter(check: Check) -> Check:
            known = name or getattr(check, "__name__", "").strip("_")
            self.append(
                Assumption(name=known, sentence=sentence, check=partial(check, **given), **self._common | fields)
            )
            return check

        return enter


class Seen:
    """The answers of one run."""

    def __init__(
        self, course: Course, heard: Mapping[str, Heard], *, run: Run, earlier: Recording | None = None
    ) -> None:
        self.course = course
        self.run = run
        self.heard = heard
        self.used: list[str] = []
        self._earlier = earlier
        self._read: dict[tuple[str, object], Any] = {}

    def until(self, name: str) -> Seen:
        """Return what had been seen before the answer of that *name* came."""
        earlier = copy(self)
        earlier.heard = dict(takewhile(lambda item: item[0] != name, self.heard.items()))
        return earlier

    def status_of(self, name: str) -> Heard:
        """Return what came back, also where it is an error."""
        if name not in self.heard:
            name = _BROUGHT_BY.get(name, name)
        why = _NOT_ASKED.get(name, f"{name} was not asked for: --deep does, or no request was left")
        if self.course.zone is None and " zone" in name:
            why = "no zone is listed for this location"
        need(name in self.heard, why)
        if name not in self.used:
            self.used.append(name)
        return self.heard[name]

    def answer(self, name: str) -> Heard:
        """Return an answer that there is; `CannotTellError` where there is none."""
        found = self.status_of(name)
        need(found.is_ok, f"the question for {name} was {found.problem}")
        return found

    def each(self, *endpoints: str) -> Iterator[tuple[str, Heard]]:
        """Give all answers of these endpoints, by name; at least one. Used is the one that the check ends at."""
        found = [(name, heard) for name, heard in self.heard.items() if heard.is_ok]
        found = [(name, heard) for name, heard in found if heard.question.endpoint in endpoints]
        need(found, f"no question to {' or '.join(endpoints)} was answered")
        for name, heard in found:
            self.used = [name]
            yield name, heard
        self.used = []  # all were

    def read(self, name: str, what: object, read: Callable[[Any], T]) -> T:
        """Read an answer, or *what* in it, once."""
        document = self.answer(name).document
        if (name, what) not in self._read:
            try:
                self._read[name, what] = read(document)
            except (UnreadableError, AttributeError, TypeError, ValueError) as error:
                raise CannotTellError(f"the answer for {name} has another shape than documented: {error}") from None
        found: T = self._read[name, what]
        return found

    def entities(self, name: str) -> list[Mapping[str, Any]]:
        """Read a list."""
        return self.read(name, "list", read_entities)

    def drop_ins(self, name: str, part: str = "current") -> DropIns:
        """Read a period of drop_in_rate."""
        return self.read(name, part, lambda document: read_drop_ins(document, part))

    def some_drop_ins(self, name: str) -> DropIns:
        """Read a period of drop_in_rate in which somebody passed or entered."""
        found = self.drop_ins(name)
        need(found.zones or found.details, "no passing lines are set up at this location")
        counted = any(row.count("enter") or row.count("passing_by") for row in found.details)
        need(counted, "nobody passed or entered in these days")
        return found

    def drop_ins_of_zone(self, name: str) -> tuple[Row, list[Row]]:
        """Read the totals and the rows of the zone that most questions are about."""
        zones, zone = self.drop_ins(name).zones, self.course.zone
        if zone is None or zone not in zones:
            raise CannotTellError("no passing lines are set up for this zone")
        return zones[zone]

    def rows(self, name: str, part: str = "current") -> list[Row]:
        """Read the rows of an answer, of drop_in_rate those of all zones together, however they are grouped."""
        endpoint = self.status_of(name).question.endpoint
        if endpoint == "drop_in_rate":
            return self.drop_ins(name, part).details
        return self.read(name, part, lambda document: read_rows(endpoint, document, part))

    def grouped(self, name: str, part: str = "current") -> list[Row]:
        """Read the rows of an answer, which are grouped as they were asked for."""
        rows = self.rows(name, part)
        asked = self.status_of(name).question.params.get("aggregate_by")
        is_so = self.read(name, ("grouped", part), lambda _: asked is None or is_grouped(rows, asked))
        need(is_so, f"{name} came under other labels than asked for")
        return rows

    def zoned(self, name: str) -> list[Row]:
        """Read the rows of an answer that tell their zone: of drop_in_rate the totals of zones."""
        is_drop_in = self.status_of(name).question.endpoint == "drop_in_rate"
        return self.drop_ins(name).totals if is_drop_in else self.grouped(name)

    def measured(self, name: str) -> list[Row]:
        """Read the rows with visits, of zones whose plan measures more than visits."""
        rows = self.counting("visits", name)
        zones = {row.zone for row in self.rows("visits of the week") if row.count("unique_visits") or row.count("n")}
        rows = [row for row in rows if row.zone in zones]
        need(rows, "the plan of this location measures no unique visitors, bounces and dwell times")
        return rows

    def counting(self, figure: str, name: str) -> list[Row]:
        """Read the rows of zone_visitors that count a *figure*: at least one, of zones whose plan measures it."""
        rows = self.grouped(name) if figure == "visits" else self.measured(name)
        found = [row for row in rows if row.count(figure)]
        nobody = f"there was nobody to count in the days of {name}"
        need(found, nobody if figure == "visits" else f"there was nothing to count: no {_WORDS[figure]} in these days")
        return found

    def of_zone(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows of the zone that most questions are about."""
        return [row for row in rows if row.zone == self.course.zone]

    @property
    def new_year_days(self) -> list[Row]:
        """The rows by day around New Year."""
        first, last = self.course.new_year
        name = NEW_YEAR if NEW_YEAR in self.heard else RANGE_BY_DAY
        rows = [row for row in self.grouped(name) if row.day is not None and first <= row.day <= last]
        days = sorted({row.day for row in rows if row.day is not None and row.count("visits")})
        all_there = days and (days[0] - first).days <= _QUIET_DAYS and (last - days[-1]).days <= _QUIET_DAYS
        need(all_there, "the days around New Year are not all there")
        return rows

    def earlier_days(self) -> tuple[Recording, list[Row]]:
        """Return the recording of an earlier run, and the rows by day that it was told of the same place."""
        earlier = self._earlier
        if earlier is None:
            raise CannotTellError("there is no earlier recording; --record keeps this one for next time")
        need(earlier.location == self.course.location, f"the earlier recording is of location {earlier.location}")
        found = earlier.answers.get(RANGE_BY_DAY)
        try:
            rows = read_rows("zone_visitors", found.document) if found is not None and found.is_ok else []
        except UnreadableError as error:
            raise CannotTellError(f"the earlier recording has another shape than documented: {error}") from None
        return earlier, [row for row in rows if row.day is not None]


def same_sums(
    first: Sequence[Row], second: Sequence[Row], figure: str, otherwise: str, *, by: Sequence[str] = ("zone",)
) -> Judgement:
    """Judge by whether a figure has the same sums in two answers, and say them."""
    sums = [add_up(rows, figure, by) for rows in (first, second)]
    figures = f"{figure}: {sums[0].total():,} and {sums[1].total():,}"
    return held(sums[0] == sums[1], otherwise, figures)
