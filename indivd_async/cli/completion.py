"""`indivd completion`: a script for a shell, written by shtab from the parser itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping
from typing import Any

from .. import sandbox
from ..models.endpoints import DATA_ENDPOINTS
from ..queries import PER
from .arguments import make_parser
from .parser import Parser


def main(args: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ImportError("completion needs shtab: pip install 'indivd-async[cli]'") from None
    parser = make_parser()
    _complete(parser, {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}, _words(parser))
    sys.stdout.write(f"{shtab.complete(parser, shell=args.shell).rstrip()}\n")
    return 0


def _words(parser: Parser) -> Mapping[str, Collection[str]]:
    """Return the words that an option takes, by its name, where there are but some."""
    words: dict[str, Collection[str]] = {
        "topic": parser.commands,
        "per": PER,
        "split": ("auto", "none"),
        "on_error": ("raise", "collect"),
        "deviate": sandbox.DEVIATIONS,
    }
    for endpoint in DATA_ENDPOINTS.values():
        for name in filter(None, (endpoint.grouping, endpoint.comparison_grouping)):
            words[name] = sorted({*endpoint.groupings, *words.get(name, ())})
    return words


def _complete(parser: argparse.ArgumentParser, paths: Mapping[Any, Any], words: Mapping[str, Collection[str]]) -> None:
    """Let *parser* and its commands complete paths, as their help says, and words."""
    for action in parser._actions:  # noqa: SLF001  which is where shtab looks, too
        if action.metavar in paths:
            action.complete = paths[action.metavar]  # type: ignore[attr-defined]
        if action.choices is None and action.dest in words:
            action.choices = list(words[action.dest])
        for command in dict(action.choices).values() if isinstance(action.choices, Mapping) else ():
            _complete(command, paths, words)
