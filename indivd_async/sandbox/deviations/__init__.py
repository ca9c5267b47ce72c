"""
Ways to answer otherwise than asked: what a client, and `indivd verify`, must not be fooled by.

Nobody outside Indivd can know how the real service reads what its documentation leaves open, nor what lies between it
and its users. Each deviation is one thing that services of this kind do; they can be combined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import attrs

from .clocks import CLOCK_DEVIATIONS
from .comparisons import COMPARISON_DEVIATIONS
from .deviation import Deviation, Expect, Question, Reply
from .filters import FILTER_DEVIATIONS
from .forms import FORM_DEVIATIONS
from .headers import HEADER_DEVIATIONS
from .labels import LABEL_DEVIATIONS
from .limits import LIMIT_DEVIATIONS
from .lists import LIST_DEVIATIONS
from .measured import MEASURED_DEVIATIONS
from .mixed import MIXED_DEVIATIONS
from .more import MORE_DEVIATIONS
from .periods import PERIOD_DEVIATIONS
from .rows import ROW_DEVIATIONS
from .sections import SECTION_DEVIATIONS
from .units import UNIT_DEVIATIONS

__all__ = ["DEVIATIONS", "Deviation", "Expect", "Question", "Reply", "find_deviations"]

#: All of them, by name.
DEVIATIONS: Final[Mapping[str, Deviation]] = MappingProxyType(
    {
        deviation.name: deviation
        for deviations in (
            PERIOD_DEVIATIONS,
            CLOCK_DEVIATIONS,
            LABEL_DEVIATIONS,
            FILTER_DEVIATIONS,
            ROW_DEVIATIONS,
            SECTION_DEVIATIONS,
            COMPARISON_DEVIATIONS,
            MORE_DEVIATIONS,
            LIMIT_DEVIATIONS,
            FORM_DEVIATIONS,
            LIST_DEVIATIONS,
            MEASURED_DEVIATIONS,
            MIXED_DEVIATIONS,
            UNIT_DEVIATIONS,
            HEADER_DEVIATIONS,
        )
        for deviation in deviations
    }
)


def find_deviations(names: Iterable[str]) -> tuple[Deviation, ...]:
    """
    Return the deviations of these names, in their order; ``name@endpoint`` is one that shows there only.

    Raises ValueError for one that there is not.
    """
    return tuple(map(_find, names))


def _find(given: str) -> Deviation:
    name, _, endpoint = given.partition("@") if isinstance(given, str) else (repr(given), "", "")
    if name not in DEVIATIONS:
        near = get_close_matches(name, DEVIATIONS, 1)
        hint = f"did you mean {near[0]!r}?" if near else "`indivd sandbox --list-deviations` names them"
        raise ValueError(f"no deviation is called {name!r}; {hint}")
    found = DEVIATIONS[name]
    if not endpoint:
        return found
    if endpoint not in found.endpoints:
        raise ValueError(f"{name} does not show at {endpoint!r}, but at {', '.join(found.endpoints)}")
    return attrs.evolve(found, endpoints=(endpoint,))
