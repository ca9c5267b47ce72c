"""Rows and entities are values that cannot change: they compare, hash and pickle, and keep what is not known."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import attrs
import pytest

from indivd_async import (
    Aggregation,
    Bucket,
    Category,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    Line,
    LineCrossesRow,
    Location,
    Organization,
    Zone,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from indivd_async.models import NOTHING_EXTRA, FrozenMap
from indivd_async.models.places import find_called

EXTRA = FrozenMap.freeze({"tags": ["a", {"b": [1, None, 2.5]}], "open": True})
NINE = Bucket(year=2025, month=3, dayofmonth=1, hour=9)
PLACE = Aggregation(zone_id=7, bucket=NINE, zone_name="Entrance", extra=EXTRA)
DETAIL = ZoneDropInRow(bucket=NINE, visits=1, passing_by=2, drop_in_rate=50.0, extra=EXTRA)
VALUES: list[Any] = [
    NINE,
    LineCrossesRow(bucket=NINE, count=3, location=124, extra=EXTRA),
    DwellTimeStats(mean=1.5, quantiles=(1.0, 2.0, 3.0), extra=EXTRA),
    Exclude(min_dwell_time=1, extra=EXTRA),
    PLACE,
    ZoneVisitorsRow(visits=3, aggregation=PLACE, dwell_time_stats=DwellTimeStats(n=3), extra=EXTRA),
    DropInRow(bucket=NINE, passing_by=2, enter=1, drop_in_rate=50.0, extra=EXTRA),
    DETAIL,
    ZoneDropIn(zone_id=7, total_visits=1, total_passing_by=2, drop_in_rate=50.0, details=(DETAIL,), extra=EXTRA),
    DropInTotals(startdate="a", enddate="b", passing_by=2, enter=1, enter_percentage=None, extra=EXTRA),
    Location(id=1, timezone="UTC", opening_hours=FrozenMap.freeze({"monday": [9, 18]}), extra=EXTRA),
    Zone(id=1, extra=EXTRA),
    Category(id=1, name="Entrances", extra=EXTRA),
    Line(id=1, category=(1, 2), extra=EXTRA),
    Organization(id=1, extra=EXTRA),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_compares_hashes_pickles_and_stays(value: Any) -> None:
    """So rows may be keys and travel between processes; what is not known travels with them."""
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), attrs.evolve(value)):
        assert again == value
        assert hash(again) == hash(value)
    name = attrs.fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, None)
    assert not hasattr(value, "__dict__")
    if "extra" in attrs.fields_dict(type(value)):
        other = attrs.evolve(value, extra=FrozenMap({"open": False}))
        assert other != value
        assert attrs.fields_dict(type(value))["extra"].default is NOTHING_EXTRA


def test_a_frozen_map_is_a_mapping() -> None:
    """It reads as a dict, compares with one, and takes what it is given without sharing it."""
    items = {"a": 1, "b": 2}
    frozen = FrozenMap(items)
    items["a"] = 9
    assert (frozen["a"], len(frozen), list(frozen), dict(frozen)) == (1, 2, ["a", "b"], {"a": 1, "b": 2})
    assert frozen == {"b": 2, "a": 1}
    assert frozen == FrozenMap({"b": 2, "a": 1})
    assert frozen != FrozenMap({"a": 1, "b": 3})
    assert frozen != [("a", 1), ("b", 2)]
    assert hash(frozen) == hash(FrozenMap({"b": 2, "a": 1}))
    assert repr(frozen) == "FrozenMap({'a': 1, 'b': 2})"
    assert "c" not in frozen
    assert frozen.get("c") is None
    with pytest.raises(TypeError):
        frozen["a"] = 3
    with pytest.raises(KeyError):
        frozen["c"]
    assert FrozenMap() == FrozenMap({}) == NOTHING_EXTRA == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda frozen: frozen.update(a=3),
        lambda frozen: frozen.setdefault("c", 3),
        lambda frozen: frozen.pop("a"),
        lambda frozen: frozen.popitem(),
        lambda frozen: frozen.clear(),
        lambda frozen: frozen.__ior__({"a": 3}),
        lambda frozen: frozen.__delitem__("a"),
    ],
)
def test_a_frozen_map_does_not_change(change: Any) -> None:
    """By any method of a dict, which it otherwise is; JSON and a copy take it as one."""
    frozen = FrozenMap({"a": 1})
    with pytest.raises(TypeError, match="does not change"):
        change(frozen)
    assert json.dumps(frozen) == '{"a": 1}'
    assert copy.deepcopy(frozen) == frozen == {"a": 1}
    assert EXTRA["tags"] == ("a", FrozenMap({"b": (1, None, 2.5)}))


@pytest.mark.parametrize(
    ("name", "found"),
    [("Kiosk", [1]), ("KIOSK", [1, 2]), ("cafe\u0301  nord", [3]), ("Kiosk 2", []), (" ", []), ("", [])],
)
def test_what_has_a_name_is_found_as_people_write_it(name: str, found: list[int]) -> None:
    """To the letter first; else whatever the case, the spaces and the way an accent is put. None has an empty name."""
    assert find_called(name, [("Kiosk", 1), ("kiosk", 2), ("Caf\u00e9\u00a0Nord", 3), (None, 4), ("", 5)]) == found
