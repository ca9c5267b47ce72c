"""Lanes to the service: one connection each, one request at a time; the only room that knows HTTP libraries."""

from __future__ import annotations

from .address import BaseURL, Token, parse_base_url
from .choosing import HttpClient, HttpTransport, plan_lanes
from .lane import Lane, is_on_trio
from .pool import LanePool
from .replies import Failure, Reply, UnknownCodingError

__all__ = [
    "BaseURL",
    "Failure",
    "HttpClient",
    "HttpTransport",
    "Lane",
    "LanePool",
    "Reply",
    "Token",
    "UnknownCodingError",
    "is_on_trio",
    "parse_base_url",
    "plan_lanes",
]
