"""Strict reading of documents: every member is asked for by name and type, and what nobody asked for is refused.

Called by state for whatever comes from outside, also when we wrote it ourselves. Knows no document: which members
there are is said by the reader of each. DocumentError is turned into an error of the product by the caller.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from bundlectl.base.digest import canonical_bytes

MAX_DEPTH = 64


class DocumentError(ValueError):
    """A document that does not hold: `path` names the member, `problem` what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class Members:
    """One map of a document, read member by member.

        with Members(value, "deployed") as deployed:
            commit = deployed.text("commit")

    Leaving the block refuses members that were not asked for. Every reading method raises DocumentError.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise DocumentError(path, f"expected a map, found {kind_of(value)}")
        self._value = value
        self._path = path
        self._asked: set[str] = set()

    def __enter__(self) -> "Members":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            unknown = sorted(self._value.keys() - self._asked)
            if unknown:
                raise DocumentError(self.path(unknown[0]), "unknown member")

    def path(self, name: str) -> str:
        """Where a member is, from the top of the document."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Whether an optional member is there; asking makes it known."""
        self._asked.add(name)
        return name in self._value

    def any(self, name: str) -> Any:
        """A member of any type."""
        self._asked.add(name)
        if name not in self._value:
            raise DocumentError(self.path(name), "missing")
        return self._value[name]

    def text(self, name: str, *, at_most: int = 65_536) -> str:
        """A text of at most so many characters."""
        value = self.any(name)
        if not isinstance(value, str):
            self._refuse(name, "text", value)
        if len(value) > at_most:
            raise DocumentError(self.path(name), f"longer than {at_most} characters")
        return value

    def text_or_none(self, name: str, *, at_most: int = 65_536) -> str | None:
        """A text or null."""
        return None if self.any(name) is None else self.text(name, at_most=at_most)

    def integer(self, name: str, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """An integer in a range; true and false are none."""
        value = self.any(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(name, "an integer", value)
        if not least <= value <= most:
            raise DocumentError(self.path(name), f"{value} is not in {least} .. {most}")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """An integer or null."""
        return None if self.any(name) is None else self.integer(name)

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self.any(name)
        if not isinstance(value, bool):
            self._refuse(name, "true or false", value)
        return value

    def one_of(self, name: str, values: frozenset[str]) -> str:
        """A text out of a fixed set."""
        value = self.text(name)
        if value not in values:
            raise DocumentError(self.path(name), f'"{value}" is none of ' + ", ".join(sorted(values)))
        return value

    def items(self, name: str) -> list[Any]:
        """A list of anything."""
        value = self.any(name)
        if not isinstance(value, list):
            self._refuse(name, "a list", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self.items(name)
        for at, value in enumerate(values):
            if not isinstance(value, str):
                raise DocumentError(f"{self.path(name)}[{at}]", f"expected text, found {kind_of(value)}")
        return tuple(values)

    def map(self, name: str) -> dict[str, Any]:
        """A map with any members."""
        value = self.any(name)
        if not isinstance(value, dict):
            self._refuse(name, "a map", value)
        return value

    def text_map(self, name: str) -> Mapping[str, str]:
        """A map from text to text."""
        value = self.map(name)
        for key, item in value.items():
            if not isinstance(item, str):
                raise DocumentError(self.path(f"{name}.{key}"), f"expected text, found {kind_of(item)}")
        return value

    def members(self, name: str) -> "Members":
        """A map to be read member by member."""
        return Members(self.any(name), self.path(name))

    def each(self, name: str) -> Iterator["Members"]:
        """A list of maps, each to be read member by member."""
        for at, value in enumerate(self.items(name)):
            yield Members(value, f"{self.path(name)}[{at}]")

    def _refuse(self, name: str, expected: str, value: Any) -> NoReturn:
        raise DocumentError(self.path(name), f"expected {expected}, found {kind_of(value)}")


def load_json(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text within limits. Raises DocumentError."""
    if len(data) > max_bytes:
        raise DocumentError("", f"larger than {max_bytes} bytes")
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise DocumentError("", f"nesting deeper than {max_depth}") from None
    except UnicodeDecodeError as error:
        raise DocumentError("", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise DocumentError("", f"not JSON at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise DocumentError("", f"not JSON: {error}") from None
    # Counting brackets is quick, and rules the question out for nearly every document.
    if data.count(b"[") + data.count(b"{") > max_depth and _depth(value) > max_depth:
        raise DocumentError("", f"nesting deeper than {max_depth}")
    return value


def load_canonical(data: bytes, *, max_bytes: int) -> Any:
    """The value of a stored document: its canonical JSON and a line feed, nothing else. Raises DocumentError."""
    value = load_json(data, max_bytes=max_bytes)
    try:
        same = canonical_bytes(value) + b"\n" == data
    except (ValueError, TypeError) as error:
        raise DocumentError("", f"not canonical: {error}") from None
    if not same:
        raise DocumentError("", "not in canonical form")
    return value


def stored(value: Any) -> bytes:
    """A document as it is kept: canonical JSON and a line feed."""
    return canonical_bytes(value) + b"\n"


def kind_of(value: Any) -> str:
    """What a JSON value is, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {dict: "a map", list: "a list", str: "text", int: "an integer", float: "a number"}
    return names.get(type(value), type(value).__name__)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _depth(value: Any) -> int:
    deepest = 0
    left = [(value, 1)]
    while left:
        item, depth = left.pop()
        if isinstance(item, dict | list):
            deepest = max(deepest, depth)
            left += [(inner, depth + 1) for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest
