"""An answer, or why there is none: bodies are counted and decoded here, under one limit."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from functools import lru_cache, partial

import anyio
import attrs

from ..errors import ConnectionFailedError, ResponseTooLargeError, TransportError
from ..fielded import Fielded

#: Decoded in pieces of this size, so that a bomb costs what the limit allows and one piece more.
_PIECE = 2**20
#: The body of a status other than 200 says nothing; it is read so far, to use the connection again.
_DRAINED = 64 * 2**10
#: An unread body that goes on for so long without a pause is a generator of the caller's.
_ABANDONED = 2**20
_GZIP = ([b"gzip"], [b"x-gzip"])
_gzip_decoder = partial(zlib.decompressobj, wbits=16 + zlib.MAX_WBITS)
#: Said in Content-Encoding by servers that mean a charset, a type, or nothing: they change no byte.
_MEANINGLESS = (
    rb"identity|none|null|text|plain|binary|[78]bit|amz-1\.0|[a-z]+/.+"
    rb"|(charset=)?(utf-?8|(us-)?ascii|iso-8859-1|latin-?1|windows-1252)"
)
#: Headers that say how long a body is.
FRAMING = {b"content-length", b"transfer-encoding"}
_READ = {b"content-encoding", b"retry-after", b"date", *FRAMING}
_SIGNS = (
    rb"(?is)indivd-recorded|link|content-range|warning"
    rb"|.*(?:total|next|more|page|pagin|truncat|cursor|continu|partial|count|remain|complete|omit|limit-?reached|offset"
    rb"|skip|error|warn|degraded|clamped|sampled|estimated).*"
)


@lru_cache(maxsize=256)
def is_read(name: bytes) -> bool:
    """Tell whether a header of this *name* says how long a body is, or anything to a `Draft`."""
    return name.lower() in _READ or re.fullmatch(_SIGNS, name) is not None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Reply(Fielded):
    """An answer with its whole body."""

    status: int
    #: Decoded; empty where the status is not 200.
    body: bytes
    #: The header's value as it came.
    retry_after: bytes | None = None
    #: What the server's clock said, where the status is not 200: as the header has it.
    date: bytes | None = None
    #: Size of the body before decoding.
    wire_bytes: int = 0
    #: Tries that were made for it, this one included.
    attempts: int = 1
    #: The headers of an answer with 200 that may say that there is more than its body holds: names in lower case.
    signs: tuple[tuple[str, str], ...] = ()


def is_retried(status: int) -> bool:
    """Tell whether *status* is worth asking again; every request is a GET."""
    return 500 <= status <= 599 or status in {408, 429}


@attrs.frozen(kw_only=True)
class Failure(Exception):
    """An attempt that brought no usable answer: which *error* that is, why, and whether asking again makes sense."""

    reason: str = ""
    error: type[TransportError] = ConnectionFailedError
    #: Of the answer, which then says all; None where no whole one came.
    status: int | None = None
    #: Seconds, as the answer asked.
    retry_after: float | None = None
    is_retried: bool = True
    #: The connection had served before and ended before the first byte of this answer.
    stale: bool = False
    #: Nothing was asked: this process may open no more connections.
    is_crowded: bool = False

    def __str__(self) -> str:
        return self.reason


def tunnel_failure(status: int, reason: str) -> Failure:
    """Say how a proxy refused; asked again and again with one password, many lock the account."""
    return Failure(reason=f"the proxy made no tunnel: {status} {reason[:80]}", is_retried=is_retried(status))


class UnknownCodingError(Exception):
    """A whole answer, in a coding that was not asked for; the text says which."""


class Draft:
    """
    A reply whose head has come and whose body is coming.

    `feed` and `whole` raise Failure where the body is larger than *max_bytes*, as it comes or decoded, or is broken,
    and UnknownCodingError where it cannot be decoded. A body of another status than 200 is only counted: what becomes
    of it takes nothing from the status.
    """

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], max_bytes: int) -> None:
        self.status = status
        self._max_bytes = max_bytes
        #: Bytes of the body as it came, and what may still come of it decoded.
        self._size, self._room = 0, max_bytes
        self._pieces: list[bytes] = []
        self._retry_after: bytes | None = None
        self._date: bytes | None = None
        self._signs: list[tuple[str, str]] = []
        codings: list[bytes] = []
        for name, value in headers:
            match lower := name.lower():
                case b"content-encoding":
                    codings += (coding for part in value.split(b",") if (coding := part.strip().lower()))
                case b"retry-after":
                    self._retry_after = value
                case b"date":
                    self._date = value if status != 200 else None
                case _ if status == 200 and lower not in FRAMING and is_read(lower):
                    self._signs.append((lower.decode("latin-1"), value.decode("latin-1")))
        self._codings = [coding for coding in codings if not re.fullmatch(_MEANINGLESS, coding)]
        self._decoder = _gzip_decoder() if self._codings in _GZIP else None

    def feed(self, chunk: bytes) -> bool:
        """Take what came; tell whether more is wanted."""
        self._size += len(chunk)
        if self.status != 200:
            return self._size <= _DRAINED
        if self._size > self._max_bytes:
            raise self._too_large("on the wire")
        if self._codings:
            self._unpack(chunk)
        else:
            self._pieces.append(chunk)
        return True

    def whole(self) -> Reply:
        """Make the reply, of a body that has come to its end."""
        if self.status == 200 and self._codings:
            self._unpack(b"")
            # zlib takes the end of its input for a pause; only its own end marker and checksum say that all is there.
            if self._decoder is not None and not self._decoder.eof:
                raise Failure(reason="the gzip body breaks off")
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return Reply(
            status=self.status,
            body=body,
            retry_after=self._retry_after,
            date=self._date,
            wire_bytes=self._size,
            signs=tuple(self._signs),
        )

    def _unpack(self, chunk: bytes) -> None:
        """Decode piece by piece: any number of members of gzip."""
        if self._decoder is None:
            got = b", ".join(self._codings)[:40].decode("latin-1")
            raise UnknownCodingError(f"expected Content-Encoding gzip or none, got {got!r}")
        while chunk:
            if self._decoder.eof:
                self._decoder = _gzip_decoder()
            try:
                # One byte more than there is room for shows that there is more.
                piece = self._decoder.decompress(chunk, min(_PIECE, self._room + 1))
            except zlib.error as error:
                raise Failure(reason=f"the body is broken gzip ({error})") from error
            self._room -= len(piece)
            if self._room < 0:
                raise self._too_large("decoded")
            if piece:
                self._pieces.append(piece)
            chunk = self._decoder.unconsumed_tail or self._decoder.unused_data

    def _too_large(self, where: str) -> Failure:
        reason = f"the answer is larger {where} than Limits.max_response_bytes ({self._max_bytes:,} bytes)"
        return Failure(reason=reason, is_retried=False, error=ResponseTooLargeError)


async def read_body(draft: Draft, stream: AsyncIterable[bytes]) -> Reply:
    """Read *stream* to its end; what it raises passes, unless the status says enough by itself."""
    chunks = aiter(stream)
    try:
        async for chunk in chunks:
            if not draft.feed(chunk):
                await _abandon(chunks)
                break
    except (Failure, UnknownCodingError):
        await _abandon(chunks)
        raise
    except Exception:
        # A body that breaks off takes nothing from the status.
        if draft.status == 200:
            raise
    return draft.whole()


async def _abandon(chunks: AsyncIterator[bytes]) -> None:
    """
    End a body that is not read to its end, and leave no half-run generator to the garbage collector.

    httpcore nests generators: closing the outer one leaves the inner one suspended. So they are run into a
    cancellation, and close the connection on their way out.
    """
    size = 0
    with anyio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        async for chunk in chunks:
            size += len(chunk) + 1
            if size > _ABANDONED:
                break
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
