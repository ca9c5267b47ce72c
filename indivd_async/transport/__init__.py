"""Lanes to the service: one connection each, one request at a time; the only room that knows HTTP libraries."""

from .address import BaseURL as BaseURL, Token as Token, hide as hide, parse_base_url as parse_base_url
from .choosing import HttpClient as HttpClient, HttpTransport as HttpTransport, plan_lanes as plan_lanes
from .lane import Lane as Lane, is_on_trio as is_on_trio
from .pool import LanePool as LanePool
from .replies import (
    Failure as Failure,
    Reply as Reply,
    UnknownCodingError as UnknownCodingError,
    is_retried as is_retried,
)
