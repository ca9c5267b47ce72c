"""`indivd dashboard`: the page is in a room of its own."""

from __future__ import annotations

import argparse
import os


def main(args: argparse.Namespace) -> int:
    """Serve the dashboard."""
    from ..dashboard import main as serve

    # It makes its client from the environment, like any application.
    for name, value in (("INDIVD_TOKEN", args.token), ("INDIVD_BASE_URL", args.base_url)):
        if value is not None:
            os.environ[name] = value
    try:
        return serve(args)
    except SystemExit:  # of the server that cannot start; it has said why, and has exit codes of its own
        return 1
