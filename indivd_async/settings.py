"""The options of a client, every default once, with its reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from .fielded import Fielded
from .refusals import ConfigError
from .wording import brief, literally

_MOST = sys.float_info.max  # an int may be larger, and then no clock can add it
#: What a value must be: whether it is, and the words for it.
Rule = tuple[Callable[[Any], bool], str]


def is_kind(kind: Any, words: str) -> Rule:
    """Return the rule for what is of one *kind*; True and False are no numbers."""
    return lambda value: isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), words


def is_at_least(minimum: float, *, whole: bool = True) -> Rule:
    """Return the rule for numbers of at least *minimum*."""
    is_number, words = is_kind(int, "a whole number") if whole else is_kind((int, float), "a number")
    return lambda value: is_number(value) and minimum <= value <= _MOST, f"{words} of at least {minimum:g}"


def is_one_of(names: Iterable[str]) -> Rule:
    """Return the rule for one of some *names*."""
    return lambda value: isinstance(value, str) and value in names, f"one of {', '.join(names)}"


def check(name: str, value: object, rule: Rule, show: Callable[[object], str] = brief) -> None:
    """Raise ConfigError where the *value* of *name* is not what the *rule* says."""
    fits, words = rule
    if not fits(value):
        raise ConfigError(f"{{{name}}} must be {words}; got {literally(show(value))}")


def must_be(rule: Rule) -> Any:
    """Return a validator of fields for a *rule*."""
    return lambda owner, field, value: check(f"{type(owner).__name__}.{field.name}", value, rule)


def _is_path(value: Any) -> bool:
    try:
        return isinstance(value, str | os.PathLike) and bool(str(value)) and 0 not in os.fsencode(value)
    except UnicodeError:
        return False


TRUE_OR_FALSE = is_kind(bool, "True or False")
PATH = (_is_path, "the path of a file or folder")
_positive: Any = attrs.validators.optional(
    must_be((lambda value: is_at_least(0, whole=False)[0](value) and value > 0, "a finite number above 0{:, or None}"))
)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Timeouts(Fielded):
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RetryPolicy(Fielded):
    """
    When to ask again, and how long to wait before.

    Retried are 408, 429, every 5xx, broken connections, truncated answers and timed-out attempts: every request is a
    GET. The wait before attempt n + 1 is random, uniform over 0 to min(`cap`, base · 2ⁿ⁻¹) seconds ("full jitter"). A
    `Retry-After` is a lower bound of it.
    """

    attempts: int = attrs.field(default=3, validator=must_be(is_at_least(1)))
    """What AWS, Google's SRE book and generated SDKs agree on."""
    base: float = attrs.field(default=0.25, validator=must_be(is_at_least(0, whole=False)))
    """Seconds; a blip of the service or of a connection is over in this time."""
    base_overloaded: float = attrs.field(default=1.0, validator=must_be(is_at_least(0, whole=False)))
    """Seconds, for 429 and 503: the service itself asks for patience."""
    cap: float = attrs.field(default=10.0, validator=must_be(is_at_least(0, whole=False)))
    """Seconds; beyond it waiting longer does not help whoever waits."""
    max_retry_after: float = attrs.field(default=60.0, validator=must_be(is_at_least(0, whole=False)))
    """Seconds; a Retry-After beyond this is raised to the caller, who can plan with it."""
    budget: int = attrs.field(default=1000, validator=must_be(is_at_least(0)))
    """Tokens a client starts with, and never has more of; simulated, a blip of 64 calls is saved whole."""
    retry_cost: int = attrs.field(default=10, validator=must_be(is_at_least(0)))
    """Tokens a retry costs; a success gives one back, so that a long outage is amplified by a tenth at most."""


#: Where the service is.
DEFAULT_BASE_URL = "https://api.indivd.com"
#: Requests in the air that keep a core busy where answers come at once.
DEFAULT_CONCURRENCY = 32


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Limits(Fielded):
    """What a client may use at once."""

    concurrency: int = attrs.field(default=DEFAULT_CONCURRENCY, validator=must_be(is_at_least(1)))
    """Connections at most, each with one request in the air; more than keep a core busy gain little."""
    max_response_bytes: int = attrs.field(default=64 * 2**20, validator=must_be(is_at_least(1)))
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

    asynchronous = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    called = (value, getattr(value, "__call__", None))  # noqa: B004  its own, where it is an object
    return callable(value) and (isinstance(value, type) or not any(is_(one) for is_ in asynchronous for one in called))


#: What an option must be, where it is given.
_OPTIONS: dict[str, Rule] = {
    "base_url": is_kind(str, "a str, such as 'https://gateway.example/indivd'"),
    "timeouts": is_kind(Timeouts, "a Timeouts, as in {timeouts:Timeouts(read=30)}"),
    "retry": is_kind(RetryPolicy, "a RetryPolicy, as in {retry:RetryPolicy(attempts=3)}"),
    "limits": is_kind(Limits, "a Limits, as in {limits:Limits(concurrency=10)}"),
    "ssl_context": (
        _is_ssl_context,
        'an ssl.SSLContext for clients, as in {ssl_context:ssl.create_default_context(cafile="ca.pem")}',
    ),
    "trust_env": TRUE_OR_FALSE,
    "allow_http": TRUE_OR_FALSE,
    "cache": (_is_cache, 'a cache with get, put and margin_days, as in {cache:SQLiteCache("answers.db")}'),
    "on_event": (is_plain_function, "a function that takes an Event, not a coroutine function: nobody awaits it"),
    "progress": (
        lambda value: isinstance(value, bool) or is_plain_function(value),
        "True, or a callable that takes a Progress and is not awaited",
    ),
    "ordered": TRUE_OR_FALSE,
}


def check_options(options: Mapping[str, object], rules: Mapping[str, Rule] = _OPTIONS) -> None:
    """Raise ConfigError where one of the *options* that there are *rules* for is given, and not what it must be."""
    for name, rule in rules.items():
        if options.get(name) is not None:
            check(name, options[name], rule, _shown)


def _shown(value: object) -> str:
    # Numbers, and what is nearly one, say best what was meant; anything else may be long, or nobody's business.
    kind = type(value).__name__
    return f"{kind} {brief(value, 80)}" if isinstance(value, bool | int | float) else f"a {kind}"
