"""Comparisons that are missing, or with other periods than asked for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from .deviation import ZONES, Deviation, Question, Reply, echoes

_DROP_IN = ("drop_in_rate",)
_Answer = Callable[[Question, Reply], None]


def _compare_with_the_days_before(question: Question) -> dict[str, Any]:
    """Compare with the period that ends the day before the current one, as most dashboards do."""
    values = dict(question.values)
    if "comparison_start_date" in values:
        start: date = values["start_date"]
        days = values["comparison_end_date"] - values["comparison_start_date"]
        values["comparison_end_date"] = start - timedelta(days=1)
        values["comparison_start_date"] = values["comparison_end_date"] - days
    return values


def _echo_the_comparison(question: Question, reply: Reply) -> None:
    for found in list(echoes(question, reply.document))[1:]:
        found["startdate"] = question.params["comparison_start_date"]
        found["enddate"] = question.params["comparison_end_date"]


def _repeat_current(question: Question, reply: Reply) -> None:
    """Give the current figures again as the comparison's, under the comparison's dates."""
    if question.has("comparison_start_date"):
        parts = [reply.document] if question.endpoint == "zone_visitors" else list(reply.document.values())
        for part in parts:
            part["comparison"] = deepcopy(part["current"])
        _echo_the_comparison(question, reply)


def _compare_summaries_only(_question: Question, reply: Reply) -> None:
    reply.document["details"]["comparison"] = []
    reply.document["zone_details"]["comparison"] = {}


def _empty_comparisons(value: Any) -> _Answer:
    def answer(question: Question, reply: Reply) -> None:
        if not question.has("comparison_start_date"):
            parts = [reply.document] if question.endpoint == "zone_visitors" else list(reply.document.values())
            for part in parts:
                part["comparison"] = value

    return answer


def _leave_comparisons_out(question: Question, reply: Reply) -> None:
    if not question.has("comparison_start_date"):
        parts = [reply.document] if question.endpoint == "zone_visitors" else list(reply.document.values())
        for part in parts:
            del part["comparison"]


COMPARISON_DEVIATIONS = (
    Deviation(
        name="comparison_with_the_days_before",
        sentence="A comparison is always with the period just before, whichever was asked for.",
        endpoints=ZONES,
        expect="error",
        ask=_compare_with_the_days_before,
    ),
    Deviation(
        name="comparison_only_claimed",
        sentence="A comparison is always with the period just before, under the dates that were asked for.",
        endpoints=ZONES,
        expect="error",
        ask=_compare_with_the_days_before,
        answer=_echo_the_comparison,
    ),
    Deviation(
        name="comparison_repeats_current",
        sentence="A cache that is keyed by everything but the dates gives one period for both.",
        endpoints=ZONES,
        expect="error",
        answer=_repeat_current,
    ),
    Deviation(
        name="comparison_of_summaries_only",
        sentence="Only the headline is compared, and the sections below stay empty.",
        endpoints=_DROP_IN,
        expect="error_or_note",
        answer=_compare_summaries_only,
    ),
    Deviation(
        name="null_comparison",
        sentence="What was not asked for is null rather than empty.",
        endpoints=ZONES,
        expect="error_or_same",
        answer=_empty_comparisons(None),
    ),
    Deviation(
        name="no_comparison",
        sentence="What was not asked for is left out.",
        endpoints=ZONES,
        expect="same",
        answer=_leave_comparisons_out,
    ),
)
