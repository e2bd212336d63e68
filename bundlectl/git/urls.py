"""Which addresses of a git remote are admitted, checked before any process starts (security 4, rule 1). Pure.

Called by remote. An address from a bundle may be https, ssh or scp form; one that the invoker configured may also be a
path of this machine. Whatever could run a command or hide an option is refused.
"""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from bundlectl.git.config_file import without_credentials
from bundlectl.model.errors import RepositoryError

_NOT_ALLOWED = "BND614"
_MAX_LENGTH = 2048
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]/]+\]|[^@/:\[\]]+):(?P<path>.+)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")


class Admitted(NamedTuple):
    """An address that git may be given."""

    url: str
    protocol: str  # https, http, ssh or file
    shown: str  # without user and password
    path: Path | None = None  # of a repository on this machine


def is_remote_name(text: str) -> bool:
    """Whether a text has the form of the name of a configured remote."""
    return _NAME.fullmatch(text) is not None and ".." not in text and not text.endswith((".lock", "/", "."))


def admit(text: str, *, by_invoker: bool, base: Path | None = None) -> Admitted:
    """The address, if it is one that may be used. Raises RepositoryError BND614.

    `by_invoker`: it comes from the invoker's own configuration, so it may be a path (relative to `base`).
    """
    shown = _shown(text)
    if re.match(r"[A-Za-z0-9.+_-]*::", text):
        raise _refused(shown, "a transport helper runs a program")
    if not text or len(text) > _MAX_LENGTH or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text):
        raise _refused(shown, "it is empty, too long, or has spaces or control characters")
    if text.startswith("-"):
        raise _refused(shown, "it would be read as an option")
    if "://" in text:
        return _with_scheme(text, shown, by_invoker)
    scp = _SCP.fullmatch(text)
    if scp is not None and len(scp["host"]) > 1:
        _check_names(shown, scp["user"], scp["host"].strip("[]"))
        if scp["path"].startswith("-"):
            raise _refused(shown, "its path would be read as an option")
        return Admitted(text, "ssh", shown)
    return _path(text, shown, by_invoker, base)


def _shown(text: str) -> str:
    if "://" not in text:
        return text
    try:
        return without_credentials(text)
    except ValueError:
        return re.sub(r"//[^/]*@", "//", text)  # not an address at all; a password may stand in it all the same


def _with_scheme(text: str, shown: str, by_invoker: bool) -> Admitted:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _refused(shown, str(error)) from None
    scheme = parts.scheme.lower()
    if scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise _refused(shown, "a file address names no host")
        return _path(unquote(parts.path), shown, by_invoker, None)._replace(url=text)
    if scheme not in ("https", "ssh", "http"):
        raise _refused(shown, f'"{scheme}" is not one of https and ssh')
    host = unquote(parts.hostname or "")
    _check_names(shown, unquote(parts.username) if parts.username is not None else None, host)
    if parts.password is not None and not by_invoker:
        raise _refused(shown, "it holds a password, which everybody who reads the bundle sees")
    if scheme == "http" and _LOOPBACK.fullmatch(host) is None:
        raise _refused(shown, "http is for this machine only")
    if port == 0 or parts.query or parts.fragment:
        raise _refused(shown, "it has a query, a fragment, or port 0")
    if scheme == "ssh" and unquote(parts.path).lstrip("/").startswith("-"):
        raise _refused(shown, "its path would be read as an option")
    return Admitted(text, scheme, shown)


def _path(text: str, shown: str, by_invoker: bool, base: Path | None) -> Admitted:
    if not by_invoker:
        raise _refused(shown, "a bundle may not name a path of this machine: name a remote that is configured here")
    path = Path(text)
    if not path.is_absolute():
        if base is None:
            raise _refused(shown, "its path is not absolute")
        path = base / path
    path = path.resolve()
    return Admitted(str(path), "file", shown, path)


def _check_names(shown: str, user: str | None, host: str) -> None:
    if not host or host.startswith("-") or (user is not None and (not user or user.startswith("-"))):
        raise _refused(shown, "its host or user is empty, or would be read as an option")
    if re.fullmatch(r"[A-Za-z0-9._:%-]+", host) is None:
        raise _refused(shown, "its host has characters that no host has")


def origin_of(address: Admitted) -> str | None:
    """`scheme://host[:port]/` that a header is for; None for what is not HTTP."""
    if address.protocol not in ("https", "http"):
        return None
    parts: SplitResult = urlsplit(address.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"


def _refused(shown: str, why: str) -> RepositoryError:
    return RepositoryError(
        f'remote URL "{shown[:200]}" is not allowed: {why}',
        code=_NOT_ALLOWED,
        hint="name a remote of this repository, or an https or ssh address, in bundlectl.state.remote",
    )
