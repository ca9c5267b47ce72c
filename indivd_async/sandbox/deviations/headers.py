"""What stands in headers alone, beside a part of the rows or figures that may not be whole."""

from __future__ import annotations

from .deviation import DATA, Deviation, Expect
from .more import say_in_headers

_PARTS: tuple[tuple[str, str, str, Expect, str], ...] = (
    ("partial_content_header", "X_Partial_Content", "true", "error", "A cache has kept a part, and says so."),
    ("truncated_header_of_a_vendor", "X_Acme_Truncated", "1", "error", "A gateway cuts large answers, and says so."),
    ("limit_reached_header", "X_Limit_Reached", "true", "error", "A query met its limit of rows, which a header says."),
    ("data_complete_header", "X_Data_Complete", "false", "error", "Some cameras have not sent all they have."),
    ("offset_header", "X_Offset", "12", "error", "Rows come from an offset on, which a proxy added."),
    ("error_header", "X_Error", "one shard timed out", "error", "A gateway sends what it has, and why it is not all."),
    ("cursor_header", "X_Cursor", "b2Zmc2V0OjEwMA", "error_or_note", "The place to go on from is told in a header."),
    ("degraded_header", "X_Degraded", "true", "error_or_note", "A service under load answers with less, and says so."),
    (
        "warning_header_of_its_own",
        "X_Api_Warning",
        "incomplete",
        "error_or_note",
        "Warnings stand in a header of the service's own.",
    ),
)
HEADER_DEVIATIONS = tuple(
    Deviation(name=name, sentence=sentence, endpoints=DATA, expect=expect, answer=say_in_headers(**{header: value}))
    for name, header, value, expect, sentence in _PARTS
)
