"""Scalars made into the type that their field has (config language 3.4), and what is said about it. Pure.

Called by config.structure for a value whose class is not already the right one; knows nothing of trees or positions.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bundlectl.model.diagnostic import Severity
from bundlectl.schema.table import Kind

TRUE_WORDS = frozenset({"true", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
FALSE_WORDS = frozenset({"false", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})
# Patterns are compiled when they are first needed: a plan without changes reads no bundle.
_INTEGER = r"[-+]?[0-9]+"
_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_DURATION = r"([1-9][0-9]{0,9})\s*(ms|s|m|h|d)"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_DIGITS = 20  # sign and the 19 digits of a 64-bit integer
REFUSED: Any = object()  # in place of a value that cannot become what the field takes


class Said(NamedTuple):
    """A finding about one value, without its place."""

    code: str
    severity: Severity
    summary: str
    detail: str | None = None
    hint: str | None = None


class Coerced(NamedTuple):
    """The value to go on with (REFUSED for none), and what is to be said."""

    value: Any
    said: Said | None = None


def found_text(value: Any) -> str:
    """What a value is, after "found": a list, text, 1.5."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return float_digits(value)
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a map"


def kind_text(kind: Kind) -> str:
    """A kind, after "expected"."""
    return "a map" if kind is Kind.OBJECT else kind.value


def float_digits(value: float) -> str:
    """The shortest decimal of a finite float, without exponent: 1e5 -> 100000."""
    from decimal import Decimal  # rarely needed, and slow to import

    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def coerce(value: Any, kind: Kind, field: str, *, written: int | None = None) -> Coerced:
    """A scalar or container as a value of `kind`; `field` is the field's name, for hints.

    `written` is the number of characters of a plain scalar in the file, None when not known: a float whose spelling
    changes on the way to text is a warning.
    """
    if isinstance(value, dict | list) or value is None:
        return _mismatch(value, kind)
    convert = _CONVERSIONS.get(kind)
    return convert(value, field, written) if convert is not None else _mismatch(value, kind)


def _mismatch(value: Any, kind: Kind) -> Coerced:
    summary = f"expected {kind_text(kind)}, found {found_text(value)}"
    return Coerced(REFUSED, Said("BND203", Severity.ERROR, summary))


def _to_text(value: Any, field: str, written: int | None) -> Coerced:
    if isinstance(value, bool):
        return Coerced("true" if value else "false")
    if isinstance(value, int):
        return Coerced(str(value))
    text = float_digits(value)
    # A float without fraction was written with a point or an exponent, so it never keeps its spelling.
    if value.is_integer() or (written is not None and written != len(text)):
        hint = "quote the value to keep it as it is written"
        said = Said("BND207", Severity.WARNING, f'this number becomes the text "{text}"', hint=hint)
        return Coerced(text, said)
    return Coerced(text)


def _to_bool(value: Any, field: str, written: int | None) -> Coerced:
    if isinstance(value, str) and (value in TRUE_WORDS or value in FALSE_WORDS):
        truth = value in TRUE_WORDS
        word = "true" if truth else "false"
        if value == word:  # from a flag or the environment, where there is only text
            return Coerced(truth)
        return Coerced(truth, Said("BND208", Severity.NOTE, f"write {word}", f'"{value}" is read as {word}'))
    return _mismatch(value, Kind.BOOL)


def _to_int(value: Any, field: str, written: int | None) -> Coerced:
    if isinstance(value, float):
        return Coerced(int(value)) if value.is_integer() and abs(value) < 2**63 else _mismatch(value, Kind.INT)
    if isinstance(value, str):
        if len(value) <= _LONGEST_DIGITS and re.fullmatch(_INTEGER, value) and -(2**63) <= int(value) < 2**63:
            return Coerced(int(value))
        return _not_a_number(value, "an integer", field)
    return _mismatch(value, Kind.INT)


def _to_float(value: Any, field: str, written: int | None) -> Coerced:
    if isinstance(value, bool):
        return _mismatch(value, Kind.FLOAT)
    if isinstance(value, str):
        if len(value) <= 40 and re.fullmatch(_NUMBER, value) and abs(float(value)) != float("inf"):
            return Coerced(float(value))
        return _not_a_number(value, "a number", field)
    return Coerced(float(value))


def _to_scalar(value: Any, field: str, written: int | None) -> Coerced:
    return Coerced(value)


_CONVERSIONS: Mapping[Kind, Callable[[Any, str, int | None], Coerced]] = {
    Kind.TEXT: _to_text,
    Kind.BOOL: _to_bool,
    Kind.INT: _to_int,
    Kind.FLOAT: _to_float,
    Kind.SCALAR: _to_scalar,
}


def _not_a_number(text: str, wanted: str, field: str) -> Coerced:
    shown = text if len(text) <= 32 else text[:31] + "..."
    said = Said("BND209", Severity.ERROR, f'"{shown}" is not {wanted}', hint=_number_hint(text, field))
    return Coerced(REFUSED, said)


def _number_hint(text: str, field: str) -> str | None:
    """What was probably meant: 1_000 -> 1000; 5m in a field of seconds -> 300."""
    digits = text.replace("_", "").replace(",", "").replace(" ", "")
    if len(digits) <= _LONGEST_DIGITS and digits != text and re.fullmatch(_INTEGER, digits):
        return f"write {digits}"
    match = re.fullmatch(_DURATION, text)
    if match is None:
        return None
    if field.endswith(("_millis", "_ms")):
        scale = 1 if match[2] == "ms" else 1000 * _SECONDS[match[2]]
        return f"give milliseconds: {int(match[1]) * scale}"
    if match[2] != "ms" and field.endswith("_seconds"):
        return f"give seconds: {int(match[1]) * _SECONDS[match[2]]}"
    if match[2] in ("m", "h", "d") and field.endswith("_minutes"):
        return f"give minutes: {int(match[1]) * _SECONDS[match[2]] // 60}"
    return None
