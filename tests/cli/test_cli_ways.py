"""How the service is reached: through proxies, and by those who are trusted."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

Indivd = Callable[..., Any]

PLACES = [{"id": 7, "name": "Behind it all", "timezone": "Europe/Stockholm"}]


@contextmanager
def answering(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """Serve a list of locations to whatever is asked; yields the port, and the targets that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(PLACES).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDIVD_TOKEN", "t0ken")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_a_proxy_is_asked(token: None, indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is named; the environment is not looked at unless that is asked for."""
    with answering() as (port, asked):
        there = ("--base-url", "http://127.0.0.1:9", "--timeout", "2", "--json")
        said = indivd("locations", *there, "--proxy", f"http://127.0.0.1:{port}")
        assert (said.code, json.loads(said.out)[0]["id"]) == (0, 7), said.err
        assert asked == ["http://127.0.0.1:9/filters/locations"]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        assert indivd("locations", *there).code == 1
        assert len(asked) == 1


def test_authorities_of_ones_own(token: None, indivd: Indivd, tmp_path: Path) -> None:
    """A certificate that nobody else trusts is taken with --ca-file, and what fails without names it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with answering(context) as (port, _):
        there = ("locations", "--base-url", f"https://127.0.0.1:{port}", "--timeout", "5", "--json")
        said = indivd(*there, "--ca-file", str(tmp_path / "ca.pem"))
        assert (said.code, json.loads(said.out)[0]["id"]) == (0, 7), said.err
        assert indivd(*there).code == 1


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "something else"])
def test_a_file_without_authorities_is_wrong_usage(
    content: str | None, token: None, indivd: Indivd, tmp_path: Path
) -> None:
    """Before anything is sent."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    said = indivd("locations", "--ca-file", str(path))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"indivd: --ca-file: {str(path)!r} cannot be used: ")


def test_a_bad_proxy_is_wrong_usage(token: None, indivd: Indivd) -> None:
    """The message names the option."""
    said = indivd("locations", "--proxy", "nonsense")
    assert said.code == 2
    assert said.err.startswith("indivd: --proxy must be a URL such as")


def test_the_environment_is_trusted_where_told(
    token: None, indivd: Indivd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With --trust-env its proxy is asked, and its authorities are taken."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with answering(context) as (port, _):
        there = ("locations", "--base-url", f"https://127.0.0.1:{port}", "--timeout", "5", "--json")
        assert indivd(*there, "--trust-env").code == 0
        said = indivd(*there)
        assert said.code == 1
        assert "--ca-file" in said.err
        assert "--trust-env" in said.err
    with answering() as (port, asked):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        there = ("locations", "--base-url", "http://127.0.0.1:9", "--timeout", "2", "--json")
        assert indivd(*there, "--trust-env").code == 0
        assert asked == ["http://127.0.0.1:9/filters/locations"]
