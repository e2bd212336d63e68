"""One request to the engine and what a route may use to answer it, with strict readers of ids, numbers and flags.

Made by routes, used by every other module of engine.api.
"""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.clock import Clock
from bundlectl.engine.api.errors import ApiError, invalid
from bundlectl.engine.database import Store

MAX_ID = (1 << 53) - 1


class Services(NamedTuple):
    """What answers are made of. `notify` tells the scheduler, wherever it is, that a request was left for it."""

    store: Store
    folder: Path
    clock: Clock
    notify: Callable[[], None]
    user: str
    describe: Callable[[dict[str, Any]], list[dict[str, Any]]]  # settings -> environment entries of a manifest
    version: str


class Content(bytes):
    """A file as an answer: its bytes, and when it was written (epoch milliseconds)."""

    modified: int

    def __new__(cls, content: bytes, modified: int = 0) -> "Content":
        made = super().__new__(cls, content)
        made.modified = modified
        return made


class Request(NamedTuple):
    """One call. `arguments` are the variable parts of the path; `queue_by_default` depends on the API's version."""

    services: Services
    query: Mapping[str, str]
    document: Any
    headers: Mapping[str, str]  # names in lower case
    arguments: tuple[str, ...]
    queue_by_default: bool

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        if not isinstance(self.document, dict):
            raise ApiError(400, "MALFORMED_REQUEST", "The body must be a JSON object.")
        return self.document

    def body_id(self, name: str) -> int:
        """A required id in the body: a number, or its decimal text."""
        value = self.body().get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return _id(name, value)

    def query_id(self, name: str) -> int:
        """A required id in the query."""
        return _id(name, self.query.get(name))

    def path_id(self) -> int:
        """The id that is a part of the path."""
        return _id("id", self.arguments[0])

    def flag(self, name: str) -> bool:
        """A boolean of the query; absent is false."""
        value = self.query.get(name, "false")
        if value not in ("true", "false"):
            raise invalid(f'"{name}" must be true or false, not "{value}".')
        return value == "true"

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query within its bounds."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 19 and least <= int(text) <= most):
            raise invalid(f'"{name}" must be a number from {least} to {most}, not "{text}".')
        return int(text)

    def page_token(self, kind: str) -> list[int] | None:
        """The key that a page token of this kind holds; None on the first page."""
        text = self.query.get("page_token")
        if not text:
            return None
        try:
            decoded: object = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        except ValueError:
            raise invalid(f'"{text}" is no page token.') from None
        key: list[Any] = [] if not isinstance(decoded, list) or decoded[:1] != [kind] else decoded[1:]
        if not 0 < len(key) <= 2 or not all(isinstance(part, int) and 0 <= part <= MAX_ID for part in key):
            raise invalid(f'"{text}" is no page token of this list.')
        return key


def make_token(kind: str, *key: int) -> str:
    """An opaque page token that holds the last key of a page."""
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


def _id(name: str, value: Any) -> int:
    if value is None:
        raise invalid(f'"{name}" is missing.')
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdecimal()
        and len(value) < 17
        and 0 < int(value) <= MAX_ID
    ):
        return int(value)
    raise invalid(f'"{name}" must be a positive number below 2^53, not "{str(value)[:80]}".')
