"""Options are checked when they are made, and each default is one that can be used."""

from __future__ import annotations

import math
import pickle
from typing import Any

import attrs
import pytest

from indivd_async import ConfigError, Limits, RetryPolicy, Timeouts

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
