"""Words on the command line become queries."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pytest

from indivd_async import DropInRate, InvalidQueryError, LineCrosses, ZoneVisitors
from indivd_async.cli.arguments import make_parser
from indivd_async.cli.dates import read_day
from indivd_async.cli.options import UsageError, join_negative, make_query
from indivd_async.queries import QUERIES

TODAY = date(2025, 3, 1)
PERIOD = ("--start-date", "2025-01-05", "--end-date", "2025-01-06")


def read(*argv: str) -> Any:
    args = make_parser().parse_args(join_negative(("fetch", *argv)))
    return make_query(args, TODAY)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", "2025-03-01", "2025-03-01"),
        ("yesterday", "2025-02-28", "2025-02-28"),
        ("-7d", "2025-02-22", "2025-02-22"),
        ("-0d", "2025-03-01", "2025-03-01"),
        ("2025-03-04", "2025-03-04", "2025-03-04"),
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-12", "2024-12-01", "2024-12-31"),
        ("2025-W10", "2025-03-03", "2025-03-09"),
        ("2020-w53", "2020-12-28", "2021-01-03"),
    ],
)
def test_days_are_read_as_people_write_them(text: str, first: str, last: str) -> None:
    """A span gives its first day as a start, its last as an end."""
    assert str(read_day(text, today=TODAY, last=False)) == first
    assert str(read_day(text, today=TODAY, last=True)) == last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow", "'tomorrow' is not a day; write 2025-03-01, today"),
        ("2025-13", "there is no 2025-13"),
        ("2025-W54", "there is no 2025-W54"),
        ("2025-W00", "there is no 2025-W00"),
        ("0000", "there is no 0000"),
        ("-7", "'-7' is not a day"),
        ("", "'' is not a day"),
    ],
)
def test_what_is_no_day_is_refused(text: str, message: str) -> None:
    """The message says what may be written."""
    with pytest.raises(ValueError, match=message):
        read_day(text, today=TODAY, last=False)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ("line_crosses", *PERIOD, "--floor", "-1,0", "--per", "floor", "--location=124"),
            LineCrosses("2025-01-05", "2025-01-06", floor=[-1, 0], per="floor", location=124),
        ),
        (
            ("line_crosses", "--floor=-1", *PERIOD, "--line-ids", "7,8,7", "--zone-to", "1", "--zone-from", "2"),
            LineCrosses("2025-01-05", "2025-01-06", floor=-1, line_ids=[7, 8], zone_to=1, zone_from=2),
        ),
        (
            ("line_crosses", *PERIOD, "--organization", "1,2", "--category", "3", "--split", "3"),
            LineCrosses("2025-01-05", "2025-01-06", organization=[1, 2], category=3, split=3),
        ),
        (
            (
                "zone_visitors",
                "--start-date",
                "-7d",
                "--end-date",
                "today",
                "--comparison-start-date",
                "2024",
                "--comparison-end-date",
                "2024-06",
                "--aggregate-by",
                "zone",
                "--comparison-aggregate-by",
                "month",
                "--bounce-threshold",
                "-1",
                "--min-dwell",
                "5",
                "--max-dwell",
                "60",
                "--zones",
                "1,2",
                "--tz",
                "Asia/Kathmandu",
                "--split",
                "none",
                "--on-error",
                "collect",
            ),
            ZoneVisitors(
                "2025-02-22",
                "2025-03-01",
                comparison_start_date="2024-01-01",
                comparison_end_date="2024-06-30",
                aggregate_by="zone",
                comparison_aggregate_by="month",
                bounce_threshold=-1,
                min_dwell=5,
                max_dwell=60,
                zones=[1, 2],
                tz="Asia/Kathmandu",
                split=None,
                on_error="collect",
            ),
        ),
        (
            ("drop_in_rate", *PERIOD, "--interval", "hour", "--zone", "9"),
            DropInRate("2025-01-05", "2025-01-06", interval="hour", zone=9),
        ),
    ],
    ids=["negative floors", "repeated ids", "several organisations", "every option of zone_visitors", "drop-in"],
)
def test_options_become_a_query(argv: tuple[str, ...], expected: object) -> None:
    """Options have the names of the parameters, and their values."""
    assert read(*argv) == expected


def test_every_parameter_is_an_option() -> None:
    """What a query takes, the command line takes."""
    parser = make_parser()
    for name, query in QUERIES.items():
        for field in attrs.fields(query):
            option = f"--{field.name.replace('_', '-')}"
            value = {"split": "auto"}.get(field.name, "1")
            args = parser.parse_args(["fetch", name, f"{option}={value}"])
            assert getattr(args, field.name) is not None


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ("zone_visitors", *PERIOD, "--zone", "1"),
            "--zone is not a parameter of zone_visitors; did you mean --zones?",
        ),
        (("line_crosses", *PERIOD, "--min-dwell", "1"), "--min-dwell is not a parameter of line_crosses"),
        (("line_crosses", "--start-date", "2025"), "--end-date is required"),
        (("line_crosses", "--end-date", "2025"), "--start-date is required"),
        (("line_crosses", "--start-date", "soon", "--end-date", "2025"), "--start-date: 'soon' is not a day"),
        (("line_crosses", "--start-date", "2025", "--end-date", "2025-99"), "--end-date: there is no 2025-99"),
    ],
)
def test_what_cannot_be_asked_is_refused(argv: tuple[str, ...], message: str) -> None:
    """The message names the option."""
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        read(*argv)


@pytest.mark.parametrize(
    "argv",
    [
        ("line_crosses", "--start-date", "2025-02-30", "--end-date", "2025"),
        ("line_crosses", *PERIOD, "--split", "0"),
        ("line_crosses", *PERIOD, "--split", "some"),
        ("line_crosses", *PERIOD, "--on-error", "ignore"),
    ],
    ids=["no such day", "split 0", "split some", "on-error"],
)
def test_what_the_query_refuses_is_left_to_it(argv: tuple[str, ...]) -> None:
    """Its words are better."""
    with pytest.raises(InvalidQueryError):
        read(*argv)


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["--floor", "-1"], ["--floor=-1"]),
        (["--floor", "-1,-2", "-h"], ["--floor=-1,-2", "-h"]),
        (["--floor=-1", "-2"], ["--floor=-1", "-2"]),
        (["fetch", "-1"], ["fetch", "-1"]),
        (["--", "-1"], ["--", "-1"]),
    ],
)
def test_negative_values_belong_to_the_option_before(words: list[str], joined: list[str]) -> None:
    """A value may begin with a minus."""
    assert join_negative(words) == joined


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["--token", "a"], [], "a"),
        ([], ["--token", "b"], "b"),
        (["--token", "a"], ["--token", "b"], "b"),
        ([], [], None),
    ],
    ids=["before", "after", "both", "neither"],
)
def test_options_of_the_service_stand_before_or_after_the_command(
    before: list[str], after: list[str], expected: str | None
) -> None:
    """The last one counts."""
    assert make_parser().parse_args([*before, "locations", *after]).token == expected
