"""
The only room that knows httpx and httpcore: one request goes out over a lane, one reply or one fault comes back.

A lane carries one request at a time. `Lane.get` ends by its limit whatever the server does, and leaves the lane usable whatever happened: a connection
that saw a cancellation, a timeout or a broken answer is closed before `get` returns or raises, and the next request makes a new one.
"""

from __future__ import annotations

import ipaddress
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import anyio
import attrs
import httpx

from ._version import __version__
from .errors import ConfigError, ConnectionFailedError, RequestTimeoutError, ResponseTooLargeError, TransportError
from .settings import Limits, Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

#: Decoded in pieces of this size, so that a bomb costs what the limit allows and one piece more.
_PIECE = 2**20
#: The body of an answer other than 200 says nothing (D); it is read so far, to use the connection again.
_DRAINED = 64 * 2**10
#: Seconds; closing never waits for the other side, so this is for the event loop only.
CLOSING_S = 0.25
#: An injected client's own pool scans all that wait in it, quadratically; so few are let in at once.
_INJECTED_AT_ONCE = 20


@attrs.frozen(kw_only=True)
class Reply:
    """An answer with its whole body."""

    status: int
    #: Decoded; empty where the status is not 200.
    body: bytes
    #: The header's value, unread.
    retry_after: bytes | None = None
    #: Bytes of the body before decoding.
    wire_bytes: int = 0
    #: Tries that were made for it, this one included.
    attempts: int = 1


class Fault(Exception):
    """No whole answer: which error it is, why in words, and whether asking again makes sense."""

    def __init__(self, error: type[TransportError], reason: str, *, retried: bool = True, stale: bool = False) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.retried = retried
        #: The connection was a used one and ended before the first byte of the answer.
        self.stale = stale


class NotUnderstoodError(Exception):
    """A whole answer in a coding that was not asked for; the text says which."""


class SecretBytes(bytes):
    """Bytes that every print-out shows as stars: locals of a frame in a traceback, debug logs, test reports."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is never pickled; make the client where it is used")

    def __reduce_ex__(self, protocol: object, /) -> NoReturn:
        self.__reduce__()


class Token:
    """
    The secret of an account: goes into the header of a request, and nowhere else.

    Raises ConfigError, which does not show it, for anything but visible ASCII without spaces.
    """

    __slots__ = ("_secret",)

    def __init__(self, token: str | Token) -> None:
        problem = ""
        if isinstance(token, Token):
            self._secret: SecretBytes = token._secret
        elif not isinstance(token, str):
            problem = f"must be a str, got {type(token).__name__}"
        elif not token:
            problem = "is empty"
        elif not all("!" <= character <= "~" for character in token):
            problem = "must be visible ASCII without spaces; pass the bare token, without the word 'Token' and without line ends"
        else:
            self._secret = SecretBytes(token.encode("ascii"))
        if problem:
            # A traceback that shows locals would show it here.
            del token
            raise ConfigError(
                f"token {problem}. Indivd issues it; it may also stand in the environment variable INDIVD_TOKEN"
            )

    def header(self) -> SecretBytes:
        """The value of the Authorization header."""
        return SecretBytes(b"Token " + self._secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and bytes(self._secret) == bytes(other._secret)

    def __hash__(self) -> int:
        return hash(bytes(self._secret))

    def __repr__(self) -> str:
        return "Token(***)"

    def __reduce__(self) -> NoReturn:
        self._secret.__reduce__()

    def __reduce_ex__(self, protocol: object, /) -> NoReturn:
        self._secret.__reduce__()


@attrs.frozen(kw_only=True)
class BaseURL:
    """Where the API is: every path is put behind `prefix`."""

    scheme: str
    #: ASCII; an international name is encoded, an IPv6 address has no brackets.
    host: str
    port: int
    #: Empty, or a path without a slash at its end; percent-encoded.
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.prefix}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS = {"https": 443, "http": 80}


def parse_base_url(url: str, allow_http: bool = False) -> BaseURL:
    """
    Read the address of the API, a path prefix included.

    Plain http is refused unless the host is this machine or *allow_http* is set: the token would be readable on the way.

    >>> parse_base_url("https://gateway.example/indivd/").prefix
    '/indivd'
    """
    if not isinstance(url, str):
        raise ConfigError(f"base_url must be a str, got {type(url).__name__}")
    try:
        parsed = httpx.URL(url.strip())
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigError(f"base_url cannot be read as a URL: {error}") from None
    # The value is not shown where it may hold a secret.
    if parsed.userinfo:
        raise ConfigError("base_url must not hold a user or password; the token is passed as token=")
    if parsed.query or parsed.fragment or "?" in url or "#" in url:
        raise ConfigError("base_url must not hold a query or fragment; a path prefix is allowed")
    if parsed.scheme not in _PORTS or not host:
        raise ConfigError(f"base_url must look like 'https://host', with an optional port and path; got {url!r}")
    if parsed.scheme == "http" and not (allow_http or _is_loopback(host)):
        raise ConfigError(
            f"base_url must be https, because the token would be readable on the way to {host}; allow_http=True allows it all the same"
        )
    return BaseURL(
        scheme=parsed.scheme,
        host=host,
        port=parsed.port or _PORTS[parsed.scheme],
        prefix=parsed.raw_path.decode("ascii").rstrip("/"),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Lane(Protocol):
    """One request at a time."""

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        """
        Ask for *target* and read the whole answer, within *limit_s* seconds.

        Raises Fault where none came, NotUnderstoodError where it cannot be read.
        """
        ...

    async def aclose(self) -> None:
        """Close what belongs to the lane; a request on it ends with a Fault."""
        ...


@attrs.frozen(kw_only=True)
class Lanes:
    """What a client's lanes are made of: how many there may be, and how to make one."""

    count: int
    make: Callable[[], Lane]


def plan_lanes(
    base_url: BaseURL,
    token: Token,
    limits: Limits,
    *,
    http_client: httpx.AsyncClient | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    proxy: Any = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Lanes:
    """Choose the lanes for the options of a client; nothing is connected, no certificates are read yet."""
    given = {"http_client": http_client, "transport": transport, "proxy": proxy, "ssl_context": ssl_context}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1 and names != ["proxy", "ssl_context"]:
        raise ConfigError(f"{' and '.join(names)} cannot be combined: each of them decides how requests are sent")
    if http_client is not None:
        if not isinstance(http_client, httpx.AsyncClient):
            raise ConfigError(f"http_client must be an httpx.AsyncClient, got {type(http_client).__name__}")
        send = _client_sender(http_client)
        return Lanes(
            count=min(_INJECTED_AT_ONCE, limits.concurrency),
            make=lambda: HttpxLane(send, None, base_url, token, limits.max_response_bytes),
        )
    if transport is not None:
        if not isinstance(transport, httpx.AsyncBaseTransport):
            raise ConfigError(f"transport must be an httpx.AsyncBaseTransport, got {type(transport).__name__}")
        handle = transport.handle_async_request
        return Lanes(
            count=limits.concurrency, make=lambda: HttpxLane(handle, None, base_url, token, limits.max_response_bytes)
        )
    certificates = SharedContext(ssl_context)
    if proxy is not None:
        address = _parse_proxy(proxy)

        def make_proxy_lane() -> Lane:
            own = httpx.AsyncHTTPTransport(
                verify=certificates.get(), trust_env=False, proxy=address, limits=httpx.Limits(max_connections=1)
            )
            return HttpxLane(own.handle_async_request, own, base_url, token, limits.max_response_bytes)

        return Lanes(count=limits.concurrency, make=make_proxy_lane)

    def make_lane() -> Lane:
        # httpcore costs more to import than all the rest, and a command line that plans needs none of it.
        from ._connections import ConnectionLane

        return ConnectionLane(base_url, token, limits.max_response_bytes, certificates)

    return Lanes(count=limits.concurrency, make=make_lane)


def _parse_proxy(proxy: Any) -> httpx.Proxy:
    try:
        return proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
    except (ValueError, TypeError, httpx.InvalidURL):
        # Its text may hold a password.
        raise ConfigError("proxy must be a URL such as 'http://host:port', or an httpx.Proxy") from None


class SharedContext:
    """The TLS settings of all lanes, made when the first of them connects: reading the certificates takes tens of milliseconds."""

    __slots__ = ("_context",)

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context

    def get(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=False)
        return self._context


def request_headers(base_url: BaseURL, token: Token) -> list[tuple[bytes, bytes]]:
    """The headers of every request."""
    return [
        (b"Host", base_url.authority.encode("ascii")),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"gzip"),
        (b"User-Agent", f"indivd-async/{__version__}".encode("ascii")),
        (b"Authorization", token.header()),
    ]


def _client_sender(client: httpx.AsyncClient) -> Callable[[httpx.Request], Any]:
    async def send(request: httpx.Request) -> httpx.Response:
        # The client's own authentication would replace the token; no_auth is what httpx calls None here.
        return await client.send(request, stream=True, follow_redirects=False, auth=_no_auth)

    return send


def _no_auth(request: httpx.Request) -> httpx.Request:
    return request


class HttpxLane:
    """A lane over anything of httpx: a transport of one connection behind a proxy, or what the caller gave us."""

    __slots__ = ("_base", "_handle", "_headers", "_max_bytes", "_own", "_prefix")

    def __init__(
        self,
        handle: Callable[[httpx.Request], Any],
        own: httpx.AsyncBaseTransport | None,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
    ) -> None:
        self._handle = handle
        self._own = own
        self._headers = request_headers(base_url, token)
        self._base = httpx.URL(scheme=base_url.scheme, host=base_url.host, port=base_url.port)
        self._prefix = base_url.prefix.encode("ascii")
        self._max_bytes = max_bytes

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        request = httpx.Request(
            "GET",
            self._base.copy_with(raw_path=self._prefix + target),
            headers=self._headers,
            extensions={"timeout": timeout_extension(timeouts)},
        )
        with anyio.move_on_after(limit_s) as scope:
            try:
                return await self._exchange(request)
            except (httpx.HTTPError, httpx.StreamError) as error:
                cut_tracebacks(error)
                raise httpx_fault(error) from error
        assert scope.cancelled_caught
        raise Fault(RequestTimeoutError, f"the answer was not there after {limit_s:.3g} s")

    async def _exchange(self, request: httpx.Request) -> Reply:
        response = await self._handle(request)
        try:
            return await read_reply(response.status_code, response.headers.raw, response.stream, self._max_bytes)
        finally:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await response.aclose()

    async def aclose(self) -> None:
        if self._own is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await self._own.aclose()


def is_on_trio() -> bool:
    """Tell which event loop runs the caller; in trio's guest mode an asyncio loop runs too, so trio is asked."""
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_task()


def timeout_extension(timeouts: Timeouts) -> dict[str, float | None]:
    """Put the waits for the network in the form that httpcore and httpx share."""
    return {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read, "pool": None}


def httpx_fault(error: Exception) -> Fault:
    """Sort an error of httpx."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return Fault(RequestTimeoutError, reason)
    return Fault(ConnectionFailedError, reason)


def cut_tracebacks(error: BaseException | None) -> None:
    """
    Take the frames below off *error* and all it was raised from.

    h11 copies the header into plain bytes, and a traceback that shows locals would show them.
    """
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


async def read_reply(
    status: int, headers: Iterable[tuple[bytes, bytes]], stream: AsyncIterable[bytes], max_bytes: int
) -> Reply:
    """
    Read the body under *max_bytes*, counted as it comes and again decoded.

    Raises Fault for one that is too large or does not decode; what the stream raises passes.
    """
    retry_after = None
    encoding = b""
    for name, value in headers:
        match name.lower():
            case b"content-encoding":
                encoding = encoding + b"," + value if encoding else value
            case b"retry-after":
                retry_after = value
    chunks = stream.__aiter__()
    if status != 200:
        return Reply(status=status, body=b"", retry_after=retry_after, wire_bytes=await _drain(chunks))
    body, wire_bytes = await _read_body(chunks, encoding.strip().lower(), max_bytes)
    return Reply(status=status, body=body, retry_after=retry_after, wire_bytes=wire_bytes)


async def _drain(chunks: AsyncIterator[bytes]) -> int:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > _DRAINED:
            await _abandon(chunks)
            break
    return size


async def _read_body(chunks: AsyncIterator[bytes], encoding: bytes, max_bytes: int) -> tuple[bytes, int]:
    decoder: _Identity | _Gzip
    if encoding in {b"", b"identity"}:
        decoder = _Identity()
    elif encoding in {b"gzip", b"x-gzip"}:
        decoder = _Gzip(max_bytes)
    else:
        await _abandon(chunks)
        raise NotUnderstoodError(f"expected Content-Encoding gzip or none, got {encoding[:40].decode('latin-1')!r}")
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise too_large(max_bytes, "on the wire")
            decoder.feed(chunk)
        return decoder.finish(), size
    except Fault:
        await _abandon(chunks)
        raise


def too_large(max_bytes: int, where: str) -> Fault:
    reason = f"the answer is larger {where} than Limits.max_response_bytes ({max_bytes:,} bytes)"
    return Fault(ResponseTooLargeError, reason, retried=False)


class _Identity:
    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._pieces.append(chunk)

    def finish(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class _Gzip:
    """gzip, member after member, in pieces and under a limit."""

    __slots__ = ("_decoder", "_max_bytes", "_pieces", "_room")

    def __init__(self, max_bytes: int) -> None:
        self._decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._pieces: list[bytes] = []
        self._max_bytes = max_bytes
        self._room = max_bytes

    def feed(self, chunk: bytes) -> None:
        while chunk:
            if self._decoder.eof:
                self._decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                # One byte more than there is room for shows that there is more.
                piece = self._decoder.decompress(chunk, min(_PIECE, self._room + 1))
            except zlib.error as error:
                raise Fault(ConnectionFailedError, f"the body is broken gzip ({error})") from error
            self._room -= len(piece)
            if self._room < 0:
                raise too_large(self._max_bytes, "decoded")
            if piece:
                self._pieces.append(piece)
            chunk = self._decoder.unconsumed_tail or self._decoder.unused_data

    def finish(self) -> bytes:
        if not self._decoder.eof:
            raise Fault(ConnectionFailedError, "the gzip body ended before its end")
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


async def _abandon(chunks: AsyncIterator[bytes]) -> None:
    """
    End a body that is not read to its end, leaving no half-run generator to the garbage collector.

    httpcore's generators are nested: closing the outer one leaves the inner one suspended. So let them run into a cancellation, which closes the
    connection on its way out.
    """
    with anyio.CancelScope() as scope:
        scope.cancel()
        async for _ in chunks:
            pass
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
