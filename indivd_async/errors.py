"""
Everything that can go wrong, sorted by whose fault it is.

::

    IndivdError
    ├── ConfigError              yours: token, base URL, options (also ValueError)
    ├── InvalidQueryError        yours: a parameter the API would refuse; nothing was sent (also ValueError)
    ├── NotMergeableError        nobody's: what was asked for cannot be added up
    ├── MergeConflictError       theirs: two answers hold a row that only one may hold
    ├── ApiError                 theirs or yours, as the status says
    │   ├── BadRequestError 400, AuthenticationError 401, PermissionDeniedError 403, NotFoundError 404
    │   ├── RateLimitedError 429, ServerError 5xx
    │   └── UnexpectedStatusError any other, redirects too
    ├── TransportError           the way between: host and port are named
    │   ├── ConnectionFailedError
    │   ├── RequestTimeoutError, DeadlineExceededError (both also TimeoutError)
    │   └── ResponseTooLargeError
    ├── AnswerMismatchError      theirs: an answer that is not that of its question
    ├── DecodeError              theirs: an answer that is not what the article describes
    ├── PartialResultError       some of the pieces failed, the rest is in `result`
    └── ClientClosedError        yours: the client was used after its end, or where it cannot be

Errors carry what they know as attributes; nobody needs to search their text. All of them pickle. None of them ever
holds the token.

In the words that errors are made of, a parameter stands in braces, with the value to give it behind a colon: "pass
{tz:…}". `str(error)` reads ``tz=…``; who knows parameters by other names, as options of a command say, spells them with
`IndivdError.worded`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .planning import PlannedRequest

ClosedReason = Literal["closed", "other_loop", "loop_ended", "forked"]
STATUS_PAGE = "indivd.statuspage.io"


def _restore(cls: type[IndivdError], message: str, fields: dict[str, Any]) -> IndivdError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(fields)
    return error


#: From a parameter's name and a value for it, either of them empty, to the words for both.
Spelling = Callable[[str, str], str]
_NAMED = re.compile(r"\{\{|\{(?=[A-Za-z_:])([A-Za-z_.]*(?:\(\))?)(?::([^{}]*))?\}")


def spell_as_python(name: str, value: str) -> str:
    """
    Spell parameters as a caller writes them.

    >>> spell_as_python("tz", '"UTC"'), spell_as_python("locations()", "")
    ('tz="UTC"', '`await client.locations()`')
    """
    if name.endswith("()"):
        return f"`await client.{name}`"
    return f"{name}={value}" if name and value else name or value


def spell_words(words: str, spelling: Spelling = spell_as_python) -> str:
    """Return *words* with the parameters in them spelled by *spelling*."""
    return _NAMED.sub(lambda found: "{" if found[0] == "{{" else spelling(found[1], found[2] or ""), words)


def deadline_advice(option: str) -> str:
    """Word which *option* set a deadline that has passed."""
    return f"{option} sets it." if option else ""


def literally(text: str) -> str:
    """Mark *text*, which comes from elsewhere, as free of parameters."""
    return text.replace("{", "{{")


class IndivdError(Exception):
    """
    The root: `except IndivdError` catches everything this package raises on purpose.

    `advice` says what to do about it, where anything can be done.
    """

    advice: str = ""
    _words: str | None = None

    def worded(self, spelling: Spelling) -> str:
        """
        Return the message and its notes, with the parameters in it spelled by *spelling*.

        >>> error = InvalidQueryError("end_date", "must not be before {start_date}", "2025-01-01")
        >>> error.worded(lambda name, value: f"--{name.replace('_', '-')}")
        "--end-date: must not be before --start-date; got '2025-01-01'."
        """
        words = literally(str(self)) if self._words is None else self._words
        asides: dict[str, str] = getattr(self, "_asides", {})
        notes = [asides.get(note, literally(note)) for note in getattr(self, "__notes__", ())]
        return spell_words("\n".join([words, *notes]), spelling)

    def add_advice(self, words: str) -> None:
        """Add a note that says what else can be done."""
        note = spell_words(words)
        self.__dict__.setdefault("_asides", {})[note] = words
        self.add_note(note)

    def _say(self, words: str, advice: str = "") -> None:
        self._words = f"{words} {advice}" if advice else words
        self.advice = spell_words(advice)
        self.args = (spell_words(self._words),)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), str(self), dict(self.__dict__))


class ConfigError(IndivdError, ValueError):
    """An option of the client, or an environment variable behind it, cannot be used."""

    def __init__(self, words: str, advice: str = "") -> None:
        super().__init__()
        self._say(words, advice)


class InvalidQueryError(IndivdError, ValueError):
    """
    A parameter breaks a rule of the API, known beforehand; nothing was sent.

    `parameter`, `rule` and `value` say which, what and with what, `advice` what else to pass. The API answers such
    requests with a status and no body, so this message is all the explanation there is.
    """

    def __init__(self, parameter: str, rule: str, value: object, hint: str = "") -> None:
        super().__init__()
        got = f"; got {literally(_clip(value))}"
        if value is None:
            got = f"{{:{got}}}"  # of Python's own
        self._say(f"{{{parameter}}}: {rule}{got}.", hint)
        self.parameter = parameter
        self.rule = spell_words(rule)
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        import pickle

        try:
            pickle.dumps(self.value)
        except Exception:  # the value was refused, so it may be anything at all
            return _restore, (type(self), str(self), {**self.__dict__, "value": _clip(self.value)})
        return super().__reduce__()


class NotMergeableError(IndivdError):
    """What was asked for cannot be added up: `metric` names it, `instead` says what to ask."""

    def __init__(self, metric: str, reason: str, instead: str) -> None:
        super().__init__(f"{metric} cannot be added up: {reason}. {instead}")
        self.metric = metric
        self.reason = reason
        self.instead = instead


class MergeConflictError(IndivdError):
    """
    Two answers hold a row that only one of them may hold, so neither their sum nor either of them would be right.

    `key` says which (zone, location, bucket), `requests` are the requests that brought it. An answer that came twice,
    or that no request of the plan asked for, is such a conflict as a whole.
    """

    def __init__(self, key: str, requests: Sequence[PlannedRequest], problem: str = "") -> None:
        asked = " and ".join(str(request) for request in requests)
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

    status: int
    request: PlannedRequest | None
    attempts: int
    retry_after: float | None
    out_of_time: bool

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
        super().__init__()
        self._say(message, advice)
        self.status = status
        self.request = request
        self.attempts = attempts
        self.retry_after = retry_after
        self.out_of_time = out_of_time


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

    host: str
    port: int
    request: PlannedRequest | None
    attempts: int

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
        super().__init__()
        self._say(message, advice)
        self.host = host
        self.port = port
        self.request = request
        self.attempts = attempts


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

    witness: str
    asked: str
    said: str
    request: PlannedRequest | None

    def __init__(
        self, witness: str, asked: str, said: str, *, request: PlannedRequest | None = None, advice: str = ""
    ) -> None:
        super().__init__()
        where = f"in the answer to {request}, which is not that of its question ({witness})"
        self._say(literally(f"expected {asked}, got {said} {where}."), advice)
        self.witness = witness
        self.asked = asked
        self.said = said
        self.request = request


class DecodeError(IndivdError):
    """
    An answer came with status 200 and is not what the API documents.

    `problems` say what was expected and found where, as in ``expected int, got str @ $.current.insights[3].visits``;
    they never hold values of the payload.
    """

    problems: tuple[str, ...]
    request: PlannedRequest | None

    def __init__(self, problems: Sequence[str], *, request: PlannedRequest | None = None) -> None:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        asked = f" in the answer to {request}" if request is not None else ""
        super().__init__(f"{shown}{asked}")
        self.problems = tuple(problems)
        self.request = request


class PartialResultError(IndivdError):
    """Some requests failed for good: `failures` are their errors, `result` holds what did arrive."""

    result: Any
    failures: tuple[Exception, ...]

    def __init__(self, result: Any, failures: Sequence[Exception]) -> None:
        first = f": {failures[0]}" if failures else ""
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


def _clip(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # an int of more digits than Python writes out, or an object that cannot show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."
