"""
The `indivd` command: data to stdout, everything else to stderr.

Exit codes: 0 it worked, 1 it failed, 2 it was called wrongly, 3 an export is complete and needs a look, 130 it was
interrupted, 143 it was terminated.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .exits import INTERRUPTED


def _import_orjson() -> None:
    """Import it while no signal is heard: made of native code, it ends the process where Python stops it just then."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        return
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        import orjson  # noqa: F401
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse itself exits for ``--help`` and for what it cannot read."""
    try:
        _import_orjson()
        from .dispatch import run  # in here, where Ctrl-C is heard: it takes a while

        return run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        print("indivd: interrupted", file=sys.stderr)
        return INTERRUPTED
