"""From words on the command line to a command that runs, and from its end to an exit code."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import ConfigError, IndivdError, InvalidQueryError
from .arguments import make_parser
from .exits import FAILED, INTERRUPTED, MISUSED, TERMINATED
from .logs import telling_logs
from .options import UsageError, join_negative
from .spelling import tell
from .terminal import open_nothing, say


def run(argv: Sequence[str]) -> int:
    """Run the command that *argv* asks for, and return its exit code."""
    _prepare_streams()
    parser = make_parser()
    if not argv:
        say(f"{parser.overview()}\n")
        parser.error("the following arguments are required: COMMAND")
    args = parser.parse_args(join_negative(list(map(_read_word, argv))))
    if sys.stdout is None:
        if getattr(args, "out", None) is None:
            return _say("stdout is closed, so there is nowhere to write to", FAILED)
        sys.stdout = open_nothing()
    with _heeding_sigterm() as terminated, telling_logs(wanted=args.verbose):
        try:
            return _run(args)
        except KeyboardInterrupt:
            if terminated:
                return _say(f"terminated{args.after_interrupt}", TERMINATED)
            return _say(f"interrupted{args.after_interrupt}", INTERRUPTED)


def _run(args: argparse.Namespace) -> int:
    code = 0
    try:
        module = importlib.import_module(args.module, __package__)
        code = module.main(args)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()  # whoever read has seen enough
    except (UsageError, InvalidQueryError, ConfigError) as error:
        return _say(f"{tell(error)}\ntry: indivd {args.command} --help", MISUSED)
    except (IndivdError, OSError, ImportError) as error:
        drop_output()
        return _say(tell(error), FAILED)
    return code


@contextmanager
def _heeding_sigterm() -> Iterator[list[int]]:
    """Let SIGTERM end a command as an interrupt does, so that what is half written is put away; tell that it came."""
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        handle = signal.getsignal(signal.SIGINT)
        if callable(handle):
            handle(signal.SIGINT, frame)

    if threading.current_thread() is not threading.main_thread():
        yield came  # no other thread hears signals
        return
    # Shells let what they start in the background ignore interrupts: so it does, but event loops must handle them.
    ignores = signal.getsignal(signal.SIGINT) is signal.SIG_IGN and sys.platform != "win32"
    if ignores:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)
        if ignores:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _read_word(word: str) -> str:
    """Read what a terminal sent in UTF-8 to a machine that was not told of it."""
    if not any("\udc80" <= letter <= "\udcff" for letter in word):
        return word
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word


def _prepare_streams() -> None:
    if sys.stderr is None:
        sys.stderr = open_nothing()  # else what is printed to it goes to stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar that cannot be drawn is no reason to fail


def drop_output() -> None:
    """Write what there still is for stdout, if anything, to nowhere: the interpreter's end would try it again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int) -> int:
    say(f"indivd: {message}")
    return code
