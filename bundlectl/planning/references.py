"""`${resources.jobs.<key>.id}` in job documents while a plan is made: filled in where the id is known. Pure.

Called by planning.planner. What stays is known after the deploy; planning.order sorts changes by it.
"""

import re
from collections.abc import Mapping
from typing import Any

_ID_FIELD = "job_id"
_REFERENCE = re.compile(r"\$\{resources\.jobs\.([^.\[\]{}]+)\.id\}")


def with_known_ids(document: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The document with the id of each job in `ids` in place of its reference; parts without one are not copied."""
    if not referenced(document):
        return dict(document)
    return {name: _fill(value, ids, name) for name, value in document.items()}


def referenced(value: Any) -> frozenset[str]:
    """Keys of the jobs whose id a document needs."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = item.__class__
        if kind is str:
            if "${" in item:
                found.update(_REFERENCE.findall(item))
        elif kind is dict or isinstance(item, Mapping):
            waiting.extend(item.values())
        elif kind is list:
            waiting.extend(item)
    return frozenset(found)


def _fill(value: Any, ids: Mapping[str, str], field: str) -> Any:
    if isinstance(value, str):
        return _fill_text(value, ids, field) if "${" in value else value
    if isinstance(value, dict):
        return {name: _fill(item, ids, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, ids, field) for item in value]
    return value


def _fill_text(text: str, ids: Mapping[str, str], field: str) -> Any:
    whole = _REFERENCE.fullmatch(text)
    found = ids.get(whole[1]) if whole is not None else None
    # The API's own field for an id is a number; a backend with other ids gets them as text. Every other field that
    # may hold an id (a parameter, an argument) is text.
    if found is not None and field == _ID_FIELD and found.isdecimal():
        return int(found)
    return _REFERENCE.sub(lambda match: ids.get(match[1], match[0]), text)
