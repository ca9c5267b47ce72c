"""A question for every deviation of the sandbox that it answers otherwise than as documented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from remembering import RememberingWorld

from indivd_async import sandbox

#: The present of the world that is asked, long after all periods.
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = {"start_date": "2025-03-03", "end_date": "2025-03-09"}
BEFORE = {"comparison_start_date": "2025-02-03", "comparison_end_date": "2025-02-09"}
QUARTER = {"start_date": "2025-01-01", "end_date": "2025-03-31"}

#: What is asked unless a deviation needs something else: a week by days at a place that never closes.
USUAL: Mapping[str, Mapping[str, Any]] = {
    "line_crosses": WEEK | {"aggregate_by": "dayofmonth", "location": 125, "category": [1, 2]},
    "zone_visitors": WEEK
    | BEFORE
    | {"aggregate_by": "dayofmonth", "location": 125, "zones": [211, 212], "bounce_threshold": 30},
    "drop_in_rate": WEEK | BEFORE | {"interval": "day", "location": 125, "zone": [211, 213]},
}


def _everywhere(**changes: Any) -> Mapping[str, Mapping[str, Any]]:
    return dict.fromkeys(USUAL, changes)


def _listed(ids: list[int]) -> Mapping[str, Mapping[str, Any]]:
    return {"line_crosses": {"line_ids": ids}, "zone_visitors": {"zones": ids}, "drop_in_rate": {"zone": ids}}


def _hours(**changes: Any) -> Mapping[str, Mapping[str, Any]]:
    grouping = {"line_crosses": "aggregate_by", "zone_visitors": "aggregate_by", "drop_in_rate": "interval"}
    return {endpoint: changes | {name: "hour"} for endpoint, name in grouping.items()}


_BY_WEEK: Mapping[str, Mapping[str, Any]] = {
    endpoint: {"start_date": "2024-12-01", "end_date": "2025-01-31", name: "week"}
    for endpoint, name in (("zone_visitors", "aggregate_by"), ("drop_in_rate", "interval"))
} | {"line_crosses": {"start_date": "2024-12-01", "end_date": "2024-12-31", "aggregate_by": "week"}}
_BY_WEEKDAY = {name: {"aggregate_by": "dayofweek"} for name in ("line_crosses", "zone_visitors")}
_AS_TOTAL: Mapping[str, Mapping[str, Any]] = {"zone_visitors": {"aggregate_by": "zone"}}
_ALONE = {"comparison_start_date": None, "comparison_end_date": None}
_UNCOMPARED = _everywhere(**_ALONE)
_NOBODY = _listed([9_990])
_MANY = _listed([*range(211, 299)])

#: What is asked beyond the usual, by deviation and endpoint; None takes a parameter away.
CHANGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "clamped_to_last_days": _everywhere(**QUARTER),
    "clamped_to_first_days": _everywhere(**QUARTER),
    "clamped_without_a_word": _everywhere(**QUARTER),
    "ignored_grouping": {
        "line_crosses": {"aggregate_by": "hour"},
        "zone_visitors": {"aggregate_by": "hour"},
        "drop_in_rate": {"interval": "hour"},
    },
    "days_for_hours": _hours(),
    "ignored_location": {"zone_visitors": {"location": [125, 128], "zones": None}, "drop_in_rate": {"zone": None}},
    "ignored_min_dwell": {"zone_visitors": {"min_dwell": 60}},
    "ignored_max_dwell": {"zone_visitors": {"max_dwell": 300}},
    "ignored_tz": {"zone_visitors": {"tz": "Asia/Tokyo"}, "drop_in_rate": {"tz": "Asia/Tokyo"}},
    "first_value_only": {"line_crosses": {"category": [2, 1]}},
    "ignored_organization_of_lines": {"line_crosses": {"location": None, "organization": 2}},
    "ignored_floor_of_lines": {"line_crosses": {"floor": [1]}},
    "ignored_zone_to_of_lines": {"line_crosses": {"zone_to": [211]}},
    "ignored_zone_from_of_lines": {"line_crosses": {"zone_from": [211]}},
    "ignored_line_ids_of_lines": {"line_crosses": {"line_ids": [2110]}},
    "null_statistics": {"zone_visitors": {"min_dwell": 10_000}},
    "hours_labelled_in_utc": _hours(),
    "hours_from_1": _hours(),
    "repeated_hour_in_two_rows": _hours(start_date="2025-10-25", end_date="2025-10-27"),
    "iso_weeks_under_their_names": _BY_WEEK,
    "iso_weeks": _BY_WEEK,
    "iso_weeks_of_calendar_years": _BY_WEEK,
    "sunday_weeks_from_1": _BY_WEEK,
    "monday_weeks_from_0": _BY_WEEK,
    "packed_weeks": _BY_WEEK,
    "labels_without_year": _BY_WEEK,
    "weekdays_from_monday": _BY_WEEKDAY,
    "weekdays_from_0_on_sunday": _BY_WEEKDAY,
    "weekdays_from_0_on_monday": _BY_WEEKDAY,
    "weekdays_by_name": _BY_WEEKDAY,
    "hours_as_clock_times": _hours(),
    "finest_label_only": _hours(),
    "hours_over_all_days": _hours(),
    "rows_of_zeros": _everywhere(location=124, zone=None, zones=None),
    "few_left_out": _hours(),
    "null_comparison": _UNCOMPARED,
    "no_comparison": _UNCOMPARED,
    "longest_period": _everywhere(**QUARTER),
    "longest_url_414": _MANY,
    "longest_url_413": _MANY,
    "longest_list": _MANY,
    "running_day_refused": _everywhere(start_date="2025-12-30", end_date="2026-01-01"),
    "grouping_required": {
        "line_crosses": {"aggregate_by": None},
        "zone_visitors": {"aggregate_by": None},
        "drop_in_rate": {"interval": None},
    },
    "out_of_scope_is_empty": _everywhere(location=140, zone=None, zones=None),
    "empty_is_404": _NOBODY,
    "empty_is_204": _NOBODY,
    "weekly_visits_from_doors": _AS_TOTAL,
    "weekly_bounces_from_samples": _AS_TOTAL,
    "weekly_dwell_counts_from_samples": _AS_TOTAL,
    "weekly_means_of_medians": _AS_TOTAL,
    "weekly_extremes_trimmed": _AS_TOTAL,
    "weekly_visitors_counted_twice": _AS_TOTAL,
    "visitors_forgotten_overnight": _AS_TOTAL,
    "weekdays_from_the_first_day": _everywhere(aggregate_by="dayofweek"),
    "excluded_in_percent": {"zone_visitors": {"min_dwell": 60}},
    "lines_clamped_without_a_word": _everywhere(**QUARTER),
    "drop_in_clamped_without_a_word": _everywhere(**QUARTER),
    "visits_in_utc_unless_told": _hours(),
    "weekdays_of_lines_from_monday": _BY_WEEKDAY,
    "weeks_of_lines_one_later": _BY_WEEK,
    "weeks_of_drop_in_one_later": _BY_WEEK,
    "minutes_kept_by_hours": _everywhere(end_date="2025-03-03", aggregate_by="minute"),
    "threshold_zero_read_as_unset": {"zone_visitors": {"bounce_threshold": 0}},
    "filtered_visits_taken_away": {"zone_visitors": {"min_dwell": 60}},
    "hours_counted_up_to_even": _hours(),
    "bounces_of_hours_in_progress": _hours(),
    "zeros_in_the_morning": _hours(location=124, zones=201),
    "visitors_of_long_periods_estimated": {"zone_visitors": QUARTER},
    "at_most_150_rows_by_day": {"zone_visitors": QUARTER},
    "at_most_500_rows_by_hour": _hours(**QUARTER),
    "weeks_of_the_financial_year": _BY_WEEK,
    "hours_without_dates_of_line_crosses": _hours(),
    "hours_without_dates_of_zone_visitors": _hours(),
    "hours_without_dates_of_drop_in_rate": _hours(),
    "lines_on_the_clock_of_the_cameras": _hours(),
    "drop_in_on_the_clock_of_the_cameras": _hours(),
    "ignored_tz_of_drop_in": _hours(tz="Asia/Tokyo"),
    "drop_in_counts_groups_by_hour": _hours(),
    "days_unless_told": {
        "line_crosses": QUARTER | {"aggregate_by": None},
        "zone_visitors": QUARTER | {"aggregate_by": None},
        "drop_in_rate": QUARTER | {"interval": None},
    },
    "one_day_by_days": {
        "line_crosses": {"end_date": "2025-03-03", "aggregate_by": None},
        "zone_visitors": {"end_date": "2025-03-03", "aggregate_by": None} | _ALONE,
        "drop_in_rate": {"end_date": "2025-03-03", "interval": None} | _ALONE,
    },
    "hours_of_lines_without_limit": {"line_crosses": QUARTER | {"aggregate_by": "hour"}},
    "weeks_of_lines_over_new_year": {
        "line_crosses": {"start_date": "2024-12-01", "end_date": "2025-01-31", "aggregate_by": "week"}
    },
    "null_rates": {"drop_in_rate": {"interval": "hour"}},
    "passers_by_and_entries_swapped": {"drop_in_rate": {"zone": [211]}},
    "zone_of_all_zones": {"zone_visitors": {"zones": None} | _ALONE},
}


def question_for(name: str, endpoint: str) -> dict[str, Any]:
    """Return what to ask, as the client's methods take it; nothing for a list."""
    wanted = dict(USUAL.get(endpoint, {})) | dict(CHANGES.get(name, {}).get(endpoint, {}))
    return {parameter: value for parameter, value in wanted.items() if value is not None}


def world() -> sandbox.World:
    """Make the world that is asked."""
    return RememberingWorld(now=NOW)
