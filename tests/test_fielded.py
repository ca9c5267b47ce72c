"""What is written once for all values says what attrs would have written into each."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import pytest

from indivd_async import DwellTimeStats, LineCrosses
from indivd_async.fielded import Fielded


@attrs.frozen
class Generated:
    name: str
    size: float = attrs.field(default=1.0, repr=lambda size: f"<{size}>")
    secret: str = attrs.field(default="s3cr3t", repr=False)
    seen: int = attrs.field(default=0, eq=False)


@attrs.frozen(eq=False, repr=False)
class Shared(Fielded):
    name: str
    size: float = attrs.field(default=1.0, repr=lambda size: f"<{size}>")
    secret: str = attrs.field(default="s3cr3t", repr=False)
    seen: int = attrs.field(default=0, eq=False)


@attrs.frozen(eq=False, repr=False)
class Wider(Shared):
    more: int = 0


VALUES: list[dict[str, Any]] = [
    {"name": "a"},
    {"name": "a", "size": 2.0},
    {"name": "a", "secret": "other"},
    {"name": "a", "seen": 3},
    {"name": "b", "size": 1},
]


@pytest.mark.parametrize("given", VALUES)
def test_a_repr_is_that_of_attrs_and_keeps_what_it_hides(given: dict[str, Any]) -> None:
    assert repr(Shared(**given)).partition("(")[2] == repr(Generated(**given)).partition("(")[2]
    assert "s3cr3t" not in repr(Shared(**given))


@pytest.mark.parametrize("one", VALUES)
@pytest.mark.parametrize("other", VALUES)
def test_values_are_equal_where_those_of_attrs_are_and_then_hash_alike(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    equal = Generated(**one) == Generated(**other)
    assert (Shared(**one) == Shared(**other)) is equal
    assert (hash(Shared(**one)) == hash(Shared(**other))) is equal


def test_a_class_equals_no_other_with_the_same_fields() -> None:
    assert Shared("a") != Wider("a")
    assert Shared("a") != Generated("a")
    assert Wider("a", more=1) != Wider("a", more=2)
    assert Shared("a").__eq__("a") is NotImplemented


def test_what_was_pickled_or_made_anew_is_the_same_value() -> None:
    query = LineCrosses(start_date="2025-01-01", end_date="2025-01-02", location=[1, 2])
    stats = DwellTimeStats(mean=2.5, n=3)
    for value in (query, stats):
        assert pickle.loads(pickle.dumps(value)) == value == attrs.evolve(value)
        assert len({value, attrs.evolve(value)}) == 1
