"""
The `indivd` command: data to stdout, everything else to stderr.

Exit codes: 0 it worked, 1 it failed, 2 it was called wrongly, 3 an export is complete and needs a look, 130 it was
interrupted, 143 it was terminated.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .exits import INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse itself exits for ``--help`` and for what it cannot read."""
    try:
        from .dispatch import run  # in here, where Ctrl-C is heard: it takes a while

        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        print("indivd: interrupted", file=sys.stderr)
        return INTERRUPTED
