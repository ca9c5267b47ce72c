"""From words on the command line to a command that runs, and from its end to an exit code."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from ..errors import ConfigError, IndivdError, InvalidQueryError
from . import INTERRUPTED
from .arguments import UsageError, join_negative, make_parser
from .spelling import tell
from .terminal import say

FAILED, MISUSED = 1, 2


def run(argv: Sequence[str]) -> int:
    """Run the command that *argv* asks for, and return its exit code."""
    _prepare_streams()
    args = make_parser().parse_args(join_negative(argv))
    if sys.stdout is None:
        if getattr(args, "out", None) is None:
            return _say("stdout is closed, so there is nowhere to write to", FAILED)
        sys.stdout = _open_nothing()
    try:
        module = importlib.import_module(args.module, __package__)
        code: int = module.main(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say(f"interrupted{args.after_interrupt}", INTERRUPTED)
    except BrokenPipeError:
        _drop_output()  # whoever read has seen enough
        return 0
    except (UsageError, InvalidQueryError, ConfigError) as error:
        return _say(f"{tell(error)}\ntry: indivd {args.command} --help", MISUSED)
    except (IndivdError, OSError, ImportError) as error:
        _drop_output()
        return _say(tell(error), FAILED)
    return code


def _prepare_streams() -> None:
    if sys.stderr is None:
        sys.stderr = _open_nothing()  # else what is printed to it goes to stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar that cannot be drawn is no reason to fail


def _open_nothing() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")


def _drop_output() -> None:
    """Write what there still is for stdout, if anything, to nowhere: the interpreter's end would try it again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int) -> int:
    say(f"indivd: {message}")
    return code
