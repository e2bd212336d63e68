"""The `bundlectl:` section and the target, decoded (config language 18). Unknown keys and forms were checked before.

Called by config.loader for the rules and by config.decode. What this version keeps without acting on it is said here.
"""

from typing import Any

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, note
from bundlectl.config.modes import DEVELOPMENT, PRODUCTION, mode_of
from bundlectl.config.node import Node, lookup, plain
from bundlectl.config.reading import members
from bundlectl.config.tree_view import folder_of, join, leaves
from bundlectl.model.bundle import DEFAULT_SNAPSHOT_LIMIT, Target

LOCAL, DATABRICKS = "local", "databricks"
_STATE = ("remote", "form", "require_signed", "strict_lease")
# Read and recorded, and not acted on by this version.
_NOT_YET = {
    "promotion": "promotion is not part of this version",
}


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) and node.value else None


def backend_kind(node: Node, facts: Facts) -> str:
    """Kind of the backend: as given, else `databricks` when a workspace is named, else `local`."""
    given = members(node, "bundlectl").get("backend")
    kind = _text(given) or (_text(given.get("kind")) if given is not None else None)
    if kind is not None:
        return kind
    workspace = members(node, "workspace")
    named = _text(workspace.get("host")) or _text(workspace.get("profile"))
    return DATABRICKS if named or facts.request.host_given else LOCAL


def target(node: Node, facts: Facts) -> Target:
    """The chosen target."""
    own = members(node, "bundlectl")
    mode = mode_of(node)
    kind = backend_kind(node, facts)
    backend = own.get("backend")
    options: dict[str, Any] = plain(backend) if backend is not None and backend.is_map else {}
    protect, limit = own.get("protect"), own.get("snapshot_limit")
    state = {name: lookup(node, ("bundlectl", "state", name)) for name in _STATE}
    signed, strict = state["require_signed"], state["strict_lease"]
    in_place = mode == DEVELOPMENT and kind != LOCAL
    return Target(
        name=facts.target,
        mode=mode,
        protected=protect.value if protect is not None and isinstance(protect.value, bool) else mode == PRODUCTION,
        backend=kind,
        backend_options={name: value for name, value in options.items() if name != "kind" and value is not None},
        host=_text(members(node, "workspace").get("host")),
        code=_text(own.get("code")) or ("in_place" if in_place else "snapshot"),
        state_remote=_text(state["remote"]),
        state_form=_text(state["form"]) or "auto",
        require_signed=signed is not None and signed.value is True,
        strict_lease=strict is not None and strict.value is True,
        retention=_text(own.get("retention")) or "30d",
        default=facts.default_target,
        snapshot_limit=limit.value if limit is not None and isinstance(limit.value, int) else DEFAULT_SNAPSHOT_LIMIT,
        policies=tuple(dict.fromkeys(path for path, _ in _policy_files(node))),
        policy_ref=_text(own.get("policy_ref")),
    )


def _policy_files(node: Node) -> list[tuple[str, Node]]:
    """Policy files as paths in the tree, each with the entry that names it: relative to the file it is written in."""
    listed = members(node, "bundlectl").get("policies")
    entries = listed.value if listed is not None and isinstance(listed.value, list) else []
    texts = [entry for entry in entries if _text(entry) is not None]
    return [(join(folder_of(entry.span.file), entry.value), entry) for entry in texts]


def check(node: Node, facts: Facts) -> Outcome:
    """Settings that are kept and have no effect yet; old keys of renamed jobs."""
    found: Findings = []
    section = node.get("bundlectl")
    for name, why in _NOT_YET.items():
        given = section.get(name) if section is not None else None
        if given is not None and section is not None and given.value not in (None, [], {}):
            found.append(
                note(
                    "BND316", f"bundlectl.{name} has no effect: {why}", section.key_span(name), path=("bundlectl", name)
                )
            )
    for file, entry in _policy_files(node):
        if leaves(file) or entry.value.startswith("/"):
            summary = f'policy file "{entry.value}" is outside the repository'
            found.append(error("BND316", summary, entry.span, path=("bundlectl", "policies")))
    found.extend(_renamed(node, facts))
    return node, found


def _renamed(node: Node, facts: Facts) -> Findings:
    found: Findings = []
    jobs = members(node, "resources", "jobs")
    for key, job in jobs.items():
        old = lookup(job, ("bundlectl", "renamed_from"))
        name = _text(old)
        if old is not None and name is not None and (name in jobs or name in facts.others.keys):
            summary = f'"{name}" is the old key of "{key}" and is still defined'
            path = ("resources", "jobs", key, "bundlectl", "renamed_from")
            found.append(error("BND225", summary, old.span, path=path, hint="remove the old job, or renamed_from"))
    return found
