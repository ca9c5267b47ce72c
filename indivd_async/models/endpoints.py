"""
The table of the eight endpoints: what the vendor's article says of each, as values.

Nothing elsewhere branches on the name of an endpoint for something that could stand here.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..fielded import Fielded
from .places import Category, Line, Location, Organization, Zone

_DATA = "/api/v1/rnd/insights/external/"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DataEndpoint(Fielded):
    """One of the three endpoints that answer with figures."""

    name: str
    #: With the trailing slash: the documented form.
    path: str
    #: The parameter that names the grouping, and the comparison's own (ours, never sent).
    grouping: str
    comparison_grouping: str | None = None
    groupings: frozenset[str]
    #: Whether several groupings may be combined, with commas.
    combines: bool = False
    #: Parameters of one value, which every request is sent as they are.
    scalars: tuple[str, ...] = ()
    #: Grouping to the number of days one request may cover, both ends counted.
    max_days: Mapping[str, int] = attrs.field(factory=dict)
    #: Groupings that one request may ask only within a calendar year.
    within_year: frozenset[str] = frozenset()
    #: (at most so many days, grouping) in rising order: what the API groups by when it is not told.
    defaults: tuple[tuple[float, str], ...]
    #: Parameter names whose long lists may be cut over several requests: in order of preference.
    chunked: tuple[str, ...]
    #: Whether rows of those chunks that share a key are added up (else they may not share one).
    chunks_add: bool = True


LINE_CROSSES = DataEndpoint(
    name="line_crosses",
    path=_DATA + "line_crosses/",
    grouping="aggregate_by",
    groupings=frozenset({"year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute"}),
    max_days={"minute": 3, "hour": 7},
    within_year=frozenset({"week"}),
    defaults=((1, "hour"), (31, "dayofmonth"), (float("inf"), "month")),
    chunked=("line_ids",),
)
ZONE_VISITORS = DataEndpoint(
    name="zone_visitors",
    path=_DATA + "zone_visitors/",
    grouping="aggregate_by",
    comparison_grouping="comparison_aggregate_by",
    groupings=frozenset({"year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute", "loc_id", "zone"}),
    combines=True,
    scalars=("bounce_threshold", "min_dwell", "max_dwell"),
    defaults=((1, "hour"), (31, "dayofmonth"), (364, "week"), (float("inf"), "month")),
    chunked=("zones", "location"),
    chunks_add=False,
)
DROP_IN_RATE = DataEndpoint(
    name="drop_in_rate",
    path=_DATA + "drop_in_rate/",
    grouping="interval",
    comparison_grouping="comparison_interval",
    groupings=frozenset({"year", "month", "week", "day", "hour"}),
    defaults=((1, "hour"), (31, "day"), (364, "week"), (float("inf"), "month")),
    chunked=("zone", "location"),
)
DATA_ENDPOINTS = {endpoint.name: endpoint for endpoint in (LINE_CROSSES, ZONE_VISITORS, DROP_IN_RATE)}


@attrs.frozen(eq=False, repr=False)
class FilterEndpoint(Fielded):
    """One of the five endpoints that list what a token may see."""

    entity: type
    #: Without a trailing slash: the documented form. Tried in order; the next where one answers 404.
    paths: tuple[str, ...]


FILTER_ENDPOINTS = {
    "locations": FilterEndpoint(Location, ("/filters/locations",)),
    "zones": FilterEndpoint(Zone, ("/filters/zones",)),
    "categories": FilterEndpoint(Category, ("/filters/categories",)),
    "lines": FilterEndpoint(Line, ("/filters/lines",)),
    # The article spells the data parameter with z and its prose with s; which one the path takes is not documented.
    "organizations": FilterEndpoint(Organization, ("/filters/organizations", "/filters/organisations")),
}
#: The list that has the ids of a parameter, and their names.
LISTED_IN: Mapping[str, str] = {
    "location": "locations",
    "zones": "zones",
    "zone": "zones",
    "zone_to": "zones",
    "zone_from": "zones",
    "category": "categories",
    "line_ids": "lines",
    "organization": "organizations",
}
