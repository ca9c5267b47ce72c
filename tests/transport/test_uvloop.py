"""The faults again on uvloop, whose sockets and timers are others."""

from __future__ import annotations

from typing import Any

import pytest
from test_faults import (
    test_a_connection_closed_between_requests,
    test_a_second_answer_is_never_served,
    test_broken_answers,
    test_dribbling_servers,
    test_large_answers_arrive_whole,
    test_silent_servers,
    test_unasked_bytes_are_never_served,
    test_unknown_host,
)
from test_network import (
    test_bytes_that_nobody_asked_for_are_seen,
    test_what_does_not_fit_at_once_is_sent_whole,
    test_who_sends_into_a_connection_that_ended_is_told,
)

__all__ = [
    "test_a_connection_closed_between_requests",
    "test_a_second_answer_is_never_served",
    "test_broken_answers",
    "test_bytes_that_nobody_asked_for_are_seen",
    "test_dribbling_servers",
    "test_large_answers_arrive_whole",
    "test_silent_servers",
    "test_unasked_bytes_are_never_served",
    "test_unknown_host",
    "test_what_does_not_fit_at_once_is_sent_whole",
    "test_who_sends_into_a_connection_that_ended_is_told",
]
pytest.importorskip("uvloop")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}
