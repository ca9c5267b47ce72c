"""The same figures in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .deviation import DATA, LISTS, ZONES, Deviation, Question, Reply, sheets

_UTF8_BOM = b"\xef\xbb\xbf"
_COUNTS = ("count", "visits", "unique_visits", "bounce", "n", "passing_by", "enter", "total_visits", "total_passing_by")
#: What re-identification measures, and what the article says a Basic plan returns instead: nothing, or 0.
_LICENSED = ("unique_visits", "bounce", "dwell_time", "dwell_time_stats")


def _map_fields(names: tuple[str, ...], change: Callable[[Any], Any]) -> Callable[[Question, Reply], None]:
    """Make what replaces the value of each field of these names, however deep it stands."""

    def rework(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                rework(item)
        elif isinstance(node, dict):
            for name, value in node.items():
                if name in names and not isinstance(value, dict | list):
                    node[name] = change(value)
                else:
                    rework(value)

    return lambda _question, reply: rework(reply.document)


def _begin_with_a_mark(_question: Question, reply: Reply) -> None:
    reply.prefix = _UTF8_BOM


def _null_statistics(question: Question, reply: Reply) -> None:
    empty = {"mean": None, "min": None, "max": None, "quantiles": [None, None, None], "n": 0}
    for sheet in sheets(question, reply.document):
        for row in sheet.rows:
            if not row["dwell_time_stats"]:
                row["dwell_time_stats"] = dict(empty)


def _unlicensed(**values: Any) -> Callable[[Question, Reply], None]:
    """Answer as for the Basic plan, every zone."""

    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            for row in sheet.rows:
                row |= values

    return answer


def _null_rates(question: Question, reply: Reply) -> None:
    for sheet in sheets(question, reply.document):
        for row in sheet.rows:
            if row["passing_by"] == 0:
                row["drop_in_rate"] = None


def _last_zone_unlicensed(question: Question, reply: Reply) -> None:
    """Let the last zone of the answer be one of a Basic plan."""
    zones = {label["zone_id"] for sheet in sheets(question, reply.document) for label in sheet.labels()}
    for sheet in sheets(question, reply.document):
        for row in sheet.rows:
            if row["aggregation"]["zone_id"] == max(zones):
                row |= {"unique_visits": 0, "bounce": 0, "dwell_time": 0.0, "dwell_time_stats": {}}


def _add_a_field(question: Question, reply: Reply) -> None:
    for sheet in sheets(question, reply.document):
        for row in sheet.rows:
            row["staff"] = 0


FORM_DEVIATIONS = (
    Deviation(
        name="whole_floats",
        sentence="Counts pass through a language or a data frame where all numbers are floats: 284.0.",
        endpoints=DATA,
        expect="same",
        answer=_map_fields(_COUNTS, float),
    ),
    Deviation(
        name="byte_order_mark",
        sentence="A proxy or a framework of Microsoft's begins the text with a byte order mark.",
        endpoints=(*DATA, *LISTS),
        expect="same",
        answer=_begin_with_a_mark,
    ),
    Deviation(
        name="null_statistics",
        sentence="Where no visit is left there is no mean and no quartile, so each of them is null.",
        endpoints=("zone_visitors",),
        expect="same",
        answer=_null_statistics,
    ),
    Deviation(
        name="custom_id_as_number",
        sentence="A customer's own id for a location is kept as it was typed, and most are numbers.",
        endpoints=("drop_in_rate",),
        expect="same",
        answer=_map_fields(("location_custom_id",), lambda _: 1042),
    ),
    Deviation(
        name="names_as_numbers",
        sentence="A zone that is called 12 is written as a number.",
        endpoints=ZONES,
        expect="same",
        answer=_map_fields(("zone_name",), lambda _: 12),
    ),
    Deviation(
        name="null_rates",
        sentence="Where nobody passes by there is no rate, so it is null.",
        endpoints=("drop_in_rate",),
        expect="same",
        answer=_null_rates,
    ),
    Deviation(
        name="unknown_field_in_rows",
        sentence="A newer version of the service counts something more.",
        endpoints=DATA,
        expect="note_or_same",
        answer=_add_a_field,
    ),
    Deviation(
        name="ids_as_text",
        sentence="Ids are text in the database, and come as such.",
        endpoints=ZONES,
        expect="error_or_same",
        answer=_map_fields(("zone_id", "loc_id"), str),
    ),
    Deviation(
        name="counts_as_text",
        sentence="Sums come from the database as decimals, which the encoder writes as text.",
        endpoints=DATA,
        expect="error_or_same",
        answer=_map_fields(_COUNTS, str),
    ),
    Deviation(
        name="unlicensed_as_empty_text",
        sentence='The article says that Basic plans "return empty": an empty text is one way to read it.',
        endpoints=("zone_visitors",),
        expect="note",
        answer=_unlicensed(**dict.fromkeys(_LICENSED, "")),
    ),
    Deviation(
        name="unlicensed_as_null",
        sentence='The article says that Basic plans "return empty": null is another way to read it.',
        endpoints=("zone_visitors",),
        expect="note",
        answer=_unlicensed(**dict.fromkeys(_LICENSED, None)),
    ),
    Deviation(
        name="unlicensed_zone",
        sentence="A plan covers some zones or locations: the others have zeros beside measured ones.",
        endpoints=("zone_visitors",),
        expect="note",
        answer=_last_zone_unlicensed,
    ),
)
