"""What there is to know about figures: a kind for programs, a sentence for people."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Note:
    """Something to know about the figures; `kind` is for programs, `message` for people."""

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message
