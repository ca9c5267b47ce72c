"""Control characters are shown, and everything else is as it was."""

from __future__ import annotations

import doctest
import json
import unicodedata

import pytest

from indivd_async.cli import documents
from indivd_async.cli.documents import escape_json
from indivd_async.escaping import escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Kungsgatan 7", "Kungsgatan 7"),
        ("Café 東京 🚪 क्\u200dष", "Café 東京 🚪 क्\u200dष"),
        ("non-breaking\u00a0space", "non-breaking\u00a0space"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\nindivd: all is well\r", r"a\nindivd: all is well\r"),
        ("tab\tnul\x00del\x7fcsi\x9b", r"tab\tnul\x00del\x7fcsi\x9b"),
        ("\u202e7 \u2066x\u2069", r"\u202e7 \u2066x\u2069"),
        ("line\u2028separator", r"line\u2028separator"),
        ("half\ud83d", r"half\ud83d"),
        ("tag\U000e0041", r"tag\U000e0041"),
        (r"back\x1bslash", r"back\x1bslash"),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_text_is_shown(text: str, shown: str) -> None:
    """Whatever a terminal or a log would obey is written as an escape."""
    assert escape_controls(text) == shown


def test_no_control_character_is_left_out() -> None:
    """All that Unicode calls a control, a separator of lines or a surrogate is escaped; letters never are."""
    for number in range(0x3000):
        letter = chr(number)
        category = unicodedata.category(letter)
        if category in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(letter) in (
            "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"
        ):  # fmt: skip
            assert escape_controls(letter) != letter, ascii(letter)
        if category[0] in "LMNPS" or category == "Zs":
            assert escape_controls(letter) == letter, ascii(letter)


def test_json_reads_as_before() -> None:
    """The document is another, what it says is not; its line ends stay."""
    value = ["\x1b[2J", "\x9b2J\x7f", "\u202e7", "tag\U000e0041", "Café\n🚪"]
    document = json.dumps(value, indent=1, ensure_ascii=False).encode()
    escaped = escape_json(document)
    assert json.loads(escaped) == value
    assert not any(letter in escaped.decode() for letter in "\x9b\x7f\u202e\U000e0041\x1b")
    assert escape_json(b'["plain"]\n') == b'["plain"]\n'
    assert doctest.testmod(documents) == (0, 1)
