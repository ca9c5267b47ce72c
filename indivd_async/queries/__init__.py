"""The three questions that can be asked, valid from birth: what the API would refuse never reaches the wire."""

from .drop_in_rate import DropInRate as DropInRate
from .fields import (
    BaseQuery as BaseQuery,
    Ids as Ids,
    Interval as Interval,
    LineGrouping as LineGrouping,
    OnError as OnError,
    PerLine as PerLine,
    Split as Split,
    ZoneGrouping as ZoneGrouping,
    ZoneQuery as ZoneQuery,
    one_by_one as one_by_one,
)
from .line_crosses import PER as PER, LineCrosses as LineCrosses
from .zone_visitors import ZoneVisitors as ZoneVisitors

Query = LineCrosses | ZoneVisitors | DropInRate
QUERIES = {kind.endpoint.name: kind for kind in (LineCrosses, ZoneVisitors, DropInRate)}
