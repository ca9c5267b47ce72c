"""A query and the locations it needs become ordered requests, each with its reason. Pure: no clock, no I/O."""

from __future__ import annotations

from .plan import Plan, check_asked, each_query, make_plan
from .request import PlannedRequest
from .series import needs_locations
from .windows import Window

__all__ = ["Plan", "PlannedRequest", "Window", "check_asked", "each_query", "make_plan", "needs_locations"]
