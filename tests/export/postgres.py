"""A real PostgreSQL server in a temporary directory: started, stopped at once, killed, started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Word for a role that has a password, with what would break a careless address.
USER, PASSWORD = "keeper", "se/cr@t:w%rd"

#: Runs a server until it ends, or until whoever started it does, however that ends: then nothing of it stays.
_WATCH = """
import select, shutil, signal, subprocess, sys
folder, *command = sys.argv[1:]
server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
print(server.pid, flush=True)
while server.poll() is None:
    if select.select([sys.stdin], [], [], 0.02)[0]:  # nobody writes: it has been closed
        server.send_signal(signal.SIGQUIT)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
"""


def find_programs() -> Path | None:
    """Find where the server's programs are: Debian's packages keep them off PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parts[-2]))
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    needed = ("initdb", "postgres", "pg_isready")
    return next((folder for folder in (*debian, *on_path) if all((folder / name).exists() for name in needed)), None)


class Server:
    """One server; the port stays the same over restarts."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        self._as = _as_somebody()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def make(self) -> None:
        """Make the cluster, whose superuser needs the password."""
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if self._as:
            os.chmod(self.folder, 0o755)
            shutil.chown(self.folder, "nobody")
            os.chmod(secret, 0o644)
        self._run("initdb", "-D", "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8",
                  "--no-sync", "--locale", "C")  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # Whoever kills a server leaves the machine as it is: what was written need not be forced to the disk.
        options = ["-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                   "-c", "fsync=off"]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WATCH, str(self.folder),
                 *self._as, str(self._programs / "postgres"), "-D", "data", *options],
                cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        self.pid = int(self._process.stdout.readline())
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End all connections at once, and it; or let it die."""
        if self._process is None:
            return
        # SIGINT ends all connections at once. Killed, its children end when they see it gone; a start that comes sooner
        # waits for them.
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self.pid, signal.SIGKILL if kill else signal.SIGINT)
        self._process.wait(timeout=60)
        self._process.communicate()  # not before it has ended: that closes what tells of our own end
        self._process = None

    def restart(self, *, kill: bool = False) -> None:
        """End and start."""
        self.stop(kill=kill)
        until = time.monotonic() + 60
        while True:
            try:
                return self.start()
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def address(self, table: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """Return the address of a table."""
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/postgres?table={table}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._programs / program), *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)


def _as_somebody() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@contextmanager
def running() -> Iterator[Server]:
    """Run a server; RuntimeError where there are no programs, or it does not start."""
    programs = find_programs()
    if programs is None:
        raise RuntimeError("there is no PostgreSQL on this machine (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="indivd-postgres-"))
    server = Server(programs, folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
