"""Limits that no page tells, and other ways to refuse or to have nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..catalogue import ORGANIZATIONS, Access
from .deviation import DATA, LISTS, ZONES, Deviation, Question, Reply, sheets
from .more import cut

#: What is refused, in days, bytes and ids.
MOST_DAYS: Final = 31
MOST_URL_BYTES: Final = 400
MOST_IDS: Final = 3


def _refuse_long_periods(question: Question) -> int | None:
    return 400 if question.days > MOST_DAYS else None


def _refuse_long_urls(status: int) -> Callable[[Question], int | None]:
    return lambda question: status if question.url_bytes > MOST_URL_BYTES else None


def _refuse_long_lists(question: Question) -> int | None:
    longest = max((len(value) for value in question.values.values() if isinstance(value, tuple)), default=0)
    return 400 if longest > MOST_IDS else None


def _refuse_the_running_day(question: Question) -> int | None:
    return 400 if question.values["end_date"] >= question.today else None


def _refuse_comparisons(question: Question) -> int | None:
    return 400 if question.has("comparison_start_date") else None


def _refuse_default_groupings(question: Question) -> int | None:
    return None if question.has("aggregate_by", "interval") else 400


def _everything(_access: Access) -> Access:
    return Access(organizations=frozenset(organization.id for organization in ORGANIZATIONS))


def _empty_is(status: int) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        if not any(sheet.rows for sheet in sheets(question, reply.document)):
            reply.status, reply.document = status, None

    return answer


def _part_of_the_content(question: Question, reply: Reply) -> None:
    left, whole = cut(question, reply)
    reply.status = 206
    reply.headers["Content-Range"] = f"items 0-{left - 1}/{whole}"


def _later(_question: Question, reply: Reply) -> None:
    reply.status, reply.document = 202, {"status": "pending", "retry_after": 5}


def _error_with_200(_question: Question, reply: Reply) -> None:
    reply.document = {"detail": "The query took too long."}


def _page_with_200(_question: Question, reply: Reply) -> None:
    reply.document, reply.prefix = None, b"<!doctype html><title>Sign in</title>"
    reply.headers["Content-Type"] = "text/html"


def _nothing_with_200(_question: Question, reply: Reply) -> None:
    reply.document = None


LIMIT_DEVIATIONS = (
    Deviation(
        name="longest_period",
        sentence="A period of more than 31 days is refused, though no page says so.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_long_periods,
    ),
    Deviation(
        name="longest_url_414",
        sentence="A proxy refuses URLs that are longer than it keeps room for.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_long_urls(414),
    ),
    Deviation(
        name="longest_url_413",
        sentence="A gateway refuses long URLs with the status for large bodies.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_long_urls(413),
    ),
    Deviation(
        name="longest_list",
        sentence="A filter takes a few values only, as many query builders do.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_long_lists,
    ),
    Deviation(
        name="running_day_refused",
        sentence="A period is answered when it is over, and refused before.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_the_running_day,
    ),
    Deviation(
        name="comparisons_refused",
        sentence="Comparisons belong to a plan that this token has not, and are refused.",
        endpoints=ZONES,
        expect="error",
        refuse=_refuse_comparisons,
    ),
    Deviation(
        name="grouping_required",
        sentence="A newer version of the service wants the grouping named.",
        endpoints=DATA,
        expect="error",
        refuse=_refuse_default_groupings,
    ),
    Deviation(
        name="lists_refused",
        sentence="A token for figures may not read the catalogue.",
        endpoints=LISTS,
        expect="any",
        refuse=lambda _: 403,
    ),
    Deviation(
        name="out_of_scope_is_empty",
        sentence="The vendor's pages contradict each other: what a token may not see is empty, and not refused.",
        endpoints=DATA,
        expect="any",
        access=_everything,
    ),
    Deviation(
        name="empty_is_404",
        sentence="A search that finds nothing is not found.",
        endpoints=DATA,
        expect="error_or_same",
        answer=_empty_is(404),
    ),
    Deviation(
        name="empty_is_204",
        sentence="An answer without rows has no content.",
        endpoints=DATA,
        expect="error_or_same",
        answer=_empty_is(204),
    ),
    Deviation(
        name="partial_content_206",
        sentence="A gateway that knows ranges sends the first of them, with the status for it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_part_of_the_content,
    ),
    Deviation(
        name="accepted_202",
        sentence="A long question is taken up, and its answer is to be fetched later.",
        endpoints=DATA,
        expect="error",
        answer=_later,
    ),
    Deviation(
        name="error_with_200",
        sentence="A gateway turns an error into JSON and forgets its status.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_error_with_200,
    ),
    Deviation(
        name="page_with_200",
        sentence="A portal before the service shows a page to sign in to.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_page_with_200,
    ),
    Deviation(
        name="nothing_with_200",
        sentence="A proxy loses the body and keeps the status.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_nothing_with_200,
    ),
    Deviation(
        name="hours_of_lines_without_limit",
        sentence="Hours and minutes of line_crosses are answered for any period: the limits were lifted long ago.",
        endpoints=("line_crosses",),
        expect="same",
        lifts=("hour", "minute"),
    ),
    Deviation(
        name="weeks_of_lines_over_new_year",
        sentence="Weeks of line_crosses are answered over a New Year, too.",
        endpoints=("line_crosses",),
        expect="same",
        lifts=("week",),
    ),
)
