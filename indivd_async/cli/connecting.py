"""From the options of the command line to a client."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..client import AsyncIndivd
from ..errors import ConfigError
from ..settings import Limits, Timeouts


def make_client(args: argparse.Namespace, **options: Any) -> AsyncIndivd:
    """Make the client that *args* describe; *options* win."""
    if args.concurrency is not None:
        options.setdefault("limits", Limits(concurrency=args.concurrency))
    if args.timeout is not None:
        options.setdefault("timeouts", _timeouts(args.timeout))
    token = options.pop("token", args.token)
    if token is None and not os.environ.get("INDIVD_TOKEN"):
        raise ConfigError(
            "no token: set INDIVD_TOKEN (or pass --token). `indivd demo` and `indivd sandbox` need none, and Indivd "
            "issues real ones"
        )
    return AsyncIndivd(token, **{"base_url": args.base_url, "allow_http": args.allow_http, **options})


def _timeouts(seconds: float) -> Timeouts:
    # Half of the time for one attempt leaves room for another; nobody who waits longer wants a shorter attempt.
    usual = Timeouts()
    assert usual.read is not None
    assert usual.attempt is not None
    return Timeouts(read=max(usual.read, seconds / 2), attempt=max(usual.attempt, seconds / 2), deadline=seconds)
