"""Options are checked when they are made, and each default is one that can be used."""

from __future__ import annotations

import math
import pickle
import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest

from indivd_async import ConfigError, Limits, RetryPolicy, Timeouts
from indivd_async.settings import PATH, check, check_options

POSITIVE = [0, -1, math.nan, math.inf, True, "5", 10**400]
WHOLE = [-1, 2.0, True, None, "3"]
AMOUNTS = [-0.1, math.nan, math.inf, True, None, "3"]
BAD = [
    *((Timeouts, name, value) for name in ("connect", "read", "attempt", "deadline", "total") for value in POSITIVE),
    *((Limits, "requests_per_second", value) for value in POSITIVE),
    *((kind, name, 0) for kind, name in ((RetryPolicy, "attempts"), (Limits, "concurrency"))),
    (Limits, "max_response_bytes", 0),
    *((Limits, name, value) for name in ("concurrency", "max_response_bytes") for value in WHOLE),
    *((RetryPolicy, name, value) for name in ("attempts", "budget", "retry_cost") for value in WHOLE),
    *(
        (RetryPolicy, name, value)
        for name in ("base", "base_overloaded", "cap", "max_retry_after")
        for value in AMOUNTS
    ),
]


@pytest.mark.parametrize(("kind", "name", "value"), BAD, ids=lambda part: getattr(part, "__name__", str(part))[:20])
def test_a_bad_option_is_refused(kind: Any, name: str, value: object) -> None:
    """The message names the option and the rule."""
    with pytest.raises(ConfigError, match=rf"^{kind.__name__}\.{name} must be "):
        kind(**{name: value})


@pytest.mark.parametrize(
    "options",
    [
        Timeouts(connect=None, read=0.1, attempt=10**6, deadline=None, total=3),
        RetryPolicy(attempts=1, base=0, base_overloaded=0.5, cap=0, max_retry_after=0, budget=0, retry_cost=0),
        Limits(concurrency=1, max_response_bytes=1, requests_per_second=0.01),
        Timeouts(),
        RetryPolicy(),
        Limits(),
    ],
    ids=repr,
)
def test_options_are_values(options: Any) -> None:
    """They compare, hash, pickle, and cannot be changed."""
    assert pickle.loads(pickle.dumps(options)) == options
    assert hash(options) == hash(attrs.evolve(options))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(options, attrs.fields(type(options))[0].name, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": 5}, "{base_url} must be a str, such as 'https://gateway.example/indivd'; got int 5"),
        ({"trust_env": "yes"}, "{trust_env} must be True or False; got a str"),
        ({"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "an ssl.SSLContext for clients"),
        ({"cache": {}}, "a cache with get, put and margin_days"),
        ({"progress": 1.5}, "True, or a callable that takes a Progress and is not awaited; got float 1.5"),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_an_option_is_what_it_must_be(options: dict[str, Any], message: str) -> None:
    """Numbers are shown, for they say what was meant; of anything else its kind, for it may be a secret."""
    with pytest.raises(ConfigError) as caught:
        check_options(options)
    assert message.format_map({name: name for name in options}) in str(caught.value)


def test_options_left_out_are_not_looked_at() -> None:
    """None is: as it is by default; what there is no rule for is another's affair."""
    check_options({"base_url": None, "token": 5})


@pytest.mark.parametrize("path", ["a", "ä/b", Path("c")])
def test_a_path_is_text_or_a_path(path: Any) -> None:
    """That a file system takes."""
    check("cache", path, PATH)


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", b"a", 5, None])
def test_what_no_file_can_be_called_is_no_path(path: Any) -> None:
    """Told before anything is opened."""
    with pytest.raises(ConfigError, match="must be the path of a file or folder"):
        check("cache", path, PATH)
