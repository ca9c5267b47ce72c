"""Parts that are given for the whole, and how a service says so: in the body, in a period, in headers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .deviation import DATA, LISTS, PERIODS, ZONES, Deviation, Question, Reply, sheets

_NEXT = "https://api.indivd.com/next?page=2"
_Answer = Callable[[Question, Reply], None]


def cut(question: Question, reply: Reply) -> tuple[int, int]:
    """Keep the first half of the rows, or of a list's entries; return how many are left and how many there were."""
    if question.endpoint in LISTS:
        lists = [reply.document]
    else:
        lists = [sheet.rows for sheet in sheets(question, reply.document)]
    whole = sum(map(len, lists))
    for rows in lists:
        del rows[(len(rows) + 1) // 2 :]
    return sum(map(len, lists)), whole


def _say_on_top(**signs: Any) -> _Answer:
    """Cut, and say so beside the rows; a bare list is put in a wrapper first, as the common frameworks do."""

    def answer(question: Question, reply: Reply) -> None:
        fields = _filled(signs, cut(question, reply))
        if isinstance(reply.document, list):
            reply.document = {"results": reply.document}
        reply.document |= fields

    return answer


def _say_in_periods(**signs: Any) -> _Answer:
    def answer(question: Question, reply: Reply) -> None:
        fields = _filled(signs, cut(question, reply))
        for found in _periods(question, reply):
            found |= fields

    return answer


def say_in_headers(**signs: str) -> _Answer:
    def answer(question: Question, reply: Reply) -> None:
        fields = _filled(signs, cut(question, reply))
        reply.headers |= {name.replace("_", "-"): str(value) for name, value in fields.items()}

    return answer


def _cut_without_a_word(question: Question, reply: Reply) -> None:
    cut(question, reply)


def _say_that_it_is_whole(question: Question, reply: Reply) -> None:
    rows = sum(len(sheet.rows) for sheet in sheets(question, reply.document))
    reply.document |= {"next": None, "previous": None, "has_more": False, "page": 1, "pages": 1, "truncated": False}
    if question.endpoint == "zone_visitors":  # what would count as a row of drop_in_rate's three sections is open
        reply.document |= {"total": rows, "count": rows}


def _filled(signs: dict[str, Any], counts: tuple[int, int]) -> dict[str, Any]:
    """Put the counts of what is there and of what there was in place of WHOLE, LEFT and a range of both."""
    left, whole = counts
    words = {"LEFT": left, "WHOLE": whole, "RANGE": f"items 0-{left - 1}/{whole}"}
    return {
        name: _filled(value, counts)
        if isinstance(value, dict)
        else words.get(value, value)
        if isinstance(value, str)
        else value
        for name, value in signs.items()
    }


def _periods(question: Question, reply: Reply) -> Iterable[dict[str, Any]]:
    holder = reply.document["summary"] if question.endpoint == "drop_in_rate" else reply.document
    return [holder[period] for period in PERIODS if holder[period]]


MORE_DEVIATIONS = (
    Deviation(
        name="next_on_top",
        sentence="Answers come in pages, as of the Django REST framework: the rest is behind `next`.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(count="WHOLE", next=_NEXT, previous=None),
    ),
    Deviation(
        name="has_more_on_top",
        sentence="Answers come in pages that tell only whether there is another.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(has_more=True),
    ),
    Deviation(
        name="total_on_top",
        sentence="The answer says how many rows there are, and brings fewer.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(total="WHOLE"),
    ),
    Deviation(
        name="pages_on_top",
        sentence="Answers are numbered: this is page 1 of 2.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(page=1, pages=2),
    ),
    Deviation(
        name="truncated_on_top",
        sentence="A query that grows too large is cut by the database, which the answer admits.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(truncated=True, count="LEFT"),
    ),
    Deviation(
        name="cursor_on_top",
        sentence="Answers go on with a cursor that is to be sent with the next question.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(next_cursor="b2Zmc2V0PTEwMA"),
    ),
    Deviation(
        name="pages_under_meta",
        sentence="Where a page stands among all is told in an object of its own, as JSON:API's `meta`.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(meta={"pagination": {"page": 1, "total_pages": 2, "total": "WHOLE"}}),
    ),
    Deviation(
        name="next_under_links",
        sentence="The way to the next page stands among other links, as JSON:API and HAL have it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(links={"self": "https://api.indivd.com/next?page=1", "next": _NEXT}),
    ),
    Deviation(
        name="status_partial",
        sentence="The answer says of itself that it is partial, in a field for that.",
        endpoints=ZONES,
        expect="error_or_note",
        answer=_say_on_top(status="partial"),
    ),
    Deviation(
        name="next_in_the_period",
        sentence="Each period has pages of its own, and the way to the next stands inside it.",
        endpoints=ZONES,
        expect="error",
        answer=_say_in_periods(next=_NEXT),
    ),
    Deviation(
        name="truncated_in_the_period",
        sentence="Each period is cut by itself, and says so inside.",
        endpoints=ZONES,
        expect="error",
        answer=_say_in_periods(truncated=True),
    ),
    Deviation(
        name="link_header",
        sentence="Pages are linked in a header, as RFC 8288 has it, and the body stays as it was.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(Link=f'<{_NEXT}>; rel="next", <{_NEXT}>; rel="last"'),
    ),
    Deviation(
        name="content_range_header",
        sentence="A range of the rows is sent, named in the header that HTTP has for it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(Content_Range="RANGE"),
    ),
    Deviation(
        name="total_count_header",
        sentence="The number of all rows stands in a header, as several gateways have it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Total_Count="WHOLE"),
    ),
    Deviation(
        name="next_page_header",
        sentence="The number of the next page stands in a header, as GitLab has it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Next_Page="2", X_Page="1"),
    ),
    Deviation(
        name="total_pages_header",
        sentence="The number of pages stands in a header.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Total_Pages="2"),
    ),
    Deviation(
        name="pagination_header",
        sentence="All about pages stands in one header, as JSON: a habit of .NET services.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Pagination='{"CurrentPage":1,"TotalPages":2,"HasNext":true}'),
    ),
    Deviation(
        name="cursor_after_this",
        sentence="The place to go on from is called `after`, inside an object about pages, as social networks have it.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(paging={"cursors": {"before": "MQ", "after": "Mg"}}),
    ),
    Deviation(
        name="end_cursor_of_a_page",
        sentence="A page says where it ends, as GraphQL connections do, and leaves the rest to the reader.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(page_info={"end_cursor": "Mg"}),
    ),
    Deviation(
        name="bookmark_on_top",
        sentence="The service hands out a bookmark to go on from, as CouchDB does.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(bookmark="g1AAAA"),
    ),
    Deviation(
        name="remaining_on_top",
        sentence="The answer says how many rows are left to be fetched.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(remaining=12),
    ),
    Deviation(
        name="limit_reached_on_top",
        sentence="The answer says that it met its limit.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(limit_reached=True),
    ),
    Deviation(
        name="incomplete_results_on_top",
        sentence="A search that ran out of time gives what it found, as GitHub's does.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(incomplete_results=True),
    ),
    Deviation(
        name="hits_total_on_top",
        sentence="The number of all rows stands where a search engine has it: hits.total.value.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(hits={"total": {"value": "WHOLE", "relation": "eq"}}),
    ),
    Deviation(
        name="rows_omitted_on_top",
        sentence="Rows that would make the answer too large are left out, and counted.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=_say_on_top(omitted_rows=12),
    ),
    Deviation(
        name="incomplete_header",
        sentence="A gateway that merges several services says in a header that one of them did not answer.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Incomplete="true"),
    ),
    Deviation(
        name="complete_header",
        sentence="A header says whether the answer is all there is.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Complete="false"),
    ),
    Deviation(
        name="remaining_header",
        sentence="The number of rows that are left stands in a header.",
        endpoints=(*DATA, *LISTS),
        expect="error",
        answer=say_in_headers(X_Remaining_Rows="12"),
    ),
    Deviation(
        name="warning_header",
        sentence="HTTP has a header for warnings: 199 is one of any kind.",
        endpoints=ZONES,
        expect="note",
        answer=lambda _question, reply: reply.headers.update({"Warning": '199 - "figures are preliminary"'}),
    ),
    Deviation(
        name="cut_without_a_word",
        sentence="A row cap in the service or its database cuts long answers, and nothing says so.",
        endpoints=(*DATA, *LISTS),
        expect="unseen",
        answer=_cut_without_a_word,
    ),
    Deviation(
        name="says_that_it_is_whole",
        sentence="A framework that can page adds its fields to every answer, also where one page is all.",
        endpoints=ZONES,
        expect="note_or_same",
        answer=_say_that_it_is_whole,
    ),
)
