"""An answer is held against its question by what it says itself. Pure."""

from __future__ import annotations

from .licensing import Subject, find_unlicensed, hide_rows, hide_unlicensed

__all__ = ["Subject", "find_unlicensed", "hide_rows", "hide_unlicensed"]
