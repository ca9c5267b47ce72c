"""Parameters that the service does not heed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .deviation import DATA, LINES, ZONES, Deviation, Question, Reply, sheets


def _drop(*names: str) -> Callable[[Question], dict[str, Any]]:
    def ask(question: Question) -> dict[str, Any]:
        return {name: value for name, value in question.values.items() if name not in names}

    return ask


def _claim_the_threshold(question: Question, reply: Reply) -> None:
    if question.has("bounce_threshold"):
        for sheet in sheets(question, reply.document):
            for label in sheet.labels():
                label["bounce_threshold"] = question.values["bounce_threshold"]


def _take_the_first(question: Question) -> dict[str, Any]:
    return {
        name: value[:1] if isinstance(value, tuple) and len(value) > 1 else value
        for name, value in question.values.items()
    }


def _day_for_hour(question: Question) -> dict[str, Any]:
    """Group whole days where hours or minutes of more than one are asked for."""
    values: dict[str, Any] = dict(question.values)
    for name, day in (("aggregate_by", "dayofmonth"), ("interval", "day")):
        if question.days > 1 and values.get(name) in ("hour", "minute"):
            values[name] = day
    return values


_IGNORED_LINE_FILTERS: Mapping[str, str] = {
    "organization": "The token already belongs to an organisation, so the service leaves the parameter unread.",
    "location": "The service counts by line and floor, and reads no location.",
    "floor": "A floor is text in the database and a number in the question, so the filter is dropped.",
    "zone_to": "The filter by zone entered is applied in the dashboard, not in the service.",
    "zone_from": "The filter by zone left is applied in the dashboard, not in the service.",
    "category": "Categories were added to the catalogue, not yet to the counts.",
    "line_ids": "The service knows the parameter by another name (`lines`) and passes over this one.",
}

FILTER_DEVIATIONS = (
    Deviation(
        name="ignored_zones",
        sentence="A gateway passes on parameters it knows, and knows no list of zones.",
        endpoints=ZONES,
        expect="error",
        ask=_drop("zones", "zone"),
    ),
    Deviation(
        name="ignored_location",
        sentence="The service reads the location from the token's scope, and not from the question.",
        endpoints=ZONES,
        expect="error",
        ask=_drop("location"),
    ),
    Deviation(
        name="ignored_bounce_threshold",
        sentence="Bounces are counted in advance, with each zone's own threshold.",
        endpoints=("zone_visitors",),
        expect="error",
        ask=_drop("bounce_threshold"),
    ),
    Deviation(
        name="bounce_threshold_only_claimed",
        sentence="Bounces are counted in advance, while the answer repeats the threshold from the question.",
        endpoints=("zone_visitors",),
        expect="unseen",
        ask=_drop("bounce_threshold"),
        answer=_claim_the_threshold,
    ),
    Deviation(
        name="ignored_grouping",
        sentence="The grouping is chosen by the length of the period, whatever was asked.",
        endpoints=DATA,
        expect="error",
        ask=_drop("aggregate_by", "interval"),
    ),
    Deviation(
        name="days_for_hours",
        sentence="Hours are kept for a day only, so a longer period is answered by days.",
        endpoints=DATA,
        expect="error",
        ask=_day_for_hour,
    ),
    Deviation(
        name="ignored_comparison",
        sentence="Comparisons belong to a plan or version that this token has not.",
        endpoints=ZONES,
        expect="error",
        ask=_drop("comparison_start_date", "comparison_end_date"),
    ),
    Deviation(
        name="ignored_min_dwell",
        sentence="Dwell times are summed up in advance, short visits among them.",
        endpoints=("zone_visitors",),
        expect="error_or_note",
        ask=_drop("min_dwell"),
    ),
    Deviation(
        name="ignored_max_dwell",
        sentence="Dwell times are summed up in advance, forgotten sessions among them.",
        endpoints=("zone_visitors",),
        expect="error_or_note",
        ask=_drop("max_dwell"),
    ),
    Deviation(
        name="ignored_tz",
        sentence="Days are summed up in advance on the location's own clock, whatever clock is asked for.",
        endpoints=ZONES,
        expect="unseen",
        ask=_drop("tz"),
    ),
    Deviation(
        name="first_value_only",
        sentence="A list with commas is read as one number, the first.",
        endpoints=DATA,
        expect="unseen",
        ask=_take_the_first,
    ),
    *(
        Deviation(
            name=f"ignored_{name}_of_lines",
            sentence=sentence,
            endpoints=LINES,
            expect="unseen",
            ask=_drop(name),
        )
        for name, sentence in _IGNORED_LINE_FILTERS.items()
    ),
)
