"""What is drawn for people."""

from __future__ import annotations

import io
from typing import Any

import pytest

from indivd_async import Counts, Event
from indivd_async.cli.fetch import bucket_text, present
from indivd_async.cli.progress import Meter
from indivd_async.cli.terminal import Style, bar, clip, draw_table, fit, pad, sparkline, text_width

PLAIN = Style()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("Café", 4), ("Cafe\u0301", 4), ("東京", 4), ("", 0)], ids=str)
def test_widths_are_those_of_the_terminal(text: str, width: int) -> None:
    """Wide letters take two columns, marks none."""
    assert text_width(text) == width
    assert text_width(pad(text, 8)) == text_width(pad(text, 8, right=True)) == 8


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("東京都", 4, "東…"), ("東京都", 5, "東京…")],
)
def test_clipping_says_that_something_is_lost(text: str, width: int, expected: str) -> None:
    """Never wider than it may be."""
    assert clip(text, width) == expected


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


@pytest.mark.parametrize(
    ("share", "expected"), [(0, ""), (1, "████"), (2, "████"), (0.25, "█"), (0.28, "█▏"), (-1, "")]
)
def test_bars_are_exact_to_an_eighth(share: float, expected: str) -> None:
    """Shares beyond the ends are at the ends."""
    assert bar(share, 4) == expected


def test_a_table_shows_what_has_room() -> None:
    """The first columns that fit are shown, numbers to the right, and the others are named."""
    rows = [{"id": 1, "name": "Kungsgatan", "x": None}, {"id": 200, "name": "B" * 40, "x": 1.5}]
    lines, hidden = draw_table(rows, ("id", "name", "x"), width=33, style=PLAIN)
    assert lines == [
        " id  name",
        "───  ────────────────────────────",
        "  1  Kungsgatan",
        "200  BBBBBBBBBBBBBBBBBBBBBBBBBBB…",
    ]
    assert hidden == ["x"]
    assert draw_table(rows, ("x",), width=80, style=PLAIN)[0][2:] == ["", "1.5"]
    assert draw_table([], ("id",), width=80, style=PLAIN)[0] == ["id", "──"]


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
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    style = Style.of(Terminal() if terminal else io.StringIO())
    assert style.coloured is coloured
    assert (style.bold("x") != "x") is coloured
    assert (style.heat(0.5, 3) == "▄▄ ") is not coloured
    assert style.heat(0, 3) == "   "


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"year": 2025}, "2025"),
        ({"year": 2025, "month": 3}, "2025-03"),
        ({"year": 2025, "month": 3, "dayofmonth": 1}, "2025-03-01"),
        ({"year": 2025, "month": 3, "dayofmonth": 1, "hour": 9, "minute": 5}, "2025-03-01 09:05"),
        ({"year": 2025, "week": 9}, "2025 week 9"),
        ({"dayofweek": 2, "hour": 9}, "dayofweek 2 hour 9"),
        ({"hour": 9}, "hour 9"),
        ({}, "whole period"),
    ],
    ids=str,
)
def test_buckets_in_words(labels: dict[str, int], expected: str) -> None:
    """As people write them, where the labels are those of a day; else label by label."""
    assert bucket_text(labels) == expected


def test_columns_that_say_nothing_are_left_out() -> None:
    """Empty columns, the only period, thresholds that exclude nobody."""
    rows: list[dict[str, Any]] = [
        {
            "period": "current",
            "year": 2025,
            "zone_id": 7,
            "zone_name": None,
            "visits": 0,
            "min_dwell_time": 0,
            "tz": None,
        }
    ]
    shown, columns = present(rows)
    assert columns == ["when", "zone", "visits"]
    assert (shown[0]["when"], shown[0]["zone"]) == ("2025", "7")
    assert present([]) == ([], ["when"])


def make_meter(stream: io.StringIO) -> tuple[Meter, list[float]]:
    now = [0.0]
    return Meter("requests", stream=stream, clock=lambda: now[0]), now


def test_without_a_terminal_progress_is_a_line_now_and_then() -> None:
    """What is over soon needs no line."""
    stream = io.StringIO()
    meter, now = make_meter(stream)
    with meter:
        for second, done in enumerate(range(0, 60, 10)):
            now[0] = float(second)
            counts = Counts(planned=50, finished=done, retried=1)
            meter.hear(Event(kind="finished", request=None, counts=counts))
    assert stream.getvalue().splitlines() == [
        "requests: 20 of 50, 10/s, 3 s left (1 retried)",
        "requests: 40 of 50, 10/s, 1 s left (1 retried)",
    ]


def test_progress_that_has_not_begun() -> None:
    """Nothing done has no rate, and no time left."""
    stream = io.StringIO()
    meter, now = make_meter(stream)
    with meter:
        now[0] = 3.0
        meter.update(0, 7)
    assert stream.getvalue() == "requests: 0 of 7, 0/s\n"


def test_on_a_terminal_progress_is_a_bar() -> None:
    """Rich draws it, with rate and troubles, and takes it away at the end."""
    stream = Terminal()
    meter, now = make_meter(stream)
    with meter:
        now[0] = 2.0
        meter.hear(Event(kind="finished", request=None, counts=Counts(planned=50, finished=20, failed=4, retried=1)))
    drawn = stream.getvalue()
    assert "24/50" in drawn
    assert "12/s" in drawn
    assert "4 failed, 1 retried" in drawn
