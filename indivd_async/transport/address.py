"""Where the API is, and the token that opens it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from base64 import b64encode
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

import attrs

from .._version import __version__
from ..errors import ConfigError
from ..fielded import Fielded
from ..wording import literally

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]
#: By scheme.
PORTS = {"https": 443, "http": 80}
#: URLs that need no httpx to be read: its import takes as long as that of all else.
_PLAIN = r"(https?)://((?:[a-z0-9-]+\.)*[a-z]+|127\.0\.0\.1)(?::([0-9]{1,5}))?((?:/[a-z0-9_-]+)*)/?"
#: A name, encoded, with or without its last dot; or an address, of IPv6 perhaps with a zone.
_HOST = r"(?a)[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f.]*:[0-9a-f:.]+(%[\w.~-]+)?"


class SecretBytes(bytes):
    """Bytes that are shown as stars: by tracebacks with locals, debug logs, test reports."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is never pickled; pass it where the client is made")


class SecretText(str):
    """A token on its way to a client, or the address of a proxy, which tracebacks with locals show as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hide(secret: T) -> T:
    """Let a *secret* that a frame holds show itself no more."""
    return cast("T", SecretText(secret)) if isinstance(secret, str) else secret


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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BaseURL(Fielded):
    """Where the API is; every path is put behind `prefix`."""

    scheme: str
    #: What the resolver is asked for. ASCII: an international name is encoded, an IPv6 address has no brackets, and may
    #: have a zone behind "%".
    host: str
    port: int
    #: Empty, or a percent-encoded path without a slash at its end.
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self._with_port(self.host.replace('%', '%25'))}{self.prefix}"

    @property
    def name(self) -> str:
        """The host as certificates name it: a dot at the end and a zone are the resolver's only."""
        return certified_name(self.host)

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return self._with_port(self.name)

    def _with_port(self, host: str) -> str:
        return bracketed(host) if self.port == PORTS[self.scheme] else f"{bracketed(host)}:{self.port}"


def bracketed(host: str) -> str:
    """Write *host* as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def certified_name(host: str) -> str:
    """Return what a certificate says for *host*."""
    return host.removesuffix(".").partition("%")[0]


def is_host(host: str) -> bool:
    """Tell whether *host* can be one: libraries encode what cannot be, or leave it to the resolver."""
    return re.fullmatch(_HOST, host) is not None


def parse_base_url(url: str, allow_http: bool = False) -> BaseURL:
    """
    Read the address of the API, a path prefix included.

    Plain http is refused, because the token could be read on the way; unless the host is this machine, or *allow_http*.

    >>> parse_base_url("https://gateway.example/indivd/").prefix
    '/indivd'
    """
    if not isinstance(url, str):
        raise ConfigError(f"{{base_url}} must be a str, got {type(url).__name__}")
    plain = re.fullmatch(_PLAIN, url)
    scheme, host, port_told, prefix = plain.groups() if plain else _read_url(url)
    port = int(port_told or PORTS.get(scheme, 0))
    if scheme not in PORTS or not is_host(host) or not 0 < port < 2**16:
        raise ConfigError(
            "{base_url} must be like 'https://host', with a port and a path prefix if needed; "
            f"got {literally(repr(url))}"
        )
    if scheme == "http" and not (allow_http or _is_loopback(host.removesuffix("."))):
        raise ConfigError(
            f"{{base_url}} must be https: over http, the token can be read on the way to {host}. "
            "{allow_http:True} allows it"
        )
    return BaseURL(scheme=scheme, host=host, port=port, prefix=prefix)


def _read_url(url: str) -> tuple[str, str, str, str]:
    import httpx

    try:
        parsed = httpx.URL(url.strip())
        # RFC 6874: in a URL the percent sign before a zone is written "%25".
        host = parsed.raw_host.decode("ascii").replace("%25", "%")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigError(f"{{base_url}} cannot be read as a URL: {literally(str(error))}") from None
    # What may hold a secret is not shown.
    if parsed.userinfo:
        raise ConfigError("{base_url} must not hold a user or password; pass the token as {token:…}")
    if "?" in url or "#" in url:
        raise ConfigError("{base_url} must not hold a query or fragment; a path prefix is allowed")
    port = "" if parsed.port is None else str(parsed.port)
    return parsed.scheme, host, port, parsed.raw_path.decode("ascii").rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
        # Of an address of IPv4 written as one of IPv6, Pythons before 3.13 know only what it holds.
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        # RFC 6761: these names never leave the machine.
        return host == "localhost" or host.endswith(".localhost")


@attrs.frozen(kw_only=True, eq=False)
class Way:
    """How the requests of a client go, and how much is taken of an answer."""

    base_url: BaseURL
    token: Token
    #: Of a body, as it comes and decoded.
    max_bytes: int
    #: The caller's.
    ssl_context: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    #: Whether the environment says which authorities to trust where *ssl_context* does not; else certifi's are trusted.
    trust_env: bool = False
    #: It may be sent secrets.
    proxy: httpx.Proxy | None = attrs.field(default=None, repr=False)

    @cached_property
    def _shared(self) -> ssl.SSLContext:
        import httpx

        return self.ssl_context or httpx.create_ssl_context(trust_env=self.trust_env)

    def context(self) -> ssl.SSLContext:
        """Give all lanes one context, made when the first connects: it takes tens of milliseconds."""
        self._shared.set_alpn_protocols(["http/1.1"])  # whoever has it beside us may offer more
        return self._shared

    @property
    def headers(self) -> Headers:
        return [
            (b"Host", self.base_url.authority.encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip"),
            (b"User-Agent", f"indivd-async/{__version__}".encode("ascii")),
            (b"Authorization", self.token.header()),
        ]

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy reads each request and sends it on; for https it makes a tunnel and never sees one."""
        return self.proxy is not None and self.base_url.scheme == "http"

    @property
    def proxy_address(self) -> tuple[str, int]:
        assert self.proxy is not None
        url = self.proxy.url
        return url.raw_host.decode("ascii").replace("%25", "%"), url.port or PORTS[url.scheme]

    @property
    def proxy_headers(self) -> Headers:
        """What the proxy, if there is one, is sent beside, its password among it."""
        if self.proxy is None:
            return []
        headers = list(self.proxy.headers.raw)
        if self.proxy.raw_auth is not None:
            headers.append((b"Proxy-Authorization", SecretBytes(b"Basic " + b64encode(b":".join(self.proxy.raw_auth)))))
        return headers
