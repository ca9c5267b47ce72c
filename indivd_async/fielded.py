"""Values that are shown, compared and hashed by their fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar

import attrs


class Fielded:
    """
    What attrs writes into each class, written once: a repr, equality and a hash by the fields that take part.

    Compiled anew for each of some seventy classes, these were half of what importing the client took.
    """

    __slots__ = ()
    __attrs_attrs__: ClassVar[tuple[Any, ...]]

    def __repr__(self) -> str:
        fields = [field for field in self.__attrs_attrs__ if field.repr]
        shown = [(field.name, field.repr if callable(field.repr) else repr) for field in fields]
        return f"{type(self).__qualname__}({', '.join(f'{name}={show(getattr(self, name))}' for name, show in shown)})"

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash((self.__class__, _compared(self)))


def _compared(value: Any) -> object:
    return _reader_of(value.__class__)(value)


@cache
def _reader_of(cls: Any) -> Callable[[object], object]:
    return attrgetter(*[field.name for field in attrs.fields(cls) if field.eq])
