"""`indivd help`: what `--help` says, for those who write it so."""

from __future__ import annotations

import argparse

from .arguments import make_parser


def main(args: argparse.Namespace) -> int:
    """Print the help of the command that was named, or of all."""
    make_parser().parse_args([*([args.topic] if args.topic else []), "--help"])
    raise AssertionError("help ends by itself")
