"""Exit codes of the command; 0 says that it worked."""

from __future__ import annotations

FAILED = 1
MISUSED = 2
#: An export is complete, and something about it should be looked at.
NEEDS_LOOK = 3
#: As shells have it: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 130, 143
