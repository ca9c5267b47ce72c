"""The values that travel through the house: rows, places and buckets, the table of endpoints, and clocks."""

from __future__ import annotations

from .places import Category, Line, Location, Organization, Places, Zone
from .rows import (
    Aggregation,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    LineCrossesRow,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from .values import NOTHING_EXTRA, Bucket, FrozenMap

__all__ = [
    "NOTHING_EXTRA",
    "Aggregation",
    "Bucket",
    "Category",
    "DropInRow",
    "DropInTotals",
    "DwellTimeStats",
    "Exclude",
    "FrozenMap",
    "Line",
    "LineCrossesRow",
    "Location",
    "Organization",
    "Places",
    "Zone",
    "ZoneDropIn",
    "ZoneDropInRow",
    "ZoneVisitorsRow",
]
