"""The bodies that the servers answer with."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

FIRST_DAY = date(2015, 1, 1)
LINES_PATH = "/api/v1/rnd/insights/external/line_crosses/"
ZONES_PATH = "/api/v1/rnd/insights/external/zone_visitors/"
ZONES = 58
LOCATIONS_PATH = "/filters/locations"
ZONE_LIST_PATH = "/filters/zones"
_LOCATIONS = 300


def days(count: int) -> list[date]:
    """Return the days that *count* requests of one day each ask for."""
    return [FIRST_DAY + timedelta(days=k) for k in range(count)]


def line_crosses() -> bytes:
    """Return fourteen hours of crossings: 1 KB, the same for every location."""
    labels = {"year": 2025, "month": 3, "dayofmonth": 1}
    rows = [{"_id": {**labels, "hour": hour}, "count": 4_000 + 137 * hour} for hour in range(8, 22)]
    return json.dumps(rows).encode()


def zone_visitors(day: date, zones: int = ZONES) -> bytes:
    """Return one day of *zones* zones, as the vendor's article shows it."""
    insights = [_visits(day, zone) for zone in range(201, 201 + zones)]
    current = {"startdate": day.isoformat(), "enddate": day.isoformat(), "insights": insights}
    return json.dumps({"current": current, "comparison": {}}).encode()


def locations() -> bytes:
    """Return the list of locations, which a client looks up once to name its rows."""
    told = {"timezone": "Europe/Stockholm", "city": "Stockholm", "organization": 1}
    return json.dumps([{"id": number, "name": f"Location {number}", **told} for number in range(_LOCATIONS)]).encode()


def zone_list(zones: int = ZONES) -> bytes:
    """Return the list of zones, all of one location."""
    return json.dumps(
        [{"id": zone, "name": f"Zone {zone}", "location": 124, "floor": 1} for zone in range(201, 201 + zones)]
    ).encode()


def _visits(day: date, zone: int) -> dict[str, Any]:
    visits = 100 + zone + day.day
    mean = 60 + visits / 7
    return {
        "visits": visits,
        "unique_visits": visits - 33,
        "bounce": 43,
        "dwell_time": mean,
        "dwell_time_stats": {
            "mean": mean,
            "min": 12.0,
            "max": 1843.0 + day.day,
            "quantiles": [95.0, 148.5, 231.0 + zone],
            "n": visits - 33,
        },
        "exclude": {"min_dwell_time": 0, "max_dwell_time": 0},
        "aggregation": {
            "dayofmonth": day.day,
            "month": day.month,
            "year": day.year,
            "zone_id": zone,
            "zone_name": f"Zone {zone}",
            "bounce_threshold": 120,
        },
    }
