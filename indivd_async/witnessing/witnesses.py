"""The table of witnesses: what is compared, for which endpoints, and what to do where an answer differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..errors import AnswerMismatchError
from ..models import NOTHING_EXTRA, FrozenMap
from ..planning import PlannedRequest
from ..results import Answer, Note, ZoneVisitorsAnswer
from ..results.notes import numbering_unknown, unnumbered
from .case import Case, Difference, Side
from .figures import hold_counts, hold_dwell, hold_keys, hold_sections, hold_visits
from .measures import hide_bounces
from .more import find_more, find_more_in_headers, words_of
from .periods import hold_dates, hold_labels
from .places import hold_comparison, hold_interval, hold_locations, hold_threshold, hold_zones

_REPORT = "The service does otherwise than its documentation says: please report it to Indivd"
_ALL = ("line_crosses", "zone_visitors", "drop_in_rate")
_ZONES = ("zone_visitors", "drop_in_rate")


@attrs.frozen(kw_only=True)
class Witness:
    """What is compared, and what to do where it differs; a `Difference` says whether that is an error or a note."""

    name: str
    find: Callable[[Case], Iterable[Difference]]
    endpoints: tuple[str, ...] = _ALL
    advice: str = ""


def hold_whole(case: Case) -> Iterable[Difference]:
    """Look for signs that there is more, and for what an answer says beside its rows."""
    extra = getattr(case.answer, "extra", NOTHING_EXTRA)
    summaries = [side.block.summary for side in case.sides if side.block is not None and side.block.summary is not None]
    if extra is NOTHING_EXTRA and not case.signs and all(each.extra is NOTHING_EXTRA for each in summaries):
        return ()
    fields = dict(extra)
    fields |= {f"summary.{name}": value for each in summaries for name, value in each.extra.items()}
    counts = _counts(case.sides)
    more, others = find_more(fields, counts)
    if more := more + find_more_in_headers(case.signs, counts):
        return [Difference("all there is", f"a part: {words_of(more)}")]
    said = "; ".join(f"{path}: {value}" for path, value in others[:5])
    return [Difference("", f"The answer says beside its rows: {said}", "answer_says")] if others else ()


_FIGURES = ("count", "visits", "enter", "passing_by")


def _counts(sides: Iterable[Side]) -> list[int]:
    """Count what came in every way that a total may mean: rows of a period, of a section or of all, zones, visits."""
    found: list[int] = []
    together = [0, 0, 0]
    for side in sides:
        sizes = [len(rows) for _, _, rows in side.sheets]
        lines = (sizes[0], sum(sizes[1:]), len(set(side.zone_ids)))
        together = [one + other for one, other in zip(together, lines, strict=True)]
        found += [*lines, sum(sizes), *together, sum(together[:2])]
        figures: Sequence[Any] = side.rows
        found += [sum(getattr(row, name, 0) for row in figures) for name in _FIGURES]
    return found


WITNESSES: Sequence[Witness] = (
    Witness(
        name="signs of more",
        find=hold_whole,
        advice="Ask for a shorter period ({split}) or for fewer zones and locations at once: pages are not documented, "
        "so no others are asked for.",
    ),
    Witness(name="dates of the period", find=hold_dates, endpoints=_ZONES),
    Witness(
        name="comparison",
        find=hold_comparison,
        endpoints=_ZONES,
        advice="Ask for the two periods apart, each as a query of its own.",
    ),
    Witness(name="labels of rows", find=hold_labels, advice=f"{_REPORT}, or ask with another grouping."),
    Witness(name="interval", find=hold_interval, endpoints=("drop_in_rate",), advice=f"{_REPORT}."),
    Witness(
        name="zones",
        find=hold_zones,
        endpoints=_ZONES,
        advice="The filter seems not to be heeded: ask without it, and take the zones from the answer.",
    ),
    Witness(
        name="locations",
        find=hold_locations,
        endpoints=_ZONES,
        advice="Ask for one location at a time; {locations()} and {zones()} list what belongs where.",
    ),
    Witness(
        name="bounce threshold",
        find=hold_threshold,
        endpoints=("zone_visitors",),
        advice="Leave {bounce_threshold} out to have bounces under each zone's own.",
    ),
    Witness(name="keys", find=hold_keys),
    Witness(name="counts", find=hold_counts, endpoints=("line_crosses", "drop_in_rate")),
    Witness(name="visits and dwell times", find=hold_visits, endpoints=("zone_visitors",)),
    Witness(name="dwell filters", find=hold_dwell, endpoints=("zone_visitors",)),
    Witness(name="sections and rates", find=hold_sections, endpoints=("drop_in_rate",)),
)
_BY_ENDPOINT: Mapping[str, tuple[Witness, ...]] = {
    endpoint: tuple(each for each in WITNESSES if endpoint in each.endpoints) for endpoint in _ALL
}


def witness_answer(
    request: PlannedRequest,
    answer: Answer,
    *,
    signs: Sequence[tuple[str, str]] = (),
    zones: Mapping[int, int | None] | None = None,
) -> Answer:
    """
    Hold *answer* against its question, and return it with notes on what may not be what it seems.

    *signs* are headers that may say that there is more, *zones* the locations of all zones where they were looked up.
    Raises `AnswerMismatchError` where the figures are certainly not those asked for.
    """
    case = Case(request, answer, signs, zones)
    notes: list[Note] = []
    for each in _BY_ENDPOINT[request.endpoint]:
        for difference in each.find(case):
            if not difference.kind:
                advice = difference.advice or each.advice
                raise AnswerMismatchError(each.name, difference.asked, difference.said, request=request, advice=advice)
            notes.append(Note(kind=difference.kind, message=f"{difference.said}."))
    unknown = unnumbered([case.grouping], request.profile) if "week" in case.grouping else []
    if unknown and any(side.buckets for side in case.sides):
        notes.append(numbering_unknown(unknown))
    if case.params.get("bounce_threshold") == "0" and isinstance(answer, ZoneVisitorsAnswer):
        answer = hide_bounces(answer)
    return attrs.evolve(answer, notes=tuple(notes)) if notes else answer


def witness_list(request: PlannedRequest, size: int, extra: FrozenMap, signs: Sequence[tuple[str, str]] = ()) -> None:
    """Raise `AnswerMismatchError` where a list of *size* entries says that it is a part of one."""
    more = find_more(extra, [size])[0] + find_more_in_headers(signs, [size])
    if more:
        raise AnswerMismatchError(
            "signs of more",
            "the whole list",
            f"a part: {words_of(more)}",
            request=request,
            advice="Pages are not documented, so no others are asked for. Pass the ids that you want by hand.",
        )
