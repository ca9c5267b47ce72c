"""What only `--deep` asks: default groupings, limits that the article names, minutes, other numberings."""

from __future__ import annotations

from ..models.endpoints import DATA_ENDPOINTS
from .asked import ungrouped
from .numbering import fitting, numberings_of_visits
from .reading import total
from .seen import Seen, Table, expect, need

DEEPER = Table(is_deep=True, decides="whether one profile serves both")
#: The finest label of rows by a grouping.
_FINEST = {"hour": "hour", "dayofmonth": "dayofmonth", "day": "dayofmonth", "week": "week", "month": "month"}


def _groups_as_documented(seen: Seen, endpoint: str) -> None:
    list(seen.each(endpoint))  # there is one at least
    told = False
    for days, name in ungrouped(endpoint).items():
        if name not in seen.heard:
            continue
        found = seen.status_of(name)
        expect(not found.is_refused, f"{days} days without a grouping are refused with {found.status}")
        expected = next(grouping for most, grouping in DATA_ENDPOINTS[endpoint].defaults if days <= most)
        if rows := seen.rows(name):
            told = True
            finest = next((label for label in _FINEST.values() if label in rows[0].labels), "no label")
            words = f"{days} days come by {finest} where no grouping is named, not by {expected}"
            expect(finest == _FINEST[expected], words)
    need(told, "there was nobody to count in these periods, or they are longer than --days")


for _endpoint, _rests_on in (
    ("zone_visitors", ("long_period_accepted", "long_period_whole")),
    ("line_crosses", ("line_long_period_whole",)),
    ("drop_in_rate", ("drop_in_long_period_whole",)),
):
    DEEPER.add(
        f"{_endpoint} groups as the article says where no grouping is named.",
        name=f"{_endpoint}_defaults",
        decides="what a question without a grouping means",
        rests_on=_rests_on,
        given={"endpoint": _endpoint},
    )(_groups_as_documented)


@DEEPER.add(
    "drop_in_rate numbers weeks as zone_visitors does.",
    name="drop_in_weeks_numbered",
    rests_on=("drop_in_long_period_whole", "entries_add_up_over_zones"),
    given={"what": "weeks", "days": "drop-in by day around New Year", "told": "drop-in by week around New Year"},
)
@DEEPER.add(
    "line_crosses numbers weeks as zone_visitors does.",
    name="line_weeks_numbered",
    rests_on=("line_long_period_whole",),
    given={"what": "weeks", "days": "crossings by day in December", "told": "crossings by week in December"},
)
@DEEPER.add(
    "line_crosses numbers weekdays as zone_visitors does.",
    name="line_weekdays_numbered",
    rests_on=("line_long_period_whole",),
    given={"what": "weekdays", "days": "crossings by day", "told": "crossings by weekday"},
)
def _numbers_alike(seen: Seen, what: str, days: str, told: str) -> None:
    by_day, rows = seen.rows(days), seen.rows(told)
    figure = "count" if told.startswith("crossings") else "enter"
    usual = numberings_of_visits(seen, what)
    need(total(rows, figure), "there was nobody to count in these days")
    need(usual, f"the {what} of zone_visitors have no numbering that is known")
    are_alike = set(usual) & set(fitting(what, by_day, rows, figure))
    expect(are_alike, f"{what} are not numbered as those of zone_visitors are")


@DEEPER.add(
    "line_crosses refuses weeks over a New Year.",
    name="line_weeks_within_a_year",
    decides="how many requests such a question takes",
    given={"names": ("crossings by week over a New Year",), "what": "weeks over a New Year"},
)
@DEEPER.add(
    "line_crosses refuses more than 7 days of hours and 3 days of minutes.",
    name="line_limits_are_real",
    decides="how many requests such a question takes",
    given={
        "names": ("crossings of eight days by hour", "crossings of four days by minute"),
        "what": "eight days by hour and four by minute",
    },
)
def _is_refused(seen: Seen, names: tuple[str, ...], what: str) -> None:
    seen.answer("crossings by day")  # a service that refuses everything has no limits that could be told
    for name in names:
        found = seen.status_of(name)
        expect(not found.is_ok, f"{what} are answered all the same, so longer pieces would do")
        need(found.is_refused and found.status != 404, f"the question for {name} was {found.problem}")


@DEEPER.add(
    "Where nothing matches, the answer is 200 and empty.",
    decides="whether nobody and an error are told apart",
    rests_on=("line_floor_honoured",),
)
def _nobody_is_empty(seen: Seen) -> None:
    need(total(seen.rows("crossings by day"), "count"), "the answer is empty without a filter, too")
    found = seen.status_of("crossings on no floor")
    need(not found.may_pass, f"the question for it was {found.problem}")
    expect(found.is_ok, f"where nothing matches, the question was {found.problem}")
    expect(not total(seen.rows("crossings on no floor"), "count"), "a floor that there is not has crossings")


@DEEPER.add(
    "organization of line_crosses counts the lines of the organisation only.",
    decides="whether the figures are those that were asked for",
)
def _line_organization_honoured(seen: Seen) -> None:
    names = [name for name in seen.heard if name.startswith("crossings of organisation ")]
    need(len(names) > 1, "the token spans one organisation only")
    of_all = total(seen.rows("crossings by day"), "count")
    need(of_all, "no line was crossed in these days")
    counts = [total(seen.rows(name), "count") for name in names if not seen.status_of(name).is_refused]
    words = "asked for several organisations one after the other, the location's crossings come more than once"
    expect(sum(counts) == of_all, words)


@DEEPER.add(
    "zone_visitors by minute tells minutes.",
    name="zone_minutes",
    decides="whether minutes may be asked for: elsewhere it is said that zones are kept by hours",
    given={"name": "visits of a day by minute"},
)
@DEEPER.add(
    "line_crosses by minute tells minutes.",
    name="line_minutes",
    decides="whether minutes may be asked for",
    given={"name": "crossings of a day by minute"},
)
def _tells_minutes(seen: Seen, name: str) -> None:
    rows = seen.rows(name)
    need(rows, "there was nobody to count on this day")
    minutes = {row.labels.get("minute") for row in rows}
    expect(None not in minutes, f"minutes come as {', '.join(rows[0].names) or 'nothing'}")
    expect(len(minutes) > 1, "all rows by minute are of one minute of the hour: the data is kept by hours")
