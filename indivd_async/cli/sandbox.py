"""`indivd sandbox`: the imitation of the API, over HTTP."""

from __future__ import annotations

import argparse
import math
import textwrap

import anyio

from .options import UsageError


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if not 0 <= args.fault_rate <= 1:
        raise UsageError(f"--fault-rate must be from 0 to 1; got {args.fault_rate:g}")
    if not 0 <= args.latency < math.inf:
        raise UsageError(f"--latency must be a number of seconds, at least 0; got {args.latency:g}")
    if args.replay is not None and (args.deviate or args.fault_rate or args.latency):
        raise UsageError("--replay answers as was recorded, without --deviate, --fault-rate and --latency")
    if args.list_deviations:
        _list_deviations()
    elif args.replay is not None:
        anyio.run(_replay, args)
    else:
        anyio.run(_serve, args)
    return 0


def _list_deviations() -> None:
    from .. import sandbox

    for deviation in sandbox.DEVIATIONS.values():
        print(f"{deviation.name}  [{deviation.expect.replace('_', ' ')}]")
        print(textwrap.fill(deviation.sentence, 80, initial_indent="    ", subsequent_indent="    "))


async def _replay(args: argparse.Namespace) -> None:
    from .. import sandbox
    from ..verify import Replay

    application = Replay(args.replay)
    run = application.recording
    async with sandbox.serving(application, host=args.host, port=args.port) as url:
        print(f"{len(application)} answers of {run.made_at:%Y-%m-%d} are served on {url} (Ctrl-C ends it)\n")
        print("in another terminal:")
        print(f"  export INDIVD_BASE_URL={url} INDIVD_TOKEN=any")
        print(f"  indivd verify{' --deep' * run.deep}", flush=True)
        await anyio.sleep_forever()


async def _serve(args: argparse.Namespace) -> None:
    from .. import sandbox

    faults = sandbox.Faults(rate=args.fault_rate)
    try:
        application = sandbox.app(latency_s=args.latency, faults=faults, deviations=args.deviate)
    except ValueError as error:
        raise UsageError(f"--deviate: {error}") from None
    async with sandbox.serving(application, host=args.host, port=args.port) as url:
        print(f"the sandbox listens on {url} (Ctrl-C ends it)\n")
        if args.deviate:
            print(f"it deviates: {', '.join(args.deviate)}\n")
        print("in another terminal:")
        print(f"  export INDIVD_BASE_URL={url} INDIVD_TOKEN=sandbox")
        print("  indivd fetch zone_visitors --start-date -7d --end-date yesterday", flush=True)
        await anyio.sleep_forever()
