"""Requests are sent: on lanes, with deadlines, retries, pauses and a pace; one, or a stream of many."""

from __future__ import annotations

from .deadline import NEVER, Deadline
from .events import Counts, Event, Stats
from .executor import Executor
from .flights import SingleFlight
from .stream import WAITING_PER_WORKER, ChunkStream, Job, JobSource

__all__ = [
    "NEVER",
    "WAITING_PER_WORKER",
    "ChunkStream",
    "Counts",
    "Deadline",
    "Event",
    "Executor",
    "Job",
    "JobSource",
    "SingleFlight",
    "Stats",
]
