"""Exports in a world that changes: locations that open, close, move; figures that come late; answers that are empty."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import attrs
import polars
import pytest
from town import Town, day_after

from indivd_async import AsyncIndivd, ConfigError, DropInRate, LineCrosses, RetryPolicy, ZoneVisitors, sandbox
from indivd_async.cache import MemoryCache
from indivd_async.export import export
from indivd_async.profile import Numbering, Profile
from indivd_async.queries import Query

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

START, END = date(2025, 3, 3), date(2025, 3, 9)
QUESTIONS: dict[str, Any] = {
    "visits": ZoneVisitors(START, END, aggregate_by="hour"),
    "rates": DropInRate(START, END, interval="hour"),
    "lines of each": LineCrosses(START, END, category=1, aggregate_by="hour", per="location"),
}
each_question = pytest.mark.parametrize("query", QUESTIONS.values(), ids=list(QUESTIONS))


def make_client(town: Town, **options: Any) -> AsyncIndivd:
    transport = sandbox.transport(sandbox.app(town))
    return AsyncIndivd(token="sandbox", transport=transport, retry=RetryPolicy(attempts=1), **options)


def read(out: Path) -> polars.DataFrame:
    frame = polars.scan_parquet(out).collect()
    return frame.sort(frame.columns, nulls_last=True)


def place_of(frame: polars.DataFrame) -> str:
    return "loc_id" if "loc_id" in frame.columns else "location"


async def clean(town: Town, query: Query, out: Path) -> polars.DataFrame:
    """Export into a folder of its own, by a client that knows nothing."""
    async with make_client(town) as client:
        assert (await export(client, query, out)).complete
    return read(out)


def asked(client_requests: Any) -> list[tuple[str, str, str]]:
    return sorted(
        (request.params.get("location", ""), request.params["start_date"], request.params["end_date"])
        for request in client_requests
        if not request.path.startswith("/filters")
    )


@each_question
async def test_a_location_that_opens_is_asked_for_its_whole_history(query: Any, tmp_path: Path) -> None:
    """Each run looks again which there are, though the client knows locations already; the report says what is new."""
    town = Town(listed=(124, 127))
    application = sandbox.app(town)
    longer = attrs.evolve(query, end_date=day_after(END, 2))
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(application)) as client:
        await export(client, query, tmp_path / "out")
        town.listed.append(129)
        application.requests.clear()
        report = await export(client, longer, tmp_path / "out")
        last = str(longer.end_date)
        new = str(day_after(END))
        firsts = {(place, begin) for place, begin, _ in asked(application.requests)}
        assert firsts >= {("124", new), ("127", new), ("129", str(START))}
        assert all(begin >= new for place, begin in firsts if place != "129")
        assert max(end for _, _, end in asked(application.requests)) == last
        assert [(fate.location, fate.became) for fate in report.locations] == [(129, "new")]
        assert not report.needs_look
    assert read(tmp_path / "out").equals(await clean(town, longer, tmp_path / "clean"))


@pytest.mark.parametrize("query", [QUESTIONS["visits"], QUESTIONS["rates"]], ids=["visits", "rates"])
async def test_a_location_that_moves_to_another_clock_is_asked_again(query: Any, tmp_path: Path) -> None:
    """All of it, and nothing else; nights later nothing more."""
    town = Town(listed=(124, 127))
    application = sandbox.app(town)
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(application)) as client:
        await export(client, query, tmp_path / "out")
        town.clocks[127] = "Asia/Kathmandu"
        application.requests.clear()
        report = await export(client, query, tmp_path / "out")
        assert asked(application.requests) == [("127", str(START), str(END))]
        assert [(fate.location, fate.became) for fate in report.locations] == [(127, "moved")]
        assert "from America/New_York to Asia/Kathmandu" in report.locations[0].message
        assert report.changes is not None
        assert {place.location for place in report.changes.places} == {127}
        again = await export(client, query, tmp_path / "out")
        assert (again.requests, again.locations) == (0, ())
    assert read(tmp_path / "out").equals(await clean(town, query, tmp_path / "clean"))


@pytest.mark.parametrize(
    ("query", "before", "after"),
    [
        (QUESTIONS["lines of each"], None, "UTC"),
        (QUESTIONS["lines of each"], "UTC", "location"),
        (LineCrosses(START, END, category=1, aggregate_by="hour"), "UTC", "Asia/Kathmandu"),
        (QUESTIONS["rates"], None, "UTC"),
        (LineCrosses(START, END, location=124, category=1, aggregate_by="week"), None, "location"),
    ],
)
async def test_a_profile_that_changes_is_followed(query: Any, before: Any, after: Any, tmp_path: Path) -> None:
    """Moments are told by the clock that is known now, those of former nights, too; so are the days of weeks."""
    town = Town(listed=(124, 127))
    old, new = (
        Profile(line_crosses_tz=clock, drop_in_rate_tz=clock, numbering=Numbering(weeks=weeks))
        for clock, weeks in ((before, None), (after, "monday-0"))
    )
    longer = attrs.evolve(query, end_date=day_after(END))
    async with make_client(town, profile=old) as client:
        await export(client, query, tmp_path / "out")
    async with make_client(town, profile=new) as client:
        assert (await export(client, longer, tmp_path / "out")).complete
        await export(client, longer, tmp_path / "clean")
        whole = polars.DataFrame(await client.fetch(longer))
    assert read(tmp_path / "out").equals(read(tmp_path / "clean"))
    assert read(tmp_path / "out").equals(whole.sort(whole.columns, nulls_last=True))


async def test_a_profile_that_is_contradicted_is_not_followed(tmp_path: Path) -> None:
    """As in a fetch: weeks have no days then, and it is told."""
    query = LineCrosses(date(2025, 1, 1), END, location=124, category=1, aggregate_by="week")
    async with make_client(Town(), profile=Profile(numbering=Numbering(weeks="iso"))) as client:
        report = await export(client, query, tmp_path / "out")
    assert "profile_contradicted" in {note.kind for note in report.notes}
    assert read(tmp_path / "out")["bucket_start"].null_count() == report.rows


@each_question
async def test_a_location_that_is_no_longer_listed_stays(query: Any, tmp_path: Path) -> None:
    """Its rows stay as they were, the others go on; and if it comes back, it is asked for what it has missed."""
    town = Town(listed=(124, 127))
    longer = attrs.evolve(query, end_date=day_after(END, 2))
    async with make_client(town) as client:
        await export(client, query, tmp_path / "out")
        before = read(tmp_path / "out")
        town.listed.remove(127)
        report = await export(client, longer, tmp_path / "out", refresh=3)
        assert report.complete
        assert [(fate.location, fate.became) for fate in report.locations] == [(127, "left")]
        after = read(tmp_path / "out")
        column = place_of(after)
        assert after.filter(polars.col(column) == 127).equals(before.filter(polars.col(column) == 127))
        assert after.filter(polars.col(column) == 124)["dayofmonth"].max() == day_after(END, 2).day
        town.listed.append(127)
        assert (await export(client, longer, tmp_path / "out")).locations == ()
    assert read(tmp_path / "out").equals(await clean(town, longer, tmp_path / "clean"))


async def test_sums_over_all_locations_are_asked_again_when_one_opens(tmp_path: Path) -> None:
    """A sum that a location is missing from cannot be mended; one that a location has left stays."""
    town = Town(listed=(124, 127))
    query = LineCrosses(START, END, category=1, aggregate_by="hour")
    async with make_client(town) as client:
        first = await export(client, query, tmp_path / "out")
        town.listed.remove(127)
        left = await export(client, query, tmp_path / "out")
        assert (left.requests, [fate.became for fate in left.locations]) == (0, ["left"])
        town.listed += [127, 129]
        grown = await export(client, query, tmp_path / "out")
        assert (grown.requests, [(fate.location, fate.became) for fate in grown.locations]) == (1, [(129, "new")])
        assert first.requests == 1
    assert read(tmp_path / "out").equals(await clean(town, query, tmp_path / "clean"))


@pytest.mark.parametrize("killed", [False, True])
async def test_a_zone_that_moves_is_its_new_locations_alone(killed: bool, tmp_path: Path) -> None:
    """Both are asked again for all days, so that it is there once; a run that is killed meanwhile changes nothing."""
    town = Town(listed=(124, 127))
    query = QUESTIONS["visits"]
    longer = attrs.evolve(query, end_date=day_after(END, 2))

    class Killed(BaseException):
        pass

    def kill(progress: Any) -> None:
        if progress.done == 3:
            raise Killed

    async with make_client(town) as client:
        await export(client, query, tmp_path / "out")
        town.lent = {202: 127}  # of 124 until now
        if killed:
            with pytest.raises(Killed):
                await export(client, longer, tmp_path / "out", on_progress=kill, commit_every=0)
        report = await export(client, longer, tmp_path / "out")
        assert report.complete
        if not killed:
            assert [(fate.location, fate.became) for fate in report.locations] == [(127, "regrouped")]
        assert (await export(client, longer, tmp_path / "out")).requests == 0
    found = read(tmp_path / "out")
    assert found.filter(polars.col("zone_id") == 202)["loc_id"].unique().to_list() == [127]
    assert found.equals(await clean(town, longer, tmp_path / "clean"))


async def test_zones_that_change_places(tmp_path: Path) -> None:
    """Each location waits for the other's answer, and one is the next one's neighbour: all is settled in one run."""
    town = Town(listed=(124, 126, 127))
    query = QUESTIONS["visits"]
    async with make_client(town) as client:
        await export(client, query, tmp_path / "out")
        town.lent = {202: 126, 222: 124, 232: 126}
        report = await export(client, query, tmp_path / "out", refresh=30)
        assert report.complete, report.failures
        assert {fate.became for fate in report.locations} == {"regrouped"}
    assert read(tmp_path / "out").equals(await clean(town, query, tmp_path / "clean"))


async def test_a_location_without_a_clock_fails_alone(tmp_path: Path) -> None:
    """It is named, and the others go on."""
    town = Town(listed=(124, 127))
    query = QUESTIONS["visits"]
    longer = attrs.evolve(query, end_date=day_after(END))
    async with make_client(town) as client:
        await export(client, query, tmp_path / "out")
        town.clocks[127] = None
        report = await export(client, longer, tmp_path / "out")
        assert [failure.request for failure in report.failures] == ["location 127"]
        assert "no time zone that is known" in str(report.failures[0].error)
        assert report.requests == 1
        town.clocks[127] = "America/New_York"
        assert (await export(client, longer, tmp_path / "out")).complete
    assert read(tmp_path / "out").equals(await clean(town, longer, tmp_path / "clean"))


@pytest.mark.parametrize("begun", [False, True])
async def test_a_location_that_is_not_listed_fails_and_is_named(begun: bool, tmp_path: Path) -> None:
    """Whether the export begins with it or grows by it, and also where no plan needs a clock."""
    query = attrs.evolve(QUESTIONS["rates"], location=(124,) if begun else (999,))
    async with make_client(Town(listed=(124, 127))) as client:
        if begun:
            assert (await export(client, query, tmp_path / "out")).complete
        report = await export(client, attrs.evolve(query, location=(*query.location, 999)), tmp_path / "out")
    assert [failure.request for failure in report.failures] == ["location 999"]
    assert "is not among the locations this token may see" in str(report.failures[0].error)


@each_question
async def test_a_list_without_locations_is_told(query: Any, tmp_path: Path) -> None:
    """An export that has nothing to ask for says so, in its first night and later."""
    town = Town(listed=())
    async with make_client(town) as client:
        assert [note.kind for note in (await export(client, query, tmp_path / "out")).notes] == ["no_locations"]
    town.listed = [124]
    async with make_client(town) as client:
        report = await export(client, query, tmp_path / "out")
        assert "no_locations" not in {note.kind for note in report.notes}
    town.listed = []
    async with make_client(town) as client:
        later = await export(client, query, tmp_path / "out")
    assert [note.kind for note in later.notes] == ["no_locations"]
    assert later.rows == report.rows > 0


# Asking again.


@each_question
async def test_what_changed_is_told_by_location_and_month(query: Any, tmp_path: Path) -> None:
    """Over a turn of the month; what did not change is not listed."""
    town = Town(listed=(124, 127), scale=1)
    dates = {"start_date": date(2025, 2, 25), "end_date": date(2025, 3, 3)}
    query = attrs.evolve(query, **dates)
    async with make_client(town, cache=MemoryCache()) as client:
        await export(client, query, tmp_path / "out")
        assert (await export(client, query, tmp_path / "out", refresh=7)).requests > 0  # which a cache now has
        town.late = {(124, date(2025, 2, 27)): 5, (124, date(2025, 3, 1)): 7, (127, date(2025, 2, 20)): 9}
        report = await export(client, query, tmp_path / "out", refresh=7)
        changes = report.changes
        assert changes is not None
        assert [(place.location, place.month) for place in changes.places] == [(124, "2025-02"), (124, "2025-03")]
        assert sum(place.changed for place in changes.places) == changes.changed > 0
        name = "enter" if "enter" in changes.totals else next(iter(changes.totals))
        gained = [after - before for before, after in (place.totals[name] for place in changes.places)]
        rows = [place.changed for place in changes.places]
        assert gained == [5 * rows[0], 7 * rows[1]]
    assert read(tmp_path / "out").equals(await clean(town, query, tmp_path / "clean"))


@each_question
async def test_an_empty_answer_takes_nothing_away_unless_told(query: Any, tmp_path: Path) -> None:
    """Rows stay where the answer has none any more, and the report says so; with a word they go."""
    town = Town(listed=(124, 127))
    async with make_client(town) as client:
        await export(client, query, tmp_path / "out")
        before = read(tmp_path / "out")
        town.silent = {127}
        report = await export(client, query, tmp_path / "out", refresh=3)
        assert (report.complete, report.needs_look) == (True, True)
        (emptied,) = report.locations
        assert (emptied.location, emptied.became) == (127, "emptied")
        assert "2025-03-07 to 2025-03-09 of location 127: the answer is empty now" in emptied.message
        assert read(tmp_path / "out").equals(before)
        accepted = await export(client, query, tmp_path / "out", refresh=3, accept_empty=True)
        assert (accepted.locations, accepted.needs_look) == ((), False)
        after = read(tmp_path / "out")
        gone = polars.col(place_of(after)).eq(127) & polars.col("dayofmonth").ge(7)
        assert after.equals(before.filter(~gone))


# Another period, more locations, another question.


@each_question
@pytest.mark.parametrize("prune", [False, True], ids=["kept", "pruned"])
async def test_a_period_that_moves_on(query: Any, prune: bool, tmp_path: Path) -> None:
    """Days that fall out stay or go as was said; without a word nothing is done."""
    town = Town(listed=(124, 127))
    moved = attrs.evolve(query, start_date=day_after(START, 3), end_date=day_after(END, 3))
    out = tmp_path / "out"
    async with make_client(town) as client:
        await export(client, query, out)
        before = read(out)
        with pytest.raises(ConfigError, match=r"start_date: .*can stay \(keep=True\) or go \(prune=True\).*such as"):
            await export(client, moved, out)
        assert read(out).equals(before)
        report = await export(client, moved, out, prune=prune, keep=not prune)
        assert report.complete
        again = await export(client, moved, out, prune=prune, keep=not prune)
        assert (again.requests, again.rows) == (0, report.rows)
    whole = moved if prune else attrs.evolve(moved, start_date=START)
    assert read(out).equals(await clean(town, whole, tmp_path / "clean"))


@pytest.mark.parametrize("prune", [False, True], ids=["kept", "pruned"])
async def test_months_of_a_period_that_moves_on(prune: bool, tmp_path: Path) -> None:
    """The month that a new start cuts is asked again: its row is of the days that are left."""
    town = Town(listed=(124, 127))
    query = DropInRate("2025-01-10", "2025-04-20", interval="month")
    moved = attrs.evolve(query, start_date="2025-02-15", end_date="2025-05-10")
    out = tmp_path / "out"
    async with make_client(town) as client:
        await export(client, query, out)
        assert (await export(client, moved, out, prune=prune, keep=not prune)).complete
        assert (await export(client, moved, out, prune=prune, keep=not prune)).requests == 0
    whole = moved if prune else attrs.evolve(moved, start_date="2025-01-10")
    assert read(out).equals(await clean(town, whole, tmp_path / "clean"))


@pytest.mark.parametrize("prune", [False, True], ids=["kept", "pruned"])
async def test_totals_of_a_period_that_moves_on(prune: bool, tmp_path: Path) -> None:
    """What is asked for as a whole is asked again for the new days."""
    town = Town(listed=(124, 127))
    query = ZoneVisitors("2025-01-10", "2025-04-20", aggregate_by="dayofweek")
    moved = attrs.evolve(query, start_date="2025-02-15", end_date="2025-05-10")
    out = tmp_path / "out"
    async with make_client(town) as client:
        await export(client, query, out)
        assert (await export(client, moved, out, prune=prune, keep=not prune)).complete
        assert (await export(client, moved, out, prune=prune, keep=not prune)).requests == 0
    whole = moved if prune else attrs.evolve(moved, start_date="2025-01-10")
    assert read(out).equals(await clean(town, whole, tmp_path / "clean"))


@each_question
async def test_an_earlier_start_and_more_locations_are_asked_for(query: Any, tmp_path: Path) -> None:
    """What is new is, and nothing else."""
    town = Town()
    application = sandbox.app(town)
    few = attrs.evolve(query, location=(124, 127))
    wider = attrs.evolve(query, start_date=day_after(START, -4))
    out = tmp_path / "out"
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(application)) as client:
        await export(client, few, out)
        application.requests.clear()
        assert (await export(client, wider, out)).complete
        old = {(begin, end) for place, begin, end in asked(application.requests) if place in ("124", "127")}
        assert old == {(str(day_after(START, -4)), str(day_after(START, -1)))}
        with pytest.raises(ConfigError, match=r"location: .*\(all there, 124,127 here\).*such as .*-location-124-127"):
            await export(client, few, out)
    # A first run that asks for single locations makes folders of them; the rows are the same.
    assert read(out).equals(await clean(town, wider, tmp_path / "clean"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aggregate_by": "dayofmonth"}, r"aggregate_by: .*\(hour there, dayofmonth here\).*such as .*-dayofmonth"),
        ({"zones": 201}, r"zones: .*\(none there, 201 here\).*such as .*-zones-201"),
        ({"tz": "UTC"}, r"tz: .*\(none there, UTC here\).*such as .*-tz-UTC"),
    ],
    ids=["grouping", "filter", "clock"],
)
async def test_another_question_names_another_folder(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """It is refused before anything is asked."""
    query = QUESTIONS["visits"]
    async with make_client(Town(listed=(124,))) as client:
        await export(client, query, tmp_path / "out")
        asked = client.stats.requests
        with pytest.raises(ConfigError, match=message):
            await export(client, attrs.evolve(query, **change), tmp_path / "out")
        assert client.stats.requests == asked


async def test_keeping_and_pruning_exclude_each_other(tmp_path: Path) -> None:
    """Both at once is refused."""
    async with make_client(Town()) as client:
        with pytest.raises(ConfigError, match="either kept or pruned"):
            await export(client, QUESTIONS["visits"], tmp_path / "out", keep=True, prune=True)
