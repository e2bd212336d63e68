"""`run_as` and `permissions` of the bundle, brought to each job (config language 10.4, 10.5).

Called by config.loader at stage 12.
"""

from collections.abc import Sequence

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, note, warning
from bundlectl.config.node import NOWHERE, Node
from bundlectl.config.reading import members
from bundlectl.config.workspace import is_service_principal
from bundlectl.model.job import PRINCIPAL_FIELDS
from bundlectl.model.location import FieldPath

_LEVELS = ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER")
_BUNDLE_LEVELS = ("CAN_MANAGE", "CAN_VIEW", "CAN_RUN")
_KINDS = {"user_name": "user", "group_name": "group", "service_principal_name": "service principal"}
_Principal = tuple[str, str]  # field and name


def run_as(node: Node, facts: Facts) -> Outcome:
    """The bundle's run_as on each job that has none."""
    section = node.get("run_as")
    if section is None or not section.is_map:
        return node, []
    given = [name for name in ("user_name", "service_principal_name") if (item := section.get(name)) and item.value]
    if len(given) != 1:
        summary = "run_as needs exactly one of user_name, service_principal_name"
        return node, [error("BND270", summary, section.span, path=("run_as",))]
    jobs = members(node, "resources", "jobs")
    changed = {
        key: job.with_member("run_as", section, node.key_span("run_as"))
        for key, job in jobs.items()
        if job.is_map and ((own := job.get("run_as")) is None or own.value is None)
    }
    return with_jobs(node, changed), []


def with_jobs(node: Node, changed: dict[str, Node]) -> Node:
    """A tree in which some jobs are replaced."""
    if not changed:
        return node
    resources = node.value["resources"]
    jobs = resources.value["jobs"]
    return node.with_member("resources", resources.with_member("jobs", jobs.with_value({**jobs.value, **changed})))


def permissions(node: Node, facts: Facts) -> Outcome:
    """Permissions of the bundle appended to each job's own; the deployer owns what has a list."""
    found: Findings = []
    section = node.get("permissions")
    shared: Sequence[Node] = section.value if section is not None and isinstance(section.value, list) else ()
    for index, entry in enumerate(shared):
        level = entry.get("level")
        if level is not None and isinstance(level.value, str) and level.value not in _BUNDLE_LEVELS:
            summary = f'"{level.value}" is not one of {", ".join(_BUNDLE_LEVELS)}'
            found.append(error("BND271", summary, level.span, path=("permissions", index, "level")))
    deployer = _deployer(facts.request.user)
    if shared and section is not None and deployer not in {_principal(entry) for entry in shared}:
        summary = f"permissions do not list {facts.request.user}, who deploys"
        found.append(note("BND273", summary, node.key_span("permissions"), path=("permissions",)))
    changed = {}
    for key, job in members(node, "resources", "jobs").items():
        if not job.is_map:
            continue
        own = job.get("permissions")
        entries = list(own.value) if own is not None and isinstance(own.value, list) else []
        if shared or entries:
            path = ("resources", "jobs", key, "permissions")
            listed = _for_job(entries, shared, deployer, key, path, found)
            if listed:
                place = own.span if own is not None else section.span if section is not None else job.span
                changed[key] = job.with_member("permissions", Node(listed, place))
    return with_jobs(node, changed), found


def ordered(node: Node, facts: Facts) -> Node:
    """Jobs whose lists changed since `permissions` put them in order: one entry each, and the deployer among them."""
    deployer = _deployer(facts.request.user)
    changed = {}
    for key, job in members(node, "resources", "jobs").items():
        own = job.get("permissions")
        if own is not None and isinstance(own.value, list) and own.value:
            changed[key] = job.with_member("permissions", Node(_owned(_highest(own.value), deployer), own.span))
    return with_jobs(node, changed)


def _deployer(user: str) -> _Principal:
    return ("service_principal_name" if is_service_principal(user) else "user_name", user)


def _principal(entry: Node) -> _Principal | None:
    for field in PRINCIPAL_FIELDS:
        member = entry.get(field)
        if member is not None and member.value:
            return field, str(member.value)
    return None


def _for_job(
    own: list[Node], shared: Sequence[Node], deployer: _Principal, key: str, path: FieldPath, found: Findings
) -> list[Node]:
    mine = {_principal(entry) for entry in own}
    entries = list(own)
    for entry in shared:
        principal = _principal(entry)
        if principal in mine and principal is not None:
            summary = f'jobs.{key} already has permissions for {_KINDS[principal[0]]} "{principal[1]}"'
            found.append(warning("BND272", summary, entry.span, path=path))
        else:
            entries.append(entry)
    return _owned(_highest(entries), deployer)


def _level(entry: Node) -> str:
    level = entry.get("level")
    text = level.value if level is not None and isinstance(level.value, str) else ""
    return "CAN_MANAGE_RUN" if text == "CAN_RUN" else text


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else -1


def _highest(entries: Sequence[Node]) -> dict[_Principal | None, tuple[Node, str]]:
    """One entry per principal, with its highest level, in order of first appearance."""
    best: dict[_Principal | None, tuple[Node, str]] = {}
    for entry in entries:
        principal, level = _principal(entry), _level(entry)
        known = best.get(principal)
        if known is None or _rank(level) > _rank(known[1]):
            best[principal] = (entry, level)
    return best


def _owned(best: dict[_Principal | None, tuple[Node, str]], deployer: _Principal) -> list[Node]:
    owner = next((principal for principal, (_, level) in best.items() if level == "IS_OWNER"), None)
    if owner is not None and owner != deployer:
        if deployer not in best or _rank(best[deployer][1]) < _rank("CAN_MANAGE"):
            best[deployer] = (best[deployer][0] if deployer in best else Node({}, NOWHERE), "CAN_MANAGE")
    elif best:
        best[deployer] = (best[deployer][0] if deployer in best else Node({}, NOWHERE), "IS_OWNER")
    return [_entry(principal, entry, level) for principal, (entry, level) in best.items()]


def _entry(principal: _Principal | None, entry: Node, level: str) -> Node:
    written = entry.get("level")
    value = {"level": Node(level, written.span if written is not None else entry.span)} if level else {}
    if principal is not None:
        member = entry.get(principal[0])
        value[principal[0]] = member if member is not None else Node(principal[1], entry.span)
    return Node(value, entry.span, entry.keys)
