"""`indivd completion`: a script for a shell, written by shtab from the parser itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from .arguments import make_parser


def main(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ImportError("completion needs shtab: pip install 'indivd-async[cli]'") from None
    parser = make_parser()
    _complete_paths(parser, {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY})
    sys.stdout.write(f"{shtab.complete(parser, shell=args.shell).rstrip()}\n")
    return 0


def _complete_paths(parser: argparse.ArgumentParser, paths: Mapping[Any, Any]) -> None:
    """Let the options of *parser* and its commands that take paths, as their help says, be completed as such."""
    for action in parser._actions:  # noqa: SLF001  which is where shtab looks, too
        if action.metavar in paths:
            action.complete = paths[action.metavar]  # type: ignore[attr-defined]
        for command in dict(action.choices).values() if isinstance(action.choices, Mapping) else ():
            _complete_paths(command, paths)
