"""The reading of answers: what httptools leaves open, and a differential search against h11 and httptools alone."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from itertools import pairwise

import h11
import httptools
import pytest
from attrs import frozen
from raw_server import answer

from indivd_async.transport.http11 import Answer, ProtocolError
from indivd_async.transport.replies import Failure

LIMIT = 3000
PACKED = gzip.compress(b"[1, 2, 3]")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
#: Cases of one seed; four seeds are tried.
CASES = 6000


@frozen
class Taken:
    """An answer that was read to its end."""

    status: int
    #: Of a 200.
    body: bytes = b""
    #: Whether the connection may serve again.
    reusable: bool = False


REFUSED, UNFINISHED = "refused", "unfinished"
Outcome = Taken | str


def split(whole: bytes, *places: int) -> list[bytes]:
    """Cut *whole* at *places*."""
    cuts = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[a:b] for a, b in pairwise(cuts) if a < b]


def read(parts: list[bytes], *, ended: bool = False) -> Outcome:
    """Let ours read what comes in *parts*, and then the end of the connection if it *ended*."""
    reading = Answer(LIMIT)
    try:
        for part in parts:
            if reading.done:
                return told(reading, has_more=True)
            reading.feed(part)
        if ended and not reading.done:
            reading.end()
        return told(reading) if reading.done else UNFINISHED
    except (ProtocolError, Failure):
        return REFUSED


def told(reading: Answer, *, has_more: bool = False) -> Taken:
    assert reading.draft is not None
    reply = reading.draft.whole()
    return Taken(reply.status, reply.body, reading.is_reusable and not has_more)


def read_by_h11(parts: list[bytes], *, ended: bool = False) -> Outcome:
    """Let h11 read it, as strictly as it does."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=100 * 2**10)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "api.example")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        for part in [*parts, *[b""] * ended]:
            connection.receive_data(part)
            while (event := connection.next_event()) is not h11.NEED_DATA and event is not h11.PAUSED:
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    is_done = connection.our_state is connection.their_state is h11.DONE
                    has_more = connection.trailing_data != (b"", False) or part is not parts[-1]
                    return Taken(status, body if status == 200 else b"", is_done and not has_more)
                elif isinstance(event, h11.ConnectionClosed):
                    return REFUSED
    except h11.RemoteProtocolError:
        return REFUSED
    return UNFINISHED


class ByHttptools:
    """What httptools says by itself; the end of a connection, which it does not know, ends a body without a length."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status, self.body, self.whole, self.sized = 0, b"", False, False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.sized |= not self.whole and name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        if not self.whole:
            self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self.whole and self.status >= 200:
            self.body += body

    def on_message_complete(self) -> None:
        self.whole |= self.status >= 200
        self.sized &= self.whole


def read_by_httptools(parts: list[bytes], *, ended: bool = False) -> Outcome:
    reading = ByHttptools()
    try:
        for part in parts:
            reading.parser.feed_data(part)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        if not reading.whole:
            return REFUSED
    if not reading.whole:
        if not ended:
            return UNFINISHED
        if reading.status < 200 or reading.sized:
            return REFUSED
    return Taken(reading.status, reading.body if reading.status == 200 else b"")


WHOLE = {
    "plain": answer(b"[]"),
    "nothing": answer(b""),
    "as long as may be": answer(b"x" * LIMIT),
    "an empty coding": answer(headers=["Content-Encoding: "]),
    "kept": answer(headers=["Server: nginx/1.22.1", "Connection: keep-alive", "Keep-Alive: timeout=60"]),
    "names in capitals": answer().replace(b"Content-Length", b"CONTENT-LENGTH"),
    "a chunk": CHUNKED + b"2\r\n[]\r\n0\r\n\r\n",
    "chunks": CHUNKED + b"2\r\n[1\r\n001\r\n]\r\n0\r\n\r\n",
    "no chunk": CHUNKED + b"0\r\n\r\n",
    "chunks in capitals": CHUNKED.replace(b"chunked", b"Chunked ") + b"2\r\n[]\r\n0\r\n\r\n",
    "an extension": CHUNKED + b"2;x=y\r\n[]\r\n0\r\n\r\n",
    "a trailer": CHUNKED + b"2\r\n[]\r\n0\r\nX: y\r\n\r\n",
    "another status": answer(status=404),
    "a Retry-After": answer(status=503, headers=["Retry-After: 1"]),
    "no content": answer(b"", status=204),
    "not modified, with the length of what was": answer(b"", status=304, length=9),
    "Latin-1": answer(headers=["X: \xe5"]),
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n[]",
    "hints first": HINTS + HINTS + answer(),
    "a length of sixteen digits": answer().replace(b": 2", b": 0000000000000002"),
}
#: Taken, and the connection is not used again.
LAST = {
    "said to close": answer(headers=["Connection: close"]),
    "said to close, and not to": answer(headers=["Connection: keep-alive", "Connection: close"]),
    "HTTP/1.0": answer().replace(b"1.1", b"1.0"),
    "another answer behind it": answer() + answer(b'["evil"]'),
    "a byte behind it": answer() + b"x",
    "a line end behind it": answer() + b"\r\n",
    "a line end behind chunks": CHUNKED + b"2\r\n[]\r\n0\r\n\r\n\r\n",
    "an answer behind chunks": CHUNKED + b"2\r\n[]\r\n0\r\n\r\n" + answer(b'["evil"]'),
    "a body behind none": answer(b"[]", status=204),
}
REFUSALS = {
    "chunks and a length": answer(b"0\r\n\r\n", headers=["Transfer-Encoding: chunked"]),
    "chunks or not": answer(headers=["Transfer-Encoding: "]),
    "chunks and an empty length": CHUNKED[:-2] + b"Content-Length: \r\n\r\n0\r\n\r\n",
    "no coding of chunks": answer(headers=["Transfer-Encoding: identity"]),
    "a coding that nobody knows": CHUNKED.replace(b"chunked", b"gzip") + b"[]",
    "chunks twice": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a list of codings": CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
    "two lengths": answer(headers=["Content-Length: 2"]),
    "two other lengths": answer(headers=["Content-Length: 3"]),
    "a list of lengths": answer().replace(b": 2", b": 2, 2"),
    "a length below zero": answer().replace(b": 2", b": -2"),
    "a length with a sign": answer().replace(b": 2", b": +2"),
    "a length in Arabic digits": answer().replace(b": 2", ": ٢".encode()),
    "a folded line": answer(headers=["X: a", " b"]),
    "a space before the colon": answer(headers=["X : a"]),
    "no name": answer(headers=[": a"]),
    "a bare line feed": answer(headers=["X: a\nConnection: close"]),
    "bare line feeds only": answer().replace(b"\r\n", b"\n"),
    "a bare carriage return": answer(headers=["X: a\rb"]),
    "a NUL": answer(headers=["X: \0"]),
    "a control character": answer(headers=["X: \x01"]),
    "a NUL in the reason": answer().replace(b"Said", b"Sa\0id"),
    "a control character in the reason": answer().replace(b"Said", b"Sa\x1bid"),
    "a line end first": b"\r\n" + answer(),
    "a line end behind hints": HINTS + b"\r\n" + answer(),
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + answer(),
    "101 alone": b"HTTP/1.1 101 Switching\r\n\r\n" + answer(),
    "hints with a body": b"HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\n[]" + answer(),
    "HTTP/2.0": answer().replace(b"1.1", b"2.0"),
    "HTTP/0.9": answer().replace(b"1.1", b"0.9"),
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status of four digits": answer(status=2000),
    "a blank behind a chunk's size": CHUNKED + b"2 \r\n[]\r\n0\r\n\r\n",
    "a NUL in an extension": CHUNKED + b"2;x=\0\r\n[]\r\n0\r\n\r\n",
    "no size": CHUNKED + b"\r\n[]\r\n0\r\n\r\n",
    "a size below zero": CHUNKED + b"-2\r\n[]\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + b"0x2\r\n[]\r\n0\r\n\r\n",
    "a size with an underline": CHUNKED + b"0_2\r\n[]\r\n0\r\n\r\n",
    "a trailer that gives a length": CHUNKED + b"2\r\n[]\r\n0\r\nContent-Length: 2\r\n\r\n",
    "a trailer that names a coding": CHUNKED + b"2\r\n[]\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n[]\r\n0\r\n\r\n",
    "a bare line feed behind a chunk": CHUNKED + b"2\n[]\n0\n\n",
    "more than may be": answer(b"x" * (LIMIT + 1)),
    "more than may be in chunks": CHUNKED + b"fff\r\n%b\r\n0\r\n\r\n" % (b"x" * 0xFFF),
    "a head beyond all measure": answer(headers=["X: " + "x" * 2**17]),
    "many lines beyond all measure": answer(headers=["X: x"] * 2**15),
    "an extension beyond all measure": CHUNKED + b"2;%b\r\n[]\r\n0\r\n\r\n" % (b"x" * 2**18),
    "a trailer beyond all measure": CHUNKED + b"0\r\nX: %b\r\n\r\n" % (b"x" * 2**18),
}
CUT = {
    "half a head": answer()[:20],
    "a head without its last byte": answer(b"")[:-1],
    "half a body": answer(b"[]", length=3),
    "half a chunk": CHUNKED + b"3\r\n[",
    "no last chunk": CHUNKED + b"2\r\n[]\r\n",
    "half a last chunk": CHUNKED + b"2\r\n[]\r\n0\r\n",
    "hints only": HINTS,
}


def named(cases: dict[str, bytes]) -> list[object]:
    return [pytest.param(text, id=name) for name, text in cases.items()]


def expected_body(response: bytes) -> bytes:
    """Say it by what stands there, without any parser."""
    if b"chunked" in response.lower():
        return b"[1]" if b"[1" in response else b"" if b"[]" not in response else b"[]"
    return b"x" * LIMIT if b"xxx" in response else b"" if b"Length: 0\r" in response else b"[]"


@pytest.mark.parametrize("response", named(WHOLE))
def test_ordinary_answers(response: bytes) -> None:
    """They are taken however they are cut, and the connection is kept."""
    outcome = read([response])
    assert isinstance(outcome, Taken)
    assert outcome.reusable
    assert outcome.body == (expected_body(response) if outcome.status == 200 else b"")
    for place in range(1, min(len(response), 200)):
        assert read(split(response, place)) == outcome
    assert read([bytes([byte]) for byte in response]) == outcome


@pytest.mark.parametrize("response", named(LAST))
def test_answers_that_are_the_last(response: bytes) -> None:
    """They are taken however they are cut, and the connection is not used again."""
    for place in range(len(response)):
        outcome = read(split(response, place))
        assert isinstance(outcome, Taken)
        assert not outcome.reusable
        assert outcome.body == (b"" if outcome.status == 204 else b"[]")


@pytest.mark.parametrize("response", named(REFUSALS))
def test_what_is_refused(response: bytes) -> None:
    """It is refused at once, though the connection stays open, and however it is cut."""
    assert read([response]) == REFUSED
    for place in range(1, min(len(response), 200)):
        assert read(split(response, place)) == REFUSED


@pytest.mark.parametrize("response", named(CUT))
def test_what_is_cut(response: bytes) -> None:
    """What is not whole is waited for, and refused when the connection ends."""
    assert read([response]) == UNFINISHED
    assert read([response], ended=True) == REFUSED
    assert read([], ended=True) == REFUSED


def test_an_answer_that_ends_with_its_connection() -> None:
    """With neither length nor chunks it goes on to the end, and the connection is not used again."""
    response = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n[]"
    for place in range(len(response)):
        assert read(split(response, place)) == UNFINISHED
        assert read(split(response, place), ended=True) == Taken(200, b"[]")


def test_many_small_chunks_cost_what_their_bytes_cost() -> None:
    """No chunk is looked at twice: what is kept between two segments does not grow."""
    reading = Answer(2**20)
    reading.feed(CHUNKED)
    for _ in range(10_833):
        reading.feed(b"1\r\nx\r\n")
        assert not reading._got
    reading.feed(b"0\r\n\r\n")
    assert reading.done
    assert reading.draft is not None
    assert reading.draft.whole().body == b"x" * 10_833


def test_the_end_of_chunks_is_the_end() -> None:
    """With its last chunk an answer is whole, though the connection stays open (W4)."""
    assert read([CHUNKED, b"2\r\n[]\r\n", b"0\r\n\r\n"]) == Taken(200, b"[]", reusable=True)


# The search.

#: What is put into answers: all that parsers have quarrelled about.
SCRAPS = [
    *b'\r\n|\n|\r| |\t|\0|\x01|\x0b|\x0c|\x7f|\x80|\xff|:|;|,|-|0|1|2|9|a|F|x|[]|=|"|\r\n\r\n|\r\n |200|204|100'.split(
        b"|"
    ),
    *b'HTTP/1.1 |0\r\n\r\n|2\r\n[]\r\n|;x=y|;x="y\\""|+2|0x2|00000000000000000000002|18446744073709551617'.split(b"|"),
    *b"Transfer-Encoding: chunked\r\n|Transfer-Encoding: identity\r\n|transfer-encoding:\tCHUNKED\t\r\n".split(b"|"),
    *b"Content-Length: 2\r\n|Content-Length: 3\r\n|Content-Length:\r\n|content-length : 2\r\n".split(b"|"),
    *b"Connection: close\r\n|Connection: keep-alive, close\r\n|Connection: upgrade\r\nUpgrade: h2c\r\n".split(b"|"),
]
SEEDS = [
    *(
        text
        for text in (*WHOLE.values(), *LAST.values(), *REFUSALS.values(), *CUT.values())
        if len(text) < 1000 and b"Content-Encoding" not in text
    ),
    b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n[]",
]


def cases(seed: int) -> Iterator[tuple[list[bytes], bool]]:
    """Yield answers, damaged here and there, cut anywhere, and whether the connection ends behind them."""
    dice = random.Random(seed)
    for _ in range(CASES):
        text = dice.choice(SEEDS)
        for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
            place = dice.randrange(len(text) + 1)
            if dice.random() < 0.4:
                # At the beginning of a line, where a header would be.
                place = text.find(b"\r\n", place) + 2
            length = dice.choice([0, 0, 0, 1, 1, 2, 5])
            text = text[:place] + dice.choice([b"", *SCRAPS]) + text[place + length :]
        text += dice.choice([b"", b"", b"", b"\r\n", b"x", answer(b'["evil"]')])
        yield (
            split(text, *(dice.randrange(len(text) + 1) for _ in range(dice.choice([0, 0, 1, 3, 9])))),
            dice.random() < 0.5,
        )


@pytest.mark.parametrize("seed", range(4))
def test_never_more_lenient_and_never_another_body(seed: int) -> None:
    """
    What is taken here is taken by h11 and by httptools, to the same status and body; what both take is taken here.

    The exceptions are the rows of the table that stands in the module.
    """
    taken = 0
    for parts, ended in cases(seed):
        ours = read(parts, ended=ended)
        by_h11, by_httptools = read_by_h11(parts, ended=ended), read_by_httptools(parts, ended=ended)
        assert ours == read([b"".join(parts)] if parts else [], ended=ended), parts
        if isinstance(ours, Taken):
            taken += 1
            if re.search(rb"\r\n0[0-9A-Fa-f]{20,}", b"".join(parts)):
                continue  # zeros before a chunk's size, of which h11 counts twenty digits, and httptools shows none
            assert isinstance(by_h11, Taken), parts
            assert (ours.status, ours.body) == (by_h11.status, by_h11.body), parts
            assert by_h11.reusable or not ours.reusable, parts
            if ours.status not in {204, 304}:
                assert isinstance(by_httptools, Taken), parts
                assert (ours.status, ours.body) == (by_httptools.status, by_httptools.body), parts
        elif isinstance(by_h11, Taken) and isinstance(by_httptools, Taken):
            assert (by_h11.status, by_h11.body) != (by_httptools.status, by_httptools.body) or is_stricter(parts), parts
    assert taken > CASES / 10


def is_stricter(parts: list[bytes]) -> bool:
    """Tell whether both are too lenient: versions, controls in a reason, lengths of 1xx answers and in trailers."""
    text = b"".join(parts)
    while True:
        head, _, text = text.partition(b"\r\n\r\n")
        line, _, lines = head.partition(b"\r\n")
        if not line.startswith((b"HTTP/1.0 ", b"HTTP/1.1 ")) or re.search(rb"[\0-\x08\x0a-\x1f\x7f]", line):
            return True
        framed = lines if line[9:10] == b"1" else text
        if re.search(rb"content-length|transfer-encoding", framed, re.IGNORECASE):
            return True
        if line[9:10] != b"1":
            return False
