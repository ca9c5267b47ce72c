"""`indivd plan`: which requests, and why."""

from __future__ import annotations

import argparse
import sys
from datetime import date

import anyio

from ..escaping import escape_controls
from ..planning import Plan, make_plan, needs_locations
from ..queries import Query
from .arguments import make_query
from .connecting import make_client
from .terminal import fit


def main(args: argparse.Namespace) -> int:
    """Print the plan."""
    plan = anyio.run(_plan, args, make_query(args, date.today()))
    if args.json:
        print(plan.to_json())
    else:
        lines = "\n".join(map(escape_controls, plan.explain().split("\n")))
        print(fit(lines, sys.stdout, indent=" " * 8, whole_words=False))
    return 0


async def _plan(args: argparse.Namespace, query: Query) -> Plan:
    if not needs_locations(query):
        return make_plan(query, None)  # needs no service, and so no token
    async with make_client(args) as client:
        return await client.plan(query)
