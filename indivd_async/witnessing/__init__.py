"""An answer is held against its question by what it says itself. Pure."""

from __future__ import annotations

from .licensing import Subject, find_unlicensed, hide_rows, hide_unlicensed
from .witnesses import WITNESSES, Witness, witness_answer, witness_list

__all__ = [
    "WITNESSES",
    "Subject",
    "Witness",
    "find_unlicensed",
    "hide_rows",
    "hide_unlicensed",
    "witness_answer",
    "witness_list",
]
