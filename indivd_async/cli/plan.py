"""`indivd plan`: which requests, and why."""

from __future__ import annotations

import argparse
import sys

import anyio

from ..escaping import escape_controls
from ..planning import Plan, make_plan, needs_locations
from ..profile import NOTHING_KNOWN, read_profile
from .questions import asking, make_offline
from .terminal import fit


def main(args: argparse.Namespace) -> int:
    """Print the plan."""
    query = make_offline(args)
    # What needs no service needs no token.
    profile = read_profile(args.profile)
    if query is not None and not needs_locations(query, profile or NOTHING_KNOWN):
        plan = make_plan(query, None, profile=profile)
    else:
        plan = anyio.run(_plan, args)
    if args.json:
        print(plan.to_json())
    else:
        lines = "\n".join(map(escape_controls, plan.explain().split("\n")))
        print(fit(lines, sys.stdout, indent=" " * 8, whole_words=False))
    return 0


async def _plan(args: argparse.Namespace) -> Plan:
    async with asking(args) as (client, query):
        return await client.plan(query)
