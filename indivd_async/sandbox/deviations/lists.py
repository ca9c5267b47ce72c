"""Filter lists of other shapes, and with other fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .deviation import LISTS, Deviation, Question, Reply

_LOCATIONS = ("locations",)
_ZONE_LIST = ("zones",)
_Entry = dict[str, Any]
_ONE_OF = {
    "locations": "location",
    "zones": "zone",
    "lines": "line",
    "categories": "category",
    "organizations": "organization",
}


def _each_entry(change: Callable[[_Entry], Any]) -> Callable[[Question, Reply], None]:
    def answer(_question: Question, reply: Reply) -> None:
        for entry in reply.document:
            change(entry)

    return answer


def _rename(**names: str) -> Callable[[Question, Reply], None]:
    def change(entry: _Entry) -> None:
        for old, new in names.items():
            if old in entry:
                entry[new] = entry.pop(old)

    return _each_entry(change)


def _name_ids(question: Question, reply: Reply) -> None:
    _rename(id=f"{_ONE_OF[question.endpoint]}_id")(question, reply)


def _wrap(question: Question, reply: Reply) -> None:
    reply.document = {question.endpoint: reply.document}


def _key_by_id(_question: Question, reply: Reply) -> None:
    reply.document = {str(entry["id"]): entry for entry in reply.document}


def _double(_question: Question, reply: Reply) -> None:
    reply.document = [*reply.document, *(dict(entry) for entry in reply.document)]


def _keep_the_first(_question: Question, reply: Reply) -> None:
    reply.document = reply.document[0]


def _share_a_zone(_question: Question, reply: Reply) -> None:
    """List the first zone again, under the location of the last."""
    reply.document.append(reply.document[0] | {"location": reply.document[-1]["location"]})


_WINDOWS = {"Europe/Stockholm": "W. Europe Standard Time", "America/New_York": "Eastern Standard Time"}

LIST_DEVIATIONS = (
    Deviation(
        name="list_in_a_wrapper",
        sentence="A list stands in an object, under its own name.",
        endpoints=LISTS,
        expect="same",
        answer=_wrap,
    ),
    Deviation(
        name="list_by_id",
        sentence="A list is an object with an entry for each id.",
        endpoints=LISTS,
        expect="same",
        answer=_key_by_id,
    ),
    Deviation(
        name="single_entry_of_a_list",
        sentence='One of the vendor\'s pages says that a list "returns a single object".',
        endpoints=LISTS,
        expect="unseen",
        answer=_keep_the_first,
    ),
    Deviation(
        name="doubled_list",
        sentence="A join with the organisations lists a location once for each.",
        endpoints=LISTS,
        expect="any",
        answer=_double,
    ),
    Deviation(
        name="ids_as_text_in_lists",
        sentence="Ids are text in the catalogue and numbers in the figures.",
        endpoints=LISTS,
        expect="error_or_same",
        answer=_each_entry(lambda entry: entry.update(id=str(entry["id"]))),
    ),
    Deviation(
        name="ids_under_another_name",
        sentence="An entry's id is called by what it is of: location_id, zone_id.",
        endpoints=LISTS,
        expect="error_or_same",
        answer=_name_ids,
    ),
    Deviation(
        name="names_as_numbers_in_lists",
        sentence="A zone or location that is called 12 is written as a number.",
        endpoints=LISTS,
        expect="error_or_same",
        answer=_each_entry(lambda entry: entry.update(name=12)),
    ),
    Deviation(
        name="locations_without_time_zone",
        sentence="The time zone of a location was never filled in.",
        endpoints=_LOCATIONS,
        expect="error",
        answer=_each_entry(lambda entry: entry.pop("timezone")),
    ),
    Deviation(
        name="time_zone_under_another_name",
        sentence="The time zone of a location is called time_zone or tz.",
        endpoints=_LOCATIONS,
        expect="error_or_same",
        answer=_rename(timezone="time_zone"),
    ),
    Deviation(
        name="time_zones_as_offsets",
        sentence="The time zone of a location is an offset, right for half of the year.",
        endpoints=_LOCATIONS,
        expect="error",
        answer=_each_entry(lambda entry: entry.update(timezone="+01:00")),
    ),
    Deviation(
        name="time_zones_of_windows",
        sentence="The time zone of a location has the name that Windows gives it.",
        endpoints=_LOCATIONS,
        expect="error",
        answer=_each_entry(
            lambda entry: entry.update(timezone=_WINDOWS.get(entry["timezone"], "Central Standard Time"))
        ),
    ),
    Deviation(
        name="zones_with_a_location_id",
        sentence="A zone's location is called location_id.",
        endpoints=_ZONE_LIST,
        expect="note_or_same",
        answer=_rename(location="location_id"),
    ),
    Deviation(
        name="zones_with_a_location_inside",
        sentence="A zone's location is an object with its id and name.",
        endpoints=_ZONE_LIST,
        expect="note_or_same",
        answer=_each_entry(lambda entry: entry.update(location={"id": entry["location"], "name": "A place"})),
    ),
    Deviation(
        name="zone_of_two_locations",
        sentence="A zone at the border of two shops is listed for both.",
        endpoints=_ZONE_LIST,
        expect="any",
        answer=_share_a_zone,
    ),
    Deviation(
        name="lines_with_one_category",
        sentence="A line's categories are one number where there is one.",
        endpoints=("lines",),
        expect="same",
        answer=_each_entry(lambda entry: entry.update(category=entry["category"][0])),
    ),
)
