"""Whether an answer is about the zones and locations asked for, under the parameters sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import attrs

from ..models import NOTHING_EXTRA
from ..models.endpoints import DATA_ENDPOINTS
from ..results import Note
from ..results.notes import word_note
from ..wording import some_of
from .case import FIGURES, Case, Mismatch, Testimony


@lru_cache(maxsize=256)
def ids_of(text: str | None) -> frozenset[int] | None:
    """Return the ids that the *text* of a parameter holds, None where it was not sent."""
    return None if text is None else frozenset(map(int, text.split(",")))


def hold_zones(case: Case) -> Testimony:
    """Compare the zones that came with those asked for."""
    asked = ids_of(case.asked("zones") or case.asked("zone"))
    if asked is not None and (strangers := case.zones_said - asked):
        yield Mismatch(f"zones {some_of(asked)}", f"zones {some_of(strangers)}")
    if strangers := {zone for zone in case.zones_said if zone <= 0}:  # a total of all zones, say
        yield Mismatch("ids of zones", f"zones {some_of(strangers)}")


def hold_locations(case: Case) -> Testimony:
    """Compare the locations that came with those asked for, and with what the catalogue says of the zones."""
    asked = None if case.request.locations is None else frozenset(case.request.locations)
    said = {place.loc_id for place in case.places}
    if None in said and case.request.endpoint == "zone_visitors" and "loc_id" in case.grouping.split(","):
        yield Mismatch(f"aggregate_by {case.grouping}", "rows without loc_id")
    if asked is not None and (strangers := said - asked - {None}):
        yield Mismatch(f"locations {some_of(asked)}", f"rows of locations {some_of(strangers)}")
    if case.zones:
        owners = set(map(case.zones.get, case.zones_said))
        if None in owners or said != {None} or (asked is not None and not owners <= asked):
            yield from _hold_owners({(place.zone_id, place.loc_id) for place in case.places}, asked, case.zones)


def _hold_owners(
    of: Iterable[tuple[int, int | None]], asked: frozenset[int] | None, zones: Mapping[int, int | None]
) -> Iterator[Mismatch | Note]:
    for zone, location in of:
        owner = zones.get(zone)
        listed = f"zone {zone}, which the list of zones has at location {owner}"
        if owner is not None and location not in (None, owner):
            yield Mismatch(listed, f"location {location}")
        if owner is not None and asked is not None and owner not in asked:
            yield Mismatch(f"locations {some_of(asked)}", listed)
    if unlisted := {zone for zone, _ in of if zone not in zones}:
        yield word_note("unlisted_ids", what="zone_id", ids=some_of(unlisted), list="zones")


#: Parameters, and the names, without case and signs, under which rows may say of themselves what these ask for.
_PARAMETERS: Mapping[str, str] = {
    name: parameter
    for parameter, names in {
        "location": "location locationid locid locations locationids",
        "zones": "zone zoneid zones zoneids",
        "organization": "organization organizationid organisation organisationid",
        "floor": "floor floors",
        "zone_to": "zoneto",
        "zone_from": "zonefrom",
        "category": "category categories categoryid categoryids",
        "line_ids": "line lineid lines lineids",
        "bounce_threshold": "bouncethreshold",
        "min_dwell": "mindwell",
        "max_dwell": "maxdwell",
        "tz": "tz timezone",
    }.items()
    for name in names.split()
}


def hold_rows(case: Case) -> Testimony:
    """Compare what rows say of themselves, beyond what is documented, with the parameters that they name."""
    said: dict[str, None] = {}
    for sheet in case.sheets:
        holders = sheet.rows if sheet.labels is sheet.rows else [*sheet.rows, *sheet.labels]
        for extra in (holder.extra for holder in holders if holder.extra is not NOTHING_EXTRA):
            for field, value in extra.items():
                parameter = _PARAMETERS.get(field.replace("_", "").lower(), "")
                is_zone = parameter == "zones" and sheet.zone is not None
                asked = str(sheet.zone) if is_zone else case.asked(parameter)
                if asked not in (None, "-1") and _is_of_another(parameter, value, asked):
                    said[f"rows have {field} {value}, asked was {parameter} {asked}"] = None
    if said:
        yield word_note("answer_says", said="; ".join([*said][:3]))


def _is_of_another(parameter: str, value: object, asked: str) -> bool:
    """Tell whether a row that has *value* is not of what was *asked*; what cannot be compared is not."""
    told = (str(each).lower().removesuffix(".0") for each in (value if isinstance(value, tuple) else (value,)))
    values, wanted = {*told} - {"", "none"}, set(asked.lower().split(","))
    if parameter != "tz" and not all(each.removeprefix("-").isdigit() for each in values):
        return False
    if parameter == "category":  # a line may belong to several
        return bool(values) and values.isdisjoint(wanted)
    return not values <= wanted


def hold_threshold(case: Case) -> Testimony:
    """Compare the bounce threshold of each row with the one sent."""
    sent = case.asked("bounce_threshold")
    if sent in (None, "-1"):  # which stands for each zone's own
        return
    if others := {place.bounce_threshold for place in case.places} - {int(sent), None}:
        yield Mismatch(f"bounce_threshold {sent} s", f"{some_of(others)} s")


def hold_interval(case: Case) -> Testimony:
    """Compare the interval that details name with the one asked for."""
    said, asked = case.answer.interval, f"interval {case.grouping}"
    said = "day" if said == "dayofmonth" else said  # as zones' own rows call it
    if said and said != case.grouping:
        is_another = case.asked("interval") is not None and said in DATA_ENDPOINTS["drop_in_rate"].groupings
        said = f"interval {said}" if is_another else f"interval {said!r}"
        yield Mismatch(asked, said) if is_another else word_note("grouped_otherwise", asked=asked, said=said)


def hold_comparison(case: Case) -> Testimony:
    """See whether a comparison is there if it was asked for, and only then, and of its own days."""
    current, came, other = case.answer.current, case.answer.comparison, case.other
    if other is None:
        if came is not None and (came.rows or came.details or came.zones):
            yield Mismatch("no comparison", "one")
    elif came is None:
        yield Mismatch(f"a comparison with {other}", "none")
    elif (
        other != case.request.window
        and attrs.evolve(came, dates=current.dates) == current
        and any(getattr(row, name, 0) for sheet in case.sheets for row in sheet.rows for name in FIGURES)
    ):
        yield word_note("repeated_comparison", other=other, window=case.request.window)
