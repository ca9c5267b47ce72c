"""Recordings: the same report without the service, a fault of yesterday as a test of today, changes since then."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from verifying import MALL, NOW, WORLD, judge, names

from indivd_async import AsyncIndivd, ConfigError, InvalidQueryError, NotFoundError, sandbox
from indivd_async.testing import replay
from indivd_async.verify import Replay, Report, read_recording, verify

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def replayed(folder: Path) -> Report:
    run = read_recording(folder)
    async with AsyncIndivd("any", transport=replay(folder), base_url="https://sandbox.test") as client:
        return await verify(client, location=run.location, days=run.days, deep=run.deep, now=run.made_at)


def written(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*"))


@pytest.mark.parametrize("deviation", ["clamped_without_a_word", "link_header", "longest_url_414", "page_with_200"])
async def test_a_recording_replays_to_the_same_report(tmp_path: Path, deviation: str) -> None:
    """Also refusals and headers, and whatever was asked twice."""
    if deviation == "page_with_200":
        deviation = "late_rows"
    report = await judge(deviation, record=tmp_path)
    assert names(report)
    assert await replayed(tmp_path) == report


async def test_a_recording_holds_no_token(tmp_path: Path) -> None:
    """Searched for in every file, also where the service repeats it nowhere."""
    token = "sandbox-narrow"
    await judge(token=token, location=124, record=tmp_path)
    text = written(tmp_path)
    assert token not in text
    assert "uthorization" not in text
    assert "Drottninggatan" in text


async def test_an_anonymous_recording_holds_no_name_and_no_id(tmp_path: Path) -> None:
    """It replays to the same verdicts, under the other ids."""
    report = await judge("shared_passing_line", record=tmp_path, anonymous=True)
    text = written(tmp_path)
    listed = WORLD.listing("locations") + WORLD.listing("zones") + WORLD.listing("lines")
    for name in {str(item["name"]) for item in listed} | {"Stockholm,", "Sweden", "Nepal"}:
        assert name not in text, name
    assert '"location":127' not in text
    assert '"zone_id":231' not in text
    again = await replayed(tmp_path)
    assert {f.name: f.verdict for f in again.findings} == {f.name: f.verdict for f in report.findings}
    assert again.profile == report.profile
    assert again.location != MALL


async def test_a_replayed_client_answers_as_the_service_did(tmp_path: Path) -> None:
    """Any call whose requests were recorded; others are not found, and the application lists them."""
    await judge("ignored_zones", record=tmp_path)
    application = Replay(tmp_path)
    async with AsyncIndivd("any", transport=httpx.ASGITransport(application)) as client:
        locations = await client.locations()
        assert len(locations) == 8
        with pytest.raises(NotFoundError):
            await client.line_crosses("2025-01-01", "2025-01-02", location=124)
    assert application.missed[0].startswith("/api/v1/rnd/insights/external/line_crosses/?start_date=2025-01-01")


async def test_changes_since_an_earlier_recording_are_told(tmp_path: Path) -> None:
    """How many closed days have other figures, and how old the oldest was; nothing where none has."""
    await judge(record=tmp_path)
    same = await judge(record=tmp_path)
    assert same["unchanged_since"].verdict == "holds"
    other = sandbox.World(now=NOW, scale=1.1)
    changed = (await judge(world=other, record=tmp_path))["unchanged_since"]
    assert changed.verdict == "fails"
    assert "closed days have changed since 2026-01-20: 45 of them, the oldest 2025-12-05" in changed.evidence
    assert written(tmp_path).count('"recording"') == 3


async def test_nothing_else_is_said_of_a_service_that_counts_anew(tmp_path: Path) -> None:
    """Its figures agree with one another, each day."""
    for day in (0, 1):
        world = sandbox.World(now=NOW + timedelta(days=day))
        report = await judge("recounted_each_day", world=world, record=tmp_path, deep=True)
        assert names(report) == ["unchanged_since"][: 1 if day else 0]


async def test_another_location_is_not_compared(tmp_path: Path) -> None:
    """It says of which the earlier recording is."""
    await judge(record=tmp_path, location=125)
    found = (await judge(record=tmp_path))["unchanged_since"]
    assert (found.verdict, found.evidence) == ("cannot be told", "the earlier recording is of location 125")


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    """An empty folder, another file, another version."""
    with pytest.raises(ConfigError, match="there is no recording in"):
        replay(tmp_path)
    path = tmp_path / "x.ndjson"
    path.write_text("[]\n")
    with pytest.raises(ConfigError, match="is not a recording"):
        replay(path)
    path.write_text('{"recording": 2}\n')
    with pytest.raises(ConfigError, match="recording of version 2; this library reads 1"):
        replay(tmp_path)
    path.write_text("")
    with pytest.raises(ConfigError, match="is not a recording"):
        replay(tmp_path)


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Refused before anything is asked."""
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is not a folder"):
        await judge(record=path)
    with pytest.raises(ConfigError, match="nothing can be written to"):
        await judge(record=path / "below")
    with pytest.raises(InvalidQueryError, match="must be an aware datetime"):
        await judge(now=datetime(2026, 1, 20))


async def test_the_sandbox_serves_a_recording(tmp_path: Path) -> None:
    """Over HTTP, for programs in any language."""
    await judge(record=tmp_path)
    async with sandbox.serving(Replay(tmp_path)) as url, httpx.AsyncClient(base_url=url) as client:
        response = await client.get("/filters/locations")
        assert (response.status_code, len(response.json())) == (200, 8)
        assert (await client.get("/filters/elsewhere")).status_code == 404
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("deep", [False, True])
async def test_a_recording_that_is_served_says_of_which_run_it_is(tmp_path: Path, deep: bool) -> None:
    """So `verify` asks what was asked then, of the days that had ended by then; nothing need be told it."""
    report = await judge("ignored_zones", record=tmp_path, deep=deep)
    application = Replay(tmp_path)
    async with sandbox.serving(application) as url:
        async with AsyncIndivd("any", base_url=url, allow_http=True) as client:
            assert await verify(client, deep=deep) == report
            assert [place.id for place in await client.locations()][:2] == [124, 125]
            for asked in ({"location": 125}, {"days": 90}, *([] if deep else [{"deep": True}])):
                with pytest.raises(InvalidQueryError, match="what answers here is a recording of a run with"):
                    await verify(client, **asked)
        assert application.missed == []
    again = tmp_path / "again"
    async with AsyncIndivd("any", transport=replay(tmp_path), base_url="https://sandbox.test") as client:
        assert await verify(client, deep=deep, record=again) == report
    assert read_recording(again).made_at == NOW


async def test_a_damaged_recording_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """A run is not lost for what lies in its folder; one that could not be read then is not compared."""
    await judge("answer_in_a_wrapper", record=tmp_path)
    assert names(await judge("answer_in_a_wrapper", record=tmp_path)) == ["answers_documented"]
    lines = written(tmp_path).splitlines()
    application = sandbox.app(WORLD)
    for text in ("", "{}", lines[0].replace("+00:00", ""), lines[0].replace('"days":45', '"days":"45"'), lines[1]):
        damaged = tmp_path / "9999.ndjson"
        damaged.write_text(f"{text}\n{lines[1]}\n")
        async with AsyncIndivd("sandbox", transport=sandbox.transport(application)) as client:
            with pytest.raises(ConfigError, match="is not a recording"):
                await verify(client, record=tmp_path)
    assert not application.requests


@pytest.mark.parametrize(
    "deviation", ["link_header", "content_range_header", "complete_header", "pagination_header", "status_partial"]
)
async def test_an_anonymous_recording_keeps_what_says_that_there_is_more(tmp_path: Path, deviation: str) -> None:
    """In headers and words, without addresses and names."""
    report = await judge(deviation, record=tmp_path, anonymous=True)
    assert names(report)
    assert names(await replayed(tmp_path)) == names(report)
    assert "://" not in written(tmp_path)


@pytest.mark.parametrize("deviation", ["ids_as_text", "ids_as_text_in_lists"])
async def test_an_anonymous_recording_holds_no_id_as_text(tmp_path: Path, deviation: str) -> None:
    """An id in quotes is one, and the same as without."""
    report = await judge(deviation, record=tmp_path, anonymous=True)
    assert f'"location":"{MALL}"' not in written(tmp_path)
    assert f'"loc_id":"{MALL}"' not in written(tmp_path)
    again = await replayed(tmp_path)
    assert {f.name: f.verdict for f in again.findings} == {f.name: f.verdict for f in report.findings}
    assert again.profile == report.profile
