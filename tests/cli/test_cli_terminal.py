"""What is drawn for people."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from rich.cells import cell_len

from indivd_async.cli.demo import sparkline
from indivd_async.cli.fetch import bucket_text, present
from indivd_async.cli.terminal import draw_tables, draw_text, fit, make_console, say


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_its_words_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that go on are begun as told; a pipe gets each line as it is."""
    monkeypatch.setenv("COLUMNS", "24")
    text = "  note: some figures are still growing\nGET /a/path?that=is-longer-than-that"
    assert fit(text, io.StringIO()) == text
    assert fit(text, Terminal(), indent="    ").split("\n") == [
        "  note: some figures are",
        "    still growing",
        "GET",
        "    /a/path?that=is-longer-than-that",
    ]
    assert fit(f"last: {'a' * 30}", Terminal(), whole_words=False) == f"last: {'a' * 18}\n{'a' * 12}"


@pytest.mark.parametrize(
    ("values", "expected"), [([], ""), ([0, 0], "  "), ([1, 8], "▁█"), ([0.01, 8], "▁█"), ([4, 8], "▄█")]
)
def test_sparklines(values: list[float], expected: str) -> None:
    """Only nothing is blank, and only the most is highest."""
    assert sparkline(values) == expected


def draw(rows: list[dict[str, Any]], columns: tuple[str, ...], width: int = 80, **options: Any) -> list[str]:
    tables, _ = draw_tables(rows, columns, width=width, **options)
    return draw_text(tables, width=width).splitlines()


def test_a_table_shows_what_has_room() -> None:
    """The first columns that fit are shown, numbers to the right, and the others are named."""
    rows = [{"id": 1, "name": "Kungsgatan", "x": None}, {"id": 200, "name": "B" * 40, "x": 1.5}]
    assert draw(rows, ("id", "name"), 34) == [
        " id  name",
        "─────────────────────────────────",
        "  1  Kungsgatan",
        "200  BBBBBBBBBBBBBBBBBBBBBBBBBBB…",
    ]
    assert draw_tables(rows, ("id", "name", "x"), width=19)[1] == ["x"]
    assert draw(rows, ("x",))[2:] == ["", "1.5"]
    assert draw([], ("id",)) == ["id", "──"]


def test_long_names_make_room_for_figures() -> None:
    """What was asked for are the figures; names are cut as far as it takes to show some."""
    rows = [
        {"when": "2025-03-01", "loc": "L" * 60, "zone": "東" * 60, "visits": 1, "people": 2, "bounce": 3, "dwell": 4.5}
    ]
    names = ("when", "loc", "zone", "visits", "people", "bounce", "dwell")
    for width, hidden in (
        (103, []),
        (84, []),
        (73, []),
        (62, ["bounce", "dwell"]),
        (52, ["people", "bounce", "dwell"]),
    ):
        tables, left = draw_tables(rows, names, width=width)
        assert left == hidden
        assert max(cell_len(line) for line in draw_text(tables, width=width).splitlines()) <= width


def test_a_moment_is_never_cut() -> None:
    """Half an hour is another hour."""
    rows = [{"when": "week of 2025-03-03", "zone": "Z" * 60, "visits": 1, "people": 2, "bounce": 3}]
    for width in range(30, 80):
        tables, _ = draw_tables(rows, ("when", "zone", "visits", "people", "bounce"), width=width)
        assert "week of 2025-03-03" in draw_text(tables, width=width)


def test_a_rate_has_its_unit() -> None:
    """Where the name of a column does not tell it."""
    assert draw([{"drop_in_rate": 46.7}], ("drop_in_rate",))[0] == "drop_in_rate %"


def test_a_table_repeats_its_head() -> None:
    """Once a screen, with its columns below each other."""
    rows = [{"id": 10**number, "name": "x"} for number in range(5)]
    lines = draw(rows, ("id", "name"), at_once=2)
    assert [line.split()[0] for line in lines] == [
        "id", "───────────", "1", "10", "id", "───────────", "100", "1000", "id", "───────────", "10000",
    ]  # fmt: skip
    assert len({line.index("x") for line in lines if "x" in line}) == 1


@pytest.mark.parametrize("wide", ["Cafe\u0301", "東京", "a[bold]b:smile:"], ids=ascii)
def test_widths_are_those_of_the_terminal(wide: str) -> None:
    """Wide letters take two columns, marks none, and brackets are text."""
    lines = draw([{"name": wide, "visits": 1}, {"name": "plain", "visits": 2}], ("name", "visits"))
    assert wide in lines[2]
    assert {cell_len(line) for line in lines[1:]} == {cell_len(lines[0])}


EVIL = "\x1b[2J\x1b]0;owned\x07\nindivd: all is well\r\x9b1m\u202e7"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\nindivd: all is well\r\x9b1m\u202e7"


def test_names_never_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In a table and in a message, what a terminal would obey is shown."""
    lines = draw([{"name": EVIL}], ("name",))
    assert len(lines) == 3
    assert lines[2] == SHOWN[:27] + "…"
    say(f"note: {EVIL}")
    assert capsys.readouterr().err == f"note: {SHOWN}\n".replace(r"\n", "\n", 1)


@pytest.mark.parametrize(
    ("environment", "terminal", "coloured"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, True, False)],
    ids=["terminal", "pipe", "NO_COLOR", "dumb"],
)
def test_colours_only_where_they_are_wanted(
    environment: dict[str, str], terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, unless the user or the terminal does not want them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    make_console(stream).print("x", style="bold red")
    assert ("\x1b[" in stream.getvalue()) is coloured


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"year": 2025}, "2025"),
        ({"year": 2025, "month": 3}, "2025-03"),
        ({"year": 2025, "month": 3, "dayofmonth": 1}, "2025-03-01"),
        ({"year": 2025, "month": 3, "dayofmonth": 1, "hour": 9, "minute": 5}, "2025-03-01 09:05"),
        ({"year": 2025, "week": 9}, "2025 week 9"),
        ({"dayofweek": 2, "hour": 9}, "dayofweek 2 hour 9"),
        ({"dayofweek": 2, "weekday": 1}, "Monday"),
        ({"year": 2025, "week": 9, "bucket_start": datetime(2025, 3, 3)}, "week of 2025-03-03"),
        ({"year": 2025, "month": 3, "dayofmonth": 3, "weekday": 1}, "2025-03-03"),
        ({"hour": 9}, "hour 9"),
        ({}, "whole period"),
    ],
    ids=str,
)
def test_buckets_in_words(labels: dict[str, Any], expected: str) -> None:
    """As people write them, where the labels are those of a day; else label by label."""
    assert bucket_text(labels) == expected


def test_columns_that_say_nothing_are_left_out() -> None:
    """Empty columns and the only period; an id and its name are one column, and what is the same for all comes last."""
    names = ["period", "year", "tz", "zone_id", "zone_name", "visits", "bounce"]
    rows: list[dict[str, Any]] = [
        dict(zip(names, values, strict=True))
        for values in (
            ("current", 2025, "UTC", 7, "Café", 0, None),
            ("current", 2024, "UTC", 8, None, 5, None),
        )
    ]
    shown, columns = present(rows, names)
    assert columns == ["when", "zone", "visits", "tz"]
    assert [(row["when"], row["zone"]) for row in shown] == [("2025", "7 Café"), ("2024", "8")]
    assert present(rows[:1], names)[1] == ["when", "zone", "visits", "tz"]
    assert present([rows[0], {**rows[1], "period": "comparison"}], names)[1][:2] == ["when", "period"]
    assert present([], names) == ([], ["when"])
