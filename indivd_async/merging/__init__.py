"""Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure."""

from .apart import Owners as Owners
from .keys import OwnCutConflictError as OwnCutConflictError
from .notes import Known as Known
from .result import merge_chunks as merge_chunks, merge_results as merge_results
