"""
What an answer means, by cattrs: the objects around the rows, the shapes that vary, and every fault.

The rows themselves are read by generated hooks (see `strict`). What is said here holds; `documented` repeats it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import orjson
from cattrs import Converter

from ..errors import DecodeError
from ..models import (
    NOTHING_EXTRA,
    Aggregation,
    Category,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    FrozenMap,
    Line,
    LineCrossesRow,
    Location,
    Organization,
    Zone,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from ..models.endpoints import FILTER_ENDPOINTS
from ..results import Answer, Dates, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer
from .strict import (
    MISSING,
    MOST_FAULTS,
    Fault,
    Hook,
    Misfit,
    clip,
    expected,
    generate_hook,
    is_nothing,
    read_date,
    read_each,
    read_optional,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


Entity = Location | Zone | Category | Line | Organization

_ROWS = frozenset(
    {
        LineCrossesRow, ZoneVisitorsRow, Aggregation, DwellTimeStats, Exclude,
        DropInRow, DropInTotals, ZoneDropIn, ZoneDropInRow,
        Location, Zone, Category, Line, Organization,
    }
)  # fmt: skip
_T = TypeVar("_T")
#: RFC 8259 lets a reader ignore it, since there are servers that send it.
_BOM = b"\xef\xbb\xbf"


def decide_answer(endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int]) -> Answer:
    """Structure the answer of a data endpoint, as `structure_answer` promises."""
    answer: Answer = _decide(_converter.structure, body, _ANSWERS[endpoint])
    _carry(answer, tz, carried)
    return answer


@attrs.frozen(kw_only=True)
class Listing:
    """What one answer of a filter endpoint says; `extra` is what stands beside the list."""

    entities: tuple[Entity, ...]
    extra: FrozenMap = NOTHING_EXTRA


def decide_entities(endpoint: str, body: bytes) -> Listing:
    """Structure the answer of a filter endpoint, as `structure_entities` promises."""
    hook = _converter.get_structure_hook(FILTER_ENDPOINTS[endpoint].entity)
    listing: Listing = _decide(_read_listing, body, hook)
    return listing


def _decide(structure: Callable[[Any, Any], Any], body: bytes, wanted: Any) -> Any:
    """Return what *structure* makes of the JSON in *body*, or raise all that is wrong with it."""
    try:
        return structure(orjson.loads(body.removeprefix(_BOM)), wanted)
    except orjson.JSONDecodeError as error:
        problems = [f"not JSON: {error.msg}, line {error.lineno} column {error.colno} @ $"]
    except Misfit as misfit:
        problems = [f"{words} @ ${path}" for path, words in misfit.faults[:MOST_FAULTS]]
    except RecursionError:
        problems = ["nested too deeply @ $"]
    raise DecodeError(problems)  # out here: the causes hold the document, and would keep it alive as context


# The objects around the rows.


def _structure_lines(value: Any, _: Any) -> LineCrossesAnswer:
    faults: list[Fault] = []
    rows = read_each(_line, value, "", faults)
    return _sound(LineCrossesAnswer(rows=rows), faults)


def _structure_visits(value: Any, _: Any) -> ZoneVisitorsAnswer:
    top = _object(value)
    faults: list[Fault] = []
    extra = _odd("", top, PERIODS)
    current, dates = _read_period(top.get("current", MISSING), "current", extra, faults)
    comparison, comparison_dates = None, _NO_DATES
    if not is_nothing(top.get("comparison")):
        comparison, comparison_dates = _read_period(top["comparison"], "comparison", extra, faults)
    answer = ZoneVisitorsAnswer(
        current=current,
        comparison=comparison,
        dates=dates,
        comparison_dates=comparison_dates,
        extra=_frozen(extra),
    )
    return _sound(answer, faults)


PERIODS = ("current", "comparison")
_NO_DATES: Dates = (None, None)


def _read_period(
    period: Any, path: str, extra: dict[str, Any], faults: list[Fault]
) -> tuple[tuple[ZoneVisitorsRow, ...], Dates]:
    if period == {} or period == []:
        return (), _NO_DATES
    if type(period) is not dict:
        refuse("object", period, path, faults)
        return (), _NO_DATES
    names = [next((alias for alias in (name, other) if alias in period), name) for name, other in _ECHOED]
    start, end = (_read_date(period.get(name), f"{path}.{name}", faults) for name in names)
    extra |= _odd(f"{path}.", period, (*names, "insights"))
    return read_each(_visit, period.get("insights", MISSING), f"{path}.insights", faults), (start, end)


#: With the names that the parameters have.
_ECHOED = (("startdate", "start_date"), ("enddate", "end_date"))


def _odd(path: str, value: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Keep what is not known of the object at *path*, untouched."""
    return {path + name: FrozenMap.freeze(item) for name, item in value.items() if name not in known}


def _frozen(extra: dict[str, Any]) -> FrozenMap:
    return FrozenMap.adopt(extra) if extra else NOTHING_EXTRA


def _structure_drop_in(value: Any, _: Any) -> DropInAnswer:
    top = _object(value)
    faults: list[Fault] = []
    sections = {name: _read_section(top.get(name, MISSING), name, faults) for name in _SECTIONS}
    extra = _odd("", top, _SECTIONS)
    for name, section in sections.items():
        extra |= _odd(f"{name}.", section, (*PERIODS, "interval") if name == "details" else PERIODS)
    interval = _read_text(sections["details"].get("interval"), "details.interval", faults)
    current = _read_block(sections, "current", faults)
    comparison = None
    if not all(is_nothing(section.get("comparison")) for section in sections.values()):
        comparison = _read_block(sections, "comparison", faults)
    answer = DropInAnswer(interval=interval, current=current, comparison=comparison, extra=_frozen(extra))
    return _sound(answer, faults)


_SECTIONS = ("summary", "details", "zone_details")


def _read_section(section: Any, name: str, faults: list[Fault]) -> dict[str, Any]:
    if type(section) is not dict and section != []:
        refuse("object", section, name, faults)
    elif section and "current" not in section:
        refuse("object", MISSING, f"{name}.current", faults)
    return section or {} if type(section) is dict else {}


def _read_block(sections: Mapping[str, dict[str, Any]], period: str, faults: list[Fault]) -> DropInBlock:
    summary, details, zones = (sections[name].get(period) for name in _SECTIONS)
    return DropInBlock(
        summary=read_optional(_totals, summary, f"summary.{period}", faults),
        details=() if is_nothing(details) else read_each(_drop_in, details, f"details.{period}", faults),
        zones=() if is_nothing(zones) else _read_zones(zones, f"zone_details.{period}", faults),
    )


def _read_zones(value: Any, path: str, faults: list[Fault]) -> tuple[ZoneDropIn, ...]:
    if type(value) is not dict:
        refuse("object", value, path, faults)
        return ()
    zones = _read_keyed(_zone, value, f".{path}", "zone_id", faults)
    for zone in zones:
        for row in zone.details:
            _fill(row, "zone_id", zone.zone_id)
            _fill(row, "loc_id", zone.loc_id)
    return zones


def _read_listing(value: Any, hook: Hook) -> Listing:
    faults: list[Fault] = []
    if type(value) is list:
        return _sound(Listing(entities=read_each(hook, value, "", faults)), faults)
    value = _object(value)
    if "id" in value:
        return Listing(entities=(hook(value, None),))
    lists = [name for name, item in value.items() if type(item) is list]
    if len(lists) == 1:
        entities = read_each(hook, value[lists[0]], clip(lists[0]), faults)
        return _sound(Listing(entities=entities, extra=_frozen(_odd("", value, lists))), faults)
    if not all(type(item) is dict for item in value.values()):
        raise Misfit([("", "expected a list, an object with an id, or a mapping by id, got another object")])
    for key, item in value.items():
        if _ID.fullmatch(key):
            item.setdefault("id", int(key))
    return _sound(Listing(entities=_read_keyed(hook, value, "", "id", faults)), faults)


_ID = re.compile("0|-?[1-9][0-9]{0,17}")


def _read_keyed(hook: Hook, value: dict[str, Any], path: str, id_name: str, faults: list[Fault]) -> tuple[Any, ...]:
    """Read the objects of a mapping whose keys repeat their ids."""
    found = []
    for key, item in value.items():
        place = f"{path}[{clip(key)}]"
        try:
            each = hook(item, None)
        except Misfit as misfit:
            faults += misfit.under(place)
        else:
            if str(getattr(each, id_name)) != key:
                faults.append((f"{place}.{id_name}", "expected the id that is the key, got another"))
            found.append(each)
        if len(faults) >= MOST_FAULTS:
            break
    return tuple(found)


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise Misfit([("", expected("object", value))])
    return cast("dict[str, Any]", value)


def _read_date(value: Any, path: str, faults: list[Fault]) -> str | None:
    return None if value is None else read_date(value, path, faults)


def _read_text(value: Any, path: str, faults: list[Fault]) -> str | None:
    if value is None or isinstance(value, str):
        return value
    refuse("str", value, path, faults)
    return None


def _sound(answer: _T, faults: list[Fault]) -> _T:
    if faults:
        raise Misfit(faults)
    return answer


# What the request says of its rows.


def _carry(answer: Answer, tz: str | None, carried: Mapping[str, int]) -> None:
    if isinstance(answer, LineCrossesAnswer):
        for name, value in carried.items():
            for row in answer.rows:
                _fill(row, name, value)
    elif tz is not None:
        for timed in _timed(answer):
            _fill(timed, "tz", tz)


def _timed(answer: ZoneVisitorsAnswer | DropInAnswer) -> Iterable[ZoneVisitorsRow | ZoneDropIn]:
    if isinstance(answer, ZoneVisitorsAnswer):
        return (*answer.current, *(answer.comparison or ()))
    return (*answer.current.zones, *(answer.comparison.zones if answer.comparison is not None else ()))


_fill = object.__setattr__  # completes frozen rows that nobody holds yet

_converter = Converter()
_converter.register_structure_hook_factory(_ROWS.__contains__, generate_hook)
_converter.register_structure_hook(LineCrossesAnswer, _structure_lines)
_converter.register_structure_hook(ZoneVisitorsAnswer, _structure_visits)
_converter.register_structure_hook(DropInAnswer, _structure_drop_in)
_line, _visit, _drop_in, _totals, _zone = (
    _converter.get_structure_hook(cls) for cls in (LineCrossesRow, ZoneVisitorsRow, DropInRow, DropInTotals, ZoneDropIn)
)
_ANSWERS: Mapping[str, type[Answer]] = {
    "line_crosses": LineCrossesAnswer,
    "zone_visitors": ZoneVisitorsAnswer,
    "drop_in_rate": DropInAnswer,
}
