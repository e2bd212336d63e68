"""Addresses of the other side: scheme, host and port, and nothing else. Pure.

Called by auth and registry. Which host a credential may be sent to is decided in auth.
"""

from urllib.parse import urlsplit

from bundlectl.model.errors import InputError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def origin_of(text: str, where: str) -> str:
    """`https://host[:port]`, in lower case; `https://` is added when no scheme is given.

    `http://` is for this machine only: a token would be readable on the way. Raises InputError BND712 naming `where`
    the address stands.
    """
    if any(sign.isspace() or not sign.isprintable() for sign in text):
        raise _bad(where, "host contains a space")
    given = text.partition("?")[0]
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        port = parts.port
    except ValueError as error:
        raise _bad(where, f"host is no address: {error}") from None
    if parts.scheme not in ("https", "http"):
        raise _bad(where, f'host has the scheme "{parts.scheme}"')
    if parts.username is not None or parts.password is not None:
        raise _bad(where, "host contains a user or password")
    if parts.path.rstrip("/") or parts.fragment:
        raise _bad(where, "host has a path")
    name = parts.hostname
    if not name:
        raise _bad(where, "host has no name")
    if parts.scheme == "http" and not is_loopback(name):
        raise _bad(where, f'"http://{name}" would send the token readable for everybody on the way')
    shown = f"[{name}]" if ":" in name else name
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, usual) else "")


def is_loopback(name: str) -> bool:
    """Whether a name means this machine."""
    return name in _LOOPBACK or name.endswith(".localhost")


def _bad(where: str, summary: str) -> InputError:
    return InputError(summary, code="BND712", detail=f"in {where}", hint="give scheme and host only: https://<host>")
