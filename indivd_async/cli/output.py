"""Rows to where they are wanted, in the format that is wanted."""

from __future__ import annotations

import argparse
import csv
import io
import os
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ..errors import IndivdError
from ..escaping import escape_controls
from .documents import escape_json
from .options import UsageError
from .spelling import tell
from .terminal import check_rich, draw_tables, draw_text, make_console, say, size_of

#: Rows of a table shown to a person; a file or a pipe gets all.
_SHOWN = 40
#: Lines of a screen that are no rows: the head of the table, and where the next command is typed.
_AROUND = 3
#: The head is repeated once a screen, and not more often on a low one.
_FEWEST_AT_ONCE = 10
#: Rows that rich takes a second for.
_MANY = 2_000
#: Failures that are told one by one.
_TOLD = 10
_SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrows",
    ".txt": "table",
}
#: What is not for terminals.
BINARY = ("parquet", "arrow", "arrows")
_FORMULAS = ("=", "+", "-", "@")
Row = Mapping[str, Any]


def choose_format(args: argparse.Namespace, formats: Collection[str]) -> str:
    """
    Return the one of *formats* that was asked for, by name or by the name of the file.

    Call it before anything is asked: where the answer could not be written, it raises. "arrow" is the file form, which
    a reader finds its way in; what is piped on gets "arrows", the stream form, which is read from its beginning.
    """
    form = _format_of(args)
    if form not in formats:
        raise UsageError(f"--out: {args.out!r} would be {form}, which this is not written as; use {', '.join(formats)}")
    if _is_stdout(args.out):
        if form in BINARY and sys.stdout.isatty():
            raise UsageError(f"{form} is not for terminals: pass --out FILE, or pipe it somewhere")
        is_file = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    else:
        is_file = check_path("--out", args.out)
    if form == "arrow" and not is_file:
        form = "arrows"
    if form == "table":
        check_rich("; --json and CSV need nothing")
    elif form in ("parquet", "arrow") or (form == "arrows" and args.limit is not None):
        _import_parquet()
    return form


def check_path(option: str, out: str) -> bool:
    """Tell whether *out* is to be a file; it may be a device or a pipe."""
    path = Path(out)
    if path.is_dir():
        raise IsADirectoryError(f"{option}: {out!r} is a folder")
    if path.exists() and not path.is_file():
        return False
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise FileNotFoundError(f"{option}: {str(path.parent)!r} is no folder that can be written to")
    return True


def _is_stdout(out: str | None) -> bool:
    """Tell whether *out* is stdout, perhaps by a name of its own, such as /dev/stdout: what that holds is kept."""
    with suppress(OSError, ValueError):  # one of them is not there
        return out is None or os.path.samefile(out, sys.stdout.fileno())
    return False


def _format_of(args: argparse.Namespace) -> str:
    if args.format is not None:
        return str(args.format)
    if args.out is None:
        return "table"
    suffix = Path(args.out).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(f"--format is needed: the name of {args.out!r} does not tell it")
    return _SUFFIXES[suffix]


@contextmanager
def open_output(out: str | None) -> Iterator[BinaryIO]:
    """Open stdout or the file; the file appears when it is whole, and not at all where it could not be."""
    if out is None or _is_stdout(out):
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not path.is_file():
        # A device or a pipe, /dev/null say, is written to, not replaced.
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # a link stays one
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_rows(
    out: BinaryIO, form: str, rows: Sequence[Row], names: Sequence[str], *, limit: int | None = None
) -> None:
    """Write *rows*, or the first *limit* of them, as json, ndjson or csv."""
    _WRITERS[form](out, rows[:limit], names)
    _say_limit(limit, len(rows))


def write_document(out: BinaryIO, rows: Sequence[Row], beside: Row, *, limit: int | None = None) -> None:
    """Write one JSON object: *rows*, or the first *limit* of them, and what stands *beside* them."""
    out.write(b'{"rows": ')
    write_rows(out, "json", rows, (), limit=limit)
    out.writelines(b", " + _document(name) + b": " + _document(value) + b"\n" for name, value in beside.items())
    out.write(b"}\n")


def _say_limit(limit: int | None, rows: int) -> None:
    if limit is not None and limit < rows:
        say(f"the first {limit:,} of {rows:,} rows")


def _write_json(out: BinaryIO, rows: Iterable[Row], _: Sequence[str]) -> None:
    out.write(b"[")
    for number, row in enumerate(rows):
        out.write(b",\n " if number else b"\n ")
        out.write(_document(row))
    out.write(b"\n]\n")


def _write_ndjson(out: BinaryIO, rows: Iterable[Row], _: Sequence[str]) -> None:
    out.writelines(_document(row) + b"\n" for row in rows)


def _document(value: Any) -> bytes:
    return escape_json(orjson.dumps(value, default=_plain))


def _write_csv(out: BinaryIO, rows: Iterable[Row], names: Sequence[str]) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, names))
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    text.detach()


def _cell(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (Mapping, tuple, list)):
        return _document(value).decode()
    if isinstance(value, str):
        # Spreadsheets compute what begins so, and an apostrophe tells them not to.
        return f"'{escape_controls(value)}" if value.startswith(_FORMULAS) else escape_controls(value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


_WRITERS: Mapping[str, Callable[[BinaryIO, Iterable[Row], Sequence[str]], None]] = {
    "json": _write_json,
    "ndjson": _write_ndjson,
    "csv": _write_csv,
}


def write_table(out: BinaryIO, rows: Sequence[Row], columns: Sequence[str], args: argparse.Namespace) -> None:
    """Draw a table for a person; on a terminal its beginning, and what was left out is said on stderr."""
    watched = args.out is None and sys.stdout.isatty()
    shown = rows[: args.limit or (_SHOWN if watched else None)]
    size = size_of(sys.stdout)
    at_once = max(_FEWEST_AT_ONCE, size.lines - _AROUND) if watched else None
    if len(shown) > _MANY:
        say(f"{len(shown):,} rows take a while to draw; --format csv writes them at once")
    tables, hidden = draw_tables(shown, columns, width=size.columns, at_once=at_once)
    if watched:
        console = make_console(sys.stdout)
        for table in tables:
            console.print(table)
    else:
        out.write(draw_text(tables, width=size.columns).encode())
    out.flush()
    if not rows:
        say("no rows")
    if hidden:
        say(f"not shown for lack of room: {', '.join(hidden)}", indent="  ")
    if watched and args.limit is None and len(shown) < len(rows):
        say(f"the first {len(shown)} of {len(rows):,} rows; --limit N shows N of them, --format csv writes all")
    _say_limit(args.limit, len(rows))


def say_missing(failures: Sequence[tuple[str, IndivdError | None]]) -> None:
    """Tell which requests failed, and why: the first of them, for the others hardly differ."""
    for request, error in failures[:_TOLD]:
        text = tell(error) if error is not None else "it was not sent"
        say(f"missing: {text}" if request in text else f"missing: {request}: {text}", indent="  ")
    if len(failures) > _TOLD:
        say(f"missing: and {len(failures) - _TOLD:,} more")


def write_arrow(out: BinaryIO, form: str, result: Any, *, limit: int | None = None) -> None:
    """Write *result*, or its first *limit* rows, as a Parquet file, or as the file or the stream form of Arrow IPC."""
    if form == "arrows" and limit is None:
        try:
            from nanoarrow.ipc import StreamWriter
        except ImportError:
            pass
        else:
            whole = io.BytesIO()  # of an error in writing, nanoarrow makes one of its own
            with StreamWriter.from_writable(whole) as writer:
                writer.write_stream(result)
            out.write(whole.getbuffer())
            return
    parquet = _import_parquet()
    import pyarrow

    whole = pyarrow.table(result)
    table = whole if limit is None else whole.slice(0, limit)
    _say_limit(limit, len(whole))
    if form == "parquet":
        parquet.write_table(table, out, compression="zstd")
        return
    start = pyarrow.ipc.new_file if form == "arrow" else pyarrow.ipc.new_stream
    with start(out, table.schema) as writer:
        writer.write_table(table)


def _import_parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError(
            "this format needs pyarrow: pip install 'indivd-async[parquet]'; --format arrows can do without"
        ) from None
    return pyarrow.parquet
