"""What a cache keeps: the bodies of answers for closed days, so that a job run again asks only for the rest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import attrs

from .. import wall_clock
from ..cache import Cache, cache_key, last_closed_day

if TYPE_CHECKING:
    from datetime import date

    from ..planning import PlannedRequest

logger = logging.getLogger("indivd_async")

#: Seconds that a request waits for its cache at most: it is there to save time.
_PATIENCE_S = 1.0
#: The part of a request's time that its cache may take.
_SHARE = 0.25


@attrs.frozen
class Keeping:
    """A cache, and whose answers from where it keeps. What goes wrong with it is logged, and reaches no request."""

    cache: Cache
    account: str
    address: str

    @property
    def last_closed_day(self) -> date:
        """The last day whose answers are kept."""
        return last_closed_day(self.cache, wall_clock.utc_now())

    def covers(self, request: PlannedRequest) -> bool:
        """Tell whether an answer to *request* is kept at all."""
        return request.last_day <= self.last_closed_day

    async def recall(self, request: PlannedRequest, left_s: float | None) -> bytes | None:
        """Return the body that is kept for *request*, if it comes soon; *left_s* seconds are left for all of it."""
        try:
            with anyio.fail_after(_patience(left_s)):
                return await self.cache.get(self._key(request))
        except TimeoutError:
            logger.warning("the cache is slow to read from; asking the API")
        except Exception:
            logger.exception("the cache could not be read; asking the API")
        return None

    async def keep(self, request: PlannedRequest, body: bytes, left_s: float | None) -> None:
        """Keep *body* for *request*."""
        try:
            with anyio.fail_after(_patience(left_s)):
                await self.cache.put(self._key(request), body)
        except TimeoutError:
            logger.warning("the cache is slow to write to; the answer is used all the same")
        except Exception:
            logger.exception("the cache could not be written; the answer is used all the same")

    def _key(self, request: PlannedRequest) -> str:
        return cache_key(self.account, self.address, request.path, request.params)


def _patience(left_s: float | None) -> float:
    return _PATIENCE_S if left_s is None else min(_PATIENCE_S, left_s * _SHARE)
