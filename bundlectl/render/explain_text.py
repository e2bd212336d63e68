"""Where a value comes from, as text and as `bundlectl.explain/v1`. Pure.

Called by the command explain.
"""

import json
from collections.abc import Iterable
from typing import Any

from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.explanation import Explanation, Link, Role, Rule
from bundlectl.model.location import FieldPath, path_short, path_text
from bundlectl.model.plan import ABSENT, HIDDEN_TEXT
from bundlectl.model.plan_document import range_document
from bundlectl.render.documents import result_document
from bundlectl.render.escape import Style, plain, shortened, visible
from bundlectl.render.values import counted, table

_WIDEST_VALUE, _WIDEST_HEAD = 80, 1000
_NOT_SET = "(not set)"
_SECRET: dict[str, Any] = {"sensitive": True}
# What a link is called where its own note does not say it.
_WORDS = {Role.BASE: "base", Role.INCLUDE: "base, another file"}


def explain_text(explanation: Explanation, *, style: Style = plain) -> str:
    """The field with its value, the chain, newest first, and what it is compared with."""
    hidden = explanation.sensitive
    join = " is not set" if explanation.value is ABSENT else f" = {_value(explanation.value, hidden, _WIDEST_HEAD)}"
    head = f"{visible(_short(explanation.path))}{join}"
    target = f"target {visible(explanation.target)}" if explanation.target is not None else ""
    contested = any(link.overridden for link in explanation.chain)
    rows = [_row(link, hidden, contested=contested) for link in explanation.chain]
    facts = _facts(explanation)
    width = max([len(row[0]) for row in [*rows, *facts]], default=0)
    third = 2 + width + 2 + max([len(row[1]) for row in rows], default=0) + 2  # where the last column begins
    lines = [f"{style('bold', head)}{' ' * max(2, third - len(head))}{target}".rstrip()]
    lines += table([(row[0].ljust(width), *row[1:]) for row in rows], indent="  ").splitlines()
    lines += table([(name.ljust(width), text) for name, text in facts], indent="  ").splitlines()
    return "\n".join(lines) + "\n"


def _row(link: Link, hidden: bool, *, contested: bool) -> tuple[str, str, str]:
    value = _value(link.value, hidden)
    if link.raw is not None and not hidden:
        raw = shortened(visible(" ".join(link.raw.split())), _WIDEST_VALUE)
        value = f"{raw} -> {value}" if link.value != link.raw else raw
    place = visible(link.span) if link.span is not None else ""
    words = link.note or _WORDS.get(link.role, link.role)
    if link.path is not None and link.path[:1] != ("variables",):
        words = f"{_short(link.path)}: {words}"
    return value, place, visible(words) + (", wins" if link.wins and contested else "")


def _facts(explanation: Explanation) -> list[tuple[str, str]]:
    found = []
    if explanation.deployment is not None:
        recorded = _NOT_SET if explanation.recorded is ABSENT else _value(explanation.recorded, explanation.sensitive)
        found.append((f"recorded (deployment {explanation.deployment})", recorded))
    if explanation.was_observed:
        observed = _NOT_SET if explanation.observed is ABSENT else _value(explanation.observed, explanation.sensitive)
        found.append(("observed", observed))
    if explanation.rule is not None:
        found.append(("rule", visible(explanation.rule.text)))
    return found


def _value(value: Any, hidden: bool, limit: int = _WIDEST_VALUE) -> str:
    if value is ABSENT:
        return _NOT_SET
    if hidden:
        return HIDDEN_TEXT
    text = visible(json.dumps(value, ensure_ascii=False, sort_keys=True))
    if len(text) > _WIDEST_VALUE and isinstance(value, dict):
        return f"{{{counted(len(value), 'field')}}}"
    if len(text) > _WIDEST_VALUE and isinstance(value, list):
        return f"[{counted(len(value), 'element')}]"
    return shortened(text, limit)


def _short(path: FieldPath) -> str:
    if path[:1] == ("resources",) and len(path) > 1:
        return path_short(path[1:])
    if path[:1] == ("variables",) and len(path) > 2 and path[2] == "value":
        return path_short(("var", *path[1:2], *path[3:]))
    return path_short(path)


def explain_document(explanation: Explanation, diagnostics: Iterable[Diagnostic] = ()) -> dict[str, Any]:
    """`explain -o json`. A side that is absent is left out."""
    hidden = explanation.sensitive
    members: dict[str, Any] = {
        "path": path_text(explanation.path),
        "target": explanation.target,
        "chain": [_link(link, hidden) for link in explanation.chain],
        "rule": _rule(explanation.rule) if explanation.rule is not None else None,
    }
    if explanation.value is not ABSENT:
        members["value"] = _SECRET if hidden else explanation.value
    if explanation.deployment is not None:
        members["deployment"] = explanation.deployment
        if explanation.recorded is not ABSENT:
            members["recorded"] = _SECRET if hidden else explanation.recorded
    if explanation.was_observed and explanation.observed is not ABSENT:
        members["observed"] = _SECRET if hidden else explanation.observed
    return result_document("explain", diagnostics, **members)


def _link(link: Link, hidden: bool) -> dict[str, Any]:
    shown = {} if link.value is ABSENT else {"value": _SECRET if hidden else link.value}
    return {
        **shown,
        "raw": None if hidden else link.raw,
        "span": range_document(link.span) if link.span is not None else None,
        "role": link.role,
        "note": link.note or None,
        "path": path_text(link.path) if link.path is not None else None,
        "wins": link.wins,
        "overridden": link.overridden,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    behaviours = [{"behaviour": name, "reason": reason, "why": why} for name, reason, why in rule.behaviours]
    return {"compared_as": rule.compared_as, "text": rule.text, "behaviours": behaviours}
