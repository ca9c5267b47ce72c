"""The client: it alone knows the order of the stages."""

from __future__ import annotations

from .call import Call
from .client import AsyncIndivd
from .endpoints import Endpoints

__all__ = ["AsyncIndivd", "Call", "Endpoints"]
