"""Saved plans: written, read back strictly, and compared with the world part by part before anything is applied (D5).

Called by operations.plan and operations.deploy. A saved plan's changes are never carried out as they stand: the plan
is made again, and the file only says what somebody reviewed.
"""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.base.clock import parse_rfc3339
from bundlectl.base.files import write_atomic
from bundlectl.model.codec import DocumentError, load_json, stored
from bundlectl.model.errors import InputError, StalePlan
from bundlectl.model.plan import FORMAT
from bundlectl.model.plan_document import MEMBERS, changes_digest, document_digest

_UNREADABLE, _DIGEST, _ELSEWHERE, _SOURCE = "BND301", "BND302", "BND303", "BND304"
_STATE, _FORMAT, _USED, _BACKEND, _FILE_SYSTEM = "BND305", "BND306", "BND308", "BND309", "BND623"

MAX_BYTES = 256 << 20

# Members that may differ in the same plan made now: compared as parts, or moved on by time, or by who asks and from
# where. Everything else that the file shows has to be what the plan made now shows, or somebody was shown something
# else than what would be done. Guards and policies are asked again at every deploy.
_PASSING = frozenset(
    {
        *("tool_version", "created", "expires", "digest", "changes", "changes_digest", "source", "variables"),
        *("guards", "policy", "policy_source", "drift", "diagnostics", "observed"),
    }
)
_PASSING_COUNTS = frozenset({"drift", "denied", "warned"})

_NONE = type(None)
# The form of each member: what a plan file says is looked at only after it has this form.
_FORMS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("tool_version", "created", "expires", "bundle", "target", "observed", "changes_digest"), (str,)),
    **dict.fromkeys(("snapshot", "config_digest"), (str, _NONE)),
    **dict.fromkeys(("source", "base", "backend", "code", "summary"), (dict,)),
    **dict.fromkeys(("artifacts", "variables", "hooks", "changes", "drift", "policy", "guards"), (list,)),
    **dict.fromkeys(("debt", "left_out", "holds", "diagnostics"), (list,)),
    **dict.fromkeys(("selection", "promotion", "rollback"), (dict, _NONE)),
    "complete": (bool,),
}
_SCALARS = (str, int, _NONE)
# Members of members that are compared.
_INNER: Mapping[str, tuple[str, ...]] = {
    "source": ("commit", "tree"),
    "base": ("state_tip", "lineage", "serial"),
    "backend": ("kind", "host", "workspace_id"),
}
# Lists of objects, and what each object has.
_ITEMS: Mapping[str, tuple[str, ...]] = {"artifacts": ("path",), "variables": ("name", "digest"), "changes": ()}
_AGAIN = "make the plan again, and review it again: bundlectl plan --out FILE"

Document = Mapping[str, Any]


class _Part(NamedTuple):
    """One assertion of a plan: its name, its code when it fails, its value in a document, its summary when it fails."""

    name: str
    code: str
    value: Callable[[Document], Any]
    summary: Callable[[Any, Any], str]


def _shown(value: Any) -> str:
    """A value for people: long ids are cut, nothing is `none`."""
    if value is None:
        return "none"
    text = str(value)
    head, colon, rest = text.partition(":")
    if colon and head == "sha256" and len(rest) == 64:
        return f"sha256:{rest[:12]}"
    return text[:12] if len(text) in (40, 64) else text


def _moved(what: str) -> Callable[[Any, Any], str]:
    return lambda old, new: f"plan is for {what} {_shown(old)}, it is {_shown(new)} now"


def _backend_text(value: Any) -> str:
    parts = [value.get("kind"), value.get("host"), value.get("workspace_id")] if isinstance(value, dict) else [value]
    return " ".join(str(part) for part in parts if part is not None)


_PARTS = (
    _Part(
        "bundle and target",
        _ELSEWHERE,
        lambda plan: (plan["bundle"], plan["target"]),
        lambda old, new: f"plan is for {old[0]}/{old[1]}, not {new[0]}/{new[1]}",
    ),
    _Part(
        "backend",
        _BACKEND,
        lambda plan: plan["backend"],
        lambda old, new: f"plan is for {_backend_text(old)}, this is {_backend_text(new)}",
    ),
    _Part(
        "commit",
        _SOURCE,
        lambda plan: plan["source"]["commit"],
        lambda old, new: f"plan is for commit {_shown(old)}, the tree is {_shown(new)}",
    ),
    _Part("tree", _SOURCE, lambda plan: plan["source"]["tree"], _moved("tree")),
    _Part("snapshot", _SOURCE, lambda plan: plan["snapshot"], _moved("snapshot")),
    _Part(
        "variables",
        _SOURCE,
        lambda plan: {item["name"]: item["digest"] for item in plan["variables"]},
        lambda old, new: f"plan is for other values of variables: {_unequal(old, new)}",
    ),
    _Part("configuration", _SOURCE, lambda plan: plan["config_digest"], _moved("configuration")),
    _Part(
        "artifacts",
        _SOURCE,
        lambda plan: plan["artifacts"],
        lambda old, new: "plan is for other artifacts than there are now",
    ),
    _Part(
        "lineage",
        _STATE,
        lambda plan: plan["base"]["lineage"] if plan["base"]["state_tip"] else None,
        lambda old, new: (
            "plan was made for another deployment history"
            if old and new
            else "something was deployed since: the plan is for a first deployment"
            if new
            else "plan was made for a deployment that is no longer recorded"
        ),
    ),
    _Part(
        "serial",
        _STATE,
        lambda plan: plan["base"]["serial"],
        lambda old, new: f"something was deployed since: serial {old} -> {new}",
    ),
    _Part("state", _STATE, lambda plan: plan["base"]["state_tip"], _moved("state")),
    _Part(
        "changes",
        _STATE,
        lambda plan: plan["changes_digest"],
        lambda old, new: "the same plan made now proposes other changes",
    ),
)


def _lasting(plan: Document) -> dict[str, Any]:
    """What a plan shows that is the same whenever it is made of the same parts."""
    counts = {name: value for name, value in plan["summary"].items() if name not in _PASSING_COUNTS}
    return {**{name: value for name, value in plan.items() if name not in _PASSING}, "summary": counts}


def _unequal(old: Document, new: Document) -> str:
    """Which members are not the same."""
    names = sorted(name for name in {*old, *new} if name not in old or name not in new or old[name] != new[name])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f'"{name}"' for name in names[:5]) + more


def save(path: Path, document: Document) -> None:
    """Writes a plan document, readable by its owner only, whole or not at all. Raises InputError BND623."""
    try:
        write_atomic(path, stored(dict(document)))
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise InputError(
            f'no space left writing "{path}"' if full else f'cannot write "{path}": {error.strerror or error}',
            code=_FILE_SYSTEM,
        ) from error


def load(path: Path) -> dict[str, Any]:
    """A plan document that is whole and unchanged.

    Raises InputError BND301 when it cannot be read, StalePlan BND306 for another format, BND302 when it was edited.
    A digest can be made again by whoever edits the file: what it says is still not trusted, see `compare`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f'cannot read the plan file "{path}": {error.strerror or error}', code=_UNREADABLE) from error
    try:
        document = load_json(data, max_bytes=MAX_BYTES)
    except DocumentError as error:
        incomplete = not data.rstrip().endswith(b"}")
        raise InputError(
            f'plan file "{path}" is incomplete' if incomplete else f'"{path}" is no plan file: {error}',
            code=_UNREADABLE,
            detail=str(error) if incomplete else None,
            hint=_AGAIN,
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("format"), str):
        raise InputError(f'"{path}" is no plan file', code=_UNREADABLE, hint=_AGAIN)
    _check_format(document)
    return document


def compare(saved: Document, fresh: Document, *, now_ms: int, used_as: str | None) -> None:
    """Whether a saved plan still says what the same plan made now (`fresh`) says; `used_as`: who applied it already.

    Raises StalePlan (BND303 to BND309) naming every part that matches and every part that differs.
    """
    different = [part for part in _PARTS if part.value(saved) != part.value(fresh)]
    matching = [part.name for part in _PARTS if part not in different]
    lines = [f"{part.name}: {_difference(part, saved, fresh)}" for part in different]
    failures = [(part.code, part.summary(part.value(saved), part.value(fresh))) for part in different]
    # With every part as it was, what else the file shows has to be what is so.
    if not different and _lasting(saved) != _lasting(fresh):
        names = _unequal(_lasting(saved), _lasting(fresh))
        failures.append((_STATE, f"plan shows other contents than the same plan made now: {names}"))
        lines.append(f"contents: {names}")
    if parse_rfc3339(saved["expires"]) <= now_ms:
        failures.append((_USED, f"plan expired at {saved['expires']}"))
        lines.append(f"age: it was made at {saved['created']} and held until {saved['expires']}")
    if used_as is not None:
        failures.insert(0, (_USED, f"plan was already applied as {used_as}"))
        lines.insert(0, f"use: it was applied as {used_as}")
    if failures:
        code, summary = failures[0]
        detail = ["matches " + ", ".join(matching)] if matching else []
        raise StalePlan(
            summary,
            code=code,
            detail="\n".join([*detail, *(f"differs {line}" for line in lines), "nothing was changed"]),
            hint=_AGAIN,
        )


def _difference(part: _Part, saved: Document, fresh: Document) -> str:
    old, new = part.value(saved), part.value(fresh)
    if part.name == "backend":
        return f"plan {_backend_text(old)}, now {_backend_text(new)}"
    if part.name == "bundle and target":
        return f"plan {'/'.join(old)}, now {'/'.join(new)}"
    if part.name == "artifacts":
        return _artifact_difference(old, new)
    if isinstance(old, dict):
        return _unequal(old, new)
    if isinstance(old, list):
        return f"plan {len(old)}, now {len(new)}" if len(old) != len(new) else "other contents"
    return f"plan {_shown(old)}, now {_shown(new)}"


def _artifact_difference(old: Any, new: Any) -> str:
    """Which artifact moved, and what about it."""
    before, now = ({(item.get("name"), item["path"]): item for item in side} for side in (old, new))
    for key in sorted(before.keys() | now.keys(), key=str):
        one, other = before.get(key), now.get(key)
        if one == other:
            continue
        if one is None or other is None:
            return f'"{key[1]}" is {"new" if one is None else "no longer there"}'
        member = next(name for name in _ARTIFACT_PARTS if one.get(name) != other.get(name))
        old_value, new_value = _shown(one.get(member)), _shown(other.get(member))
        return f'{_ARTIFACT_PARTS[member]} of "{key[1]}": plan {old_value}, now {new_value}'
    return "in another order"


_ARTIFACT_PARTS = {
    "digest": "content",
    "built_from": "source tree",
    "build": "build command",
    "environment": "build environment",
}


def unbuilt(document: Document) -> frozenset[str]:
    """Names of the artifacts that were not built when a plan was saved."""
    return frozenset(item["name"] for item in document["artifacts"] if item.get("digest") is None and "name" in item)


def _check_format(document: Mapping[str, Any]) -> None:
    found = document["format"]
    if found != FORMAT:
        tool = document.get("tool_version")
        needed = f"bundlectl >= {tool}" if isinstance(tool, str) else "another bundlectl"
        raise StalePlan(f'plan format "{found}" needs {needed}', code=_FORMAT, hint=_AGAIN)
    if document.get("digest") != _digest_of(document_digest, document):
        raise _edited("plan digest does not match its content")
    unknown = sorted(document.keys() - MEMBERS)
    missing = sorted(MEMBERS - document.keys())
    if unknown or missing:
        what = f'has an unknown member "{unknown[0]}"' if unknown else f'lacks the member "{missing[0]}"'
        raise StalePlan(f"plan {what}", code=_FORMAT, hint=_AGAIN)
    misshapen = _misshapen(document)
    if misshapen is not None:
        raise StalePlan(f'plan member "{misshapen}" has another form than a plan has', code=_FORMAT, hint=_AGAIN)
    # The list that people read, and the digest that is compared, are one thing.
    if document["changes_digest"] != _digest_of(changes_digest, document):
        raise _edited("plan changes do not match their digest")


def _edited(summary: str) -> StalePlan:
    return StalePlan(
        summary, code=_DIGEST, detail="the file was edited, or damaged on the way; nothing was changed", hint=_AGAIN
    )


def _digest_of(digest: Callable[[Document], str], document: Document) -> str | None:
    """The digest; None when the content has none: bundlectl never wrote such a value."""
    try:
        return digest(document)
    except (ValueError, TypeError):
        return None


def _misshapen(document: Document) -> str | None:
    """The first member that has not the form of a plan's."""
    for name, types in _FORMS.items():
        if not isinstance(document[name], types):
            return name
    for name, members in _INNER.items():
        for member in members:
            if member not in document[name] or not isinstance(document[name][member], _SCALARS):
                return f"{name}.{member}"
    for name, members in _ITEMS.items():
        for number, item in enumerate(document[name]):
            if not _is_item(item, members):
                return f"{name}[{number}]"
    for name in ("created", "expires"):
        try:
            parse_rfc3339(document[name])
        except (ValueError, OverflowError):
            return name
    return None


def _is_item(item: Any, members: tuple[str, ...]) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("name"), _SCALARS):
        return False
    return all(name in item and isinstance(item[name], _SCALARS) for name in members)
