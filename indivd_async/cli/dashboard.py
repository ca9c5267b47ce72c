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
    return serve(args)
