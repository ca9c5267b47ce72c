"""What every lane promises, and does alike: an attempt ends by its limit, whatever the server does."""

from __future__ import annotations

import errno
import math
import socket
import ssl
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import anyio

from ..errors import RequestTimeoutError
from .replies import Draft, Failure, Reply

if TYPE_CHECKING:
    import asyncio

    from ..settings import Timeouts
    from .address import Way

Wait = Literal["connect", "read"]
#: Seconds; closing never waits for the other side, so this is for the event loop only.
CLOSING_S = 0.25
#: Seconds; within the idle timeout of the usual load balancers (60 s and more), beyond a pause between two queries.
KEEPALIVE_S = 30.0
#: Waits that have a bound of their own, and what is said where they exceed it.
WAITS: dict[Wait, str] = {
    "connect": "there was no connection after {:g} s (Timeouts.connect)",
    "read": "nothing was received for {:g} s (Timeouts.read)",
}
HOW_TO_OPEN_MORE = (
    "this process may open no more: raise its limit (`ulimit -n`, or -u for threads), or lower {Limits.concurrency}"
)
_WHOM_TO_TRUST = "{ssl_context:…} says whom to trust, and {trust_env:True} takes SSL_CERT_FILE from the environment"
_CROWDED = {errno.EMFILE, errno.ENFILE}
#: In the reasons of TLS, where the other side misses or refuses a certificate of ours, or all that we offer.
_OF_CERTIFICATES = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
#: Share of a wait that it may end early: moving a timer with each piece would cost more than reading the piece.
_EARLY = 0.01


class Alarm:
    """
    What a cancel scope is to an attempt on an open connection, for a tenth of its cost: a timer of asyncio's.

    When it rings, both directions of the connection are shut down: whoever waits for it hears that it ended, be it
    under TLS, and nobody is cancelled.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: socket.socket) -> None:
        self._loop = loop
        self._connected = connected
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self.cancel_called = False

    @property
    def deadline(self) -> float:
        """When it rings, by the loop's clock."""
        return self._deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self.__exit__()
        self._deadline = moment
        self._timer = None if moment == math.inf else self._loop.call_at(moment, self.cancel)

    def cancel(self) -> None:
        self.cancel_called = True
        with suppress(OSError):  # it ended by itself
            self._connected.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Attempt:
    """
    One try: how long it may wait, and what came.

    It has one *scope*, whose deadline moves with what arrives: entering one for each wait would cost more than reading
    what came.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        limit_s: float | None,
        first: Wait | None = None,  # where a library below bounds its waits
        scope: Alarm | None = None,
        now: float | None = None,
    ) -> None:
        self.timeouts = timeouts
        self.began_at = anyio.current_time() if now is None else now
        self.scope = scope or anyio.CancelScope()
        #: Of an answer whose head has come.
        self.draft: Draft | None = None
        #: Whether the connection may serve again; whether it had served before, and ended before anything came.
        self.is_kept = self.is_stale = False
        self._limit_s = limit_s
        self._ends = math.inf if limit_s is None else self.began_at + limit_s
        self.allow(first, self.began_at)

    def allow(self, wait: Wait | None, now: float) -> None:
        """Let what follows take as long as the timeout *wait* says, or what is left of the attempt."""
        wait_s: float | None = None if wait is None else getattr(self.timeouts, wait)
        until = math.inf if wait_s is None else now + wait_s
        if until >= self._ends:
            self._wait: Wait | None = None
            if self.scope.deadline != self._ends:
                self.scope.deadline = self._ends
            return
        self._wait = wait
        if not 0 <= until - self.scope.deadline < _EARLY * (until - now):
            self.scope.deadline = until

    def failure(self) -> Failure:
        """Tell which bound ended the attempt."""
        if self._wait is not None:
            return Failure(
                reason=WAITS[self._wait].format(getattr(self.timeouts, self._wait)), error=RequestTimeoutError
            )
        return Failure(reason=f"the answer was not whole after {self._limit_s:.3g} s", error=RequestTimeoutError)


class Lane:
    """
    One request at a time, over one connection.

    Whatever happens, the lane stays usable: a connection that saw a cancellation, a timeout or a broken answer is
    closed before `get` returns or raises, and the next request makes a new one.
    """

    #: What ends an attempt with a Failure; all else is no affair of the network's.
    ends: ClassVar[tuple[type[Exception], ...]]
    #: Whether a Failure says what it was raised from.
    tells_cause: ClassVar[bool] = True

    def __init__(self, way: Way) -> None:
        self._way = way
        #: Whether the last file numbers of the process are left to all else: so long as there is another lane.
        self.spares = True
        self._closed = False
        self._scope: anyio.CancelScope | Alarm | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        """
        Ask for *target* (path and query, percent-encoded) and read the whole answer, within *limit_s* seconds.

        Raises Failure where none came, and UnknownCodingError where it cannot be read.
        """
        failure: Failure | None = None
        attempt = self.begin(timeouts, limit_s)
        try:
            with attempt.scope as self._scope:
                if not self._closed:
                    return await self.ask(target, attempt)
        except Exception as error:
            if isinstance(error, self.ends) or _is_crowded(error):
                cut_tracebacks(error)
                if not attempt.scope.cancel_called:
                    failure = self.sort(error, attempt)
                    failure.__cause__ = error if self.tells_cause else None
            elif attempt.draft is None or attempt.draft.status == 200:
                raise  # of the caller's own code, with its frames
        except BaseException as error:
            cut_tracebacks(error)
            raise
        finally:
            self._scope = None
            if not attempt.is_kept:
                await self.retire()
        if self._closed:
            raise Failure(reason="the client was closed", is_retried=False)
        if attempt.draft is not None and attempt.draft.status != 200:
            # It holds whatever becomes of its body, and of closing it.
            return attempt.draft.whole()
        raise failure or attempt.failure()

    async def aclose(self) -> None:
        """Close what belongs to the lane; a request on it ends with a Failure."""
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        await self.retire()

    def begin(self, timeouts: Timeouts, limit_s: float | None) -> Attempt:
        return Attempt(timeouts, limit_s)

    async def ask(self, target: bytes, attempt: Attempt) -> Reply:
        """Ask, and read the answer."""
        raise NotImplementedError

    def sort(self, error: Exception, attempt: Attempt) -> Failure:
        """Say what one of `ends` means."""
        return connection_failure(error, stale=attempt.is_stale)

    async def retire(self) -> None:
        """Close the connection, if there is one, whatever interrupts it."""
        raise NotImplementedError


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


def connection_failure(error: BaseException, *, stale: bool = False) -> Failure:
    """Sort what ended a connection, or prevented it."""
    links, words = _links(error), words_of(error)
    if any(map(_is_of_certificates, links)):
        # It would be the same the next time.
        return Failure(reason=f"{words}; {_WHOM_TO_TRUST}", is_retried=False)
    if any(map(_is_crowded, links)):
        return Failure(reason=f"{words}; {HOW_TO_OPEN_MORE}", is_crowded=True)
    return Failure(reason=words, stale=stale)


def _is_of_certificates(error: BaseException) -> bool:
    # aiohttp's errors of TLS are none of its own, and know no reason; what they were raised from does.
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return isinstance(error, ssl.SSLCertVerificationError) or any(word in (reason or "") for word in _OF_CERTIFICATES)


def _is_crowded(error: BaseException) -> bool:
    """Tell whether this process may open no more, files or threads; a resolver without files says something else."""
    if isinstance(error, socket.gaierror):
        try:
            socket.socket().close()
        except OSError as failure:
            error = failure
    if isinstance(error, RuntimeError):
        return "start new thread" in str(error)  # all that Python says of it
    return isinstance(error, OSError) and error.errno in _CROWDED


def words_of(error: BaseException) -> str:
    """Tell what *error* says, or the first of those it was raised from that says something; no scope's cancellation."""
    errors = (link for link in _links(error) if isinstance(link, Exception))
    return next(filter(None, map(str, errors)), type(error).__name__)


def _links(error: Any) -> list[BaseException]:
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links
