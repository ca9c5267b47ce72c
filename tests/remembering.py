"""A world of the sandbox for tests that ask it the same questions many times."""

from __future__ import annotations

import pickle
from collections.abc import Hashable
from datetime import date
from typing import Any

from indivd_async import sandbox


class RememberingWorld(sandbox.World):
    """
    A world that works out each of its answers once, however many deviations then change it.

    Worlds that `changed` makes of it share what is remembered, and are told apart by their choices.
    """

    def __init__(self, **choices: Any) -> None:
        super().__init__(**choices)
        self._remembered: dict[Hashable, bytes] = {}

    def line_crosses(self, start_date: date, end_date: date, **asked: Any) -> Any:
        return self._answer("line_crosses", start_date, end_date, asked)

    def zone_visitors(self, start_date: date, end_date: date, **asked: Any) -> Any:
        return self._answer("zone_visitors", start_date, end_date, asked)

    def drop_in_rate(self, start_date: date, end_date: date, **asked: Any) -> Any:
        return self._answer("drop_in_rate", start_date, end_date, asked)

    def _answer(self, endpoint: str, start: date, end: date, asked: dict[str, Any]) -> Any:
        choices = self.parents, self.numbering, self.lines_tz, self.forgets_overnight
        key = endpoint, choices, start, end, repr(sorted(asked.items()))
        if key not in self._remembered:
            self._remembered[key] = pickle.dumps(getattr(super(), endpoint)(start, end, **asked))
        return pickle.loads(self._remembered[key])  # one of its own for each, which deviations change in place
