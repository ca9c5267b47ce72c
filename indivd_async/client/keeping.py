"""What a cache keeps: the bodies of answers for closed days, so that a job run again asks only for the rest."""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

import anyio
import attrs

from .. import wall_clock
from ..cache import Cache
from ..fielded import Fielded
from ..models.clocks import last_today
from ..planning import PlannedRequest

T = TypeVar("T")
logger = logging.getLogger("indivd_async")

#: Of the form in which answers are kept.
_VERSION = 1
#: Seconds that a request waits for its cache at most: it is there to save time.
_PATIENCE_S = 1.0
#: The part of a request's time that its cache may take.
_SHARE = 0.25
_LONGEST_MARGIN = 365_000  # days: a date has no more


@attrs.frozen(eq=False, repr=False)
class Keeping(Fielded):
    """A cache, and whose answers from where it keeps. What goes wrong with it is logged, and reaches no request."""

    cache: Cache
    account: str
    address: str
    #: Whether answers are kept and not recalled: whoever asks again wants to know, and leaves what is new to others.
    renews: bool = False

    @property
    def last_closed_day(self) -> date:
        """The last day whose answers are kept: it is closed everywhere."""
        return last_today(wall_clock.utc_now()) - timedelta(days=1 + min(self.cache.margin_days, _LONGEST_MARGIN))

    def covers(self, request: PlannedRequest) -> bool:
        """Tell whether an answer to *request* is kept at all."""
        return request.last_day <= self.last_closed_day

    async def recall(self, request: PlannedRequest, left_s: float | None) -> bytes | None:
        """Return the body that is kept for *request*, if it comes soon; *left_s* seconds are left for all of it."""
        return None if self.renews else await _soon(partial(self._get, self._key(request)), left_s, "read")

    async def keep(self, request: PlannedRequest, body: bytes, left_s: float | None) -> None:
        await _soon(partial(_awaited, self.cache.put, self._key(request), body), left_s, "write")

    async def _get(self, key: str) -> bytes | None:
        body = await _awaited(self.cache.get, key)
        return body if body is None or isinstance(body, bytes) else bytes(memoryview(body))  # drivers give views

    def _key(self, request: PlannedRequest) -> str:
        """Name an answer: equal questions of one account have equal names."""
        sent = [f"{name}={text}" for name, text in sorted(request.params.items())]
        parts = [str(_VERSION), self.account, self.address, request.path, *sent]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def _awaited(method: Callable[..., Any], *arguments: object) -> Any:
    """Call what may be a plain function: its caller would look in vain for what is only logged."""
    given = method(*arguments)
    return await given if inspect.isawaitable(given) else given


async def _soon(work: Callable[[], Awaitable[T]], left_s: float | None, what: str) -> T | None:
    try:
        with anyio.fail_after(_PATIENCE_S if left_s is None else min(_PATIENCE_S, left_s * _SHARE)):
            return await work()
    except TimeoutError:
        logger.warning("the cache is slow to %s; going on without it", what)
    except Exception:
        logger.exception("the cache failed to %s; going on without it", what)
    return None
