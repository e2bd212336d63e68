"""Who may ask the server: the token and its file, allowed hosts, same origin, and a limit on wrong tokens.

Used by app for every request, and by server to find or make the token. Reads headers, never bodies.
"""

import os
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.base.files import make_private_folder
from bundlectl.model.errors import UsageError

_TOKEN_BYTES = 32
_LONGEST_FILE = 4096
_FAILURES = 20  # wrong tokens of one address that are answered within _WINDOW_S
_WINDOW_S = 60.0
_ADDRESSES = 1_000  # that are remembered
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Refusal(NamedTuple):
    """Why a request goes no further."""

    status: int
    code: str
    message: str
    wait_s: int | None = None  # for Retry-After


def token_of(path: Path) -> tuple[str, bool]:
    """The token in a file, and whether it was made just now. Nobody else can read it.

    Raises UsageError BND623 for a file that others may read, or that holds no token.
    """
    try:
        make_private_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read_token(path), False
    except OSError as error:
        raise UsageError(f'cannot write "{path}": {error.strerror or error}', code="BND623") from error
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    return token, True


def _read_token(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(_LONGEST_FILE).decode("ascii", "replace").strip()
    except OSError as error:
        raise UsageError(f'cannot read "{path}": {error.strerror or error}', code="BND623") from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(
            f'"{path}" can be read by others',
            code="BND623",
            hint=f'make a new token: rm "{path}" and start again, or chmod 600 if nobody read it',
        )
    if len(text) < _TOKEN_BYTES or not text.isascii() or any(sign.isspace() for sign in text):
        raise UsageError(
            f'"{path}" holds no token', code="BND713", hint=f"at least {_TOKEN_BYTES} characters without spaces"
        )
    return text


class Guard:
    """Decides on headers alone. One per server; called by one thread."""

    def __init__(self, token: str, hosts: Iterable[str], *, scheme: str, clock: Clock) -> None:
        self._header = f"Bearer {token}".encode("ascii")
        self._hosts = frozenset(host.lower() for host in hosts)
        self._scheme = scheme
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def host(self, headers: Mapping[str, str]) -> Refusal | None:
        """A name that is not ours is how a page of somebody else reaches this machine."""
        if headers.get("host", "").lower() in self._hosts:
            return None
        return Refusal(421, "MISDIRECTED_REQUEST", "This server does not answer for that host.")

    def token(self, headers: Mapping[str, str], address: str) -> Refusal | None:
        """A right token is never refused, however many wrong ones came before."""
        given = headers.get("authorization", "").encode("latin-1", "replace")
        if secrets.compare_digest(given, self._header):
            return None
        if self._is_guessing(address):
            return Refusal(429, "REQUEST_LIMIT_EXCEEDED", "Too many failed attempts.", int(_WINDOW_S))
        text = "The token is not valid." if given else "A bearer token is needed."
        return Refusal(401, "UNAUTHENTICATED", text)

    def _is_guessing(self, address: str) -> bool:
        now = self._clock.boot_s()
        if len(self._failures) >= _ADDRESSES and address not in self._failures:
            self._failures.pop(next(iter(self._failures)))
        times = self._failures.setdefault(address, deque())
        while times and times[0] < now - _WINDOW_S:
            times.popleft()
        if len(times) >= _FAILURES:
            return True
        times.append(now)
        return False

    def origin(self, headers: Mapping[str, str]) -> Refusal | None:
        """A browser says which page asks; only our own may write."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = f"{self._scheme}://{headers.get('host', '')}".lower()
        if (origin is None or origin.lower() == own) and site in (None, "same-origin", "none"):
            return None
        return Refusal(403, "PERMISSION_DENIED", "A page of another origin may not write here.")


def allowed_hosts(bound: str, port: int, named: Iterable[str], *, secure: bool) -> frozenset[str]:
    """Values of `Host` that are answered: loopback and bound names with the port, and what was named."""
    names = {*LOOPBACK, f"[{bound}]" if ":" in bound else bound} - {"0.0.0.0", "[::]"}  # noqa: S104  # not bound to
    with_port = {f"{name}:{port}" for name in names}
    plain = names if port == (443 if secure else 80) else set()
    given = set()
    for name in named:
        given |= {name, name if ":" in name.rpartition("]")[2] else f"{name}:{port}"}
    return frozenset(with_port | plain | given)
