"""What every lane promises, and what lanes share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

import httpx

from ..errors import ConnectionFailedError, RequestTimeoutError
from .replies import Fault, Reply

if TYPE_CHECKING:
    from ..settings import Timeouts


#: Seconds; closing never waits for the other side, so this is for the event loop only.
CLOSING_S = 0.25


class Lane(Protocol):
    """One request at a time."""

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        """
        Ask for *target* (path and query, percent-encoded) and read the whole answer, within *limit_s* seconds.

        Raises Fault where none came, and UnknownCodingError where it cannot be read.
        """
        ...

    async def aclose(self) -> None:
        """Close what belongs to the lane; a request on it ends with a Fault."""
        ...


def timeout_extension(timeouts: Timeouts) -> dict[str, float | None]:
    """Put the waits for the network in the form that httpx and httpcore share."""
    return {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read, "pool": None}


def is_on_trio() -> bool:
    """Tell whether trio runs the caller; in its guest mode an asyncio loop runs too, so it is trio that is asked."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()  # `in_trio_task` says it, too, but only since trio 0.29
    except RuntimeError:
        return False
    return True


def cut_tracebacks(error: BaseException) -> None:
    """
    Take the frames below off *error* and off all it was raised from.

    h11 copies the token into plain bytes, and a traceback with locals would show those.
    """
    for link in _links(error):
        link.__traceback__ = None


def words_of(error: BaseException) -> str:
    """Tell what *error* says, or the first of those it was raised from that says something."""
    return next(filter(None, map(str, _links(error))), type(error).__name__)


def _links(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def httpx_fault(error: httpx.HTTPError | httpx.StreamError) -> Fault:
    """Sort an error of httpx."""
    kind = RequestTimeoutError if isinstance(error, httpx.TimeoutException) else ConnectionFailedError
    # A hook of the caller's that took the body would take it again.
    return Fault(kind, words_of(error), retried=not isinstance(error, httpx.StreamError))
