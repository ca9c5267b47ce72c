"""The three questions that can be asked, valid from birth: what the API would refuse never reaches the wire."""

from __future__ import annotations

from .drop_in_rate import DropInRate
from .fields import Ids, Interval, LineGrouping, OnError, PerLine, Split, ZoneGrouping, one_by_one
from .line_crosses import PER, LineCrosses
from .zone_visitors import ZoneVisitors

Query = LineCrosses | ZoneVisitors | DropInRate
QUERIES: dict[str, type[LineCrosses] | type[ZoneVisitors] | type[DropInRate]] = {
    "line_crosses": LineCrosses,
    "zone_visitors": ZoneVisitors,
    "drop_in_rate": DropInRate,
}

__all__ = [
    "PER",
    "QUERIES",
    "DropInRate",
    "Ids",
    "Interval",
    "LineCrosses",
    "LineGrouping",
    "OnError",
    "PerLine",
    "Query",
    "Split",
    "ZoneGrouping",
    "ZoneVisitors",
    "one_by_one",
]
