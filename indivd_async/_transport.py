"""
The room that knows httpx: where the API is, the token, and lanes over whatever of httpx the caller gave.

A lane carries one request at a time. `Lane.get` ends by its limit whatever the server does, and leaves the lane usable
whatever happened: a connection that saw a cancellation, a timeout or a broken answer is closed before `get` returns or
raises, and the next request makes a new one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import sys
from typing import TYPE_CHECKING, NoReturn, Protocol

import anyio
import anyio.lowlevel
import attrs
import httpx

from ._replies import Fault, Reply, read_reply, refusal
from ._version import __version__
from .errors import ClientClosedError, ConfigError, ConnectionFailedError, RequestTimeoutError, literally

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from .settings import Timeouts

#: Seconds; closing never waits for the other side, so this is for the event loop only.
CLOSING_S = 0.25
_PORTS = {"https": 443, "http": 80}


class SecretBytes(bytes):
    """Bytes that are shown as stars: by tracebacks with locals, debug logs, test reports."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is never pickled; pass it where the client is made")


class Token:
    """
    The secret of an account: it goes into the header of a request, and nowhere else.

    Raises ConfigError, without showing it, for anything but visible ASCII without spaces: h11's error would show it.
    """

    __slots__ = ("_secret",)

    def __init__(self, token: str) -> None:
        problem = ""
        if not isinstance(token, str):
            problem = f"must be a str, got {type(token).__name__}"
        elif not token:
            problem = "is empty"
        elif not all("!" <= character <= "~" for character in token):
            problem = (
                "must be visible ASCII without spaces: the bare token, without the word 'Token', without a line end"
            )
        if problem:
            del token  # else a traceback with locals shows it
            raise ConfigError(f"{{token}} {problem}. Indivd issues it; INDIVD_TOKEN in the environment may hold it")
        self._secret = SecretBytes(token.encode("ascii"))

    def header(self) -> SecretBytes:
        """The value of the Authorization header."""
        return SecretBytes(b"Token " + self._secret)

    def fingerprint(self) -> str:
        """Name the account without giving the token away."""
        return hashlib.sha256(self._secret).hexdigest()

    def __repr__(self) -> str:
        return "Token(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is never pickled; pass it where the client is made")


@attrs.frozen(kw_only=True)
class BaseURL:
    """Where the API is; every path is put behind `prefix`."""

    scheme: str
    #: ASCII: an international name is encoded, an IPv6 address has no brackets.
    host: str
    port: int
    #: Empty, or a percent-encoded path without a slash at its end.
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.prefix}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_base_url(url: str, allow_http: bool = False) -> BaseURL:
    """
    Read the address of the API, a path prefix included.

    Plain http is refused, because the token could be read on the way; unless the host is this machine, or *allow_http*.

    >>> parse_base_url("https://gateway.example/indivd/").prefix
    '/indivd'
    """
    if not isinstance(url, str):
        raise ConfigError(f"{{base_url}} must be a str, got {type(url).__name__}")
    try:
        parsed = httpx.URL(url.strip())
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigError(f"{{base_url}} cannot be read as a URL: {literally(str(error))}") from None
    # What may hold a secret is not shown.
    if parsed.userinfo:
        raise ConfigError("{base_url} must not hold a user or password; pass the token as {token:…}")
    if "?" in url or "#" in url:
        raise ConfigError("{base_url} must not hold a query or fragment; a path prefix is allowed")
    port = _PORTS.get(parsed.scheme) if parsed.port is None else parsed.port
    if parsed.scheme not in _PORTS or not host or port is None or not 0 < port < 2**16:
        raise ConfigError(
            "{base_url} must be like 'https://host', with a port and a path prefix if needed; "
            f"got {literally(repr(url))}"
        )
    if parsed.scheme == "http" and not (allow_http or _is_loopback(host)):
        raise ConfigError(
            f"{{base_url}} must be https: over http, the token can be read on the way to {host}. "
            "{allow_http:True} allows it"
        )
    return BaseURL(
        scheme=parsed.scheme,
        host=host,
        port=port,
        prefix=parsed.raw_path.decode("ascii").rstrip("/"),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # RFC 6761: these names never leave the machine.
        return host == "localhost" or host.endswith(".localhost")


class Lane(Protocol):
    """One request at a time."""

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        """
        Ask for *target* (path and query, percent-encoded) and read the whole answer, within *limit_s* seconds.

        Raises Fault where none came, and UnknownCodingError where it cannot be read.
        """
        ...

    async def aclose(self) -> None:
        """Close what belongs to the lane; a request on it ends with a Fault."""
        ...


def request_headers(base_url: BaseURL, token: Token) -> list[tuple[bytes, bytes]]:
    """Build the headers of every request."""
    return [
        (b"Host", base_url.authority.encode("ascii")),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"gzip"),
        (b"User-Agent", f"indivd-async/{__version__}".encode("ascii")),
        (b"Authorization", token.header()),
    ]


def timeout_extension(timeouts: Timeouts) -> dict[str, float | None]:
    """Put the waits for the network in the form that httpx and httpcore share."""
    return {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read, "pool": None}


def is_on_trio() -> bool:
    """Tell whether trio runs the caller; in its guest mode an asyncio loop runs too, so it is trio that is asked."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()  # `in_trio_task` says it, too, but only since trio 0.29
    except RuntimeError:
        return False
    return True


def cut_tracebacks(error: BaseException) -> None:
    """
    Take the frames below off *error* and off all it was raised from.

    h11 copies the token into plain bytes, and a traceback with locals would show those.
    """
    for link in _links(error):
        link.__traceback__ = None


def words_of(error: BaseException) -> str:
    """Tell what *error* says, or the first of those it was raised from that says something."""
    return next(filter(None, map(str, _links(error))), type(error).__name__)


def _links(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def httpx_fault(error: httpx.HTTPError | httpx.StreamError) -> Fault:
    """Sort an error of httpx."""
    kind = RequestTimeoutError if isinstance(error, httpx.TimeoutException) else ConnectionFailedError
    # A hook of the caller's that took the body would take it again.
    return Fault(kind, words_of(error), retried=not isinstance(error, httpx.StreamError))


def client_sender(client: httpx.AsyncClient) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """Send through a caller's client: its pool, cookies and hooks, but our headers, and no redirects."""

    async def send(request: httpx.Request) -> httpx.Response:
        if client.is_closed:
            raise ClientClosedError("the http_client that this client was given was closed; close this one first")
        return await client.send(request, stream=True, follow_redirects=False, auth=None)

    return send


def proxy_transport(proxy: httpx.Proxy, context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """Make a transport of one connection through *proxy*."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, proxy=proxy, limits=limits)


class HttpxLane:
    """A lane over anything of httpx: a proxy, or what the caller gave. `own` is closed with the lane."""

    __slots__ = ("_base", "_closed", "_handle", "_headers", "_max_bytes", "_own", "_prefix", "_refusal", "_scope")

    def __init__(
        self,
        handle: Callable[[httpx.Request], Awaitable[httpx.Response]],
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        own: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._handle = handle
        self._headers = request_headers(base_url, token)
        self._base = httpx.URL(scheme=base_url.scheme, host=base_url.host, port=base_url.port)
        self._prefix = base_url.prefix.encode("ascii")
        self._max_bytes = max_bytes
        self._own = own
        self._closed = False
        self._scope: anyio.CancelScope | None = None
        #: The status of an answer that is not 200, and holds whatever becomes of its body.
        self._refusal: Reply | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        try:
            return await self._get(target, timeouts, limit_s)
        except BaseException:
            # A pool that saw a tunnel fail may hold it for ever; closed, it begins anew.
            await self._close_own()
            raise

    async def _get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        self._refusal = None
        request = httpx.Request(
            "GET",
            self._base.copy_with(raw_path=self._prefix + target),
            headers=self._headers,
            extensions={"timeout": timeout_extension(timeouts)},
        )
        with anyio.move_on_after(limit_s) as self._scope:
            try:
                # A mock may answer without ever pausing; a batch of such answers must not hold up the loop.
                await anyio.lowlevel.checkpoint()
                return await self._exchange(request)
            except (httpx.HTTPError, httpx.StreamError) as error:
                cut_tracebacks(error)
                raise httpx_fault(error) from error
            except BaseException as error:
                # An error of the caller's own code keeps its frames.
                if not isinstance(error, Exception):
                    cut_tracebacks(error)
                raise
        if self._closed:
            raise Fault(ConnectionFailedError, "the lane was closed", retried=False)
        if self._refusal is not None:
            await self._close_own()
            return self._refusal
        raise Fault(RequestTimeoutError, f"the answer was not whole after {limit_s:.3g} s")

    async def _exchange(self, request: httpx.Request) -> Reply:
        response = await self._handle(request)
        try:
            headers, stream = response.headers.raw, response.stream
            if response.is_stream_consumed and not isinstance(stream, httpx.ByteStream):
                # It cannot be read again: a hook of the caller's has read it, and httpx has decoded it.
                headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
                stream = httpx.ByteStream(response.content)
            assert isinstance(stream, httpx.AsyncByteStream)
            if response.status_code != 200:
                self._refusal = refusal(response.status_code, headers)
            return await read_reply(response.status_code, headers, stream, self._max_bytes)
        finally:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await response.aclose()

    async def aclose(self) -> None:
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        await self._close_own()

    async def _close_own(self) -> None:
        if self._own is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await self._own.aclose()
