"""From the status of an answer to its error, and what to do about it."""

from __future__ import annotations

from ..errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnexpectedStatusError,
)
from ..planning import PlannedRequest

STATUS_PAGE = "indivd.statuspage.io"

#: Status to error, and what to do about it. 5xx and whatever is not here are added by `api_error`.
_STATUS: dict[int, tuple[type[ApiError], str]] = {
    400: (
        BadRequestError,
        "The API does not say which parameter it refuses; please report it, for this client should have refused it",
    ),
    401: (
        AuthenticationError,
        "The token is unknown or revoked. It is sent as 'Authorization: Token …': pass it bare, without that word",
    ),
    403: (
        PermissionDeniedError,
        "A location or organisation is outside the token's scope. {locations()} lists what it may see",
    ),
    404: (NotFoundError, "There is no such path. Check {base_url}, and its path prefix if there is a gateway"),
    429: (RateLimitedError, "Too many requests: lower {Limits.requests_per_second} or {Limits.concurrency}"),
}
_SERVER = (ServerError, f"The service failed. See {STATUS_PAGE} for incidents before changing anything of your own")
_UNEXPECTED = (
    UnexpectedStatusError,
    "The API documents no such status (redirects are never followed). Check {base_url}, and what stands between",
)


def api_error(
    status: int,
    *,
    request: PlannedRequest | None,
    attempts: int,
    elapsed_s: float,
    retry_after: float | None = None,
    gave_up: str = "",
    out_of_time: bool = False,
) -> ApiError:
    """Build the error for *status*; *gave_up* says why there was no further attempt, where that is worth saying."""
    cls, advice = _STATUS.get(status) or (_SERVER if 500 <= status <= 599 else _UNEXPECTED)
    # A question of another kind has nothing to advise.
    advice = getattr(request, "advise_refused", lambda _: "")(status) or advice
    tries = f"{attempts} attempt{'s' if attempts != 1 else ''} over {elapsed_s:.1f} s"
    wait = f" (retry after {retry_after:g} s)" if retry_after is not None else ""
    why = f" {gave_up}." if gave_up else ""
    return cls(
        f"{status} for {request} after {tries}{wait}.{why}",
        status=status,
        request=request,
        attempts=attempts,
        retry_after=retry_after,
        out_of_time=out_of_time,
        advice=f"{advice}.",
    )


def deadline_advice(option: str) -> str:
    """Word which *option* set a deadline that has passed."""
    return f"{option} sets it." if option else ""
