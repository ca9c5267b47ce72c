"""`indivd dashboard`: the page is in a room of its own."""

from __future__ import annotations

import argparse

from .connection import client_options


def main(args: argparse.Namespace) -> int:
    """Serve the dashboard."""
    from ..dashboard import main as serve

    options = client_options(args) | ({"token": args.token} if args.token is not None else {})
    try:
        return serve(args, **options)
    except SystemExit:  # of the server that cannot start; it has said why, and has exit codes of its own
        return 1
