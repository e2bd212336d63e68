"""`${resources.jobs.<key>.id}` in job documents while a plan is made: filled in where the id is known. Pure.

Called by planning.planner. What stays is known after the deploy; planning.order sorts changes by it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\{resources\.jobs\.([^.\[\]{}]+)\.id\}")


def with_known_ids(document: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A copy with the id of each job in `ids` in place of its reference."""
    return {name: _fill(value, ids) for name, value in document.items()}


def referenced(value: Any) -> frozenset[str]:
    """Keys of the jobs whose id a document needs."""
    return frozenset(_keys(value))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "${" in value:
            yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _fill(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _fill_text(value, ids) if "${" in value else value
    if isinstance(value, dict):
        return {name: _fill(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, ids) for item in value]
    return value


def _fill_text(text: str, ids: Mapping[str, str]) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole is None:
        return _REFERENCE.sub(lambda match: ids.get(match[1], match[0]), text)
    found = ids.get(whole[1])
    if found is None:
        return text
    # The API's ids are numbers; a backend with other ids gets them as text.
    return int(found) if found.isdecimal() else found
