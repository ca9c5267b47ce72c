"""Days and hours of another clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..visitors import zone_of
from .deviation import DATA, LINES, ZONES, Deviation, Question, Reply, relabel, sheets
from .rows import split_row


def _in_utc(question: Question) -> dict[str, Any]:
    return dict(question.values) | {"tz": "UTC"}


def _moment_of(label: dict[str, Any], tz: str, fold: int = 0) -> datetime | None:
    """Return the beginning of an hour or minute, None for a label that fixes none."""
    day = label.get("day", label.get("dayofmonth"))
    if day is None or "hour" not in label:
        return None
    wall = datetime(label["year"], label["month"], day, label["hour"], label.get("minute", 0), fold=fold)
    return wall.replace(tzinfo=zone_of(tz))


def _label_in_utc(question: Question, reply: Reply) -> None:
    def change(label: dict[str, Any]) -> dict[str, Any]:
        moment = _moment_of(label, question.tz)
        if moment is None:
            return label
        utc = moment.astimezone(UTC)
        parts = {"year": utc.year, "month": utc.month, "day": utc.day, "dayofmonth": utc.day, "hour": utc.hour}
        return label | {name: value for name, value in parts.items() if name in label}

    relabel(question, reply, change)


def _count_hours_from_1(question: Question, reply: Reply) -> None:
    relabel(question, reply, lambda label: label | {"hour": label["hour"] + 1} if "hour" in label else label)


def _part_repeated_hours(question: Question, reply: Reply) -> None:
    for sheet in sheets(question, reply.document):
        rows: list[dict[str, Any]] = []
        for row in sheet.rows:
            label = sheet.label(row)
            first, second = (_moment_of(label, question.tz, fold) for fold in (0, 1))
            is_repeated = first is not None and second is not None and first.astimezone(UTC) < second.astimezone(UTC)
            rows += split_row(row) if is_repeated else [row]
        sheet.rows[:] = rows


CLOCK_DEVIATIONS = (
    Deviation(
        name="zones_counted_in_utc",
        sentence="One of the vendor's pages says that zones are counted in UTC: days and hours begin with UTC's.",
        endpoints=ZONES,
        expect="unseen",
        ask=_in_utc,
    ),
    Deviation(
        name="lines_counted_in_utc",
        sentence='One of the vendor\'s pages says that "timestamps are UTC", and line_crosses takes no tz.',
        endpoints=LINES,
        expect="unseen",
        world=lambda world: world.changed(lines_tz="UTC"),
    ),
    Deviation(
        name="hours_labelled_in_utc",
        sentence="Days are cut on the location's clock, and their hours written as the database has them: in UTC.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_label_in_utc,
    ),
    Deviation(
        name="hours_from_1",
        sentence="Hours are numbered from 1 to 24, by when they end.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_count_hours_from_1,
    ),
    Deviation(
        name="repeated_hour_in_two_rows",
        sentence="When clocks go back, the hour that comes twice has two rows of one label.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_part_repeated_hours,
    ),
)
