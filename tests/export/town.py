"""A town whose locations open, close, move to other clocks and change their figures: the sandbox's world, disturbed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from indivd_async.sandbox import World

NOW = datetime(2026, 6, 1, tzinfo=UTC)
#: Locations of the sandbox, each with zones of its own.
PLACES = (124, 126, 127, 129)


class Town(World):
    """
    The sandbox's world with fewer locations, and visits that can be added to a day of one.

    Answers whatever it is asked, also about locations that it does not list; so it can be asked for the truth.
    """

    def __init__(self, *, listed: tuple[int, ...] = PLACES, scale: float = 0.1) -> None:
        super().__init__(scale=scale, now=NOW)
        self.listed = list(listed)
        self.clocks: dict[int, str | None] = {row["id"]: row["timezone"] for row in super().listing("locations")}
        #: location → zones that are shown there too, and zones that are shown nowhere.
        self.lent: dict[int, int] = {}
        self.late: dict[tuple[int, date], int] = {}
        #: Locations and days of which nothing is said.
        self.silent: set[int] = set()

    def listing(self, name: str, *, token: str = "sandbox") -> list[dict[str, Any]]:
        rows = super().listing(name, token=token)
        if name != "locations":
            return rows
        return [row | {"timezone": self.clocks[row["id"]]} for row in rows if row["id"] in self.listed]

    def zone_visitors(self, start_date: date, end_date: date, **asked: Any) -> dict[str, Any]:
        said = super().zone_visitors(start_date, end_date, **self._as_asked(asked))
        for period in (said["current"], said["comparison"]):
            rows = period.get("insights", [])
            for row in rows:
                row["visits"] += self._late(row["aggregation"], row["aggregation"]["zone_id"])
            if period:
                period["insights"] = [row for row in rows if self._shows(row["aggregation"]["zone_id"], asked)]
        return said

    def drop_in_rate(self, start_date: date, end_date: date, **asked: Any) -> dict[str, Any]:
        asked = self._as_asked(asked)
        if asked.get("tz") is None and asked.get("location"):
            first = asked["location"][0] if isinstance(asked["location"], tuple) else asked["location"]
            asked["tz"] = self.clocks[first]
        said = super().drop_in_rate(start_date, end_date, **asked)
        for zone in said["zone_details"]["current"].values():
            for row in zone["details"]:
                row["visits"] += self._late(row, zone["zone_id"])
        if self.silent & set(_ids(asked)):
            said["zone_details"]["current"] = {}
            said["details"]["current"] = []
            said["summary"]["current"] |= {"passing_by": 0, "enter": 0, "enter_percentage": 0.0}
        return said

    def line_crosses(self, start_date: date, end_date: date, **asked: Any) -> list[dict[str, Any]]:
        location = asked.get("location")
        if location is None:
            asked["location"] = tuple(self.listed)
        rows = super().line_crosses(start_date, end_date, **asked)
        for row in rows:
            row["count"] += sum(self._late_at(row["_id"], id) for id in _ids(asked))
        return [] if self.silent & set(_ids(asked)) else rows

    def _as_asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        borrowed = [_home(zone) for zone, there in self.lent.items() if there in _ids(asked)]
        return asked | ({"location": (*_ids(asked), *borrowed)} if borrowed else {})

    def _shows(self, zone: int, asked: dict[str, Any]) -> bool:
        at = self.lent.get(zone, _home(zone))
        return at in _ids(asked) and at not in self.silent

    def _late(self, label: dict[str, Any], zone: int) -> int:
        return self._late_at(label, _home(zone)) if zone % 10 == 1 else 0

    def _late_at(self, label: dict[str, Any], location: int) -> int:
        if not {"year", "month", "dayofmonth"} <= set(label):
            return 0
        day = date(label["year"], label["month"], label["dayofmonth"])
        return self.late.get((location, day), 0)


def _home(zone: int) -> int:
    return PLACES[0] + (zone - 201) // 10


def _ids(asked: dict[str, Any]) -> tuple[int, ...]:
    location = asked.get("location")
    if location is None:
        return ()
    return (location,) if isinstance(location, int) else tuple(location)


def day_after(day: date, days: int = 1) -> date:
    """Return the day so many days later."""
    return day + timedelta(days=days)
