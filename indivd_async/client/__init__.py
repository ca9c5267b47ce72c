"""The client: it alone knows the order of the stages."""

from __future__ import annotations

from .call import Call as Call
from .client import AsyncIndivd as AsyncIndivd
from .endpoints import Endpoints as Endpoints
