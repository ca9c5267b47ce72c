"""
What a lane is: one request at a time, over one connection.

`Lane.get` ends by its limit whatever the server does, and leaves the lane usable whatever happened: a connection that
saw a cancellation, a timeout or a broken answer is closed before `get` returns or raises, and the next request makes a
new one.
"""

from __future__ import annotations

import errno
import math
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Protocol

import anyio

from ..errors import ConnectionFailedError, RequestTimeoutError
from .replies import Fault, Reply

if TYPE_CHECKING:
    from ..settings import Timeouts

#: Seconds; closing never waits for the other side, so this is for the event loop only.
CLOSING_S = 0.25
_CROWDED = {errno.EMFILE, errno.ENFILE}
_WHOM_TO_TRUST = "{ssl_context:…} says whom to trust, and {trust_env:True} takes SSL_CERT_FILE from the environment"
HOW_TO_OPEN_MORE = "this process may open no more: raise its limit (`ulimit -n`), or lower {Limits.concurrency}"


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


#: What is said of a wait that was too long, given its seconds.
NO_CONNECTION = "there was no connection after {:g} s (Timeouts.connect)"
NOTHING_CAME = "nothing was received for {:g} s (Timeouts.read)"
_NOT_WHOLE = "the answer was not whole after {:.3g} s"


class Patience:
    """
    The one cancel scope of an attempt, whose deadline moves with what arrives.

    Entering a scope for each wait would cost more than reading what came.
    """

    __slots__ = ("_ends", "_limit_s", "_words", "scope")

    def __init__(self, limit_s: float | None, now: float) -> None:
        self._limit_s = limit_s
        self._ends = math.inf if limit_s is None else now + limit_s
        self.scope = anyio.CancelScope(deadline=self._ends)
        self._words: tuple[str, float | None] = (_NOT_WHOLE, limit_s)

    def allow(self, wait_s: float | None, words: str, now: float) -> None:
        """Let what follows take *wait_s* seconds, or what is left of the attempt where that is less."""
        until = math.inf if wait_s is None else now + wait_s
        self._words = (words, wait_s) if until < self._ends else (_NOT_WHOLE, self._limit_s)
        self.scope.deadline = min(until, self._ends)

    def fault(self) -> Fault:
        """Tell which bound ended the attempt."""
        words, wait_s = self._words
        return Fault(RequestTimeoutError, words.format(wait_s))


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

    Below, the token is copied into plain bytes, and a traceback with locals would show those.
    """
    for link in _links(error):
        link.__traceback__ = None


def connection_fault(error: BaseException, *, stale: bool = False) -> Fault:
    """Sort what ended a connection, or prevented it."""
    links, words = _links(error), words_of(error)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in links):
        # It would be the same the next time.
        return Fault(ConnectionFailedError, f"{words}; {_WHOM_TO_TRUST}", retried=False)
    if any(isinstance(link, OSError) and (link.errno in _CROWDED or _cannot_open(link)) for link in links):
        return Fault(ConnectionFailedError, f"{words}; {HOW_TO_OPEN_MORE}", is_crowded=True)
    return Fault(ConnectionFailedError, words, stale=stale)


def _cannot_open(error: OSError) -> bool:
    """Tell whether *error*, of a resolver that needs files, came because there are none to be had."""
    if not isinstance(error, socket.gaierror):
        return False
    try:
        socket.socket().close()
    except OSError as failure:
        return failure.errno in _CROWDED
    return False


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
