"""The table of witnesses: what is compared, for which endpoints, and what to do where an answer differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..errors import AnswerMismatchError
from ..fielded import Fielded
from ..models import NOTHING_EXTRA, Bucket, FrozenMap
from ..models.values import MOST_PEOPLE, with_changes
from ..planning import PlannedRequest
from ..planning.request import grouping_of
from ..planning.windows import bucket_unit
from ..queries import PER
from ..results import Answer, Note
from ..results.notes import numbering_notes, unite_notes, word_note
from .case import Case, Mismatch, Testimony, take_apart
from .figures import SURELY_SHARED, hold_counts, hold_dwell, hold_keys, hold_sections, hold_visits
from .more import Sign, hold_whole, say_more
from .periods import are_all_told, hold_dates, hold_labels
from .places import hold_comparison, hold_interval, hold_locations, hold_rows, hold_threshold, hold_zones, ids_of

_REPORT = "The service does otherwise than its documentation says: please report it to Indivd"
_LINES, _VISITS, _DROP_IN = _ALL = ("line_crosses", "zone_visitors", "drop_in_rate")
_ZONED = (_VISITS, _DROP_IN)


@attrs.frozen(eq=False, repr=False)
class Witness(Fielded):
    """What is compared, and what to do where that is an error; what it finds says whether it is one or a note."""

    name: str
    find: Callable[[Case], Testimony]
    advice: str = ""
    endpoints: tuple[str, ...] = _ALL


def hold_limit(case: Case) -> Testimony:
    """Compare the rows that came with the most that come at once, where a profile knows them."""
    if case.request.profile is not None:
        most = case.request.profile.rows_at_most(case.request.endpoint, bucket_unit(case.grouping))
        if most and any(len(sheet.rows) >= most for sheet in case.sheets):
            yield word_note("rows_at_limit", rows=f"{most:,}")


WITNESSES: Sequence[Witness] = (
    Witness(
        "signs of more",
        hold_whole,
        "Ask for a shorter period ({split}) or for fewer zones and locations at once: pages are not documented, so no "
        "others are asked for.",
    ),
    Witness("dates of the period", hold_dates, endpoints=_ZONED),
    Witness("comparison", hold_comparison, "Ask for the two periods apart, each as a query of its own.", _ZONED),
    Witness("labels of rows", hold_labels, f"{_REPORT}, or ask with another grouping."),
    Witness("interval", hold_interval, f"{_REPORT}.", (_DROP_IN,)),
    Witness(
        "zones",
        hold_zones,
        "The filter seems not to be heeded: ask without it, and take the zones from the answer.",
        _ZONED,
    ),
    Witness(
        "locations",
        hold_locations,
        "Ask for one location at a time; {locations()} and {zones()} list what belongs where.",
        _ZONED,
    ),
    Witness("what rows say of themselves", hold_rows),
    Witness(
        "bounce threshold",
        hold_threshold,
        "Leave {bounce_threshold} out to have bounces under each zone's own.",
        (_VISITS,),
    ),
    Witness("keys", hold_keys),
    Witness("counts", hold_counts, endpoints=(_LINES, _DROP_IN)),
    Witness("visits and dwell times", hold_visits, endpoints=(_VISITS,)),
    Witness("dwell filters", hold_dwell, endpoints=(_VISITS,)),
    Witness("limit of rows", hold_limit, endpoints=(_VISITS,)),
    Witness("sections and rates", hold_sections, endpoints=(_DROP_IN,)),
)
_BY_ENDPOINT: Mapping[str, tuple[Witness, ...]] = {
    endpoint: tuple(each for each in WITNESSES if endpoint in each.endpoints) for endpoint in _ALL
}


#: The parameters that a glance looks at, or that no witness does: what else was asked for is the table's.
_GLANCED_AT = frozenset({"start_date", "end_date", "aggregate_by", "zones", "tz", *PER.values()})
_ZEROS = (word_note("rows_of_zeros"),)


def glance(request: PlannedRequest, answer: Answer, zones: Mapping[int, int | None] | None) -> tuple[Note, ...] | None:
    """
    Say in one pass what the table has to say of an *answer* that is plainly what was asked, as most are.

    None where it may not be, or where more was asked for than days and places: then the table is to be asked. Tests
    hold both to the same words.
    """
    sent, rows, locations = request.params.get, answer.current.rows, request.locations
    if not answer.is_plain or answer.comparison is not None or not 0 < len(rows) <= SURELY_SHARED:
        return None
    if answer.current.dates != (sent("start_date"), sent("end_date")):
        return None
    found: set[int] = set()
    buckets: dict[int, Bucket] = {}
    last, excluded, has_zeros, add_zone = None, rows[0].exclude, False, found.add
    for row in rows:
        place = row.aggregation
        if place.loc_id is not None or row.exclude is not excluded or place.bounce_threshold == 0:
            return None
        add_zone(place.zone_id)
        if place.bucket is not last:  # most rows have that of the row before
            last = place.bucket
            buckets[id(last)] = last
        if not row.visits:
            has_zeros = True
    if excluded is not None and (excluded.min_dwell_time or excluded.max_dwell_time):
        return None
    keys: Any = found
    if len(buckets) > 1:
        keys = {(place.zone_id, id(place.bucket)) for place in [row.aggregation for row in rows]}
    asked = ids_of(sent("zones"))
    if len(keys) != len(rows) or min(found) <= 0 or (asked is not None and not found <= asked):
        return None
    if zones and (locations is None or not set(map(zones.get, found)) <= set(locations)):
        return None
    return _glance_at_labels(request, buckets.values(), has_zeros)


def glance_at_lines(request: PlannedRequest, answer: Answer) -> tuple[Note, ...] | None:
    """Say the same of crossings."""
    rows = answer.current.rows
    counts = [row.count for row in rows]
    buckets = {id(row.bucket): row.bucket for row in rows}
    if not 0 < len(rows) <= SURELY_SHARED or len(buckets) < len(rows) or min(counts) < 0:
        return None
    if max(counts) > MOST_PEOPLE or [row.extra for row in rows].count(NOTHING_EXTRA) < len(rows):
        return None
    return _glance_at_labels(request, buckets.values(), not all(counts))


def _glance_at_labels(request: PlannedRequest, buckets: Iterable[Bucket], has_zeros: bool) -> tuple[Note, ...] | None:
    window, grouping = request.window, grouping_of(request)
    if request.profile or not _GLANCED_AT.issuperset(request.params) or "week" in grouping or "loc_id" in grouping:
        return None
    told = _ZEROS if has_zeros else ()
    return told if window is not None and are_all_told(window, grouping, buckets) else None


def witness_answer(
    request: PlannedRequest,
    answer: Answer,
    *,
    signs: Sequence[Sign] = (),
    zones: Mapping[int, int | None] | None = None,
) -> Answer:
    """
    Hold *answer* against its question, and return it with notes on what may not be what it seems.

    *signs* are headers that may say that there is more, *zones* the locations of all zones where they were looked up.
    Raises `AnswerMismatchError` where the figures are certainly not those asked for.
    """
    notes: Sequence[Note] | None = None
    if request.endpoint == _VISITS and not signs and answer.extra is NOTHING_EXTRA:
        notes = glance(request, answer, zones)
    elif request.endpoint == _LINES and not signs:
        notes = glance_at_lines(request, answer)
    if notes is None:
        case = take_apart(request, answer, signs, zones)
        notes = hear_witnesses(case)
        if request.endpoint == _VISITS:
            answer = _without_bounces(answer, request.params.get("bounce_threshold") == "0")
    return attrs.evolve(answer, notes=tuple(notes)) if notes else answer


def _without_bounces(answer: Answer, is_off: bool) -> Answer:
    """Take away bounces under a threshold of 0, which turns their tracking off: what is not measured is not 0."""
    if not is_off and not any(row.aggregation.bounce_threshold == 0 for rows in answer.lists for row in rows):
        return answer
    return answer.changed(
        lambda row: with_changes(row, bounce=None) if is_off or row.aggregation.bounce_threshold == 0 else row
    )


def hear_witnesses(case: Case) -> list[Note]:
    """Ask all witnesses of the table; the first mismatch is raised."""
    notes: list[Note] = []
    for each in _BY_ENDPOINT[case.request.endpoint]:
        for said in each.find(case):
            if isinstance(said, Mismatch):
                advice = said.advice or each.advice
                raise AnswerMismatchError(each.name, said.asked, said.said, request=case.request, advice=advice)
            notes.append(said)
    if any(sheet.rows for sheet in case.sheets):
        notes += numbering_notes([case.grouping], case.request.profile)
    return list(unite_notes(notes))


def witness_list(request: PlannedRequest, size: int, extra: FrozenMap, signs: Sequence[Sign] = ()) -> None:
    """Raise `AnswerMismatchError` where a list of *size* entries says that it is a part of one."""
    if more := say_more(extra, signs, [size])[0]:
        advice = "Pages are not documented, so no others are asked for. Pass the ids that you want by hand."
        raise AnswerMismatchError("signs of more", "the whole list", more, request=request, advice=advice)
