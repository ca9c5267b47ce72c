"""Why a request has failed for good: the error of the tree, and what to do about it."""

from __future__ import annotations

from .. import errors
from ..planning import PlannedRequest
from ..transport import BaseURL

_STATUS_PAGE = "indivd.statuspage.io"

#: Status to error, and what to do about it. 5xx and whatever is not here are added by `api_error`.
_STATUS: dict[int, tuple[type[errors.ApiError], str]] = {
    400: (
        errors.BadRequestError,
        "The API does not say which parameter it refuses; please report it, for this client should have refused it",
    ),
    401: (
        errors.AuthenticationError,
        "The token is unknown or revoked. It is sent as 'Authorization: Token …': pass it bare, without that word",
    ),
    403: (
        errors.PermissionDeniedError,
        "A location or organisation is outside the token's scope. {locations()} lists what it may see",
    ),
    404: (errors.NotFoundError, "There is no such path. Check {base_url}, and its path prefix if there is a gateway"),
    429: (errors.RateLimitedError, "Too many requests: lower {Limits.requests_per_second} or {Limits.concurrency}"),
}
_SERVER = (
    errors.ServerError,
    f"The service failed. See {_STATUS_PAGE} for incidents before changing anything of your own",
)
_UNEXPECTED = (
    errors.UnexpectedStatusError,
    "The API documents no such status (redirects are never followed). Check {base_url}, and what stands between",
)
#: What to do about it.
_ADVICE: dict[type[errors.TransportError], str] = {
    errors.ConnectionFailedError: f"Check {{base_url}} and what stands between; {_STATUS_PAGE} tells of incidents.",
    errors.RequestTimeoutError: "Ask for a shorter period, or allow more time.",
    errors.ResponseTooLargeError: "Ask for a shorter period, or raise the limit.",
}


def api_error(
    status: int,
    *,
    request: PlannedRequest | None,
    attempts: int,
    elapsed_s: float,
    retry_after: float | None = None,
    gave_up: str = "",
    out_of_time: bool = False,
) -> errors.ApiError:
    """Build the error for *status*; *gave_up* says why there was no further attempt, where that is worth saying."""
    cls, advice = _STATUS.get(status) or (_SERVER if 500 <= status <= 599 else _UNEXPECTED)
    # A question of another kind has nothing to advise.
    advice = getattr(request, "advise_refused", lambda _: "")(status) or advice
    wait = f" (retry after {retry_after:g} s)" if retry_after is not None else ""
    why = f" {gave_up}." if gave_up else ""
    return cls(
        f"{status} for {request} after {count_tries(attempts, elapsed_s)}{wait}.{why}",
        status=status,
        request=request,
        attempts=attempts,
        retry_after=retry_after,
        out_of_time=out_of_time,
        advice=f"{advice}.",
    )


def transport_error(
    kind: type[errors.TransportError],
    base_url: BaseURL,
    words: str,
    *,
    request: PlannedRequest,
    attempts: int,
    why: str,
) -> errors.TransportError:
    """Build the error of *kind*; *why* is the option that set the deadline."""
    return kind(
        f"{base_url.host}:{base_url.port}: {words}",
        host=base_url.host,
        port=base_url.port,
        request=request,
        attempts=attempts,
        advice=_ADVICE.get(kind) or (f"{why} sets it." if why else ""),
    )


def count_tries(attempts: int, elapsed_s: float) -> str:
    """Word how often was asked, and over how long."""
    return f"{attempts} attempt{'' if attempts == 1 else 's'} over {elapsed_s:.1f} s"
