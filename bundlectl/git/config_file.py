"""Reads the address of `origin` from a repository's configuration without a process, where it is written plainly.

Called by repository: every plan names its remote, and a process per question would be felt. Anything unusual
(includes, quotes, escapes) is left to git itself.
"""

from urllib.parse import urlsplit, urlunsplit

_UNPLAIN = frozenset("\"'\\#;")


class NotPlain(Exception):
    """The file has something that only git reads right."""


def origin_in(text: str) -> str | None:
    """The URL of `origin` in the text of a configuration file; None when it has none. Raises NotPlain."""
    section = ""
    found: str | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
            name = line[1:].lstrip().lower()
            if name.startswith("include") or (name.startswith("remote") and not line.endswith("]")):
                raise NotPlain(line)
        elif section == '[remote "origin"]':
            key, equals, value = line.partition("=")
            if key.strip().lower() == "url" and equals:
                if _UNPLAIN & set(value) or found is not None:
                    raise NotPlain(line)
                found = value.strip()
    return found


def without_credentials(url: str) -> str:
    """A remote's URL without user, password, query and fragment; scp form (`git@host:path`) loses its user too."""
    if "://" in url:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    head, colon, path = url.partition(":")
    if colon and "/" not in head:
        return f"{head.rpartition('@')[2]}:{path}"
    return url
