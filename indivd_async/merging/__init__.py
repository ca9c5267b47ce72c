"""Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure."""

from __future__ import annotations

from .keys import OwnCutConflictError
from .notes import Known
from .result import merge_chunks
from .shards import merge_results

__all__ = ["Known", "OwnCutConflictError", "merge_chunks", "merge_results"]
