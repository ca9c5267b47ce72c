"""The profile as a value, and what it says of weeks and weekdays."""

from __future__ import annotations

import pickle
from datetime import date, timedelta
from pathlib import Path

import pytest

from indivd_async import AsyncIndivd, ConfigError
from indivd_async.models import Bucket
from indivd_async.profile import WEEKDAYS, WEEKS, MostDays, Numbering, Profile, read_profile

DAYS = [date(2014, 12, 20) + timedelta(days=number) for number in range(5_000)]
PROFILE = Profile(
    numbering=Numbering(weeks="iso", weekdays="monday-1"),
    line_crosses_tz="UTC",
    most_days=(MostDays(endpoint="zone_visitors", unit="day", days=31),),
    longest_url=4_000,
    hours_carry_dates=False,
    learned_on="2026-01-20",
)


@pytest.mark.parametrize("numbering", WEEKS)
def test_a_week_begins_on_its_first_day(numbering: str) -> None:
    """Under every numbering each day lies in the seven days that its label begins; the odd one may not be known."""
    for day in DAYS:
        start = Numbering(weeks=numbering).week_start(*WEEKS[numbering](day))
        assert start is not None or numbering == "iso-calendar-year"
        if start is not None:
            assert start <= day < start + timedelta(days=7)
            assert WEEKS[numbering](start) == WEEKS[numbering](day)


def test_numberings_are_those_of_their_names() -> None:
    """Against strftime and the calendar of the standard library."""
    for day in DAYS:
        assert WEEKS["sunday-0"](day) == (day.year, int(day.strftime("%U")))
        assert WEEKS["monday-0"](day) == (day.year, int(day.strftime("%W")))
        assert WEEKS["iso"](day) == day.isocalendar()[:2]
        assert WEEKDAYS["sunday-0"](day) == int(day.strftime("%w"))
    assert WEEKS["sunday-1"](date(2026, 1, 1)) == (2026, 1)
    assert WEEKS["sunday-1"](date(2026, 1, 4)) == (2026, 2)
    assert WEEKS["from-1-january"](date(2026, 1, 8)) == (2026, 2)


def test_a_label_of_two_weeks_has_no_start() -> None:
    """29 December 2025 under 2025, week 1, as 1 January 2025 is."""
    assert Numbering(weeks="iso-calendar-year").week_start(2025, 1) is None
    assert Numbering(weeks="iso-calendar-year").week_start(2025, 2) == date(2025, 1, 6)


def test_weeks_that_there_are_not_have_no_start() -> None:
    """Week 54 of ISO 8601, week 60 of any, years beyond the calendar."""
    assert Numbering(weeks="iso").week_start(2026, 54) is None
    assert Numbering(weeks="sunday-0").week_start(2026, 60) is None
    assert Numbering(weeks="iso").week_start(9999, 1) is None
    assert Numbering(weeks="iso").week_start(None, 1) is None
    assert Numbering().week_start(2026, 1) is None


@pytest.mark.parametrize("numbering", WEEKDAYS)
def test_a_weekday_is_told_as_iso_does(numbering: str) -> None:
    """1 for Monday; None for a number that is none."""
    known = Numbering(weekdays=numbering)
    for day in DAYS[:14]:
        assert known.weekday(WEEKDAYS[numbering](day)) == day.isoweekday()
    assert known.weekday(9) is None
    assert Numbering().weekday(1) is None


def test_a_bucket_of_a_week_begins_where_its_numbering_says() -> None:
    """Aware by a clock; None without a numbering, and under finer labels."""
    bucket = Bucket(year=2026, week=1)
    assert bucket.start() is None
    assert str(bucket.start(numbering=Numbering(weeks="iso"))) == "2025-12-29 00:00:00"
    start = bucket.start("Europe/Stockholm", numbering=Numbering(weeks="sunday-0"))
    assert start is not None
    assert start.isoformat() == "2026-01-04T00:00:00+01:00"
    assert Bucket(week=1).start(numbering=Numbering(weeks="iso")) is None
    assert Bucket(year=2026, week=1, hour=9).start(numbering=Numbering(weeks="iso")) is None


def test_a_profile_comes_back_from_json_and_pickles_and_hashes() -> None:
    """Equal values, whatever they went through."""
    for profile in (PROFILE, Profile()):
        assert Profile.from_json(profile.to_json()) == profile
        assert pickle.loads(pickle.dumps(profile)) == profile
        assert hash(profile) == hash(Profile.from_json(profile.to_json()))


MOST = '{"endpoint": "%s", "unit": "hour", "days": 3, "rows": 1000}'


def test_a_limit_of_rows_is_read() -> None:
    """With the days of one location."""
    read = Profile.from_json(f'{{"version": 1, "most_days": [{MOST % "zone_visitors"}]}}')
    assert read.rows_at_most("zone_visitors", "hour") == 1000
    assert Profile.from_json(read.to_json()) == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "not what `indivd verify` writes"),
        ("{}", "not what `indivd verify` writes"),
        ('{"version": 2}', "version 2, and this library reads 1"),
        ('{"version": 1, "numbering": {"weeks": "lunar"}}', "not what `indivd verify` writes"),
        ('{"version": 1, "unknown": 1}', "not what `indivd verify` writes"),
        ('{"version": 1, "longest_url": "4 KB"}', "not what `indivd verify` writes"),
        ('{"version": 1, "line_crosses_tz": "Mars/Olympus"}', "not what `indivd verify` writes"),
        (f'{{"version": 1, "most_days": [{MOST % "zone_visitor"}]}}', "not what `indivd verify` writes"),
        (
            f'{{"version": 1, "most_days": [{MOST % "zone_visitors"}, {MOST.replace("hour", "h") % "zone_visitors"}]}}',
            "h",
        ),
        (
            f'{{"version": 1, "most_days": [{MOST.replace("1000", "0") % "zone_visitors"}]}}',
            "MostDays.rows must be a whole number of at least 1",
        ),
        (f'{{"version": 1, "most_days": [{MOST.replace("1000", chr(34) * 2) % "zone_visitors"}]}}', "rows"),
        ("nonsense", "not what `indivd verify` writes"),
    ],
)
def test_other_text_is_no_profile(text: str, why: str) -> None:
    """It is refused with the reason."""
    with pytest.raises(ConfigError, match=why):
        Profile.from_json(text)


def test_limits_and_clocks_are_looked_up() -> None:
    """By endpoint and unit; "any" is for all units, and the lowest counts."""
    limits = (
        MostDays(endpoint="zone_visitors", unit="any", days=62),
        MostDays(endpoint="zone_visitors", unit="hour", days=31),
    )
    profile = Profile(most_days=limits, line_crosses_tz="location", drop_in_rate_tz="UTC")
    assert profile.days_at_most("zone_visitors", "hour") == 31
    assert profile.days_at_most("zone_visitors", "total") == 62
    assert profile.days_at_most("line_crosses", "hour") is None
    assert profile.clock_of("line_crosses", "Asia/Tokyo") == "Asia/Tokyo"
    assert profile.clock_of("drop_in_rate", "Asia/Tokyo") == "UTC"
    assert profile.clock_of("zone_visitors", "Asia/Tokyo") is None


def test_a_client_takes_a_profile_a_path_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order; without any, nothing is known."""
    path = tmp_path / "indivd.json"
    path.write_text(PROFILE.to_json())
    assert AsyncIndivd("t").profile is None
    assert AsyncIndivd("t", profile=PROFILE).profile == PROFILE
    assert AsyncIndivd("t", profile=path).profile == PROFILE
    assert AsyncIndivd("t", profile=str(path)).with_options().profile == PROFILE
    monkeypatch.setenv("INDIVD_PROFILE", str(path))
    assert AsyncIndivd("t").profile == PROFILE
    assert AsyncIndivd("t", profile=Profile()).profile == Profile()
    monkeypatch.setenv("INDIVD_PROFILE", str(tmp_path / "elsewhere.json"))
    with pytest.raises(ConfigError, match=r"elsewhere\.json cannot be read"):
        AsyncIndivd("t")


def test_what_is_no_profile_is_refused_at_once() -> None:
    """Saying what to pass."""
    with pytest.raises(ConfigError, match="profile must be a Profile, or the path of one; got 3"):
        read_profile(3)  # type: ignore[arg-type]


def test_a_profile_that_an_editor_saved_is_read(tmp_path: Path) -> None:
    """With the mark that some write first; what is damaged is refused, saying so."""
    path = tmp_path / "indivd.json"
    path.write_bytes(b"\xef\xbb\xbf" + PROFILE.to_json().encode())
    assert read_profile(path) == PROFILE
    for damaged in (b"", PROFILE.to_json().encode()[:-20], b"\xff\xfe\x00", b"[" * 100_000):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"not what `indivd verify` writes|cannot be read"):
            read_profile(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_profile(tmp_path)
