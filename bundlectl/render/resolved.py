"""The resolved bundle as `validate -o json` prints it: comparable line by line with what users have today. Pure.

Called by cli. Not canonical JSON: indented, and safe to paste into HTML.
"""

import json
from typing import Any

from bundlectl.base.digest import float_text

_UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def resolved_text(document: Any) -> str:
    """Two spaces, keys sorted, shortest numbers, `<`, `>`, `&` and line separators escaped, a final newline."""
    return "".join(_parts(document, "\n")).translate(_UNSAFE) + "\n"


def _parts(value: Any, line: str) -> list[str]:
    inner = line + "  "
    if isinstance(value, dict) and value:
        items = [
            [inner, json.dumps(key, ensure_ascii=False), ": ", *_parts(value[key], inner)] for key in sorted(value)
        ]
        return ["{", *_joined(items), line, "}"]
    if isinstance(value, list) and value:
        return ["[", *_joined([[inner, *_parts(item, inner)] for item in value]), line, "]"]
    if isinstance(value, float):
        return [float_text(value)]
    return [json.dumps(value, ensure_ascii=False)]


def _joined(items: list[list[str]]) -> list[str]:
    parts: list[str] = []
    for number, item in enumerate(items):
        if number:
            parts.append(",")
        parts.extend(item)
    return parts
