"""
Rows of several requests in one order, each known by its key. Pure.

A million rows are put in order here, so they go as whole columns through comprehensions and C (`map`, `sorted`), with
no call to Python for a row. A key is made a small number: the place of its bucket in time, and of its zone among zones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain, count, islice, pairwise
from operator import eq, lt
from typing import Any, Generic, TypeVar

from ..models import Bucket, DropInRow, LineCrossesRow
from ..models.values import LABELS, bucket_of, labels_of, odd_labels, word_bucket
from ..planning import Plan
from .keys import conflict

T = TypeVar("T")
R = TypeVar("R", LineCrossesRow, DropInRow)


def _new_numbers() -> defaultdict[Any, int]:
    """Return a mapping that gives each new value the next number."""
    return defaultdict(count().__next__)


def _rank(numbers: Mapping[Any, int]) -> list[int]:
    """Return the place of each numbered value in the order of all."""
    values = list(numbers)  # by number, for that is how they came in
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError:  # a label here that is missing there, which goes first: such keys are slow to make
        keys = [[-1 if label is None else label for label in value] for value in values]
        order = sorted(range(len(values)), key=keys.__getitem__)
    ranks = [0] * len(values)
    for rank, number in enumerate(order):
        ranks[number] = rank
    return ranks


class Buckets:
    """Numbers for buckets: equal ones for equal labels."""

    def __init__(self) -> None:
        self._numbers = _new_numbers()
        self._ranks: list[int] = []
        #: Of the answer before.
        self._before: tuple[list[Bucket], list[int]] = ([], [])

    def number(self, whose: Sequence[Any]) -> list[int]:
        """Return the number of the bucket of each of *whose*, by all labels, also those that are not known."""
        numbers, odd = self._numbers, odd_labels(whose)
        if odd is not None:
            return [numbers[*labels_of(one.bucket), *labels] for one, labels in zip(whose, odd, strict=True)]
        buckets = [one.bucket for one in whose]
        if buckets == self._before[0]:  # parts of one window, and their sums, share them: told by identity, in C
            return self._before[1]
        found, last, number = [], None, 0
        for b in buckets:
            if b is not last:  # nearly always the one before has the same, shared
                # Spelt out: an `attrgetter` of the labels takes longer than all of this.
                number = numbers[b.year, b.month, b.week, b.dayofmonth, b.dayofweek, b.hour, b.minute]
                last = b
            found.append(number)
        self._before = (buckets, found)
        return found

    def ranks(self) -> list[int]:
        """Return the place in time of each number."""
        if len(self._ranks) < len(self._numbers):
            self._ranks = _rank(self._numbers)
        return self._ranks

    def word(self, number: int) -> str:
        labels = list(self._numbers)[number]
        odd = [f"{name} {value}" for name, value in labels[len(LABELS) :]]
        return ", ".join([word_bucket(bucket_of(*labels[: len(LABELS)])), *odd])


def line_up(buckets: Buckets, answers: Sequence[Sequence[R]]) -> Iterable[Sequence[R]]:
    """Put together the rows of *answers* that share a bucket."""
    columns = [buckets.number(rows) for rows in answers]
    if columns.count(columns[0]) == len(columns) and len(set(columns[0])) == len(columns[0]):
        return zip(*answers, strict=True)  # as nearly always: parts of one window hold the same buckets
    groups: dict[int, list[R]] = {}
    for number, row in zip(chain.from_iterable(columns), chain.from_iterable(answers), strict=True):
        groups.setdefault(number, []).append(row)
    return groups.values()


class Pile(Generic[T]):
    """
    Rows of several requests, piled up to be put in order of bucket and place.

    A place is what else tells rows apart, as labels: zone and location, or which series of a fan-out; *of_zones*: it
    starts with the zone.
    """

    def __init__(self, plan: Plan, buckets: Buckets, *, of_zones: bool = False) -> None:
        self._plan = plan
        self._buckets = buckets
        self._of_zones = of_zones
        self._places = _new_numbers()
        self._rows: list[T] = []
        self._bucket_numbers: list[int] = []
        self._place_numbers: list[int] = []
        self._starts: list[int] = []
        self._requests: list[Any] = []

    def add(self, request: Any, rows: Sequence[T], whose: Sequence[Any], places: Iterable[Hashable]) -> None:
        """Pile up the *rows* that *request* brought, with what has the bucket of each, and its place."""
        self._starts.append(len(self._rows))
        self._requests.append(request)
        self._rows += rows
        self._bucket_numbers += self._buckets.number(whose)
        self._place_numbers += map(self._places.__getitem__, places)

    def sort(self) -> tuple[T, ...]:
        """Return all rows in order; rows of one request that share a key stay in theirs."""
        width = len(self._places)
        in_time, in_place = self._buckets.ranks(), _rank(self._places)
        keys = [
            in_time[bucket] * width + in_place[place]
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
                zone = f"zone {list(self._places)[self._place_numbers[one]][0]}, " if self._of_zones else ""
                words = self._buckets.word(self._bucket_numbers[one])
                raise conflict(self._plan, f"{zone}{words}", self._brought(one), self._brought(other))

    def _brought(self, position: int) -> Any:
        return self._requests[bisect_right(self._starts, position) - 1]
