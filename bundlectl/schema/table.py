"""The fields of the bundle language as plain objects: what schema.derive makes of the models.

Walked by config.structure once for every value of a bundle, so the objects hold precomputed answers and know nothing
of pydantic. Limits are data (Limits); how a finding is worded is said by config.structure.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple


class Kind(Enum):
    """What a value must be."""

    TEXT = "text"
    BOOL = "a boolean"
    INT = "an integer"
    FLOAT = "a number"
    SCALAR = "a single value"
    LIST = "a list"
    MAP = "a map"  # any keys, values of one kind
    OBJECT = "a map with known keys"
    EITHER = "one of several kinds"
    ANY = "anything"


# The class that a value of a kind has when nothing must be done to it; kinds without one are looked at more closely.
EXACT: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.BOOL: bool,
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.LIST: list,
    Kind.MAP: dict,
    Kind.OBJECT: dict,
}
CONTAINERS = frozenset({Kind.LIST, Kind.MAP, Kind.OBJECT})


class Limits:
    """What a value must keep beside its kind; None where there is no limit. `code` and `error` class its findings."""

    def __init__(
        self,
        *,
        code: str | None = None,
        error: bool = False,
        choices: tuple[str, ...] = (),
        least: float | None = None,
        most: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        max_bytes: int | None = None,
        pattern: str | None = None,
        form: str | None = None,
    ) -> None:
        self.code = code
        self.error = error
        self.choices = choices
        self.least = least
        self.most = most
        self.min_length = min_length  # characters of text, elements of a list or map
        self.max_length = max_length
        self.max_bytes = max_bytes
        self.pattern = pattern
        self.form = form  # duration, name, git_provider

    def quick(self) -> Callable[[Any], bool] | None:
        """A cheap test that holds for nearly every good value of the right class; None when there is no such test."""
        if self.form is not None or self.max_bytes is not None:
            return None
        if self.choices:
            return frozenset(self.choices).__contains__
        least = float("-inf") if self.least is None else self.least
        most = float("inf") if self.most is None else self.most
        if self.least is not None or self.most is not None:
            return lambda value: least <= value <= most
        shortest, longest = self.min_length or 0, self.max_length or 1 << 62
        if self.pattern is None:
            return lambda value: shortest <= len(value) <= longest
        match = re.compile(self.pattern).fullmatch
        return lambda value: len(value) <= longest and match(value) is not None

    @property
    def empty(self) -> bool:
        """True when there is nothing to check."""
        numbers = (self.least, self.most, self.min_length, self.max_length, self.max_bytes)
        return not (self.choices or self.pattern or self.form) and all(number is None for number in numbers)


class Entry:
    """One kind of value: of a field, of a list's elements, of a map's values."""

    def __init__(
        self,
        kind: Kind,
        *,
        item: "Entry | None" = None,
        table: "Table | None" = None,
        options: tuple["Entry", ...] = (),
        limits: Limits | None = None,
        key: str | None = None,
        unique: bool = False,
        read_only: bool = False,
        read_only_error: bool = False,
        read_only_hint: str | None = None,
        refused: tuple[str, str] | None = None,
        description: str = "",
    ) -> None:
        self.kind = kind
        self.exact = EXACT.get(kind)
        self.container = kind in CONTAINERS
        self.item = item  # LIST, MAP
        self.table = table  # OBJECT
        self.options = options  # EITHER
        self.limits = limits if limits is not None and not limits.empty else None
        self.key = key  # LIST: the field that names an element
        self.unique = unique  # LIST: a key twice is a plan error
        self.read_only = read_only  # set by the tool
        self.read_only_error = read_only_error
        self.read_only_hint = read_only_hint
        self.refused = refused  # code, and why the field may not be used
        self.description = description
        # Findings of class E come as early as possible, when a file is read; those of class P wait for the whole.
        early = self.limits is not None and (self.limits.error or self.limits.form == "duration")
        self.early = early or read_only or refused is not None
        # Per part: None when a scalar of the right class is good as it is, else a test that says so of a value.
        if self.early:
            self.quick_in_file: Callable[[Any], bool] | None = _never
            self.quick_resolved: Callable[[Any], bool] | None = _never
        else:
            self.quick_in_file = None
            self.quick_resolved = None if self.limits is None else self.limits.quick() or _never


def _never(value: Any) -> bool:
    return False


class Table:
    """A map with known keys. Made empty and filled by schema.derive, because a task holds a task."""

    def __init__(self, name: str, what: str, *, strict: bool) -> None:
        self.name = name  # of the model
        self.what = what  # "a task"; empty for the bundle itself
        self.strict = strict  # an unknown key is an error
        self.keeps_unknown = False  # --allow-unknown-fields applies here
        self.fields: dict[str, Entry] = {}
        self.required: tuple[str, ...] = ()  # what findings call missing
        self.must_have: tuple[str, ...] = ()  # the same with what other checks report: for published schemas
        self.known_as: dict[str, str] = {}  # what people write -> the field
        self.one_of: tuple[str, ...] = ()
        self.may_be_none = True
        self.one_of_code = "BND210"
        self.one_of_error = False


class Tables(NamedTuple):
    """The roots that a walk starts from."""

    file: Table  # a bundle file, or the whole bundle
    job: Table  # one job
