"""An answer is held against its question by what it says itself. Pure."""

from __future__ import annotations

from .places import Owners
from .witnesses import WITNESSES, Witness, witness_answer, witness_list

__all__ = ["WITNESSES", "Owners", "Witness", "witness_answer", "witness_list"]
