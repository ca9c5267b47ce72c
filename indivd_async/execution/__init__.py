"""Requests are sent: on lanes, with deadlines, retries, pauses and a pace; one, or a stream of many."""

from .events import Counts as Counts, Event as Event, Stats as Stats
from .executor import Executor as Executor
from .flights import SingleFlight as SingleFlight, another as another
from .retrying import NEVER as NEVER, Deadline as Deadline
from .stream import (
    WAITING_PER_WORKER as WAITING_PER_WORKER,
    ChunkStream as ChunkStream,
    Job as Job,
    JobSource as JobSource,
)
