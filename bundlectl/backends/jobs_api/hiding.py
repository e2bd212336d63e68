"""A deleted job as it is kept: nothing starts it, and what it was stands in its mark, so that it can come back. Pure.

Called by documents. Where the backend does not hide such a job itself, its name says that it is deleted. Hiding a
hidden job again gives the same document.
"""

from collections.abc import Mapping
from typing import Any

MARK = "[deleted] "

_STARTERS = ("schedule", "trigger", "continuous")
_UNNAMED = "Untitled"
_PAUSED = "PAUSED"


def hidden(document: Mapping[str, Any], *, in_name: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document paused, and marked in its name if the backend cannot hide it; and what it takes to undo that."""
    changed: dict[str, Any] = {}
    for name in _STARTERS:
        if isinstance(document.get(name), Mapping):
            changed[name] = {**document[name], "pause_status": _PAUSED}
    triggers = document.get("triggers")
    if isinstance(triggers, list):
        changed["triggers"] = [
            {**item, "pause_status": _PAUSED} if isinstance(item, Mapping) else item for item in triggers
        ]
    if in_name:
        changed["name"] = MARK + str(document.get("name", _UNNAMED))
    was = {name: document[name] for name in changed if name in document}
    return {**document, **changed}, {"was": was, "added": sorted(changed.keys() - was.keys())}


def shown(document: Mapping[str, Any], undo: Any) -> dict[str, Any]:
    """The document as it was before it was hidden. `undo`: what `hidden` gave, as it was read back."""
    undo = undo if isinstance(undo, Mapping) else {}
    was, added = undo.get("was"), undo.get("added")
    added = added if isinstance(added, list) else []
    kept = {name: value for name, value in document.items() if name not in added}
    return {**kept, **(was if isinstance(was, Mapping) else {})}
