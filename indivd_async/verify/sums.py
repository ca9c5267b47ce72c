"""Whether the parts of an answer of zone_visitors make its whole, field by field, and its figures are sound."""

from __future__ import annotations

from .reading import Row, total
from .seen import FailsError, Judgement, Seen, Table, expect, held, holds, need, same_sums

SUMS = Table()
#: Means are rounded to a tenth of a second, in the parts and in the whole.
_MEAN_TOLERANCE_S = 0.11
#: Of so many visitors, some come again.
_MANY = 200
_WORDS = {"visits": "visits", "bounce": "bounces", "n": "dwell counts (n)"}
_RESTS_ON = {"visits": (), "bounce": ("bounces_within_visits",), "n": ("dwell_counts_visits",)}


def _days_add_up(seen: Seen, figure: str) -> Judgement:
    days, week = (seen.counting(figure, name) for name in ("visits by day", "visits of the week"))
    return same_sums(days, week, figure, "the days of a week do not add up to the week, zone by zone")


def _hours_add_up(seen: Seen, figure: str) -> Judgement:
    hours, days = (seen.counting(figure, name) for name in ("visits by hour", "visits by day"))
    need(any(row.moment for row in hours), "the hours do not tell their dates")
    words = "the hours of a day do not add up to the day, zone by zone"
    return same_sums(hours, days, figure, words, by=("zone", "day"))


for _figure in ("visits", "bounce", "n"):
    SUMS.add(
        f"The {_WORDS[_figure]} of single days add up to those of the period.",
        name=f"days_add_up_{_figure}",
        decides="whether a long period may be asked for in pieces",
        rests_on=_RESTS_ON[_figure],
        given={"figure": _figure},
    )(_days_add_up)
for _figure in ("visits", "bounce"):
    SUMS.add(
        f"The {_WORDS[_figure]} of single hours add up to those of the day.",
        name=f"hours_add_up_{_figure}",
        decides="whether hours may be summed to days",
        rests_on=("tz_moves_hours", *_RESTS_ON[_figure]),
        given={"figure": _figure},
    )(_hours_add_up)


def _by_zone(seen: Seen, figure: str) -> list[tuple[Row, list[Row]]]:
    """Pair the row of each zone for the week with those of its days."""
    days, week = (seen.counting(figure, name) for name in ("visits by day", "visits of the week"))
    return [(row, parts) for row in week if (parts := [part for part in days if part.zone == row.zone])]


@SUMS.add(
    "The mean dwell time of a period is that of its days, weighted by n.",
    decides="whether a mean can be had from pieces",
    rests_on=("dwell_counts_visits", "dwell_time_is_mean"),
)
def _dwell_means_weighted(seen: Seen) -> None:
    apart = [0.0]
    for row, parts in _by_zone(seen, "n"):
        weights = [(part.count("n"), mean) for part in parts if (mean := part.figures["mean"]) is not None]
        if (mean := row.figures["mean"]) is not None and weights:
            apart.append(abs(sum(n * part for n, part in weights) / sum(n for n, _ in weights) - mean))
    words = "means of days, weighted by n, do not give the mean of the week"
    expect(max(apart) <= _MEAN_TOLERANCE_S, words, f"up to {max(apart):.1f} s apart")


@SUMS.add("The shortest and longest stay of a period are those of its days.", decides="min and max of merged rows")
def _dwell_extremes_kept(seen: Seen) -> None:
    for row, parts in _by_zone(seen, "n"):
        for name, pick in (("min", min), ("max", max)):
            told, of_days = row.figures[name], [v for part in parts if (v := part.figures[name]) is not None]
            if told is not None and of_days:
                figures = f"zone {row.zone}: {name} {told}, of its days {pick(of_days)}"
                expect(pick(of_days) == told, f"the {name} of a week is not that of its days", figures)


@SUMS.add(
    "Unique visitors of a period are at least those of any day, and at most those of all days together.",
    decides="the bounds that are given where uniques cannot be added",
)
def _uniques_bounded(seen: Seen) -> None:
    for row, parts in _by_zone(seen, "unique_visits"):
        told, of_days = row.count("unique_visits"), [part.count("unique_visits") for part in parts]
        least, most = max(of_days), sum(of_days)
        figures = f"zone {row.zone}: {told:,}, days from {least:,} to {most:,} together"
        words = "unique visitors of a week lie outside the bounds that its days set"
        expect(least <= told <= most, words, figures)


@SUMS.add(
    "A visitor who comes on several days is one unique visitor of the period.",
    decides="whether the sum of daily uniques overstates",
    rests_on=("uniques_bounded",),
)
def _uniques_over_days(seen: Seen) -> Judgement:
    summed, told = (
        total(seen.counting("unique_visits", name), "unique_visits") for name in ("visits by day", "visits of the week")
    )
    need(told != summed or summed >= _MANY, "so few came that none need have come twice")
    figures = f"{told:,} of {summed:,}"
    return held(told < summed, "unique visitors of a week are merely those of its days added up", figures)


def _within_visits(seen: Seen, figure: str, words: str) -> None:
    rows = seen.counting(figure, "visits by day")
    odd = sum(row.count(figure) > row.count("visits") for row in rows)
    expect(not odd, f"some rows have more {words} than visits", f"{odd} of {len(rows)} rows")


for _name, _figure, _words, _decides in (
    ("uniques", "unique_visits", "unique visitors", "whether visits and visitors are what they are called"),
    ("bounces", "bounce", "bounces", "bounce rates"),
):
    SUMS.add(
        f"No zone has more {_words} than visits.",
        name=f"{_name}_within_visits",
        decides=_decides,
        given={"figure": _figure, "words": _words},
    )(_within_visits)


@SUMS.add("n counts the visits that dwell times are computed of.", decides="the weights of merged means")
def _dwell_counts_visits(seen: Seen) -> Judgement:
    """N is documented as visits; the article's sample has the number of unique visitors there."""
    rows = seen.counting("n", "visits by day")
    if all(row.count("n") == row.count("visits") for row in rows):
        return holds(learned={"dwell_counts": "visits"})
    are_visitors = all(row.count("n") == row.count("unique_visits") for row in rows)
    expect(are_visitors, "n is neither the visits nor the unique visitors")
    raise FailsError(
        "n is the number of unique visitors, as in the article's sample", learned={"dwell_counts": "visitors"}
    )


@SUMS.add(
    "Quartiles are three, in order, between min and max.",
    decides="whether quantiles are 25th, 50th and 75th percentile",
)
def _quartiles_ordered(seen: Seen) -> None:
    rows = [row for row in seen.counting("n", "visits by day") if row.quartiles]
    need(rows, "no row has quartiles")
    for row in rows:
        scale = [value for value in (row.figures["min"], *row.quartiles, row.figures["max"]) if value is not None]
        is_so = len(row.quartiles) == 3 and scale == sorted(scale)
        expect(is_so, "some rows have quartiles out of order, or not three of them")


@SUMS.add("dwell_time is dwell_time_stats.mean.", decides="which of the two to read")
def _dwell_time_is_mean(seen: Seen) -> None:
    rows = seen.counting("n", "visits by day")
    is_so = all(row.figures["dwell_time"] == row.figures["mean"] for row in rows)
    expect(is_so, "dwell_time and dwell_time_stats.mean differ")


@SUMS.add("Counts are whole numbers from 0.", decides="whether figures are counts or estimates")
def _counts_are_counts(seen: Seen) -> None:
    rows = seen.grouped("visits by day") + seen.grouped("visits by hour")
    need(rows, "no row came")
    known = all(row.figures["visits"] is not None for row in rows)
    expect(known, "some visits are no numbers, or beyond all that can be counted")
    for name in ("visits", "unique_visits", "bounce", "n", "dwell_time"):
        values = [value for row in rows if (value := row.figures[name]) is not None]
        is_so = all(value >= 0 and (value == int(value) or name == "dwell_time") for value in values)
        expect(is_so, f"some {name} are negative or fractions")


@SUMS.add("Rows with few visits are there, too.", decides="whether sums of hours and small zones are too low")
def _small_counts_told(seen: Seen) -> None:
    hours, days = (seen.counting("visits", name) for name in ("visits by hour", "visits by day"))
    least = min(row.count("visits") for row in hours)
    words = "hours in which few came are left out: they add up to less than their days"
    expect(least == 1 or total(hours, "visits") >= total(days, "visits"), words, f"none below {least}")


@SUMS.add("A zone and bucket come once in an answer.", decides="whether rows may be added up")
def _rows_come_once(seen: Seen) -> None:
    visits = {name: seen.grouped(name) for name in ("visits by day", "visits by hour", "visits of the week")}
    need(any(visits.values()), "no row came")
    for rows in visits.values():
        expect(_are_apart(rows), "some zone and bucket come twice in one answer of zone_visitors")
    for name in ("crossings by day", "drop-in by day"):
        endpoint = seen.status_of(name).question.endpoint
        expect(_are_apart(seen.rows(name)), f"some bucket comes twice in one answer of {endpoint}")
    zones = [rows for _, rows in seen.drop_ins("drop-in by day").zones.values()]
    expect(all(map(_are_apart, zones)), "some bucket comes twice in one answer of drop_in_rate")


def _are_apart(rows: list[Row]) -> bool:
    return len({row.key for row in rows}) == len(rows)
