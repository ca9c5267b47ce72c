"""
The `indivd` command: data to stdout, everything else to stderr.

Exit codes: 0 it worked, 1 it failed, 2 it was called wrongly, 130 it was interrupted.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from ..errors import ConfigError, IndivdError, InvalidQueryError
from .arguments import UsageError, join_negative, make_parser

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse itself exits for ``--help`` and for what it cannot read."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar that cannot be drawn is no reason to fail
    args = make_parser().parse_args(join_negative(sys.argv[1:] if argv is None else argv))
    try:
        module = importlib.import_module(args.module, __package__)
        code: int = module.main(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say(f"interrupted{args.after_interrupt}", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read has seen enough. What is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, InvalidQueryError, ConfigError) as error:
        return _say(f"{error}\ntry: indivd {args.command} --help", MISUSED)
    except (IndivdError, OSError, ImportError) as error:
        return _say("\n".join([str(error), *getattr(error, "__notes__", ())]), FAILED)
    return code


def _say(message: str, code: int) -> int:
    print(f"indivd: {message}", file=sys.stderr)
    return code
