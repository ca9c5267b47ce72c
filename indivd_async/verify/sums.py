"""Whether the parts of an answer of zone_visitors make its whole, field by field."""

from __future__ import annotations

from functools import partial

from .reading import Row, add_up
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, same_sums, total

#: Means are rounded to a tenth of a second, in the parts and in the whole.
_MEAN_TOLERANCE_S = 0.11
#: Of so many visitors, some come again.
_MANY = 200


def _days_make_the_whole(seen: Seen, figure: str) -> Judgement:
    read = seen.some_visits if figure == "visits" else seen.measured_visits
    same, figures = same_sums(seen.counted(read("visits by day"), figure), read("visits of the week"), figure)
    if same:
        return holds("the days of a week add up to the week, zone by zone", figures)
    return fails("the days of a week do not add up to the week", figures)


def _hours_make_the_days(seen: Seen, figure: str) -> Judgement:
    read = seen.some_visits if figure == "visits" else seen.measured_visits
    hours, days = read("visits by hour"), seen.counted(read("visits by day"), figure)
    if not any(row.hour for row in hours):
        raise CannotTellError("the hours do not tell their dates")
    same, figures = same_sums(hours, days, figure, ("zone", "day"))
    if same:
        return holds("the hours of each day add up to the day, zone by zone", figures)
    return fails("the hours of a day do not add up to the day", figures)


def _means_are_weighted(seen: Seen) -> Judgement:
    days, whole = seen.stays("visits by day"), seen.stays("visits of the week")
    worst = 0.0
    for row in whole:
        parts = [part for part in days if part.zone == row.zone and part.figures["mean"] is not None]
        n = sum(part.count("n") for part in parts)
        mean = row.figures["mean"]
        if n and mean is not None:
            weighted = sum(part.count("n") * (part.figures["mean"] or 0.0) for part in parts) / n
            worst = max(worst, abs(weighted - mean))
    if worst <= _MEAN_TOLERANCE_S:
        return holds("means of days, weighted by n, give the mean of the week")
    return fails("means of days, weighted by n, do not give the mean of the week", f"up to {worst:.1f} s apart")


def _extremes_are_kept(seen: Seen) -> Judgement:
    days, whole = seen.stays("visits by day"), seen.stays("visits of the week")
    for row in whole:
        parts = [part for part in days if part.zone == row.zone]
        for name, pick in (("min", min), ("max", max)):
            values = [value for part in parts if (value := part.figures[name]) is not None]
            if values and row.figures[name] is not None and pick(values) != row.figures[name]:
                figures = f"zone {row.zone}: {name} {row.figures[name]}, of its days {pick(values)}"
                return fails(f"the {name} of a week is not that of its days", figures)
    return holds("the shortest and longest stays of a week are those of its days")


def _uniques_are_bounded(seen: Seen) -> Judgement:
    days, whole = seen.measured_visits("visits by day"), seen.measured_visits("visits of the week")
    for row in whole:
        parts = [part.count("unique_visits") for part in days if part.zone == row.zone]
        told = row.count("unique_visits")
        if parts and not max(parts) <= told <= sum(parts):
            figures = f"zone {row.zone}: {told:,}, days from {max(parts):,} to {sum(parts):,} together"
            return fails("unique visitors of a week lie outside the bounds that its days set", figures)
    return holds("unique visitors of a week lie between those of its fullest day and the sum of its days")


def _uniques_are_found_again(seen: Seen) -> Judgement:
    days, whole = seen.measured_visits("visits by day"), seen.measured_visits("visits of the week")
    summed, told = total(add_up(days, "unique_visits")), total(add_up(whole, "unique_visits"))
    if told == summed and summed < _MANY:
        raise CannotTellError("so few came that none need have come twice")
    if told < summed:
        return holds("who comes on several days is one visitor of the week", f"{told:,} of {summed:,}")
    return fails("unique visitors of a week are merely those of its days added up", f"{told:,} of {summed:,}")


def _uniques_within_visits(seen: Seen) -> Judgement:
    rows = seen.measured_visits("visits by day")
    odd = [row for row in rows if row.count("unique_visits") > row.count("visits")]
    if odd:
        return fails("some rows have more unique visitors than visits", f"{len(odd)} of {len(rows)} rows")
    return holds("no row has more unique visitors than visits")


def _n_counts(seen: Seen) -> Judgement:
    """N is documented as visits; the article's sample has the number of unique visitors there."""
    rows = seen.stays("visits by day")
    if all(row.count("n") == row.count("visits") for row in rows):
        return holds("n is the number of visits where no dwell filter is set", dwell_counts="visits")
    if all(row.count("n") == row.count("unique_visits") for row in rows):
        return fails("n is the number of unique visitors, as in the article's sample", dwell_counts="visitors")
    return fails("n is neither the visits nor the unique visitors")


def _quartiles_are_ordered(seen: Seen) -> Judgement:
    rows = [row for row in seen.stays("visits by day") if row.quartiles]
    if not rows:
        raise CannotTellError("no row has quartiles")
    for row in rows:
        scale = [row.figures["min"], *row.quartiles, row.figures["max"]]
        known = [value for value in scale if value is not None]
        if len(row.quartiles) != 3 or known != sorted(known):
            return fails("some rows have quartiles out of order, or not three of them")
    return holds("min, three quartiles and max stand in order")


def _dwell_time_is_the_mean(seen: Seen) -> Judgement:
    for row in seen.stays("visits by day"):
        if row.figures["dwell_time"] != row.figures["mean"]:
            return fails("dwell_time and dwell_time_stats.mean differ")
    return holds("dwell_time and dwell_time_stats.mean are one figure")


def _counts_are_counts(seen: Seen) -> Judgement:
    rows = seen.visits("visits by day") + seen.visits("visits by hour")
    for row in rows:
        if row.figures["visits"] is None:
            return fails("some visits are no numbers, or beyond all that can be counted")
        for name in ("visits", "unique_visits", "bounce", "n", "dwell_time"):
            value = row.figures[name]
            if value is not None and (value < 0 or (value != int(value) and name != "dwell_time")):
                return fails(f"some {name} are negative or fractions")
    if not rows:
        raise CannotTellError("no row came")
    return holds("no count is negative or a fraction")


def _rows_come_once(seen: Seen) -> Judgement:
    if not any(seen.visits(name) for name in ("visits by day", "visits by hour")):
        raise CannotTellError("no row came")
    for name in ("visits by day", "visits by hour", "visits of the week"):
        if _has_twins(seen.visits(name)):
            return fails("some zone and bucket come twice in one answer of zone_visitors")
    if _has_twins(seen.crossings("crossings by day")):
        return fails("some bucket comes twice in one answer of line_crosses")
    found = seen.drop_ins("drop-in by day")
    if any(map(_has_twins, (found.details, *(rows for _, rows in found.zones.values())))):
        return fails("some bucket comes twice in one answer of drop_in_rate")
    return holds("no zone and bucket come twice in one answer")


def _has_twins(rows: list[Row]) -> bool:
    return len({row.key for row in rows}) < len(rows)


def _small_counts_are_told(seen: Seen) -> Judgement:
    hours, days = seen.some_visits("visits by hour"), seen.some_visits("visits by day")
    least = min(row.count("visits") for row in hours if row.count("visits"))
    if least > 1 and total(add_up(hours, "visits")) < total(add_up(days, "visits")):
        return fails("hours in which few came are left out: they add up to less than their days", f"none below {least}")
    return holds("hours in which one or two came are there, or none are missed")


def _bounces_within_visits(seen: Seen) -> Judgement:
    rows = seen.counted(seen.measured_visits("visits by day"), "bounce")
    if any(row.count("bounce") > row.count("visits") for row in rows):
        return fails("some rows have more bounces than visits")
    return holds("no row has more bounces than visits")


_FIGURE_RESTS_ON = {"bounce": ("bounces_within_visits",), "n": ("dwell_counts_visits",)}
_SPLIT = "whether a long period may be asked for in pieces"

ADDING = (
    *(
        Assumption(
            name=f"days_add_up_{figure}",
            sentence=f"The {words} of single days add up to those of the period.",
            decides=_SPLIT,
            measured="a week by days, and the same week as one total, per zone",
            check=partial(_days_make_the_whole, figure=figure),
            rests_on=_FIGURE_RESTS_ON.get(figure, ()),
        )
        for figure, words in (("visits", "visits"), ("bounce", "bounces"), ("n", "dwell counts (n)"))
    ),
    *(
        Assumption(
            name=f"hours_add_up_{figure}",
            sentence=f"The {words} of single hours add up to those of the day.",
            decides="whether hours may be summed to days",
            measured="the same week by hours and by days, per zone",
            check=partial(_hours_make_the_days, figure=figure),
            rests_on=("tz_moves_hours", *_FIGURE_RESTS_ON.get(figure, ())),
        )
        for figure, words in (("visits", "visits"), ("bounce", "bounces"))
    ),
    Assumption(
        name="dwell_means_weighted",
        sentence="The mean dwell time of a period is that of its days, weighted by n.",
        decides="whether a mean can be had from pieces",
        measured="a week by days and as one total",
        check=_means_are_weighted,
        rests_on=("dwell_counts_visits", "dwell_time_is_mean"),
    ),
    Assumption(
        name="dwell_extremes_kept",
        sentence="The shortest and longest stay of a period are those of its days.",
        decides="min and max of merged rows",
        measured="a week by days and as one total",
        check=_extremes_are_kept,
    ),
    Assumption(
        name="uniques_bounded",
        sentence="Unique visitors of a period are at least those of any day, and at most those of all days together.",
        decides="the bounds that are given where uniques cannot be added",
        measured="a week by days and as one total",
        check=_uniques_are_bounded,
    ),
    Assumption(
        name="uniques_over_days",
        sentence="A visitor who comes on several days is one unique visitor of the period.",
        decides="whether the sum of daily uniques overstates",
        measured="a week by days and as one total",
        check=_uniques_are_found_again,
        rests_on=("uniques_bounded",),
    ),
    Assumption(
        name="uniques_within_visits",
        sentence="No zone has more unique visitors than visits.",
        decides="whether visits and visitors are what they are called",
        measured="every row of a week by days",
        check=_uniques_within_visits,
    ),
    Assumption(
        name="bounces_within_visits",
        sentence="No zone has more bounces than visits.",
        decides="bounce rates",
        measured="every row of a week by days",
        check=_bounces_within_visits,
    ),
    Assumption(
        name="dwell_counts_visits",
        sentence="n counts the visits that dwell times are computed of.",
        decides="the weights of merged means",
        measured="n beside visits and unique visitors, by days, no filter set",
        check=_n_counts,
    ),
    Assumption(
        name="quartiles_ordered",
        sentence="Quartiles are three, in order, between min and max.",
        decides="whether quantiles are 25th, 50th and 75th percentile",
        measured="every row of a week by days",
        check=_quartiles_are_ordered,
    ),
    Assumption(
        name="dwell_time_is_mean",
        sentence="dwell_time is dwell_time_stats.mean.",
        decides="which of the two to read",
        measured="every row of a week by days",
        check=_dwell_time_is_the_mean,
    ),
    Assumption(
        name="counts_are_counts",
        sentence="Counts are whole numbers from 0.",
        decides="whether figures are counts or estimates",
        measured="every row of a week, by days and hours",
        check=_counts_are_counts,
    ),
    Assumption(
        name="small_counts_told",
        sentence="Rows with few visits are there, too.",
        decides="whether sums of hours and small zones are too low",
        measured="the least count of an hour, where hours add up to less than their days",
        check=_small_counts_are_told,
    ),
    Assumption(
        name="rows_come_once",
        sentence="A zone and bucket come once in an answer.",
        decides="whether rows may be added up",
        measured="the keys of every row, by days, hours and as total",
        check=_rows_come_once,
    ),
)
