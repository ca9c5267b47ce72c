"""
A server that does to a connection what a test says, byte by byte.

It runs in threads, so that the same server serves a client on asyncio and on trio, and goes on when their loop is busy.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self


def answer(body: bytes = b"[]", *, status: int = 200, headers: Iterable[str] = (), length: int | None = None) -> bytes:
    """Put a response together; *length* says another Content-Length than the body's."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Peer:
    """One accepted connection."""

    def __init__(self, server: RawServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        #: Which connection of the server this is, from 1.
        self.number = number

    def request(self) -> bytes | None:
        """Read the head of the next request; None where the client closed."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            chunk = self.sock.recv(65536)
            if not chunk:
                return None
            head += chunk
        self.server.requests.append(head)
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_close(self) -> None:
        """Read until the client has had enough."""
        while self.sock.recv(65536):
            pass

    def serve(self, response: bytes = answer()) -> None:
        """Answer everything alike until the client closes."""
        while self.request() is not None:
            self.send(response)


class RawServer:
    """
    Listens on loopback while its context is open; every connection is given to *handler* in a thread of its own.

    The connection is closed when the handler returns; what it raises, but for a broken connection, fails the test.
    """

    def __init__(self, handler: Callable[[Peer], object], *, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._open: set[socket.socket] = set()
        self._closing = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        #: Heads of requests in order of arrival, and connections so far.
        self.requests: list[bytes] = []
        self.connections = 0

    def wait_until_idle(self) -> None:
        """Wait until no connection is open."""
        with self._closing:
            if not self._closing.wait_for(lambda: not self._open, timeout=60):
                raise TimeoutError(f"{len(self._open)} connections are still open")

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if self._failures and error is None:
            raise self._failures[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            thread = threading.Thread(target=self._handle, args=(sock, self.connections))
            self._threads.append(thread)
            thread.start()

    def _handle(self, sock: socket.socket, number: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                plain, sock = sock, self._tls.wrap_socket(sock, server_side=True)
                self._open.add(sock)
                self._open.discard(plain)
            self._handler(Peer(self, sock, number))
        except OSError:
            pass
        except BaseException as failure:
            self._failures.append(failure)
        finally:
            sock.close()
            with self._closing:
                self._open.discard(sock)
                self._closing.notify_all()
