"""
Random histories of exports, a night a step, against what the world said when each day was last asked for.

The model knows nothing of plans, regions or manifests: it keeps, for each location and day, the rows that one unsplit
question would have been answered with. ``HYPOTHESIS_PROFILE=thorough`` tries forty times as many.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import attrs
import duckdb
import polars
import pyarrow.parquet
import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from killing import KilledError, killed_within
from oracle import examples
from town import PLACES, Town

from indivd_async import (
    AsyncIndivd,
    ConfigError,
    DropInRate,
    LineCrosses,
    RetryPolicy,
    ZoneVisitors,
    sandbox,
    wall_clock,
)
from indivd_async.export import Report, folder, sql
from indivd_async.export.database import Database
from indivd_async.export.folder import Folder
from indivd_async.export.run import Options, run
from indivd_async.export.target import parse_target
from indivd_async.queries import Query

FIRST = date(2025, 3, 1)
ZONE_OF = {"zone_visitors": "aggregate_by", "drop_in_rate": "interval", "line_crosses": "aggregate_by"}
QUESTIONS: tuple[Query, ...] = (
    ZoneVisitors(FIRST, FIRST, aggregate_by="dayofmonth"),
    DropInRate(FIRST, FIRST, interval="day"),
    LineCrosses(FIRST, FIRST, category=1, aggregate_by="dayofmonth", per="location"),
)
CLOCKS = ("Europe/Stockholm", "America/New_York", "Asia/Kathmandu")
#: (zone or None, its figures)
Row = tuple[Any, ...]


_PLACE = st.sampled_from(PLACES)
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["opens", "closes", "silent", "speaks"]), _PLACE),
    st.tuples(st.just("moves"), _PLACE, st.sampled_from(CLOCKS)),
    # Twice, and mostly for the days that are asked again: it takes figures that changed to show that they were asked.
    *[st.tuples(st.just("late"), _PLACE, st.sampled_from([0, 0, 1, 2, 2, 3, 6]))] * 2,
    st.tuples(st.just("lends"), _PLACE, st.sampled_from([202, 223, 231])),
)


@attrs.define
class Model:
    """The rows of each location and day, as they were last told, and on which clock."""

    rows: dict[int, dict[date, frozenset[Row]]] = attrs.field(factory=dict)
    clocks: dict[tuple[int, date], Any] = attrs.field(factory=dict)
    #: The last day that had ended when a day was asked for that had not.
    open: dict[tuple[int, date], date] = attrs.field(factory=dict)
    start: date | None = None
    end: date | None = None

    def night(
        self, town: Town, query: Query, *, ended: date, refresh: int | None, prune: bool, accept_empty: bool
    ) -> None:
        """Do what an undisturbed run is to do."""
        before = max((day for days in self.rows.values() for day in days), default=None)
        self.start = query.start_date if self.start is None or prune else min(self.start, query.start_date)
        self.end = query.end_date if self.end is None else max(self.end, query.end_date)
        for days in self.rows.values():
            for day in [day for day in days if day < self.start]:
                del days[day]
        wanted = [self.start + timedelta(days=n) for n in range((self.end - self.start).days + 1)]
        answers = {place: truth(town, query, place, self.start, self.end) for place in town.listed}
        for place, told in answers.items():
            days = self.rows.setdefault(place, {})
            # Its zone is another's now, whose answer has its rows: that it has none is to be believed.
            others = [answers[other] for other in answers if other != place]
            has_moved = bool(zones_of(days) & set().union(*map(zones_of, others)))
            clock = town.clocks[place] if not isinstance(query, LineCrosses) else None
            since = None
            if refresh is not None and before is not None:
                since = min(before, ended + timedelta(days=1)) - timedelta(days=refresh - 1)
            again = {
                day
                for day in days
                if self.clocks[place, day] != clock
                or (since is not None and day >= since)
                or self.open.get((place, day), ended) < ended
            }
            for stretch in runs(again):
                emptied = any(days[day] for day in stretch) and not any(told[day] for day in stretch)
                if emptied and not (accept_empty or has_moved):
                    continue
                for day in stretch:
                    self.hold(place, day, told[day], clock, ended)
            for day in wanted:
                if day not in days:
                    self.hold(place, day, told[day], clock, ended)

    def hold(self, place: int, day: date, rows: frozenset[Row], clock: str | None, ended: date) -> None:
        self.rows[place][day], self.clocks[place, day] = rows, clock
        self.open.pop((place, day), None)
        if day > ended:
            self.open[place, day] = ended

    def table(self) -> dict[tuple[int, date], frozenset[Row]]:
        return {(place, day): rows for place, days in self.rows.items() for day, rows in days.items() if rows}


def zones_of(days: Mapping[date, frozenset[Row]]) -> set[int]:
    return {row[0] for rows in days.values() for row in rows} - {None}


def runs(days: set[date]) -> list[list[date]]:
    """Part days into runs without a gap."""
    found: list[list[date]] = []
    for day in sorted(days):
        if found and found[-1][-1] + timedelta(days=1) == day:
            found[-1].append(day)
        else:
            found.append([day])
    return found


def truth(town: Town, query: Query, place: int, start: date, end: date) -> dict[date, frozenset[Row]]:
    """Ask the world for one location, unsplit."""
    found: dict[date, set[Row]] = {start + timedelta(days=n): set() for n in range((end - start).days + 1)}
    if isinstance(query, ZoneVisitors):
        said = town.zone_visitors(start, end, location=(place,), tz=town.clocks[place], aggregate_by="dayofmonth")
        for row in said["current"]["insights"]:
            label = row["aggregation"]
            found[day_of(label)].add((label["zone_id"], row["visits"], row["unique_visits"]))
    elif isinstance(query, DropInRate):
        said = town.drop_in_rate(start, end, location=(place,), interval="day")
        for zone in said["zone_details"]["current"].values():
            for row in zone["details"]:
                found[day_of(row)].add((zone["zone_id"], row["visits"], row["passing_by"]))
    else:
        for row in town.line_crosses(start, end, location=(place,), category=(1,), aggregate_by="dayofmonth"):
            found[day_of(row["_id"])].add((None, row["count"], 0))
    return {day: frozenset(rows) for day, rows in found.items()}


def day_of(label: Mapping[str, int]) -> date:
    return date(label["year"], label["month"], label["dayofmonth"])


def as_model(frame: polars.DataFrame, query: Query) -> dict[tuple[int, date], frozenset[Row]]:
    """Read a table as the model has it; a row that comes twice is not lost."""
    figures = {
        ZoneVisitors: ("visits", "unique_visits"),
        DropInRate: ("enter", "passing_by"),
        LineCrosses: ("count", None),
    }[type(query)]
    found: dict[tuple[int, date], set[Row]] = {}
    for row in frame.iter_rows(named=True):
        key = (row["loc_id"], date(row["year"], row["month"], row["dayofmonth"]))
        rest = (row["zone_id"], row[figures[0]], row[figures[1]] if figures[1] else 0)
        rows = found.setdefault(key, set())
        assert rest not in rows
        rows.add(rest)
    return {key: frozenset(rows) for key, rows in found.items()}


@attrs.define
class Readers:
    """All that readers of a folder can have seen: each part that counted, its footer and rows, and until when."""

    out: Path
    seen: dict[tuple[Path, int], tuple[datetime, Any, Any]] = attrs.field(factory=dict)

    def look(self, now: datetime) -> None:
        """Read what counts now."""
        for part in self.out.rglob("part-*.parquet"):
            with pyarrow.parquet.ParquetFile(part) as file:
                self.seen[part, part.stat().st_size] = (now, file.metadata, file.read())

    def read_on(self, now: datetime) -> None:
        """Whoever has read a footer within half a day finds its rows, and no file is shorter than it was."""
        for (part, size), (until, footer, table) in self.seen.items():
            assert part.stat().st_size >= size
            if until > now - timedelta(hours=12):
                with pyarrow.parquet.ParquetFile(part, metadata=footer) as file:
                    assert file.read().equals(table)


class Histories(RuleBasedStateMachine):
    """A town, a model, and an export of it into a folder and into DuckDB."""

    @initialize(query=st.sampled_from(QUESTIONS), listed=st.sets(st.sampled_from(PLACES), min_size=2))
    def begin(self, query: Query, listed: set[int]) -> None:
        self.query = query
        self.town = Town(listed=tuple(sorted(listed)), scale=0.05)
        self.model = Model()
        self.folder = Path(tempfile.mkdtemp(prefix="indivd-histories-"))
        self.out, self.file = self.folder / "out", self.folder / "town.duckdb"
        self.start, self.end = FIRST, FIRST + timedelta(days=5)
        self.ended = self.end
        self.ask_all = False
        self.now = datetime.now(UTC)
        self.readers = Readers(self.out)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    # What happens to the town, before a night.

    def happen(self, event: tuple[Any, ...]) -> None:
        town, (kind, place, *more) = self.town, event
        if kind == "opens" and place not in town.listed:
            town.listed.append(place)
        elif kind == "closes" and place in town.listed and len(town.listed) > 1:
            town.listed.remove(place)
        elif kind == "moves":
            town.clocks[place] = more[0]
        elif kind == "late":
            day = self.end - timedelta(days=more[0])
            town.late[place, day] = town.late.get((place, day), 0) + 1
        elif kind == "silent" and not town.lent:
            town.silent.add(place)
        elif kind == "speaks":
            town.silent.clear()
        elif kind == "lends" and not town.silent and isinstance(self.query, ZoneVisitors):
            town.lent[more[0]] = place
            self.ask_all = True  # what a zone's move touches is asked again once somebody sees it: here at once

    # Nights.

    @rule(
        events=st.lists(EVENTS, max_size=4),
        later=st.integers(-2, 4),
        begins=st.sampled_from([0, 0, 0, 1, 3, -2]),
        prune=st.booleans(),
        refresh=st.sampled_from([None, None, 1, 3, 30]),
        accept_empty=st.booleans(),
        kills=st.lists(st.tuples(st.sampled_from(["answers", "commits", "moves"]), st.integers(1, 6)), max_size=2),
        lag=st.integers(-1, 3),
        other=st.sampled_from([False, False, False, True]),
        hours=st.sampled_from([0, 1, 11, 13, 24, 24, 24, 200]),
    )
    def night(
        self,
        events: list[tuple[Any, ...]],
        later: int,
        begins: int,
        prune: bool,
        refresh: int | None,
        accept_empty: bool,
        kills: list[tuple[str, int]],
        lag: int,
        other: bool,
        hours: int,
    ) -> None:
        for event in events:
            self.happen(event)
        self.end = max(self.start, self.end + timedelta(days=later))
        self.start = min(self.end, self.start + timedelta(days=begins))
        refresh = 400 if self.ask_all else refresh
        self.ask_all = False
        query = attrs.evolve(self.query, start_date=self.start, end_date=self.end)
        self.ended = max(self.ended, self.end - timedelta(days=lag))  # the clock never goes back
        for (place, day), ended in self.model.open.items():
            if ended < self.ended:  # days that had not ended have grown
                self.town.late[place, day] = self.town.late.get((place, day), 0) + 1
        words = {"refresh": refresh, "accept_empty": accept_empty, "prune": prune, "ended": self.ended}
        told = dict(words)
        words["keep"] = not prune
        self.model.night(self.town, query, **told)  # type: ignore[arg-type]
        self.now += timedelta(hours=hours)
        self.readers.look(self.now)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wall_clock, "utc_now", lambda: self.now)
            anyio.run(self.run_both, query, words, kills)
        self.readers.read_on(self.now)
        expected = self.model.table()
        assert as_model(polars.scan_parquet(self.out).collect(), query) == expected
        with duckdb.connect(self.file) as connection:
            assert as_model(polars.DataFrame(connection.sql("SELECT * FROM town").to_arrow_table()), query) == expected
        if other:
            another = attrs.evolve(query, **{ZONE_OF[query.endpoint.name]: "month"})
            with pytest.raises(ConfigError, match="another question"):
                anyio.run(self.run_both, another, {"keep": True, "ended": self.ended}, [])

    async def run_both(self, query: Query, words: dict[str, Any], kills: list[tuple[str, int]]) -> None:
        transport = sandbox.transport(sandbox.app(self.town))
        target = parse_target(f"duckdb:///{self.file}?table=town")
        async with AsyncIndivd(token="sandbox", transport=transport, retry=RetryPolicy(attempts=1)) as client:
            for make_store in (partial(Folder, self.out), partial(Database, target)):
                for during, count in kills:
                    with suppress(KilledError), KILLERS[during](count) as kill:
                        options = Options(**words, on_progress=kill, commit_every=0)
                        await run(client, query, make_store(), options)  # type: ignore[arg-type]
                    self.see_what_is_left(make_store(), doubled=during == "moves")
                report: Report = await run(client, query, make_store(), Options(**words))  # type: ignore[arg-type]
                assert report.complete, report.failures

    def see_what_is_left(self, store: Any, *, doubled: bool) -> None:
        """
        After a kill, whoever goes on finds the rows that the manifest tells of, and readers no others.

        Before anybody goes on, readers find no row twice; but for a kill between two renames, which is quick to miss.
        """
        if not doubled and any(self.out.rglob("part-*.parquet")):
            as_model(polars.scan_parquet(self.out).collect(), self.query)
        store.open()
        told = 0 if store.manifest is None else store.manifest.rows
        store.close()
        if told and self.out.exists() and store.place.target == self.out:
            assert len(polars.scan_parquet(self.out).collect()) == told


@contextmanager
def killed_by_answers(answers: int) -> Iterator[Callable[[Any], None]]:
    """Kill after so many answers."""

    def kill(progress: Any) -> None:
        if progress.done >= answers:
            raise KilledError

    yield kill


KILLERS: dict[str, Any] = {
    "answers": killed_by_answers,
    "commits": killed_within((folder, "write_manifest"), (sql, "update_manifest")),
    "moves": killed_within((Path, "replace")),
}


@pytest.mark.long
def test_random_histories() -> None:
    """Folder and table hold what was last said of each day, whatever happened on the way."""
    # Not made smaller: that would take minutes, and a history of six nights can be read as it is.
    run_state_machine_as_test(
        Histories,
        settings=settings(
            parent=examples(13), stateful_step_count=6, phases=[Phase.generate], report_multiple_bugs=False
        ),
    )
