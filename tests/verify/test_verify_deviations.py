"""
The product of deviations and assumptions: each way to answer otherwise is caught, by its own name and no other.

Each assumption is broken by a deviation that breaks nothing else.
"""

from __future__ import annotations

import pytest
from verifying import MALL, judge, judge_both, names

from indivd_async import sandbox
from indivd_async.verify import ASSUMPTIONS, MOST_REQUESTS, MOST_REQUESTS_DEEP, NotVerifiableError

pytestmark = pytest.mark.anyio

#: What fails under each deviation, and nothing else; nothing where it is a legal way to be, or means the same, or is
#: about what a run does not ask: open days, ids out of scope.
FAILS: dict[str, tuple[str, ...]] = {
    "zones_below_zero": ("zones_all_listed",),
    "stays_in_milliseconds": ("max_dwell_honoured", "dwell_means_weighted"),
    "unknown_stays_below_zero": ("counts_are_counts",),
    "rates_not_computed": ("rates_are_percent",),
    "nothing_under_current": ("answers_believed",),
    "partial_content_header": ("answers_whole",),
    "truncated_header_of_a_vendor": ("answers_whole",),
    "limit_reached_header": ("answers_whole",),
    "data_complete_header": ("answers_whole",),
    "offset_header": ("answers_whole",),
    "error_header": ("answers_whole",),
    "cursor_header": ("last_day_included",),
    "degraded_header": ("last_day_included",),
    "warning_header_of_its_own": ("last_day_included",),
    "cursor_after_this": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "end_cursor_of_a_page": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "bookmark_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "remaining_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "limit_reached_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "incomplete_results_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "hits_total_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "rows_omitted_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "incomplete_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "complete_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "remaining_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "warning_header": ("answers_believed",),
    "last_zone_a_day_late": ("zone_visitors_days_within",),
    "hour_in_the_last_row": ("groupings_honoured",),
    "rows_of_last_year_behind": ("zone_visitors_days_within", "line_crosses_days_within", "drop_in_rate_days_within"),
    "total_row_at_the_end": ("labels_documented",),
    "zone_of_all_zones": ("zones_all_listed",),
    "years_of_two_digits": ("zone_visitors_days_within", "line_crosses_days_within", "drop_in_rate_days_within"),
    "years_of_another_era": ("zone_visitors_days_within", "line_crosses_days_within", "drop_in_rate_days_within"),
    "null_among_the_rows": ("shapes_documented",),
    "quarters_beside_months": ("answers_believed",),
    "zones_by_month_and_details_by_day": ("labels_documented",),
    "one_zone_of_several": ("entries_add_up_over_zones", "drop_in_long_period_whole"),
    "passers_by_and_entries_swapped": ("drop_in_entries_are_visits",),
    "zone_key_twice": ("entries_add_up_over_zones", "passing_lines_not_shared", "drop_in_entries_are_visits"),
    "comparison_labelled_as_current": ("comparison_honoured",),
    "comparison_as_a_list": ("shapes_documented",),
    "comparison_clamped": ("period_echoed",),
    "threshold_of_its_own_for_one_zone": ("threshold_honoured",),
    "zone_of_a_neighbour_in_the_comparison": ("comparison_honoured",),
    "dates_written_for_people": ("period_echoed",),
    "dates_without_the_day": ("period_echoed",),
    "five_quantiles": ("quartiles_ordered",),
    "two_quantiles": ("quartiles_ordered",),
    "quantiles_by_name": ("answers_believed",),
    "mean_in_minutes": ("dwell_time_is_mean",),
    "short_visits_left_out": ("max_dwell_honoured", "dwell_counts_visits"),
    "bounces_as_shares": ("counts_are_counts",),
    "counts_in_thousands": ("lines_count_entries", "line_long_period_whole"),
    "counts_with_exponents": (),
    "not_a_number": (),
    "endless_counts": ("questions_answered",),
    "weekdays_by_name": ("groupings_honoured",),
    "hours_as_clock_times": ("labels_documented",),
    "labels_as_one_moment": ("labels_documented",),
    "labels_as_one_text": ("shapes_documented",),
    "answer_in_a_wrapper": ("answers_documented",),
    "pages_under_meta": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "next_under_links": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "status_partial": ("answers_whole",),
    "next_page_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "total_pages_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "pagination_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "clamped_to_last_days": ("long_period_whole", "drop_in_long_period_whole"),
    "clamped_to_first_days": ("long_period_whole", "drop_in_long_period_whole"),
    "clamped_without_a_word": ("long_period_whole", "line_long_period_whole", "drop_in_long_period_whole"),
    "shifted_by_a_day": ("period_echoed", "zone_visitors_days_within", "drop_in_rate_days_within"),
    "shifted_without_a_word": ("zone_visitors_days_within", "line_crosses_days_within", "drop_in_rate_days_within"),
    "end_left_out": ("last_day_included",),
    "row_before_the_period": ("zone_visitors_days_within", "line_crosses_days_within", "drop_in_rate_days_within"),
    "dates_as_utc_timestamps": (),
    "dates_as_timestamps_to_the_last_second": (),
    "dates_as_local_timestamps": (),
    "end_as_the_next_midnight": ("period_echoed",),
    "dates_under_other_names": ("answers_documented",),
    "dates_left_out": ("answers_believed",),
    "zones_counted_in_utc": ("tz_moves_hours",),
    "lines_counted_in_utc": (),
    "hours_labelled_in_utc": ("tz_moves_hours",),
    "hours_from_1": ("hours_numbered",),
    "repeated_hour_in_two_rows": (),
    "iso_weeks_under_their_names": ("weeks_carry_years",),
    "iso_weeks": (),
    "iso_weeks_of_calendar_years": (),
    "sunday_weeks_from_1": (),
    "monday_weeks_from_0": (),
    "weekdays_from_monday": (),
    "weekdays_from_0_on_sunday": (),
    "weekdays_from_0_on_monday": (),
    "labels_without_year": ("labels_documented",),
    "finest_label_only": ("labels_documented",),
    "hours_over_all_days": ("labels_documented",),
    "packed_weeks": ("weeks_carry_years",),
    "days_as_dates": ("labels_documented",),
    "days_of_the_year": ("labels_documented",),
    "days_by_the_other_name": (),
    "camel_case_labels": ("labels_documented",),
    "months_from_0": ("labels_documented",),
    "labels_as_text": ("numbers_are_numbers",),
    "ignored_zones": ("zones_honoured", "drop_in_zone_honoured"),
    "ignored_location": ("location_honoured", "drop_in_location_honoured"),
    "ignored_bounce_threshold": ("threshold_honoured",),
    "bounce_threshold_only_claimed": ("threshold_honoured",),
    "ignored_grouping": ("labels_documented",),
    "days_for_hours": ("groupings_honoured",),
    "ignored_comparison": ("comparison_honoured", "drop_in_comparison_honoured"),
    "ignored_min_dwell": ("min_dwell_honoured",),
    "ignored_max_dwell": ("max_dwell_honoured",),
    "ignored_tz": ("tz_moves_hours",),
    "first_value_only": ("lists_honoured",),
    "ignored_organization_of_lines": (),
    "ignored_location_of_lines": ("line_location_honoured",),
    "ignored_floor_of_lines": ("line_floor_honoured",),
    "ignored_zone_to_of_lines": ("line_zone_to_honoured",),
    "ignored_zone_from_of_lines": ("line_zone_from_honoured",),
    "ignored_category_of_lines": ("line_category_honoured",),
    "ignored_line_ids_of_lines": ("line_ids_honoured",),
    "doubled_rows": ("rows_come_once",),
    "two_rows_of_one_key": ("rows_come_once",),
    "rows_of_zeros": (),
    "few_left_out": ("small_counts_told",),
    "negative_counts": ("counts_are_counts",),
    "more_dwell_times_than_visits": ("dwell_counts_visits",),
    "more_visitors_than_visits": ("uniques_within_visits",),
    "more_bounces_than_visits": ("bounces_within_visits",),
    "mean_outside_its_range": ("dwell_time_is_mean",),
    "late_rows": ("answers_repeat",),
    "the_same_otherwise_each_time": ("answers_repeat",),
    "rates_as_fractions": ("rates_are_percent",),
    "rates_in_whole_per_cent": ("rates_are_percent",),
    "rates_as_text": ("rates_are_percent",),
    "summary_beyond_details": ("summary_is_its_details",),
    "shared_passing_line": ("passing_lines_not_shared",),
    "zone_totals_beyond_rows": ("zone_totals_are_their_details",),
    "zones_as_a_list": ("shapes_documented",),
    "zones_keyed_by_name": ("shapes_documented",),
    "zone_of_another_location": ("drop_in_location_honoured",),
    "zones_numbered_within_locations": ("zones_all_listed",),
    "interval_in_other_words": ("interval_echoed",),
    "comparison_with_the_days_before": ("period_echoed",),
    "comparison_only_claimed": ("drop_in_comparison_honoured",),
    "comparison_repeats_current": ("comparison_honoured", "drop_in_comparison_honoured"),
    "comparison_of_summaries_only": ("drop_in_comparison_honoured",),
    "null_comparison": (),
    "no_comparison": (),
    "warning_on_top": ("answers_documented",),
    "message_in_the_period": ("answers_documented",),
    "errors_on_top": ("answers_whole",),
    "metadata_on_top": ("answers_documented",),
    "next_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole", "answers_documented"),
    "has_more_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "total_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "pages_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole", "answers_documented"),
    "truncated_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole", "answers_documented"),
    "cursor_on_top": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "next_in_the_period": ("answers_whole",),
    "truncated_in_the_period": ("answers_whole",),
    "link_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "content_range_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "total_count_header": ("locations_listed", "zones_listed", "lines_listed", "answers_whole"),
    "cut_without_a_word": ("last_day_included",),
    "says_that_it_is_whole": ("answers_documented",),
    "longest_period": ("long_period_accepted", "line_long_period_whole", "drop_in_long_period_whole"),
    "longest_url_414": ("long_url_taken",),
    "longest_url_413": ("long_url_taken",),
    "longest_list": ("long_url_taken",),
    "running_day_refused": (),
    "comparisons_refused": ("comparison_honoured", "drop_in_comparison_honoured"),
    "grouping_required": ("one_day_by_hours",),
    "out_of_scope_is_empty": (),
    "empty_is_404": (),
    "empty_is_204": (),
    "accepted_202": ("questions_answered",),
    "whole_floats": (),
    "byte_order_mark": (),
    "null_statistics": (),
    "custom_id_as_number": (),
    "names_as_numbers": (),
    "null_rates": (),
    "unknown_field_in_rows": (),
    "ids_as_text": ("numbers_are_numbers",),
    "counts_as_text": ("numbers_are_numbers",),
    "unlicensed_as_empty_text": (),
    "unlicensed_as_null": (),
    "unlicensed_zone": (),
    "list_in_a_wrapper": (),
    "list_by_id": (),
    "single_entry_of_a_list": ("zones_all_listed",),
    "doubled_list": ("locations_listed", "zones_listed", "lines_listed"),
    "ids_as_text_in_lists": ("numbers_are_numbers",),
    "names_as_numbers_in_lists": (),
    "locations_without_time_zone": ("locations_have_time_zones",),
    "time_zone_under_another_name": ("locations_have_time_zones",),
    "time_zones_as_offsets": ("locations_have_time_zones",),
    "time_zones_of_windows": ("locations_have_time_zones",),
    "zones_with_a_location_id": ("zones_name_locations",),
    "zones_with_a_location_inside": ("zones_name_locations",),
    "zone_of_two_locations": ("zones_listed",),
    "lines_with_one_category": (),
    "weekly_visits_from_doors": ("days_add_up_visits",),
    "weekly_bounces_from_samples": ("days_add_up_bounce",),
    "weekly_dwell_counts_from_samples": ("days_add_up_n",),
    "weekly_means_of_medians": ("dwell_means_weighted",),
    "weekly_extremes_trimmed": ("dwell_extremes_kept",),
    "weekly_visitors_counted_twice": ("uniques_bounded",),
    "visitors_forgotten_overnight": ("uniques_over_days",),
    "weekdays_from_the_first_day": ("weekdays_numbered",),
    "excluded_in_percent": ("excluded_make_the_whole",),
    "lines_clamped_without_a_word": ("line_long_period_whole",),
    "drop_in_clamped_without_a_word": ("drop_in_long_period_whole",),
    "visits_in_utc_unless_told": (),
    "weekdays_of_lines_from_monday": (),
    "weeks_of_lines_one_later": (),
    "weeks_of_drop_in_one_later": (),
    "minutes_kept_by_hours": (),
    "threshold_zero_read_as_unset": ("threshold_zero_ends_bounces",),
    "filtered_visits_taken_away": ("dwell_filters_keep_visits",),
    "hours_counted_up_to_even": ("hours_add_up_visits",),
    "bounces_of_hours_in_progress": ("hours_add_up_bounce",),
    "quartiles_from_above": ("quartiles_ordered",),
    "zeros_in_the_morning": ("quiet_hours_alike",),
    "visitors_of_long_periods_estimated": ("days_alike_in_long_answers",),
    "at_most_150_rows_by_day": ("rows_not_capped_by_day",),
    "at_most_500_rows_by_hour": ("rows_not_capped_by_hour",),
    "weeks_of_the_financial_year": ("weeks_numbered",),
    "hours_without_dates_of_line_crosses": ("line_hours_carry_dates",),
    "hours_without_dates_of_zone_visitors": ("hours_carry_dates",),
    "hours_without_dates_of_drop_in_rate": ("drop_in_hours_carry_dates",),
    "lines_count_both_ways": ("lines_count_entries",),
    "lines_on_the_clock_of_the_cameras": ("clock_of_line_crosses",),
    "drop_in_on_the_clock_of_the_cameras": ("clock_of_drop_in_rate",),
    "ignored_tz_of_drop_in": ("tz_moves_drop_in",),
    "drop_in_counts_both_ways": ("drop_in_entries_are_visits",),
    "drop_in_counts_people_once": ("entries_add_up_over_zones",),
    "drop_in_counts_groups_by_hour": ("drop_in_hours_add_up",),
    "thresholds_of_last_year_listed": (),
    "lines_without_categories": ("lines_name_places",),
    "opening_hours_left_out": (),
    "days_unless_told": (),
    "one_day_by_days": ("one_day_by_hours",),
    "recounted_each_day": (),
    "hours_of_lines_without_limit": (),
    "weeks_of_lines_over_new_year": (),
    # At one endpoint only: what several assumptions are about, each by itself.
    "link_header@locations": ("locations_listed",),
    "link_header@zones": ("zones_listed",),
    "link_header@lines": ("lines_listed",),
    "link_header@categories": (),
    "link_header@organizations": (),
    "row_before_the_period@zone_visitors": ("zone_visitors_days_within",),
    "row_before_the_period@line_crosses": ("line_crosses_days_within",),
    "row_before_the_period@drop_in_rate": ("drop_in_rate_days_within",),
    "ignored_comparison@zone_visitors": ("comparison_honoured",),
    "ignored_zones@zone_visitors": ("zones_honoured",),
    "ignored_zones@drop_in_rate": ("drop_in_zone_honoured",),
    "ignored_location@zone_visitors": ("location_honoured",),
    "longest_period@zone_visitors": ("long_period_accepted",),
    "longest_period@line_crosses": ("line_long_period_whole",),
    "longest_period@drop_in_rate": ("drop_in_long_period_whole",),
    "clamped_without_a_word@zone_visitors": ("long_period_whole",),
    "days_unless_told@zone_visitors": (),
    "days_unless_told@line_crosses": (),
    "days_unless_told@drop_in_rate": (),
    "minutes_kept_by_hours@zone_visitors": (),
    "minutes_kept_by_hours@line_crosses": (),
}
#: What fails in a deep run besides.
DEEP_FAILS: dict[str, tuple[str, ...]] = {
    "ignored_organization_of_lines": ("line_organization_honoured",),
    "empty_is_404": ("nobody_is_empty",),
    "empty_is_204": ("nobody_is_empty",),
    "grouping_required": ("zone_visitors_defaults", "line_crosses_defaults", "drop_in_rate_defaults"),
    "weekdays_of_lines_from_monday": ("line_weekdays_numbered",),
    "weeks_of_lines_one_later": ("line_weeks_numbered",),
    "weeks_of_drop_in_one_later": ("drop_in_weeks_numbered",),
    "minutes_kept_by_hours": ("line_minutes", "zone_minutes"),
    "minutes_kept_by_hours@zone_visitors": ("zone_minutes",),
    "minutes_kept_by_hours@line_crosses": ("line_minutes",),
    "days_unless_told": ("zone_visitors_defaults", "line_crosses_defaults", "drop_in_rate_defaults"),
    "days_unless_told@zone_visitors": ("zone_visitors_defaults",),
    "days_unless_told@line_crosses": ("line_crosses_defaults",),
    "days_unless_told@drop_in_rate": ("drop_in_rate_defaults",),
    "hours_of_lines_without_limit": ("line_limits_are_real",),
    "weeks_of_lines_over_new_year": ("line_weeks_within_a_year",),
    "link_header@categories": ("categories_listed",),
    "link_header@organizations": ("organizations_listed",),
    # What shows in all lists shows in those that only deep runs ask for.
    **{
        name: ("categories_listed", "organizations_listed")
        for name, fails in FAILS.items()
        if {"zones_listed", "lines_listed"} <= set(fails)
    },
}
#: Nothing can be measured without the lists.
NOT_VERIFIABLE = (
    "lists_refused",
    "partial_content_206",
    "error_with_200",
    "page_with_200",
    "nothing_with_200",
    "ids_under_another_name",
)
#: Where a deviation shows only at a place that is open at night, or where the mall is not even listed.
ELSEWHERE = {"hours_from_1": 125, "single_entry_of_a_list": None}


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: the requests go through the client, which is tried on both elsewhere."""
    return "asyncio"


def in_order(fails: set[str]) -> list[str]:
    """Sort as a report does."""
    return [item.name for item in ASSUMPTIONS if item.name in fails]


@pytest.mark.parametrize("name", [None, *FAILS])
async def test_a_deviation_is_named_and_nothing_else(name: str | None) -> None:
    """As what it is, of all assumptions, in a usual and in a deep run: what merely follows from it cannot be told."""
    usual, deep = await judge_both(*([] if name is None else [name]), location=ELSEWHERE.get(name or "", MALL))
    expected = set(FAILS.get(name or "", ()))
    assert names(usual) == in_order(expected)
    assert names(deep) == in_order(expected | set(DEEP_FAILS.get(name or "", ())))
    assert {finding.name for finding in deep.findings} == {item.name for item in ASSUMPTIONS}
    assert (usual.requests <= MOST_REQUESTS, deep.requests <= MOST_REQUESTS_DEEP) == (True, True)


@pytest.mark.parametrize("name", NOT_VERIFIABLE)
async def test_without_lists_nothing_is_judged(name: str) -> None:
    """It says so."""
    with pytest.raises(NotVerifiableError, match="the list of locations"):
        await judge(name)


def test_every_deviation_is_tried() -> None:
    """What is new in the sandbox has its line in this table."""
    assert set(sandbox.DEVIATIONS) == {name for name in (*FAILS, *NOT_VERIFIABLE) if "@" not in name}


def test_every_assumption_is_broken_by_a_deviation_that_breaks_nothing_else() -> None:
    """`unchanged_since` needs two runs: `test_verify_recordings` breaks it, by `recounted_each_day`."""
    alone = {item.name: False for item in ASSUMPTIONS} | {"unchanged_since": True}
    for name, fails in FAILS.items():
        broken = {*fails, *DEEP_FAILS.get(name, ())}
        if len(broken) == 1:
            alone[broken.pop()] = True
    assert [name for name, is_broken in alone.items() if not is_broken] == []
