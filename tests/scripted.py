"""A transport that answers as the test says, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import httpx

Params = dict[str, str]
Answer = Any

LOCATIONS = [
    {"id": 124, "name": "Drottninggatan", "timezone": "Europe/Stockholm"},
    {"id": 125, "name": "Kungsgatan", "timezone": "Europe/Stockholm"},
    {"id": 301, "name": "Fifth Avenue", "timezone": "America/New_York"},
]


class Script(httpx.AsyncBaseTransport):
    """
    Answers data endpoints from a function of (path, params); a number is a status, anything else a JSON body.

    `asked` lists (path, params) in order of arrival.
    """

    def __init__(
        self,
        answer: Callable[[str, Params], Answer | Awaitable[Answer]],
        *,
        locations: Answer = LOCATIONS,
        zones: Answer = (),
    ) -> None:
        self._answer = answer
        self._locations = locations
        #: None: as the function says.
        self._zones = zones
        self.asked: list[tuple[str, Params]] = []
        self.in_air = 0
        self.peak = 0

    @property
    def data(self) -> list[Params]:
        """The parameters of requests to the data endpoints, in order of arrival."""
        return [params for path, params in self.asked if not path.startswith("/filters/")]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        self.asked.append((request.url.path, params))
        self.in_air += 1
        self.peak = max(self.peak, self.in_air)
        try:
            if request.url.path == "/filters/locations":
                answer = self._locations
            elif request.url.path == "/filters/zones" and self._zones is not None:
                answer = self._zones
            else:
                answer = self._answer(request.url.path, params)
                if isinstance(answer, Awaitable):
                    answer = await answer
        finally:
            self.in_air -= 1
        if isinstance(answer, int) and not isinstance(answer, bool):
            return httpx.Response(answer)
        return httpx.Response(200, content=json.dumps(answer).encode())


def days_of(params: Params) -> list[date]:
    """Every day that a request asks for."""
    start, end = date.fromisoformat(params["start_date"]), date.fromisoformat(params["end_date"])
    return [start + timedelta(days=k) for k in range((end - start).days + 1)]


def visits_by_day(path: str, params: Params) -> Answer:
    """Answer zone_visitors by day: as many visits in zone 201 as the day of the month, one unique visitor less."""
    insights = [
        {
            "visits": day.day,
            "unique_visits": max(day.day - 1, 1),
            "bounce": 0,
            "dwell_time": 60.0,
            "dwell_time_stats": {"mean": 60.0, "min": 1.0, "max": 90.0, "quantiles": [30.0, 60.0, 80.0], "n": day.day},
            "exclude": {"min_dwell_time": 0, "max_dwell_time": 0},
            "aggregation": {
                "year": day.year,
                "month": day.month,
                "dayofmonth": day.day,
                "zone_id": 201,
                "zone_name": "Entrance",
                "bounce_threshold": 120,
            },
        }
        for day in days_of(params)
    ]
    current = {"startdate": params["start_date"], "enddate": params["end_date"], "insights": insights}
    return {"current": current, "comparison": {}}


def counts_by_day(path: str, params: Params) -> Answer:
    """Answer line_crosses by day: ten crossings a day."""
    return [{"_id": {"year": d.year, "month": d.month, "dayofmonth": d.day}, "count": 10} for d in days_of(params)]
