"""Figures under other units, other names and in other forms than documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from .deviation import ZONES, Question, Reply, Sheet, echoes
from .mixed import Answer, change_last, change_rows, deviation_of

_VISITS, _DROP_IN, _LINES = ("zone_visitors",), ("drop_in_rate",), ("line_crosses",)
_Row = dict[str, Any]


def _statistics(change: Callable[[_Row], Any]) -> Answer:
    return change_rows(lambda _sheet, row: change(row["dwell_time_stats"]) if row.get("dwell_time_stats") else None)


def _leave_short_out(_sheet: Sheet, row: _Row) -> None:
    """Leave visits of a few seconds out of the statistics, as if that had been asked for."""
    stats = row.get("dwell_time_stats")
    if stats and stats["n"] > 1:
        row["exclude"] = {"min_dwell_time": 1, "max_dwell_time": 0}
        stats["n"] -= 1
        row["dwell_time"] = stats["mean"] = round(stats["mean"] + 0.1, 1)


def _raw(name: str, text: bytes) -> Answer:
    return change_last(lambda _sheet, row: row.update({name: orjson.Fragment(text)}))


def _echo(**dates: Any) -> Answer:
    def answer(question: Question, reply: Reply) -> None:
        for found in echoes(question, reply.document):
            for name, change in dates.items():
                found[name] = change(found[name])

    return answer


def _swap(text: str) -> str:
    year, month, day = text.split("-")
    return f"{day}/{month}/{year}"


def _in_milliseconds(stats: _Row) -> None:
    stats |= {name: stats[name] * 1000 for name in ("mean", "min", "max")}
    stats["quantiles"] = [each * 1000 for each in stats["quantiles"]]


def _stays_in_milliseconds(_sheet: Sheet, row: _Row) -> None:
    if row.get("dwell_time_stats") and row["dwell_time_stats"]["n"]:
        _in_milliseconds(row["dwell_time_stats"])
        row["dwell_time"] *= 1000


def _only_a_mean(_sheet: Sheet, row: _Row) -> None:
    row["dwell_time_stats"] = {}
    row["dwell_time"] = -1.0


def _empty_the_current(question: Question, reply: Reply) -> None:
    if not question.has("comparison_start_date"):
        return  # where it is all that was asked for, it looks like a place without visitors
    if question.endpoint == "zone_visitors":
        reply.document["current"] = {}
        return
    for name, nothing in (("summary", {}), ("details", []), ("zone_details", {})):
        reply.document[name]["current"] = nothing


UNIT_DEVIATIONS = (
    deviation_of(
        "zones_below_zero",
        _VISITS,
        "error",
        change_last(lambda sheet, row: sheet.label(row).update(zone_id=-1)),
        "What belongs to no zone is counted under one of its own, below all others.",
    ),
    deviation_of(
        "stays_in_milliseconds",
        _VISITS,
        "note",
        change_rows(_stays_in_milliseconds),
        "Dwell times are told as the cameras measure them, in milliseconds.",
    ),
    deviation_of(
        "unknown_stays_below_zero",
        _VISITS,
        "note",
        change_rows(_only_a_mean),
        "A mean that was not computed is written as -1, and its statistics are left out.",
    ),
    deviation_of(
        "rates_not_computed",
        _DROP_IN,
        "note",
        change_rows(lambda _sheet, row: row.update(drop_in_rate=None)),
        "Rates are computed at night, and null until then.",
    ),
    deviation_of(
        "nothing_under_current",
        ZONES,
        "note",
        _empty_the_current,
        "Of two periods the first failed inside the service, which leaves its section empty.",
    ),
    deviation_of(
        "dates_written_for_people",
        ZONES,
        "error_or_note",
        _echo(startdate=_swap, enddate=_swap),
        "Dates are repeated as people write them: 03/03/2025.",
    ),
    deviation_of(
        "dates_without_the_day",
        ZONES,
        "error_or_note",
        _echo(startdate=lambda text: text[:7], enddate=lambda text: text[:7]),
        "Only the month of each date is repeated.",
    ),
    deviation_of(
        "five_quantiles",
        _VISITS,
        "error",
        _statistics(lambda stats: stats.update(quantiles=[1.0, 2.0, *stats["quantiles"]])),
        "Quantiles are those of 5, 10, 25, 50 and 75 per cent.",
    ),
    deviation_of(
        "two_quantiles",
        _VISITS,
        "error",
        _statistics(lambda stats: stats.update(quantiles=stats["quantiles"][:2])),
        "Quantiles are the median and the ninth decile.",
    ),
    deviation_of(
        "quantiles_by_name",
        _VISITS,
        "error_or_same",
        _statistics(
            lambda stats: stats.update(quantiles=dict(zip(("q25", "q50", "q75"), stats["quantiles"], strict=True)))
        ),
        "Quantiles are named rather than in order.",
    ),
    deviation_of(
        "mean_in_minutes",
        _VISITS,
        "note",
        change_rows(lambda _sheet, row: row.update(dwell_time=round(row["dwell_time"] / 60, 2))),
        "The mean beside the statistics is told in minutes, as the dashboard has it.",
    ),
    deviation_of(
        "short_visits_left_out",
        _VISITS,
        "note",
        change_rows(_leave_short_out),
        "Visits of less than five seconds are taken for noise and left out of dwell times, whatever was asked.",
    ),
    deviation_of(
        "bounces_as_shares",
        _VISITS,
        "error",
        change_rows(lambda _sheet, row: row.update(bounce=round(row["bounce"] / max(1, row["visits"]), 3) + 0.001)),
        "Bounces are told as a share of the visits.",
    ),
    deviation_of(
        "counts_in_thousands",
        _LINES,
        "error",
        change_rows(lambda _sheet, row: row.update(count=row["count"] / 1000 + 0.0001)),
        "Counts are told in thousands, as reports have them.",
    ),
    deviation_of(
        "counts_with_exponents",
        _LINES,
        "same",
        change_rows(lambda _sheet, row: row.update(count=orjson.Fragment(f"{row['count']}E+00".encode()))),
        "An encoder writes all numbers with exponents: 2.84E+02 for 284.",
    ),
    deviation_of(
        "not_a_number",
        _DROP_IN,
        "error",
        _raw("drop_in_rate", b"NaN"),
        "A division by zero is written as NaN, which is no JSON.",
    ),
    deviation_of(
        "endless_counts",
        _LINES,
        "error",
        _raw("count", b"1e400"),
        "An overflow is written as a number that no type holds.",
    ),
)
