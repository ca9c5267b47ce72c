"""
Measure on the service itself what right figures depend on: how it numbers, which clocks it has, where it ends.

The article leaves open, or contradicts itself in, what decides whether figures are right. `verify` asks some thirty
gentle questions about closed days, and tells of each assumption whether it holds, fails, or cannot be told there. What
it learns is a `Profile` that `AsyncIndivd(profile=…)` takes.

>>> import anyio
>>> from indivd_async import AsyncIndivd, sandbox
>>> from indivd_async.verify import verify
>>> async def main():
...     async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
...         report = await verify(client, days=31)
...         return report.is_sound, report.profile.numbering.weekdays
>>> anyio.run(main)
(True, 'sunday-1')
"""

from ..profile import MostDays, Numbering, Profile
from .recording import read_recording
from .replay import Replay
from .report import Finding, Report
from .run import ASSUMPTIONS, MOST_REQUESTS, MOST_REQUESTS_DEEP, NotVerifiableError, verify
from .seen import Assumption, Verdict

__docformat__ = "google"
__all__ = [
    "ASSUMPTIONS",
    "MOST_REQUESTS",
    "MOST_REQUESTS_DEEP",
    "Assumption",
    "Finding",
    "MostDays",
    "NotVerifiableError",
    "Numbering",
    "Profile",
    "Replay",
    "Report",
    "Verdict",
    "read_recording",
    "verify",
]
