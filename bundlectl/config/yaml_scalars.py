"""Plain scalars of the YAML 1.2 core schema, and nothing older: `on`, `yes`, `12:30:45` and dates stay text. Pure.

Called by config.yaml_reader for unquoted scalars only.
"""

import functools
import re
from typing import Any, NamedTuple

# What a plain number can start with.
NUMBER_STARTS = frozenset("0123456789+-.")
WORDS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_LONGEST_INTEGER = 20  # sign and 19 digits; longer digits are looked at without their leading zeros
_LONGEST_FLOAT = 400
_INT64 = (-(2**63), 2**63 - 1)


class BadScalar(Exception):
    """A number that the language does not have: code, what is wrong, and what to do."""

    def __init__(self, code: str, summary: str, hint: str) -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.hint = hint


class _Forms(NamedTuple):
    integer: re.Pattern[str]
    float: re.Pattern[str]
    special: re.Pattern[str]


@functools.cache
def _forms() -> _Forms:
    # Each alternative starts differently, so the patterns read a text once.
    return _Forms(
        re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"),
        re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
    )


def may_resolve(text: str) -> bool:
    """Whether a plain scalar may be something else than text."""
    return text in WORDS or text[0] in NUMBER_STARTS


@functools.lru_cache(maxsize=4096)
def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float or the text itself. Raises BadScalar."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMBER_STARTS:
        return text
    forms = _forms()
    if forms.integer.fullmatch(text):
        return _integer(text)
    if forms.float.fullmatch(text):
        value = float(text) if len(text) <= _LONGEST_FLOAT else float("inf")
        if value in (float("inf"), float("-inf")):
            raise BadScalar("BND116", f"{_shortened(text)} is not a finite number", "quote it if text is meant")
        return value
    if forms.special.fullmatch(text):
        raise BadScalar("BND116", f"{text} is not a finite number; JSON cannot carry it", "quote it if text is meant")
    return text


def _integer(text: str) -> int:
    digits, base = (text[2:], {"0o": 8, "0x": 16}[text[:2]]) if text[:2] in ("0o", "0x") else (text, 10)
    sign = digits[0] if digits[0] in "+-" else ""
    significant = digits[len(sign) :].lstrip("0") or "0"
    # A very long text is never converted: its length says enough.
    if len(significant) <= (_LONGEST_INTEGER if base != 8 else 22):
        value = int(sign + significant, base)
        if _INT64[0] <= value <= _INT64[1]:
            return value
    hint = "quote it if text is meant"
    raise BadScalar("BND115", f"integer does not fit in 64 bits: {_shortened(text)}", hint)


def _shortened(text: str) -> str:
    return text if len(text) <= 32 else text[:32] + "..."
