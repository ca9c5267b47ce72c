"""
Draw demo.svg: the middle of what `indivd demo` shows, on a fixed day.

uv run python .github/demo.py writes it; with --check it is compared, and the exit code says whether it is current.
"""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
from rich.console import Console

from indivd_async import AsyncIndivd, sandbox
from indivd_async.cli import demo

PICTURE = Path(__file__).with_name("demo.svg")
MOMENT = datetime(2025, 4, 2, 12, tzinfo=UTC)
PARTS = ("line_crosses", "zone_visitors: visits", "drop_in_rate")


class Excerpt(demo.Page):
    """Shows the parts that are wanted, and lets the others pass."""

    def head(self, text: str) -> None:
        """Begin a part."""
        self.console.quiet = not text.startswith(PARTS)
        super().head(text)


async def draw() -> str:
    """Return the picture."""
    demo.utc_now = lambda: MOMENT
    console = Console(
        record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="256", highlight=False, quiet=True
    )
    world = sandbox.World(now=MOMENT)
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(world=world)) as client:
        await demo._show(client, Excerpt(console))
    svg = console.export_svg(title="indivd demo", unique_id="demo")
    # The fonts of whoever looks at it: nothing is fetched.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).rstrip() + "\n"


if __name__ == "__main__":
    picture = anyio.run(draw)
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PICTURE.read_text(encoding="utf-8") == picture else "demo.svg is not what the demo shows now")
    PICTURE.write_text(picture, encoding="utf-8")
