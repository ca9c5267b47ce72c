"""Answers that an export must look at twice: keys that come twice, labels of other days, rows of other locations."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import polars
import pytest
from scripted import LOCATIONS, Script, days_of

from indivd_async import AsyncIndivd, RetryPolicy, ZoneVisitors
from indivd_async.export import export

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

DAYS = ZoneVisitors("2025-03-01", "2025-03-06", location=124, aggregate_by="dayofmonth", split=3)
HOURS = attrs.evolve(DAYS, aggregate_by="hour")


def make_client(answer: Any) -> AsyncIndivd:
    return AsyncIndivd(token="t", transport=Script(answer, locations=LOCATIONS), retry=RetryPolicy(attempts=1))


def row_at(moment: date, visits: int, **names: Any) -> dict[str, Any]:
    label = {"year": moment.year, "month": moment.month, "dayofmonth": moment.day}
    if isinstance(moment, datetime):
        label["hour"] = moment.hour
    return {"visits": visits, "aggregation": label | {"zone_id": 201, "zone_name": "Entrance"} | names}


def answer_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"current": {"insights": rows}, "comparison": {}}


def read(out: Path) -> polars.DataFrame:
    frame = polars.scan_parquet(out).collect()
    return frame.sort(frame.columns, nulls_last=True)


async def test_a_key_that_comes_twice_is_kept_and_told(tmp_path: Path) -> None:
    """Each copy counts when it changes; nothing of the answer is lost."""
    old = [10]

    def answer(path: str, params: dict[str, str]) -> Any:
        first = days_of(params)[0]
        return answer_of([row_at(first, old[0], zone_name="Old"), row_at(first, 7, zone_name="New")])

    async with make_client(answer) as client:
        report = await export(client, DAYS, tmp_path)
        assert (report.rows, [note.kind for note in report.notes]) == (4, ["repeated_key"])
        assert report.needs_look
        old[0] = 99
        report = await export(client, DAYS, tmp_path, refresh=3)
        changes = report.changes
        assert changes is not None
        assert (changes.changed, changes.added, changes.removed, changes.unchanged) == (1, 0, 0, 1)
        assert changes.totals == {"visits": (17, 106)}
        assert sorted(read(tmp_path)["visits"]) == [7, 7, 10, 99]


async def test_another_name_is_no_change_of_figures(tmp_path: Path) -> None:
    """The rows have it; none counts as changed."""
    name = "Entrance"

    def answer(path: str, params: dict[str, str]) -> Any:
        return answer_of([row_at(day, 5, zone_name=name) for day in days_of(params)])

    async with make_client(answer) as client:
        await export(client, DAYS, tmp_path)
        name = "Main entrance"
        report = await export(client, DAYS, tmp_path, refresh=2)
    changes = report.changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed, changes.unchanged) == (0, 0, 0, 2)
    assert read(tmp_path).sort("bucket_start")["zone_name"].to_list() == ["Entrance"] * 4 + ["Main entrance"] * 2


async def test_what_a_plan_does_not_measure_is_known_on_a_day_without_visits(tmp_path: Path) -> None:
    """Which tells it by itself no more; a plan that measures shows when there are visitors again."""
    measures = False

    def answer(path: str, params: dict[str, str]) -> Any:
        rows = [row_at(day, 0 if day.day == 7 else 5) for day in days_of(params)]
        return answer_of([row | {"unique_visits": row["visits"] * measures} for row in rows])

    async with make_client(answer) as client:
        await export(client, DAYS, tmp_path)
        report = await export(client, attrs.evolve(DAYS, end_date="2025-03-07"), tmp_path)
        assert report.rows == read(tmp_path)["unique_visits"].null_count() == 7
        report = await export(client, attrs.evolve(DAYS, end_date="2025-03-07"), tmp_path, refresh=30)
        assert report.changes is not None
        assert report.changes.changed == 0
        measures = True
        await export(client, attrs.evolve(DAYS, end_date="2025-03-08"), tmp_path)
        await export(client, attrs.evolve(DAYS, end_date="2025-03-08"), tmp_path, refresh=2)
    assert read(tmp_path).sort("bucket_start")["unique_visits"].to_list() == [None] * 6 + [0, 5]


@pytest.mark.parametrize("tz", [None, "Europe/Stockholm"])
@pytest.mark.parametrize("seconds", [0.0, 5.0])
async def test_what_a_plan_does_not_measure_has_no_zeros_from_nights_before(
    tz: str | None, seconds: float, tmp_path: Path
) -> None:
    """Nights without visits cannot tell it; one with visits tells of them, too, as one `fetch` of all days does."""

    def answer(path: str, params: dict[str, str]) -> Any:
        rows = [row_at(day, 5 if day.day == 5 else 0) | {"unique_visits": 0, "bounce": 0} for day in days_of(params)]
        others = [row_at(day, 9, zone_id=202) | {"unique_visits": 7, "bounce": 0} for day in days_of(params)]
        return answer_of([*rows, *others])

    days = attrs.evolve(DAYS, tz=tz, split=1)
    async with make_client(answer) as client:
        for end in ("2025-03-02", "2025-03-04", "2025-03-06"):
            report = await export(client, attrs.evolve(days, end_date=end), tmp_path, commit_every=seconds)
        fetched = await client.fetch(days)
    assert report.complete
    frame = read(tmp_path).sort("bucket_start", "zone_id")
    assert frame["unique_visits"].to_list() == [row.unique_visits for row in fetched]
    assert frame.filter(polars.col("zone_id") == 201)["bounce"].null_count() == report.rows / 2 == 6
    assert frame["bucket_start"].n_unique() == 6


async def test_a_report_of_a_night_without_a_service_is_one_look(tmp_path: Path) -> None:
    """Its failures are counted where it is shown, and all there where they are read."""
    async with make_client(lambda path, params: 503) as client:
        report = await export(client, attrs.evolve(DAYS, end_date=date(2025, 12, 31), split=1), tmp_path)
    assert len(report.failures) == 306
    assert len(repr(report)) < 1_000


def by_another_clock(hours: int) -> Any:
    """Answer by hours of each day, labelled so many hours later."""

    def answer(path: str, params: dict[str, str]) -> Any:
        moments = [
            datetime(day.year, day.month, day.day) + timedelta(hours=hour)
            for day in days_of(params)
            for hour in range(17, 24)
        ]
        return answer_of([row_at(moment + timedelta(hours=hours), 1 + moment.hour) for moment in moments])

    return answer


@pytest.mark.parametrize("hours", [2, -18])
async def test_hours_labelled_by_another_clock_are_kept_where_no_key_repeats(hours: int, tmp_path: Path) -> None:
    """They are those of a fetch; asking again asks for all, since the days of a label tell no window."""
    async with make_client(by_another_clock(hours)) as client:
        report = await export(client, HOURS, tmp_path)
        assert (report.complete, report.rows) == (True, 42)
        assert [note.kind for note in report.notes] == ["labels_elsewhere"]
        expected = polars.DataFrame(await client.fetch(HOURS))
        assert read(tmp_path).equals(expected.sort(expected.columns, nulls_last=True))
        longer = attrs.evolve(HOURS, end_date="2025-03-09")
        assert (await export(client, longer, tmp_path)).requests == 1
        again = await export(client, longer, tmp_path, refresh=2)
        assert again.requests == 3
        assert again.changes is not None
        assert (again.changes.added, again.changes.removed, again.changes.changed) == (0, 0, 0)
        expected = polars.DataFrame(await client.fetch(longer))
        assert read(tmp_path).equals(expected.sort(expected.columns, nulls_last=True))


async def test_hours_labelled_elsewhere_that_meet_others_are_refused(tmp_path: Path) -> None:
    """Two answers with one key cannot both be right."""

    def answer(path: str, params: dict[str, str]) -> Any:
        later = 2 if params["start_date"] == "2025-03-01" else -17
        return by_another_clock(later)(path, params)

    async with make_client(answer) as client:
        report = await export(client, HOURS, tmp_path)
    (failure,) = report.failures
    assert "got one that another answer has brought too" in str(failure.error)
    assert report.rows == 21


async def test_rows_of_another_location_are_refused(tmp_path: Path) -> None:
    """An answer that tells another location than was asked is not its answer."""

    def answer(path: str, params: dict[str, str]) -> Any:
        return answer_of([row_at(day, 5, loc_id=125) for day in days_of(params)])

    async with make_client(answer) as client:
        report = await export(client, DAYS, tmp_path)
    assert len(report.failures) == 2
    assert report.rows == 0


async def test_files_of_others_in_the_folder_are_told(tmp_path: Path) -> None:
    """Readers would take their rows for the export's."""

    def answer(path: str, params: dict[str, str]) -> Any:
        return answer_of([row_at(day, 5) for day in days_of(params)])

    async with make_client(answer) as client:
        await export(client, DAYS, tmp_path)
        polars.DataFrame({"a": [1]}).write_parquet(tmp_path / "mine.parquet")
        report = await export(client, DAYS, tmp_path)
    assert [note.kind for note in report.notes] == ["foreign_files"]
    assert "mine.parquet" in report.notes[0].message
