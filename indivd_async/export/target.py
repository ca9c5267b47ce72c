"""The address of a table: which database, which table, and what of it may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import attrs

from ..errors import ConfigError
from ..wording import literally

_HOW = "duckdb:///FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME"
#: PostgreSQL cuts what is longer than 63 characters.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
#: What each export holds, one row an export.
MANIFESTS = "indivd_exports"
#: What of an address is nobody's business.
_SECRET_OPTIONS = frozenset({"password", "passfile", "sslpassword", "sslkey", "user", "oauth_client_secret"})


@attrs.frozen(kw_only=True)
class Target:
    """A table of a database. Shown, it tells neither user nor password."""

    kind: str
    #: Where it is, without credentials.
    shown: str
    table: str
    schema: str | None = None
    #: What a driver is given: may hold a password.
    _address: str = attrs.field(alias="address", repr=False)

    def reveal(self) -> str:
        """Return what a driver is given."""
        return self._address

    def redact(self, text: str) -> str:
        """Take what is secret out of what a driver says."""
        if self.kind == "duckdb":
            return text
        parts = urlsplit(self._address)
        options = dict(parse_qsl(parts.query))
        userinfo = parts.netloc.rpartition("@")[0]
        # A user alone may be a part of any word.
        whole = [self._address, userinfo and f"{userinfo}@"]
        raw = [*whole, *userinfo.split(":", 1)[1:], *map(options.get, _SECRET_OPTIONS - {"user"})]
        user = urlsplit(self._address).username or options.get("user")
        for name in {user, unquote(user)} if user else ():
            text = text.replace(f'"{name}"', '"***"')
        secrets = {form for word in raw if word for form in (word, unquote(word), quote(unquote(word), safe=""))}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def parse_target(text: str) -> Target:
    """
    Read the address of a table.

    >>> parse_target("postgresql://me:word@db.example/shop?table=visits").shown
    'postgresql://db.example/shop?table=visits'

    Raises:
        ConfigError: which repeats nothing of an address that cannot be read, for it may hold a password.
    """
    scheme, colon, _ = text.partition("://") if isinstance(text, str) else ("", "", "")
    if not colon or scheme not in ("duckdb", "postgresql", "postgres"):
        raise ConfigError(f"{{to}}: must be {_HOW}")
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, keep_blank_values=True)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        raise ConfigError(f"{{to}}: cannot be read; it must be {_HOW}") from None
    if scheme != "duckdb" and ("@" in parts.path or parts.fragment):  # what stands there is a part of a password
        raise ConfigError("{to}: cannot be read; / ? # in a password are written as %2F %3F %23")
    schema, table = _read_table(dict(options).get("table", ""))
    named = f"?table={f'{schema}.' if schema else ''}{table}"
    if scheme == "duckdb":
        unknown = sorted({name for name, _ in options} - {"table"})
        if unknown or parts.netloc:
            raise ConfigError("{to}: a DuckDB file is written as duckdb:///FILE?table=NAME, with no other options")
        path = _find_file(unquote(parts.path))
        return Target(kind="duckdb", shown=f"duckdb:///{path}{named}", table=table, schema=schema, address=str(path))
    rest = urlencode([(name, value) for name, value in options if name != "table"], quote_via=quote)
    return Target(
        kind="postgresql",
        shown=f"postgresql://{f'[{host}]' if ':' in host else host}{port}{parts.path}{named}",
        table=table,
        schema=schema,
        address=f"postgresql://{parts.netloc}{parts.path}{'?' if rest else ''}{rest}",
    )


def _read_table(text: str) -> tuple[str | None, str]:
    names = text.split(".")
    if len(names) > 2 or not all(_NAME.fullmatch(name) for name in names):
        raise ConfigError(
            "{to}: ?table=NAME must name the table, or SCHEMA.NAME, in letters, digits and _, 63 at most; "
            f"got {literally(text)!r}"
        )
    if names[-1].lower() == MANIFESTS:
        raise ConfigError(f"{{to}}: {MANIFESTS} is the table of what exports hold; name another")
    return (names[0] if len(names) == 2 else None), names[-1]


def _find_file(path: str) -> Path:
    """Read the path of ``duckdb:///FILE``, relative, and of ``duckdb:////FILE``; of three slashes both are in use."""
    relative = Path(path.removeprefix("/"))
    if not relative.name or str(relative) == ":memory:":
        raise ConfigError("{to}: duckdb:///FILE must name a file")
    if not relative.is_absolute() and not relative.parent.is_dir() and Path(path).parent.is_dir():
        return Path(path)
    return relative
