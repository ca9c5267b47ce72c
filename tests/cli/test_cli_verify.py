"""`indivd verify`: what a person, a program and the vendor's support are told; recordings; exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from indivd_async.profile import MostDays, Profile
from indivd_async.testing import replay

Indivd = Callable[..., Any]
DAYS = ("--days", "45", "--location", "Fifth Avenue")


@pytest.fixture
def clamping(site: Any) -> Iterator[Any]:
    """The service, answering the last 31 days of longer periods."""
    site.application.deviate("clamped_without_a_word")
    yield site
    site.application.deviate()


def words(text: str) -> str:
    """Take line ends for blanks."""
    return " ".join(text.split())


def test_a_sound_service(site: Any, indivd: Indivd) -> None:
    """Exit 0, what holds by name, what was learned in words, no line beyond 80 columns, the count on stderr."""
    said = indivd("verify", *DAYS)
    assert said.code == 0, said.out
    assert "FAILS" not in said.out
    assert "holds    locations_listed, zones_listed" in said.out
    assert "weekday 2 is Monday" in said.out
    assert "line_crosses is on the clock of each location" in words(said.out)
    assert max(map(len, said.out.splitlines())) <= 80
    assert re.search(r"\d\d assumptions: \d\d hold, 0 fail, \d+ cannot be told here; \d\d requests", said.err)
    assert len(site.application.requests) <= 30


def test_what_fails_is_told_with_its_requests(clamping: Any, indivd: Indivd) -> None:
    """Exit 1; the evidence, what it decides, what to send to see it; no count and no token."""
    said = indivd("verify", *DAYS)
    assert said.code == 1
    failing = said.out[said.out.index("FAILS") :]
    assert "long_period_whole" in failing.splitlines()[0]
    assert "Asked for 45 days, 31 of them are answered" in words(failing)
    assert "It decides every total of a long period." in failing
    assert "GET /api/v1/rnd/insights/external/zone_visitors/?start_date=" in failing
    figures = indivd("verify", *DAYS, "--with-figures")
    assert re.search(r"[\d,]+ in all, [\d,]+ by days", figures.out)
    assert not re.search(r"[\d,]+ in all, [\d,]+ by days", said.out)


def test_json_is_an_object_with_the_assumptions(clamping: Any, indivd: Indivd) -> None:
    """Name, verdict, sentence, evidence; figures only where they are asked for."""
    said = indivd("verify", *DAYS, "--json")
    assert said.code == 1
    document = json.loads(said.out)
    found = {item["name"]: item for item in document["assumptions"]}
    assert len(found) >= 40
    assert found["long_period_whole"]["verdict"] == "fails"
    assert {"name", "verdict", "sentence", "evidence"} <= set(found["long_period_whole"])
    assert "figures" not in found["long_period_whole"]
    assert document["requests"] <= 30
    with_figures = json.loads(indivd("verify", *DAYS, "--json", "--with-figures").out)
    assert any(item["figures"] for item in with_figures["assumptions"])


def test_markdown_is_for_support(clamping: Any, indivd: Indivd) -> None:
    """What fails comes first, with the requests; nothing of the token."""
    said = indivd("verify", *DAYS, "--markdown")
    assert said.code == 1
    assert said.out.startswith("# How the Indivd API answers\n")
    assert said.out.index("## What does not hold") < said.out.index("## What holds")
    assert "`GET /api/v1/rnd/insights/external/zone_visitors/?" in said.out
    assert "this report holds no token, and no count" in said.out
    assert "Token" not in said.out


def test_a_profile_is_written_and_read(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """Versioned JSON without token, names or figures; the same value comes back."""
    path = tmp_path / "indivd.json"
    said = indivd("verify", *DAYS, "--profile", str(path))
    assert said.code == 0
    assert f"profile: {path}" in said.err
    text = path.read_text()
    profile = Profile.from_json(text)
    assert profile.numbering.weekdays == "sunday-1"
    assert json.loads(text)["version"] == 1
    assert not re.search("sandbox|Avenue|Entrance|127", text)
    assert [item.name for item in tmp_path.iterdir()] == ["indivd.json"]


def test_a_run_is_recorded_and_judged_again(clamping: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The same report without a request, and no token in the folder, which is searched."""
    folder = tmp_path / "answers"
    first = indivd("verify", *DAYS, "--json", "--record", str(folder))
    asked = len(clamping.application.requests)
    again = indivd("verify", *DAYS, "--json", "--replay", str(folder))
    assert (again.code, json.loads(again.out)) == (1, json.loads(first.out))
    assert len(clamping.application.requests) == asked
    written = b"".join(path.read_bytes() for path in folder.rglob("*"))
    assert b"Token" not in written
    assert b"Authorization" not in written
    assert b"sandbox" not in written  # the token itself
    assert replay(folder) is not None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--json", "--markdown"), "choose one"),
        (("--anonymous",), "--anonymous is about what --record keeps"),
        (("--replay", "x", "--record", "y"), "nothing to --record"),
        (("--days", "3"), "must be a whole number from 14 to 4000"),
        (("--replay", "nowhere"), "nowhere cannot be read"),
    ],
)
def test_wrong_usage_is_refused(site: Any, indivd: Indivd, options: tuple[str, ...], why: str) -> None:
    """Exit 2, with a reason, before anything is asked."""
    said = indivd("verify", *options)
    assert said.code == 2
    assert why in words(said.err)


def test_doctor_points_to_verify(site: Any, indivd: Indivd) -> None:
    """It stays quick, and says where the rest is measured."""
    said = indivd("doctor")
    assert said.code == 0
    assert "`indivd verify` measures" in words(said.err)
    assert len(site.application.requests) <= 6


def test_what_was_learned_is_shown(site: Any, indivd: Indivd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INDIVD_PROFILE: weekdays by name, weeks with their first day, and no note that they are unknown."""
    path = tmp_path / "indivd.json"
    assert indivd("verify", *DAYS, "--profile", str(path)).code == 0
    asked = ("fetch", "zone_visitors", "--start-date", "2025-12-29", "--end-date", "2026-01-11", "--location", "127")
    assert "numbers of weeks and weekdays are the API's own" in words(indivd(*asked, "--aggregate-by", "dayofweek").err)
    monkeypatch.setenv("INDIVD_PROFILE", str(path))
    weekdays = indivd(*asked, "--aggregate-by", "dayofweek")
    assert "Wednesday" in weekdays.out
    assert "the API's own" not in weekdays.err
    weeks = indivd(*asked, "--aggregate-by", "week")
    assert "week of 2026-01-04" in weeks.out


def test_a_plan_follows_the_profile(site: Any, indivd: Indivd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is looked up."""
    profile = Profile(most_days=(MostDays(endpoint="zone_visitors", unit="day", days=10),))
    path = tmp_path / "indivd.json"
    path.write_text(profile.to_json())
    monkeypatch.setenv("INDIVD_PROFILE", str(path))
    asked = ("plan", "zone_visitors", "--start-date", "2025-01-01", "--end-date", "2025-01-31")
    said = indivd(*asked, "--aggregate-by", "dayofmonth", "--tz", "UTC")
    assert "4 requests" in said.out
    assert "as its profile says, answers 10 days at most" in words(said.out)
    monkeypatch.delenv("INDIVD_PROFILE")
    assert indivd(*asked, "--aggregate-by", "dayofmonth", "--tz", "UTC", "--profile", str(path)).out == said.out


def test_an_export_follows_the_profile(
    clamping: Any, indivd: Indivd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that answers 31 days of 60 is asked in pieces that it answers whole."""
    query = (
        "--start-date",
        "2025-01-01",
        "--end-date",
        "2025-03-01",
        "--location",
        "127",
        "--aggregate-by",
        "dayofmonth",
    )
    path = tmp_path / "indivd.json"
    profile = Profile(most_days=(MostDays(endpoint="zone_visitors", unit="any", days=31),))
    path.write_text(profile.to_json())
    monkeypatch.setenv("INDIVD_PROFILE", str(path))
    out = tmp_path / "out"
    assert indivd("export", "zone_visitors", *query, "--out", str(out)).code == 0
    rows = sum(pyarrow.parquet.read_table(part).num_rows for part in out.rglob("*.parquet"))
    clamping.application.deviate()
    days = clamping.application.world.zone_visitors(
        date(2025, 1, 1), date(2025, 3, 1), location=127, aggregate_by="dayofmonth"
    )
    assert rows == len(days["current"]["insights"])
