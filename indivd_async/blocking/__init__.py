"""
The client for code that does not await: scripts, notebooks' plain cells, threads, databases that read Arrow.

>>> from indivd_async import sandbox
>>> with Indivd("sandbox", transport=sandbox.transport()) as client:
...     result = client.zone_visitors("2025-03-01", "2025-03-07", location=124, aggregate_by="zone")
>>> result.complete
True
"""

from .client import Indivd
from .reader import ArrowReader
from .stream import Chunks

__docformat__ = "google"
__all__ = ["ArrowReader", "Chunks", "Indivd"]
