"""
Rows of several requests in one order, each known by its key. Pure.

A million rows are put in order here, so whole columns go through C (`map`, `attrgetter`, `sorted`) instead of row by
row through Python. A key is made a small number: the place of its bucket in time, and of its zone among the zones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice, pairwise, repeat
from operator import attrgetter, eq, lt
from typing import Any, Generic, TypeVar

import attrs

from .models import Bucket

T = TypeVar("T")

_LABELS = tuple(field.name for field in attrs.fields(Bucket))
read_labels = attrgetter(*_LABELS)


def order_of(labels: Iterable[int | None]) -> tuple[int, ...]:
    """Return the sort key of *labels*: from the first to the last, missing ones first."""
    return tuple([-1 if label is None else label for label in labels])


def word_bucket(labels: Sequence[int | None]) -> str:
    """Word the labels of a bucket for a message."""
    named = [f"{name} {label}" for name, label in zip(_LABELS, labels, strict=True) if label is not None]
    return ", ".join(named) or "the whole period"


class _Numbers:
    """Numbers for values, equal ones for equal values, and the place of each in their order."""

    def __init__(self) -> None:
        self.by_value: dict[Any, int] = {}

    def of(self, values: Sequence[Hashable]) -> Iterator[int]:
        known = self.by_value
        for value in dict.fromkeys(values):
            if value not in known:
                known[value] = len(known)
        return map(known.__getitem__, values)

    def ranks(self) -> list[int]:
        ranks = [0] * len(self.by_value)
        for rank, value in enumerate(sorted(self.by_value, key=order_of)):
            ranks[self.by_value[value]] = rank
        return ranks


class Buckets:
    """Numbers for buckets; most rows share their bucket's object with others, which is then looked at but once."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._by_identity: dict[int, int] = {}
        self._kept: list[Bucket] = []

    def number(self, buckets: Sequence[Bucket]) -> list[int]:
        """Return the number of each of *buckets*, by its labels."""
        identities = list(map(id, buckets))
        known = self._by_identity
        strangers = {
            identity: bucket
            for identity, bucket in dict(zip(identities, buckets, strict=True)).items()
            if identity not in known
        }
        known.update(zip(strangers, self._numbers.of(list(map(read_labels, strangers.values()))), strict=True))
        self._kept += strangers.values()  # or their identities could be given to others
        return list(map(known.__getitem__, identities))

    def ranks(self) -> list[int]:
        """Return the place in time of each number."""
        return self._numbers.ranks()

    def word(self, number: int) -> str:
        """Word the bucket of *number* for a message."""
        return word_bucket(list(self._numbers.by_value)[number])


class Pile(Generic[T]):
    """
    Rows of several requests, piled up to be put in order of bucket and place.

    A place is what else tells rows apart, as labels: zone and location, or which series of a fan-out. *clash* makes
    the error for two requests that brought rows of one key, from how the bucket is worded, the place, and the two.
    """

    def __init__(self, buckets: Buckets, clash: Callable[[str, tuple[int | None, ...], Any, Any], Exception]) -> None:
        self._buckets = buckets
        self._clash = clash
        self._places = _Numbers()
        self._rows: list[T] = []
        self._bucket_numbers: list[int] = []
        self._place_numbers: list[int] = []
        self._starts: list[int] = []
        self._requests: list[Any] = []

    def add(self, request: Any, rows: Sequence[T], buckets: Sequence[Bucket], places: Iterable[Hashable]) -> None:
        """Pile up the *rows* that *request* brought, with the bucket and the place of each."""
        self._starts.append(len(self._rows))
        self._requests.append(request)
        self._rows += rows
        self._bucket_numbers += self._buckets.number(buckets)
        self._place_numbers += self._places.of(list(places))

    def sort(self) -> tuple[T, ...]:
        """Return all rows in order; rows of one request that share a key stay in theirs."""
        width = len(self._places.by_value)
        firsts = [rank * width for rank in self._buckets.ranks()]
        ranks = self._places.ranks()
        keys = [
            firsts[bucket] + ranks[place]
            for bucket, place in zip(self._bucket_numbers, self._place_numbers, strict=True)
        ]
        if all(map(lt, keys, islice(keys, 1, None))):  # in order, and so without a key that comes twice
            return tuple(self._rows)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        ordered = list(map(keys.__getitem__, order))
        if any(map(eq, ordered, islice(ordered, 1, None))):
            self._check(order, ordered)
        return tuple(map(self._rows.__getitem__, order))

    def _check(self, order: Sequence[int], ordered: Sequence[int]) -> None:
        for (one, key), (other, next_key) in pairwise(zip(order, ordered, strict=True)):
            if key == next_key and self._brought(one) is not self._brought(other):
                place = list(self._places.by_value)[self._place_numbers[one]]
                words = self._buckets.word(self._bucket_numbers[one])
                raise self._clash(words, place, self._brought(one), self._brought(other))

    def _brought(self, position: int) -> Any:
        return self._requests[bisect_right(self._starts, position) - 1]


def same_place(place: Hashable, rows: Sequence[Any]) -> Iterable[Hashable]:
    """Return *place* for each of *rows*."""
    return repeat(place, len(rows))
