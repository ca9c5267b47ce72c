"""
Everything that can go wrong, each error saying whose fault it is: yours, theirs, or the way between.

Errors carry what they know as attributes; nobody needs to search their text. All of them pickle. None of them ever
holds the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from .refusals import (
    ConfigError as ConfigError,
    IndivdError as IndivdError,
    InvalidQueryError as InvalidQueryError,
    NotMergeableError as NotMergeableError,
)
from .wording import literally

if TYPE_CHECKING:
    from .planning import PlannedRequest

ClosedReason = Literal["closed", "other_loop", "loop_ended", "forked"]
#: Requests that a message names; usually there are two.
_TOLD = 3


class MergeConflictError(IndivdError):
    """
    Two answers hold a row that only one of them may hold, so neither their sum nor either of them would be right.

    `key` says which (zone, location, bucket), `requests` are the requests that brought it. An answer that came twice,
    or that no request of the plan asked for, is such a conflict as a whole.
    """

    def __init__(self, key: str, requests: Sequence[PlannedRequest], problem: str = "") -> None:
        told = [str(request) for request in requests[:_TOLD]]
        if len(requests) > _TOLD:
            told.append(f"{len(requests) - _TOLD:,} more")
        asked = " and ".join(told)
        super().__init__(
            f"{key}: {problem} ({asked})"
            if problem
            else f"the row of {key} came back from two requests, though only one of them can own it: {asked}. The API "
            "groups otherwise than its documentation says: ask for a shorter period, or one location at a time"
        )
        self.key = key
        self.requests = tuple(requests)


class ApiError(IndivdError):
    """
    The API answered with a status other than 200.

    `status`, `request` (a `PlannedRequest`), `attempts` made, `retry_after` in seconds where the answer had one, and
    `out_of_time`: whether it would have been asked again, had the deadline left that long.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        request: PlannedRequest | None = None,
        attempts: int = 1,
        retry_after: float | None = None,
        out_of_time: bool = False,
        advice: str = "",
    ) -> None:
        self._say(message, advice)
        self.status, self.retry_after, self.out_of_time = status, retry_after, out_of_time
        self.request, self.attempts = request, attempts


class BadRequestError(ApiError):
    """400: the API refused a parameter, without saying which."""


class AuthenticationError(ApiError):
    """401: the token is missing, malformed, unknown or revoked."""


class PermissionDeniedError(ApiError):
    """403: a location or organisation outside the token's scope."""


class NotFoundError(ApiError):
    """404: no such path; a base URL with a wrong prefix answers so."""


class RateLimitedError(ApiError):
    """429: too many requests; `retry_after` says for how long, where known."""


class ServerError(ApiError):
    """5xx: the service failed, after every retry that was allowed."""


class UnexpectedStatusError(ApiError):
    """A status the API does not document; redirects among them, which are never followed."""


class TransportError(IndivdError):
    """
    No whole answer came back.

    `host` and `port` were asked, `request` was the question, `attempts` were made.
    """

    def __init__(
        self,
        message: str,
        *,
        host: str,
        port: int,
        request: PlannedRequest | None = None,
        attempts: int = 1,
        advice: str = "",
    ) -> None:
        self._say(message, advice)
        self.host, self.port = host, port
        self.request, self.attempts = request, attempts


class ConnectionFailedError(TransportError):
    """The connection could not be made, broke, or ended before the answer did."""


class RequestTimeoutError(TransportError, TimeoutError):
    """One attempt took longer than `Timeouts.connect`, `.read` or `.attempt` allows."""


class DeadlineExceededError(TransportError, TimeoutError):
    """The request as a whole, with its waits and retries, took longer than `Timeouts.deadline` or `.total` allows."""


class ResponseTooLargeError(TransportError):
    """The answer is larger than `Limits.max_response_bytes`, on the wire or decoded."""


class AnswerMismatchError(IndivdError):
    """
    An answer came with status 200, and what it says of itself is not what was asked.

    `witness` names what was compared, `asked` and `said` are the two that differ, in words; `request` is the question.
    The figures are not used. `advice` says what else can be asked.
    """

    def __init__(
        self, witness: str, asked: str, said: str, *, request: PlannedRequest | None = None, advice: str = ""
    ) -> None:
        where = f"in the answer to {request}, which is not that of its question ({witness})"
        self._say(literally(f"expected {asked}, got {said} {where}."), advice)
        self.witness, self.asked, self.said, self.request = witness, asked, said, request


class DecodeError(IndivdError):
    """
    An answer came with status 200 and is not what the API documents.

    `problems` say what was expected and found where, as in ``expected int, got str @ $.current.insights[3].visits``;
    they never hold values of the payload.
    """

    def __init__(self, problems: Sequence[str], *, request: PlannedRequest | None = None) -> None:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        asked = f" in the answer to {request}" if request is not None else ""
        super().__init__(f"{shown}{asked}")
        self.problems = tuple(problems)
        self.request = request


class PartialResultError(IndivdError):
    """Some requests failed for good: `failures` are their errors, `result` holds what did arrive."""

    def __init__(self, result: Any, failures: Sequence[Exception]) -> None:
        first = ": " + str(failures[0]).rstrip(".") if failures else ""
        missing = sum(item.status == "failed" for item in result.coverage)  # those never sent left no error
        super().__init__(
            f"{missing} of {len(result.coverage)} requests failed{first}. What arrived is in `.result`; "
            "`await client.retry_failed(error.result)` asks for the rest"
        )
        self.result = result
        self.failures = tuple(failures)


class ClientClosedError(IndivdError):
    """
    The client was used after `aclose()`, on another event loop than before, or after a fork.

    `reason` says which: "closed", "other_loop" (which still runs), "loop_ended", or "forked".
    """

    def __init__(self, message: str, *, reason: ClosedReason = "closed") -> None:
        super().__init__(message)
        self.reason = reason
