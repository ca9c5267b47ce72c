"""The client: it alone knows the order of the stages."""

from __future__ import annotations

from .call import Call
from .client import AsyncIndivd

__all__ = ["AsyncIndivd", "Call"]
