"""A smart HTTP git server on loopback over `git http-backend`, with faults on demand. For tests.

with serve(folder, environment) as server:
    server.url("state.git")
"""

import gzip
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class GitServer:
    """A running server. `fault` is asked for each request: a name of a fault, or None."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1"}
        self.fault: Callable[[str, str], str | None] = lambda method, path: None
        self.requests: list[tuple[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.password: str | None = None  # what Authorization must hold
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/{name}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextmanager
def serve(folder: Path, environment: Mapping[str, str]) -> Iterator[GitServer]:
    """Serves the repositories below a folder while it lasts."""
    server = GitServer(folder, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def bare_repository(path: Path, environment: Mapping[str, str], *, algorithm: str = "sha1") -> Path:
    """An empty repository that takes pushes, over HTTP too."""

    def git(*words: str) -> None:
        subprocess.run(["git", *words], env=dict(environment), check=True, capture_output=True)

    git("init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={algorithm}", str(path))
    git("-C", str(path), "config", "http.receivepack", "true")
    git("-C", str(path), "config", "receive.fsckObjects", "true")
    return path


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *words: Any) -> None:
            """Nothing: the test looks at `requests`."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self._body())

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            service = path.rpartition("/")[2] if self.command == "POST" else query.removeprefix("service=")
            server.requests.append((self.command, service))
            server.headers.append(dict(self.headers))
            fault = server.fault(self.command, service)
            if fault is not None and fault.isdigit():
                self._send(int(fault), {"Content-Type": "text/plain"}, b"no\n")
            elif fault == "reset":
                self.close_connection = True
            elif server.password is not None and server.password not in self.headers.get("Authorization", ""):
                self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"who?\n")
            else:
                status, headers, answer = self._backend(path, query, body)
                if fault == "lost report":
                    self.close_connection = True  # the effect is there, and nobody is told
                    return
                self._send(status, headers, answer)

        def _backend(self, path: str, query: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            environment = {
                **server.environment,
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": "tester",
                "REMOTE_ADDR": "127.0.0.1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH": os.environ["PATH"],
            }
            done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True)
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
            status = int(fields.pop("Status", "200").split()[0])
            return status, fields, answer

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client was killed

    return Handler
