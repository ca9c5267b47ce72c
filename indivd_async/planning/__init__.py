"""A query and the locations it needs become ordered requests, each with its reason. Pure: no clock, no I/O."""

from .layout import needs_locations as needs_locations, time_zone_of as time_zone_of
from .plan import Plan as Plan, check_asked as check_asked, each_query as each_query, make_plan as make_plan
from .request import PlannedRequest as PlannedRequest
from .windows import Window as Window
