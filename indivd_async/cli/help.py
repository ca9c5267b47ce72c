"""`indivd help`: what `--help` says, for those who write it so."""

from __future__ import annotations

import argparse

from .arguments import make_parser


def main(args: argparse.Namespace) -> int:
    """Print the help of the command that was named, or say which there are."""
    parser = make_parser()
    if args.topic:
        parser.parse_args([args.topic, "--help"])
    print(parser.overview())
    return 0
