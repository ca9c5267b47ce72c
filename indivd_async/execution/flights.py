"""
Identical questions that are in the air at once are asked once.

The first caller is the leader and does the work in its own task; the others wait for what it gets. A leader that is
cancelled or runs out of its own time hands nothing on: the first follower to notice leads then. There is no task of
ours, so nothing outlives its caller.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import anyio

from ..errors import DeadlineExceededError, IndivdError

T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("error", "landed", "lost", "result")

    def __init__(self) -> None:
        self.landed: anyio.Event | None = None  # made by the first follower; most flights have none
        self.result: T | None = None
        self.error: IndivdError | None = None
        self.lost = True  # until there is something to share


class SingleFlight(Generic[T]):
    """Calls under way, by what they ask."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def fly(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[T]],
        *,
        bound: Callable[[], AbstractContextManager[object]],
        would_wait: Callable[[IndivdError], bool],
    ) -> T:
        """
        Return what *ask* gives, from another's call where one is in the air.

        *bound* makes the context that ends a follower's wait: its own deadline, not the leader's. *would_wait* tells of
        the leader's error whether it came of a wait for which the follower has the time.
        """
        while (flight := self._flights.get(key)) is not None:
            if flight.landed is None:
                flight.landed = anyio.Event()
            with bound():
                await flight.landed.wait()
            if flight.lost or (flight.error is not None and would_wait(flight.error)):
                continue
            if flight.error is not None:
                error = copy.copy(flight.error)  # a traceback belongs to one task
                error.__dict__.pop("__notes__", None)  # and so do notes: the copy would add to the leader's list
                raise error from flight.error
            return flight.result  # type: ignore[return-value]
        flight = self._flights[key] = _Flight()
        try:
            flight.result = await ask()
            flight.lost = False
            return flight.result
        except IndivdError as error:
            if not isinstance(error, DeadlineExceededError):
                flight.error, flight.lost = error, False
            raise
        finally:
            del self._flights[key]
            if flight.landed is not None:
                flight.landed.set()
