"""
What an answer means, by cattrs: the shapes that vary, and every fault.

What is said here and in `forms` holds; `documented` repeats it for the documented shape, and is faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from cattrs import AttributeValidationNote, BaseValidationError

from .. import models
from ..errors import DecodeError
from ..models.endpoints import FILTER_ENDPOINTS
from ..results import Answer, Block
from .forms import DropIns, Lines, Visits
from .hooks import faults_of_object, make_converter, problems_of
from .places import fill_in
from .strict import Key, Misfit, read_object

Entity = models.Location | models.Zone | models.Category | models.Line | models.Organization
#: What one answer of a filter endpoint says, and what stands beside the list.
Listing = tuple[tuple[Entity, ...], models.FrozenMap]
T = TypeVar("T")
#: RFC 8259 lets a reader ignore it, since there are servers that send it.
_BOM = b"\xef\xbb\xbf"


def decide_answer(endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int]) -> Answer:
    """Structure the answer of a data endpoint, as `structure_answer` promises."""
    shape, build = _SHAPES[endpoint]
    answer = build(_decide(lambda value: _converter.structure(value, shape), body))
    for rows in (rows for block in answer.blocks for rows in (block.rows, block.zones)):
        fill_in(rows, carried if shape is Lines else {"tz": tz})
    return answer


def structure_entities(endpoint: str, body: bytes) -> Listing:
    """
    Structure the answer of a filter endpoint: a list, one object, an object with one list in it, or a mapping by id.

    What else stands in the object that has the list is returned beside it. Raises `DecodeError`.
    """
    return _decide(lambda value: _read_listing(value, FILTER_ENDPOINTS[endpoint].entity), body)


def _decide(structure: Callable[[Any], T], body: bytes) -> T:
    """Return what *structure* makes of the JSON in *body*, or raise all that is wrong with it."""
    try:
        return structure(orjson.loads(body.removeprefix(_BOM)))
    except orjson.JSONDecodeError as error:
        problems = [f"not JSON: {error.msg}, line {error.lineno} column {error.colno} @ $"]
    except (BaseValidationError, Misfit, RecursionError) as error:
        problems = problems_of(error)
    raise DecodeError(problems)  # out here: the causes hold the document, and would keep it alive as context


# From what was sent to the answer.


def _visits(sent: Visits) -> Answer:
    current, comparison = (
        None if period is None else Block(rows=period.insights, dates=(period.startdate, period.enddate))
        for period in (sent.current, sent.comparison)
    )
    extra = _all_extra(sent, current=sent.current, comparison=sent.comparison)
    return Answer(current=current or Block(), comparison=comparison, extra=extra)


def _drop_in(sent: DropIns) -> Answer:
    summary, details, zones = sent.summary, sent.details, sent.zone_details
    comparison = _block(summary.comparison, details.comparison, zones.comparison)
    return Answer(
        interval=details.interval,
        current=_block(summary.current, details.current, zones.current),
        comparison=comparison if comparison != Block() else None,
        extra=_all_extra(sent, summary=summary, details=details, zone_details=zones),
    )


def _block(
    summary: models.DropInTotals | None, details: tuple[models.DropInRow, ...], zones: Mapping[str, models.ZoneDropIn]
) -> Block:
    for zone in zones.values():
        fill_in(zone.details, {"zone_id": zone.zone_id, "loc_id": zone.loc_id})
    return Block(summary=summary, details=details, zones=tuple(zones.values()))


def _all_extra(sent: Any, **inside: Any) -> models.FrozenMap:
    """Gather what is not known of an answer and of the objects in it, by its path."""
    extra = dict(sent.extra)
    for path, part in inside.items():
        extra |= {f"{path}.{name}": item for name, item in (part.extra if part is not None else {}).items()}
    return models.FrozenMap(extra) if extra else models.NOTHING_EXTRA


def _read_listing(value: Any, entity: Any) -> Listing:
    if type(value) is list:
        return _converter.structure(value, tuple[entity, ...]), models.NOTHING_EXTRA
    value = read_object(value)
    if "id" in value:
        return (_converter.structure(value, entity),), models.NOTHING_EXTRA
    lists = [name for name, item in value.items() if type(item) is list]
    if len(lists) == 1:
        listed = value.pop(lists[0])
        try:
            return _converter.structure(listed, tuple[entity, ...]), models.FrozenMap.freeze(value)
        except BaseValidationError as error:
            error.add_note(AttributeValidationNote("", repr(Key(lists[0])), entity))
            raise faults_of_object("", [error], entity) from None
    if not all(type(item) is dict for item in value.values()):
        raise Misfit("expected a list, an object with an id, or a mapping by id, got another object")
    for key, item in value.items():
        if _ID.fullmatch(key):
            item.setdefault("id", int(key))
    return tuple(_converter.structure(value, dict[str, entity]).values()), models.NOTHING_EXTRA


_ID = re.compile("0|-?[1-9][0-9]{0,17}")
_converter = make_converter()
_SHAPES: Mapping[str, tuple[Any, Callable[[Any], Answer]]] = {
    "line_crosses": (Lines, lambda rows: Answer(current=Block(rows=rows))),
    "zone_visitors": (Visits, _visits),
    "drop_in_rate": (DropIns, _drop_in),
}
