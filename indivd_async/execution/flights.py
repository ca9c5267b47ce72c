"""
Identical questions that are in the air at once are asked once.

The first caller is the leader and does the work in its own task; the others wait for what it gets. A leader that is
cancelled or runs out of its own time hands nothing on: the first follower to notice leads then. There is no task of
ours, so nothing outlives its caller.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

from ..errors import ApiError, DeadlineExceededError, IndivdError
from .retrying import Deadline

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class _Flight(Generic[T]):
    __slots__ = ("error", "landed", "lost", "result")

    def __init__(self) -> None:
        self.landed: anyio.Event | None = None  # made by the first follower; most flights have none
        self.result: T | None = None
        self.error: IndivdError | None = None
        self.lost = True  # until there is something to share


class SingleFlight(Generic[T]):
    """Calls under way, by what they ask. *clock* is that of deadlines."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def fly(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], deadline: Deadline, expired: Callable[[], IndivdError]
    ) -> T:
        """
        Return what *ask* gives, from another's call where one is in the air.

        A follower waits until its own *deadline*, not the leader's, and raises *expired* then.
        """
        while (flight := self._flights.get(key)) is not None:
            if flight.landed is None:
                flight.landed = anyio.Event()
            with anyio.move_on_after(deadline.left(self._clock())) as scope:
                await flight.landed.wait()
            if scope.cancelled_caught:
                raise expired()
            if flight.lost or (flight.error is not None and self._would_wait(flight.error, deadline)):
                continue
            if flight.error is not None:
                raise another(flight.error) from flight.error
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

    def _would_wait(self, error: IndivdError, deadline: Deadline) -> bool:
        """Tell whether *error* came of a wait that was too long for the leader, and is not for who has more time."""
        if not isinstance(error, ApiError) or not error.out_of_time:
            return False
        return (error.retry_after or 0.0) <= deadline.ends - self._clock()


def another(error: E) -> E:
    """Copy an error for another task: a traceback belongs to one, and notes, which a copy would add to."""
    copied = copy.copy(error)
    copied.__dict__.pop("__notes__", None)
    return copied
