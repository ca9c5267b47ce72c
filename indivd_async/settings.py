"""The options of a client, every default once, with its reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .refusals import ConfigError
from .wording import literally

_MOST = sys.float_info.max  # an int may be larger, and then no clock can add it


def check_at_least(owner: type, name: str, value: Any, minimum: float, *, whole: bool = True) -> None:
    """Raise ConfigError where an option of *owner* is less than *minimum*, or no number."""
    kinds: Any = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not minimum <= value <= _MOST:
        rule = f"{'a whole number' if whole else 'a number'} of at least {minimum:g}"
        raise ConfigError(f"{{{owner.__name__}.{name}}} must be {rule}; got {literally(repr(value))}")


def at_least(minimum: float, *, whole: bool = True) -> Any:
    """Return a validator of fields for `check_at_least`."""
    return lambda owner, field, value: check_at_least(type(owner), field.name, value, minimum, whole=whole)


def _positive(owner: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST:
        rule = "must be a finite number above 0{:, or None}"
        raise ConfigError(f"{{{type(owner).__name__}.{field.name}}} {rule}; got {literally(repr(value))}")


@attrs.frozen(kw_only=True)
class Timeouts:
    """
    How long to wait, in seconds; `None` waits for ever.

    `connect` and `read` bound one wait for the network, `attempt` one try from its first byte to its last. `deadline`
    bounds one request with all its waits, tries and pauses, from the call (in a batch: from being pulled). `total`
    bounds a whole call, however many requests it takes.
    """

    connect: float | None = attrs.field(default=5, validator=_positive)
    """A handshake over the world's slowest sane path takes under two seconds."""
    read: float | None = attrs.field(default=15, validator=_positive)
    """The API computes an answer before its first byte; months of hours take seconds."""
    attempt: float | None = attrs.field(default=30, validator=_positive)
    """`read` never fires on a server that sends a byte now and then; this does."""
    deadline: float | None = attrs.field(default=60, validator=_positive)
    """Room for one attempt that hangs, a pause, and one that works."""
    total: float | None = attrs.field(default=None, validator=_positive)
    """A fetch of a year takes as long as it takes; who needs a bound says so."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """
    When to ask again, and how long to wait before.

    Retried are 408, 429, every 5xx, broken connections, truncated answers and timed-out attempts: every request is a
    GET. The wait before attempt n + 1 is random, uniform over 0 to min(`cap`, base · 2ⁿ⁻¹) seconds ("full jitter"). A
    `Retry-After` is a lower bound of it.
    """

    attempts: int = attrs.field(default=3, validator=at_least(1))
    """What AWS, Google's SRE book and generated SDKs agree on."""
    base: float = attrs.field(default=0.25, validator=at_least(0, whole=False))
    """Seconds; a blip of the service or of a connection is over in this time."""
    base_overloaded: float = attrs.field(default=1.0, validator=at_least(0, whole=False))
    """Seconds, for 429 and 503: the service itself asks for patience."""
    cap: float = attrs.field(default=10.0, validator=at_least(0, whole=False))
    """Seconds; beyond it waiting longer does not help whoever waits."""
    max_retry_after: float = attrs.field(default=60.0, validator=at_least(0, whole=False))
    """Seconds; a Retry-After beyond this is raised to the caller, who can plan with it."""
    budget: int = attrs.field(default=1000, validator=at_least(0))
    """Tokens a client starts with, and never has more of; simulated, a blip of 64 calls is saved whole."""
    retry_cost: int = attrs.field(default=10, validator=at_least(0))
    """Tokens a retry costs; a success gives one back, so that a long outage is amplified by a tenth at most."""


#: Where the service is.
DEFAULT_BASE_URL = "https://api.indivd.com"
#: Requests in the air that keep a core busy where answers come at once.
DEFAULT_CONCURRENCY = 32


@attrs.frozen(kw_only=True)
class Limits:
    """What a client may use at once."""

    concurrency: int = attrs.field(default=DEFAULT_CONCURRENCY, validator=at_least(1))
    """Connections at most, each with one request in the air; more than keep a core busy gain little."""
    max_response_bytes: int = attrs.field(default=64 * 2**20, validator=at_least(1))
    """Bytes of one answer, counted on the wire and again decoded; a year of hours for 100 zones is 40 MB."""
    requests_per_second: float | None = attrs.field(default=None, validator=_positive)
    """The API documents no rate limit; whoever knows theirs sets it here."""


def _is_ssl_context(value: object) -> bool:
    import ssl  # whoever has a context has imported it

    return isinstance(value, ssl.SSLContext) and value.protocol != ssl.PROTOCOL_TLS_SERVER


def _is_cache(value: Any) -> bool:
    margin = getattr(value, "margin_days", None)
    days = isinstance(margin, int) and not isinstance(margin, bool) and margin >= 0
    methods = callable(getattr(value, "get", None)) and callable(getattr(value, "put", None))
    return days and methods and not isinstance(value, type)


def is_plain_function(value: object) -> bool:
    """Tell whether *value* can be called, and does what it does without being awaited or iterated over."""
    import inspect

    asynchronous = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    called = (value, getattr(value, "__call__", None))  # noqa: B004  its own, where it is an object
    return callable(value) and (isinstance(value, type) or not any(is_(one) for is_ in asynchronous for one in called))


#: What an option must be, where it is given: a rule, and the words for it.
_OPTIONS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "base_url": (lambda value: isinstance(value, str), "a str, such as 'https://gateway.example/indivd'"),
    "timeouts": (lambda value: isinstance(value, Timeouts), "a Timeouts, as in {timeouts:Timeouts(read=30)}"),
    "retry": (lambda value: isinstance(value, RetryPolicy), "a RetryPolicy, as in {retry:RetryPolicy(attempts=3)}"),
    "limits": (lambda value: isinstance(value, Limits), "a Limits, as in {limits:Limits(concurrency=10)}"),
    "ssl_context": (
        _is_ssl_context,
        'an ssl.SSLContext for clients, as in {ssl_context:ssl.create_default_context(cafile="ca.pem")}',
    ),
    "trust_env": (lambda value: isinstance(value, bool), "True or False"),
    "allow_http": (lambda value: isinstance(value, bool), "True or False"),
    "cache": (_is_cache, 'a cache with get, put and margin_days, as in {cache:SQLiteCache("answers.db")}'),
    "on_event": (is_plain_function, "a function that takes an Event, not a coroutine function: nobody awaits it"),
}


def check_options(options: Mapping[str, object]) -> None:
    """Raise ConfigError where one of the *options* of a client that there are rules for is not what it must be."""
    for name, (fits, words) in _OPTIONS.items():
        value = options.get(name)
        if value is not None and not fits(value):
            raise ConfigError(f"{{{name}}} must be {words}; got {literally(_shown(value))}")


def _shown(value: object) -> str:
    # Numbers and names say best what was meant; anything else may be long, or hold what is nobody's business.
    kind = type(value).__name__
    return f"{kind} {value!r}" if isinstance(value, bool | int | float) else f"a {kind}"
