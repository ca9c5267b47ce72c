"""What somebody writes, and what is asked for it: lists that add up, names, days, words that were meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from indivd_async import DropInRate, LineCrosses, Plan, ZoneVisitors
from indivd_async.cli.suggestions import suggest

Indivd = Callable[..., Any]

DAYS = ("--start-date", "2025-03-03", "--end-date", "2025-03-04")
STORES = [
    {"id": 124, "name": "Kungsgatan", "city": "Stockholm", "timezone": "Europe/Stockholm"},
    {"id": 125, "name": "Kungsgatan", "city": "Malmö", "timezone": "Europe/Stockholm"},
    {"id": 126, "name": "Drottninggatan, Norrköping", "timezone": "Europe/Stockholm"},
    {"id": 127, "name": "5", "timezone": "Europe/Stockholm"},
]
ZONES = [
    {"id": 201, "name": "Entrance", "location": 124},
    {"id": 202, "name": "Menswear", "location": 124},
    {"id": 203, "name": "Caf\u00e9 Bar", "location": 124},
    {"id": 211, "name": "Entrance", "location": 125},
    {"id": 213, "name": "CAF\u00c9 BAR", "location": 125},
]


@pytest.fixture
def stores(site: Any) -> Any:
    site.lists.update(locations=STORES, zones=ZONES)
    return site


def read_query(indivd: Indivd, *argv: str) -> Any:
    said = indivd("plan", *argv, "--json")
    assert said.code == 0, said.err
    return Plan.from_json(said.out).query


# Lists.


@pytest.mark.parametrize(
    ("argv", "query"),
    [
        (
            ("line_crosses", *DAYS, "--location", "124", "--location", "125,126", "--floor", "-1", "--floor=0"),
            LineCrosses("2025-03-03", "2025-03-04", location=[124, 125, 126], floor=[-1, 0]),
        ),
        (
            ("line_crosses", *DAYS, "--line-ids", "7", "--line-ids", "8", "--category=1", "--category", "1"),
            LineCrosses("2025-03-03", "2025-03-04", line_ids=[7, 8], category=1),
        ),
        (
            ("zone_visitors", *DAYS, "--aggregate-by", "year", "--aggregate-by", "week,loc_id", "--zones", "1"),
            ZoneVisitors("2025-03-03", "2025-03-04", aggregate_by="year,week,loc_id", zones=1),
        ),
    ],
    ids=["locations and floors", "lines", "groupings"],
)
def test_repeated_lists_add_up(argv: tuple[str, ...], query: object, site: Any, indivd: Indivd) -> None:
    """None is dropped."""
    assert read_query(indivd, *argv) == query


@pytest.mark.parametrize(("option", "values"), [("--tz", ("UTC", "Asia/Tokyo")), ("--start-date", ("2025", "2024"))])
def test_what_is_no_list_is_given_once(option: str, values: tuple[str, str], site: Any, indivd: Indivd) -> None:
    """A second value is refused, unless it is the first one."""
    first, second = values
    argv = ("plan", "zone_visitors", "--end-date", "2025-03", option, first, option)
    start = () if option == "--start-date" else ("--start-date", "2025-01")
    said = indivd(*argv, second, *start)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"indivd: {option} was given twice\n")
    assert indivd(*argv, first, *start).code == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("--limit", "2"), ("--limit", "3")),
        (("--format", "csv"), ("--format", "json")),
        (("--json",), ("--format", "csv")),
        (("--out", "a.csv"), ("--out", "b.csv")),
        (("--profile", "a.json"), ("--profile", "b.json")),
    ],
    ids=lambda words: words[0],
)
def test_how_to_write_is_said_once(first: tuple[str, ...], second: tuple[str, ...], site: Any, indivd: Indivd) -> None:
    """Neither of two is dropped in silence, and nothing is asked or written."""
    said = indivd("fetch", "zone_visitors", *DAYS, *first, *second)
    assert (said.code, said.out) == (2, "")
    how = "was given twice" if second[0] == first[0] else f"does not go with {first[0]}"
    assert f"{second[0]} {how}" in said.err
    assert not site.application.requests


@pytest.mark.parametrize(
    "argv",
    [
        ("export", "zone_visitors", *DAYS, "--out", "a", "--out", "b"),
        ("export", "zone_visitors", *DAYS, "--to", "duckdb:///a?table=a", "--to", "duckdb:///b?table=a"),
        ("export", "zone_visitors", *DAYS, "--out", "a", "--refresh", "3d", "--refresh", "5d"),
        ("verify", "--location", "124", "--location", "125"),
        ("locations", "--base-url", "http://127.0.0.1:1", "--base-url", "http://127.0.0.1:2"),
        ("--token", "a", "--token", "b", "locations"),
        ("sandbox", "--port", "1", "--port", "2"),
    ],
    ids=lambda argv: " ".join(argv[:1] + argv[-2:-1]),
)
def test_no_command_drops_the_first_of_two(argv: tuple[str, ...], site: Any, indivd: Indivd) -> None:
    """Nothing is asked, written or served."""
    said = indivd(*argv)
    assert (said.code, said.out) == (2, "")
    assert f"{argv[-2] if argv[0] != '--token' else '--token'} was given twice" in said.err
    assert not site.application.requests


def test_an_option_after_the_command_replaces_one_before(site: Any, indivd: Indivd) -> None:
    """So that an alias may have one."""
    assert indivd("--token", "other", "locations", "--token", "sandbox", "--format", "csv").code == 0


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_nobodys(name: str, site: Any, indivd: Indivd) -> None:
    """A variable of a script that is not set names no place, not even one without a name."""
    site.lists["locations"] = [{"id": 124, "name": "", "timezone": "UTC"}, {"id": 125, "name": "  ", "timezone": "UTC"}]
    said = indivd("fetch", "zone_visitors", *DAYS, "--location", name)
    assert said.code == 2
    assert "none of the locations is called ''; `indivd locations` lists them" in said.err


# Names.


@pytest.mark.parametrize(
    ("argv", "query"),
    [
        (
            ("line_crosses", *DAYS, "--location", "Drottninggatan, Norrköping,5,124"),
            None,
        ),
        (
            ("line_crosses", *DAYS, "--location", "drottninggatan, norrköping", "--location", "124,5"),
            LineCrosses("2025-03-03", "2025-03-04", location=[126, 124, 5]),
        ),
        (
            ("drop_in_rate", *DAYS, "--zone", "Menswear,211", "--location", "124", "--tz", "UTC"),
            DropInRate("2025-03-03", "2025-03-04", zone=[202, 211], location=124, tz="UTC"),
        ),
        (
            ("line_crosses", *DAYS, "--zone-to", "Entrance", "--location", "125"),
            LineCrosses("2025-03-03", "2025-03-04", zone_to=211, location=125),
        ),
        (
            ("zone_visitors", *DAYS, "--zones", "Caf\u00e9 Bar,Cafe\u0301\u00a0bar ", "--location", "125"),
            ZoneVisitors("2025-03-03", "2025-03-04", zones=213, location=125),
        ),
    ],
    ids=["a comma within and between", "commas", "names and ids", "told apart by the location", "written otherwise"],
)
def test_names_are_taken_for_ids(argv: tuple[str, ...], query: object, stores: Any, indivd: Indivd) -> None:
    """A name may have commas; case does not matter; what is a number is an id; a zone is one of the location's."""
    if query is None:
        said = indivd("plan", *argv)
        assert (said.code, said.out) == (2, "")
        assert "--location: none of the locations is called 'Drottninggatan'; did you mean Drottninggatan, " in said.err
        return
    assert read_query(indivd, *argv) == query


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ("--location", "Kungsgatan"),
            "--location: 2 locations are called 'Kungsgatan': 124 (city Stockholm), 125 (city Malmö). Give the id\n",
        ),
        (
            ("--zones", "entrance"),
            "--zones: 2 zones are called 'entrance': 201 (location 124), 211 (location 125). Give the id, or --lo",
        ),
        (("--location", "Kungsgatn"), "none of the locations is called 'Kungsgatn'; did you mean Kungsgatan?"),
        (("--zones", "x"), "--zones: none of the zones is called 'x'; `indivd zones` lists them"),
        (("--zones", "Menswear", "--location", "125"), "zones called 'Menswear' are at other locations: 202 (location"),
        (("--location", ""), "none of the locations is called ''"),
        (("--location", "124,"), "none of the locations is called ''"),
        (("--location", "1_2_4"), "none of the locations is called '1_2_4'"),
        (("--location", "124,\u00b2"), "none of the locations is called '\u00b2'"),
        (("--location", "Drottninggatan, Norrk\u00f6ping,--5"), "none of the locations is called"),
    ],
    ids=[
        *("two of a name", "two zones", "mistyped", "unknown", "elsewhere", "empty", "an empty part"),
        *("a number to Python only", "a digit to Python only", "no number"),
    ],
)
def test_a_name_that_says_too_little_is_refused(
    argv: tuple[str, ...], message: str, stores: Any, indivd: Indivd
) -> None:
    """Which there are is told, and no data is asked for."""
    said = indivd("fetch", "zone_visitors", *DAYS, *argv)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert not stores.application.requests


def test_what_is_wrong_is_told_before_names_are_looked_up(site: Any, indivd: Indivd) -> None:
    """No request is spent on a question that cannot be asked."""
    said = indivd("fetch", "zone_visitors", *DAYS, "--location", "Kungsgatan", "--max-dwell", "10801")
    assert said.code == 2
    assert "--max-dwell: must be" in said.err
    assert not site.application.requests


def test_an_export_takes_names(stores: Any, indivd: Indivd, tmp_path: Any) -> None:
    """As everything does that asks."""
    said = indivd("export", "zone_visitors", *DAYS, "--location", "nowhere", "--out", str(tmp_path / "a"))
    assert (said.code, said.out) == (2, "")
    assert "none of the locations is called 'nowhere'" in said.err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Kungsgatan", "2 locations are called 'Kungsgatan'"),
        ("kungsgata\u0301n", "kungsgata\u0301n is not one of those"),
        ("\u00b2", "\u00b2 is not one of those"),
        ("", " is not one of those"),
        ("None", "None is not one of those"),
    ],
)
def test_verify_takes_a_name(name: str, message: str, stores: Any, indivd: Indivd) -> None:
    """Of one location."""
    stores.lists["locations"] = [*STORES, {"id": 128, "name": ""}, {"id": 129}]
    said = indivd("verify", "--location", name)
    assert (said.code, said.out) == (2, "")
    assert message in said.err


# Days.


def day_in(tz: str) -> date:
    return datetime.now(ZoneInfo(tz)).date()


@pytest.mark.parametrize(
    ("argv", "clocks"),
    [
        (("--location", "1"), ["Pacific/Kiritimati"]),
        (("--location", "2"), ["Pacific/Pago_Pago"]),
        (("--location", "1,2"), ["Pacific/Kiritimati", "Pacific/Pago_Pago"]),
        ((), ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Stockholm"]),
        (("--location", "1", "--tz", "Pacific/Pago_Pago"), ["Pacific/Pago_Pago"]),
        (("--location", "West"), ["Pacific/Pago_Pago"]),
    ],
    ids=["east", "west", "both", "all", "one clock for all", "by name"],
)
def test_days_are_those_of_the_location(argv: tuple[str, ...], clocks: list[str], site: Any, indivd: Indivd) -> None:
    """Whatever day it is where the command runs; with several clocks it is the day that has begun everywhere."""
    site.lists["locations"] = [
        {"id": 1, "name": "East", "timezone": "Pacific/Kiritimati"},
        {"id": 2, "name": "West", "timezone": "Pacific/Pago_Pago"},
        {"id": 3, "name": "Home", "timezone": "Europe/Stockholm"},
    ]
    before = min(map(day_in, clocks))
    said = indivd("plan", "zone_visitors", "--start-date", "-7d", "--end-date", "today", *argv, "--json")
    query = Plan.from_json(said.out).query
    assert query.end_date in (before, min(map(day_in, clocks)))  # it may be midnight
    assert query.end_date - query.start_date == timedelta(days=7)
    # Kiritimati and Pago Pago are 25 hours apart: their days always differ.
    assert (f"note: today is {query.end_date}, the day that has begun everywhere" in said.err) is (len(clocks) > 1)


def test_without_a_clock_the_day_is_that_of_this_machine(site: Any, indivd: Indivd) -> None:
    """And it is said."""
    site.lists["locations"] = [{"id": 1, "name": "Somewhere"}]
    said = indivd("plan", "line_crosses", "--start-date", "yesterday", "--end-date", "today", "--location", "1")
    assert said.code == 0
    assert "by this machine's clock, for no location asked for tells its time zone" in said.err


def test_a_fixed_day_needs_no_look_up(site: Any, indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a relative one on a clock that was named."""
    monkeypatch.delenv("INDIVD_TOKEN")
    for argv in (DAYS, ("--start-date", "-7d", "--end-date", "today", "--tz", "Asia/Tokyo")):
        assert indivd("plan", "drop_in_rate", *argv, "--location", "124", "--split", "none").code == 0
    assert not site.application.requests


def test_a_period_that_today_decides_is_not_refused_too_early(site: Any, indivd: Indivd) -> None:
    """It may be tomorrow already where the location is."""
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    site.lists["locations"] = [{"id": 1, "name": "East", "timezone": "Pacific/Kiritimati"}]
    said = indivd("plan", "zone_visitors", "--start-date", tomorrow, "--end-date", "today", "--location", "1")
    assert "indivd: --end-date: must not be before" in said.err or said.code == 0
    assert [request for request in site.application.requests if "filters" not in request.path] == []


@pytest.mark.parametrize(
    ("argv", "warned"),
    [
        (("zone_visitors", "--aggregate-by", "week"), True),
        (("zone_visitors", "--aggregate-by", "year,dayofweek"), True),
        (("drop_in_rate", "--interval", "week"), True),
        (("zone_visitors", "--aggregate-by", "hour"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_week_is_never_shown_without_a_word(
    form: str, argv: tuple[str, ...], warned: bool, site: Any, indivd: Indivd
) -> None:
    """The API numbers weeks and weekdays in its own way: W10 comes back as 9."""
    endpoint, *grouping = argv
    period = ("--start-date", "2025-W10", "--end-date", "2025-W10", "--location", "124")
    said = indivd("fetch", endpoint, *period, *grouping, "--format", form)
    assert said.code == 0
    assert ("numbers of weeks and weekdays are the API's own" in said.err) is warned
    assert (" and --profile FILE takes what it learned" in said.err) is warned


# Words.


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("fecth",), "there is no command fecth; did you mean fetch?"),
        (("location",), "there is no command location; did you mean locations?"),
        (("Zones",), "there is no command Zones; did you mean zones?"),
        (("list",), "there is no command list; did you mean locations?"),
        (("version",), "there is no command version; did you mean --version?"),
        (("zone_visitors", *DAYS), "there is no command zone_visitors; did you mean indivd fetch zone_visitors?"),
        (("qqqq",), "there is no command qqqq"),
        (("--verison",), "there is no --verison; did you mean --version?"),
        (("help", "fecth"), "there is no command fecth; did you mean fetch?"),
        (
            ("fetch", "zone-visitors", *DAYS),
            "argument ENDPOINT: invalid choice: 'zone-visitors'; did you mean zone_visi",
        ),
        (("fetch", "visits", *DAYS), "argument ENDPOINT: invalid choice: 'visits'; did you mean zone_visitors?"),
        (("fetch", "locations"), "argument ENDPOINT: invalid choice: 'locations'; did you mean indivd locations?"),
        (("fetch", "zone_visitors", "--from", "2025"), "there is no --from; did you mean --start-date?"),
        (("fetch", "zone_visitors", "--to", "2025"), "there is no --to; did you mean --end-date?"),
        (("fetch", "zone_visitors", "--start", "2025"), "there is no --start; did you mean --start-date?"),
        (("fetch", "drop_in_rate", "--zonse", "1"), "there is no --zonse; did you mean --zone?"),
        (("fetch", "zone_visitors", "--zonse", "1"), "there is no --zonse; did you mean --zones?"),
        (
            ("fetch", "drop_in_rate", *DAYS, "--aggregate-by", "hour"),
            "a parameter of drop_in_rate; did you mean --interval",
        ),
        (
            ("fetch", "zone_visitors", *DAYS, "--format", "excel"),
            "invalid choice: 'excel' (there are table, json, ndjson",
        ),
        (("fetch", "zone_visitors", *DAYS, "--format", "jsonl"), "invalid choice: 'jsonl'; did you mean json?"),
        (("--format", "csv", "zones"), "--format stands behind the command: indivd COMMAND ... --format"),
        (("--profile=a.json", "fetch", "zone_visitors", *DAYS), "--profile stands behind the command: indivd COMMAND"),
        (("zones", "--limit", "0"), "argument --limit: 0 is not a number of rows; it is 1 or more"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_what_was_meant_is_suggested(argv: tuple[str, ...], said: str, site: Any, indivd: Indivd) -> None:
    """Commands, endpoints, and only such options as the endpoint takes."""
    result = indivd(*argv)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert result.err.count("\n") == 2
    assert not site.application.requests


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    """A wrong guess is worse than none."""
    assert suggest("--colour", ["--format", "--start-date", "--zones"]) == ""
    assert suggest("", ["fetch"]) == ""
    assert suggest("-", ["--format"]) == ""
    assert suggest("--profile", ["--ca-file", "--proxy"]) == ""


def test_the_command_alone_says_what_there_is(indivd: Indivd) -> None:
    """To stderr, for it was called wrongly: whatever reads its output gets nothing."""
    said = indivd()
    assert (said.code, said.out) == (2, "")
    assert all(command in said.err for command in ("fetch", "export", "doctor", "completion"))
    assert said.err.endswith("indivd: the following arguments are required: COMMAND\ntry: indivd --help\n")


@pytest.mark.parametrize("topic", ["fetch", "locations", "help"])
def test_help_is_a_command_too(topic: str, indivd: Indivd) -> None:
    """Of a command it says what `--help` says; alone it says what there is, as the bare command does."""
    said = indivd("help", topic)
    assert said == indivd(topic, "--help")
    assert (said.code, said.err) == (0, "")
    alone = indivd("help")
    assert (alone.code, alone.err) == (0, "")
    assert indivd().err.startswith(alone.out)
    assert alone.out.count("\n") <= 24 - 3
    assert max(map(len, alone.out.splitlines())) <= 80


def test_the_help_of_a_question_says_whose_days_they_are(indivd: Indivd) -> None:
    """And that lists may be repeated."""
    words = " ".join(indivd("help", "fetch").out.split())
    assert "today, yesterday and -7d are days of the locations asked for" in words
    assert "by repeating the option" in words


# What is written.


@pytest.mark.parametrize("form", ["table", "csv", "ndjson", "json", "parquet", "arrow", "arrows"])
@pytest.mark.parametrize(
    "question",
    [("line_crosses", "--aggregate-by", "hour"), ("drop_in_rate", "--interval", "hour")],
    ids=["lines", "zones' own rows"],
)
def test_a_limit_keeps_the_first_rows(
    form: str, question: tuple[str, ...], site: Any, indivd: Indivd, tmp_path: Any
) -> None:
    """In every format, and what was left out is told."""
    import polars

    out = tmp_path / f"a.{form}"
    argv = ("fetch", *question, *DAYS, "--location", "124", "--format", form)
    whole = json.loads(indivd(*argv[:-1], "json").out)
    said = indivd(*argv, "--out", str(out), "--limit", "3")
    assert said.code == 0
    assert f"the first 3 of {len(whole)} rows" in said.err
    read = {
        "table": lambda path: path.read_text().splitlines()[2:],
        "csv": lambda path: path.read_text().splitlines()[1:],
        "ndjson": lambda path: path.read_text().splitlines(),
        "json": lambda path: json.loads(path.read_text()),
        "parquet": polars.read_parquet,
        "arrow": polars.read_ipc,
        "arrows": polars.read_ipc_stream,
    }
    assert len(read[form](out)) == 3
    assert "the first" not in indivd(*argv, "--out", str(out), "--limit", str(len(whole))).err


def test_a_list_has_a_limit_too(site: Any, indivd: Indivd) -> None:
    """Of entries."""
    said = indivd("zones", "--format", "csv", "--limit", "2")
    assert len(said.out.splitlines()) == 3
    assert said.err.startswith("the first 2 of ")


def test_verbose_tells_each_request(site: Any, indivd: Indivd) -> None:
    """With status and time, and why one is asked again; never the token."""
    site.application.faults.hook = lambda number, path, params: 503 if number == 1 and "line" in path else None
    argv = ("fetch", "line_crosses", *DAYS, "--location", "124", "--format", "csv")
    said = indivd(*argv, "--verbose", "--token", "sandbox")
    assert said.code == 0
    told = [line for line in said.err.splitlines() if ": GET /" in line]
    assert told[-1].startswith("200 after ")
    assert "start_date=2025-03-03" in told[-1]
    assert "sandbox" not in said.err
    assert ": GET /" not in indivd(*argv).err


def test_a_profile_says_which_week_it_is(site: Any, indivd: Indivd, tmp_path: Any) -> None:
    """What verify learned is taken by the questions that follow."""
    profile = tmp_path / "profile.json"
    assert indivd("verify", "--location", "124", "--days", "400", "--deep", "--profile", str(profile)).code == 0
    week = ("zone_visitors", "--start-date", "2025-W10", "--end-date", "2025-W10", "--location", "124")
    weekdays = indivd("fetch", *week, "--aggregate-by", "dayofweek", "--profile", str(profile))
    assert (weekdays.code, "numbers of weeks and weekdays are the API's own" in weekdays.err) == (0, False)
    assert weekdays.out.splitlines()[2].startswith("Monday ")
    said = indivd("fetch", *week, "--profile", str(tmp_path / "none.json"))
    assert said.code == 2
    assert said.err.startswith("indivd: --profile (or INDIVD_PROFILE): ")
