"""What is not measured is not 0. Pure."""

from __future__ import annotations

import attrs

from ..models.values import with_changes
from ..results import ZoneVisitorsAnswer


def hide_bounces(answer: ZoneVisitorsAnswer) -> ZoneVisitorsAnswer:
    """Make bounces None: a threshold of 0 turns their tracking off, so they are not measured."""
    current, comparison = (
        None if rows is None else tuple([with_changes(row, bounce=None) for row in rows])
        for rows in (answer.current, answer.comparison)
    )
    return attrs.evolve(answer, current=current or (), comparison=comparison)
