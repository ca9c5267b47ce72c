"""
The servers that the clients are measured against, each in a process of its own on loopback.

nginx where it is installed, because it costs the machine least; else, and where answers have to take their time, this
module run as a script.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .answers import (
    LINES_PATH,
    LOCATIONS_PATH,
    ZONE_LIST_PATH,
    ZONES_PATH,
    days,
    line_crosses,
    locations,
    zone_list,
    zone_visitors,
)

#: Days for which there is an answer of zone_visitors.
DAYS = 2_000
#: What is the same whatever is asked.
_FIXED = {LINES_PATH: cache(line_crosses), LOCATIONS_PATH: cache(locations), ZONE_LIST_PATH: cache(zone_list)}

_NGINX = """
daemon off;
{user}
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    default_type application/json;
    keepalive_requests 10000000;
    keepalive_timeout 300;
    open_file_cache max=4096 inactive=600;
    open_file_cache_valid 600;
    server {{
        listen 127.0.0.1:{port}{secure} backlog=4096;
        root {home};
{fixed}
        location = {zones} {{ rewrite ^ /zones-$arg_start_date.json break; }}
    }}
}}
"""


@contextmanager
def serving(*, latency_s: float = 0, tls: bool = False) -> Iterator[str]:
    """
    Serve both endpoints until the block ends; the value is the base URL.

    With *latency_s* each answer comes so many seconds after its request, from the server that is at hand everywhere.
    With *tls* SSL_CERT_FILE names whom to trust until then.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        port = _free_port()
        nginx = None if latency_s else shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        certificate = _certify(Path(home)) if tls else None
        command = (
            _nginx_command(nginx, Path(home), port, certificate)
            if nginx is not None
            else [sys.executable, "-m", "benchmarks.server", str(port), "--latency", str(latency_s)]
        )
        if certificate is not None and nginx is None:
            command += ["--certificate", str(certificate)]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, server)
            with _trusting(Path(home) / "authority.pem") if tls else nullcontext():
                yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def _certify(home: Path) -> Path:
    """Return a certificate with its key for this machine; that of who made it lies beside."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(home / "authority.pem")
    path = home / "certificate.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@contextmanager
def _trusting(authority: Path) -> Iterator[None]:
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority)
    try:
        yield
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def _nginx_command(nginx: str, home: Path, port: int, certificate: Path | None) -> list[str]:
    user = "user root;" if os.getuid() == 0 else ""
    secure, fixed = "", []
    if certificate is not None:
        secure = " ssl"
        fixed += [f"ssl_certificate {certificate};", f"ssl_certificate_key {certificate};"]
    for number, (path, body) in enumerate(_FIXED.items()):
        home.joinpath(f"fixed-{number}.json").write_bytes(body())
        fixed.append(f"location = {path} {{ rewrite ^ /fixed-{number}.json break; }}")
    home.joinpath("nginx.conf").write_text(
        _NGINX.format(home=home, port=port, user=user, secure=secure, fixed="\n".join(fixed), zones=ZONES_PATH)
    )
    for day in days(DAYS):
        home.joinpath(f"zones-{day}.json").write_bytes(zone_visitors(day))
    return [nginx, "-p", str(home), "-c", str(home / "nginx.conf")]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended at once, with status {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the server does not accept connections")


class _Connection(asyncio.Protocol):
    """One connection: a GET in, an answer out, as little in between as Python allows."""

    latency_s = 0.0

    def __init__(self) -> None:
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            answer = self._answer(head.split(b" ", 2)[1].decode("ascii"))
            if self.latency_s:
                self._loop.call_later(self.latency_s, self._send, answer)
            else:
                self._send(answer)

    def _answer(self, target: str) -> bytes:
        url = urlsplit(target)
        fixed = _FIXED.get(url.path)
        if fixed is not None:
            return fixed()
        return _zones(parse_qs(url.query)["start_date"][0])

    def _send(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode("ascii") + body)


@cache
def _zones(day: str) -> bytes:
    return zone_visitors(date.fromisoformat(day))


async def _serve(port: int, certificate: Path | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, backlog=4096, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answer line_crosses and zone_visitors.")
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--certificate", type=Path, help="speak TLS, with this one")
    options = parser.parse_args()
    _Connection.latency_s = options.latency
    asyncio.run(_serve(options.port, options.certificate))
