"""From the options of the command line to a client."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from importlib.util import find_spec
from typing import Any

import attrs

from ..client import AsyncIndivd
from ..errors import ConfigError
from ..settings import Limits, Timeouts
from .logs import tell_event
from .options import UsageError


def make_client(args: argparse.Namespace, **options: Any) -> AsyncIndivd:
    """Make the client that *args* describe; *options* win."""
    token = options.pop("token", args.token)
    if token is None and not os.environ.get("INDIVD_TOKEN"):
        raise ConfigError(
            "no token: set INDIVD_TOKEN (or pass --token). `indivd demo` and `indivd sandbox` need none, and Indivd "
            "issues real ones"
        )
    return AsyncIndivd(token, **{**client_options(args), **options})


def client_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the client that *args* describe, all but its token."""
    options: dict[str, Any] = {
        "base_url": args.base_url,
        "allow_http": args.allow_http,
        "limits": Limits(**_given(concurrency=args.concurrency, requests_per_second=args.requests_per_second)),
        "timeouts": _timeouts(args.timeout, args.total_timeout),
    }
    if args.verbose:
        options["on_event"] = tell_event
    return options | way_of(args)


def shows_progress(args: argparse.Namespace) -> bool:
    """Whether a bar or lines tell how far it is: --verbose tells more, and without rich a terminal has no bar."""
    return not args.verbose and (find_spec("rich") is not None or not sys.stderr.isatty())


def way_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return how the service is reached."""
    way: dict[str, Any] = _given(proxy=args.proxy)
    if args.ca_file is not None:
        try:
            way["ssl_context"] = ssl.create_default_context(cafile=args.ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "strerror", None) or "it holds no certificate in PEM form"
            raise UsageError(f"--ca-file: {args.ca_file!r} cannot be used: {reason}") from None
    if args.trust_env:
        way["trust_env"] = True
    return way


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _timeouts(deadline_s: float | None, total_s: float | None) -> Timeouts:
    usual = Timeouts(**_given(deadline=deadline_s, total=total_s))
    if deadline_s is None:
        return usual
    # Half of the time for one attempt leaves room for another; nobody who waits longer wants a shorter attempt.
    read, attempt = (max(each or 0.0, deadline_s / 2) for each in (usual.read, usual.attempt))
    return attrs.evolve(usual, read=read, attempt=attempt)
