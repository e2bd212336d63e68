"""Canonical JSON bytes and digests: the only place that hashes.

Called wherever two documents are compared or a content is named. Says nothing about what a document means.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_PLAIN = frozenset({str, int, bool, type(None)})


def canonical_bytes(value: Any) -> bytes:
    """JSON of `value` as UTF-8: keys sorted by code point, no spaces, shortest escapes, floats as in RFC 8785.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot carry.
    """
    # The encoder in C writes floats as Python does; looking for one first is much cheaper than writing without it.
    text = _dumps_with_floats(value) if _has_float(value) else _ENCODER.encode(value)
    return text.encode("utf-8")


def _has_float(value: Any) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = item.__class__
        if kind is dict:
            waiting.extend(item.values())
        elif kind is list or kind is tuple:
            waiting.extend(item)
        elif kind is float:
            return True
        elif kind not in _PLAIN:
            # A subclass, or something that JSON may not carry: the slower way knows.
            return True
    return False


def sha256_hex(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_stream(chunks: Iterable[bytes]) -> str:
    """64 hex digits over all chunks."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def digest_bytes(data: bytes) -> str:
    """`sha256:<64 hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_document(value: Any) -> str:
    """`sha256:<64 hex>` over the canonical JSON of `value`."""
    return digest_bytes(canonical_bytes(value))


def keyed_digest(key: bytes, data: bytes) -> str:
    """HMAC-SHA-256 as `hmac-sha256:<64 hex>`: names a secret value without giving it away."""
    return "hmac-sha256:" + hmac.new(key, data, hashlib.sha256).hexdigest()


def git_blob_id(data: bytes, *, algorithm: str = "sha1") -> str:
    """The object id that git gives a blob with this content, without filters; `algorithm` is sha1 or sha256."""
    return git_object_id("blob", len(data), (data,), algorithm=algorithm)


def git_object_id(kind: str, size: int, chunks: Iterable[bytes], *, algorithm: str = "sha1") -> str:
    """The id of a git object (`kind`: blob, tree, commit) of `size` bytes, given piece by piece."""
    state = hashlib.new(algorithm, usedforsecurity=False)
    state.update(b"%s %d\0" % (kind.encode("ascii"), size))
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def git_checksum(data: bytes, *, algorithm: str = "sha1") -> bytes:
    """The raw checksum that git puts at the end of its own files, such as a pack."""
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def without_nulls(value: Any) -> Any:
    """A copy of a JSON value in which no map has a null member; list elements stay."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def float_text(value: float) -> str:
    """A finite float as RFC 8785 writes it (like ECMAScript): 1.0 -> 1, 1e-07 -> 1e-7, 1e16 -> 10000000000000000."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("not a finite number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, exponent = f"{abs(value)!r}e0".split("e")[:2]
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def _dumps_with_floats(value: Any) -> str:
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(key)}:{_dumps_with_floats(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_dumps_with_floats(item) for item in value) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
