"""The values that travel through the house: rows, places and buckets, the table of endpoints, and clocks."""

from .places import (
    Category as Category,
    Line as Line,
    Location as Location,
    Organization as Organization,
    Zone as Zone,
)
from .rows import (
    Aggregation as Aggregation,
    DropInRow as DropInRow,
    DropInTotals as DropInTotals,
    DwellTimeStats as DwellTimeStats,
    Exclude as Exclude,
    LineCrossesRow as LineCrossesRow,
    ZoneDropIn as ZoneDropIn,
    ZoneDropInRow as ZoneDropInRow,
    ZoneVisitorsRow as ZoneVisitorsRow,
)
from .values import NOTHING_EXTRA as NOTHING_EXTRA, Bucket as Bucket, FrozenMap as FrozenMap
