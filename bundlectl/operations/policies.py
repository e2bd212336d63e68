"""The team's policies: which ones hold for a target, read from where the change under review cannot edit them, and what
they say of a plan.

Called by operations.plan when there may be some. Reads the tree of the policy ref; runs nothing, asks nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config.findings import error
from bundlectl.config.node import Node, plain
from bundlectl.config.request import DEFAULT_LIMITS
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.git.repository import Repository
from bundlectl.git.trees import open_tree
from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.errors import InputError, Refused, RepositoryError
from bundlectl.model.job import JobSpec
from bundlectl.model.location import SourceSpan
from bundlectl.model.plan import DENY, Guard, Plan
from bundlectl.model.plan_document import sealed
from bundlectl.model.source import SourceTree
from bundlectl.operations.context import OperationContext, Source
from bundlectl.operations.load import Loading, load_for_validation
from bundlectl.planning.policies import BUILT_IN, CONFIG, PLAN, BadSchema, Policy, check_schema, judge

_CODE = "BND316"
_SEVERITIES = (DENY, "warn")
_MEMBERS = ("name", "severity", "on", "schema", "use", "description")


class _Where(NamedTuple):
    """A tree that policies are read from, and how it is called."""

    tree: SourceTree
    label: str


class _Rules(NamedTuple):
    """Which policy files a target has, and the ref that they are read at; None: the change itself."""

    files: tuple[str, ...]
    ref: str | None


def judged(
    context: OperationContext, loading: Loading, plan: Plan, specs: Mapping[str, JobSpec], *, protected: bool
) -> Plan:
    """The plan with what the team's policies say of it. `protected`: the change itself is not asked what holds.

    Raises Refused when policies that hold cannot be read, InputError for policies that cannot be.
    """
    rules = _rules(context, loading, protected=protected)
    if not rules.files:
        return plan
    where = _where(loading, rules)
    policies = tuple(_read(loading, where, path, protected) for path in rules.files)
    try:
        found = judge([policy for listed in policies for policy in listed], plan, specs)
    except BadSchema as fault:
        raise InputError(str(fault), code=_CODE, hint="a policy holds all that its schema needs") from None
    denied: dict[str, list[str | None]] = {}
    for finding in found:
        if finding.severity == DENY:
            denied.setdefault(finding.name, []).append(finding.address)
    guards = tuple(_guard(name, addresses, protected) for name, addresses in denied.items())
    return sealed(replace(plan, policies=found, policy_source=where.label, guards=(*plan.guards, *guards)))


def _guard(name: str, addresses: list[str | None], protected: bool) -> Guard:
    count = len(addresses)
    return Guard(
        "policy",
        _CODE,
        f'policy "{name}" denies this plan: {count} {"finding" if count == 1 else "findings"}',
        tuple(sorted({address for address in addresses if address is not None})),
        override=None if protected else f"--allow-policy {name}",
        hint="change what the policy is about, or the policy where it is kept" if protected else None,
    )


def _rules(context: OperationContext, loading: Loading, *, protected: bool) -> _Rules:
    """What holds. For a protected target that is what the default branch says, whatever the change says."""
    target = loading.bundle.target
    base = _default_branch(loading.home, loading.bundle)
    if protected and base is not None:
        there = load_for_validation(replace(context, source=Source(ref=base)), run_code=False).loaded.bundle
        if there is not None:
            target = there.target
    return _Rules(target.policies, target.policy_ref or base)


def _default_branch(repository: Repository, bundle: Bundle) -> str | None:
    remote = bundle.target.state_remote or "origin"
    return repository.default_branch(remote) if remote != "." else None


def _where(loading: Loading, rules: _Rules) -> _Where:
    if rules.ref is None:
        return _Where(loading.tree, "the change itself")
    try:
        tree = open_tree(loading.home, ref=rules.ref, worktree=False)
    except RepositoryError as fault:
        raise Refused(
            f'policies are read at "{rules.ref}", which cannot be read: {fault.summary}',
            code=_CODE,
            detail="Nothing was changed.",
            hint="fetch it, or give the branch that holds them with bundlectl.policy_ref",
        ) from fault
    short = rules.ref.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    return _Where(tree, f"{short} @ {(tree.revision.commit or '')[:7]}")


def _read(loading: Loading, where: _Where, path: str, protected: bool) -> tuple[Policy, ...]:
    """The policies of one file. What is not there yet may come with the change, where nothing is protected."""
    for tree in (where.tree,) if protected else (where.tree, loading.tree):
        if path in tree.list():
            return _decode(tree, path)
    raise Refused(
        f'policy file "{path}" is not in {where.label}',
        code=_CODE,
        detail="Nothing was changed.",
        hint="it has to be there first: merge the policy before the change that needs it",
    )


def _decode(tree: SourceTree, path: str) -> tuple[Policy, ...]:
    """Raises InputError with everything that is wrong with the file."""
    read = read_yaml(tree.read([path])[path], path, DEFAULT_LIMITS)
    found: list[Diagnostic] = list(read.findings)
    policies: list[Policy] = []
    if read.node is not None and not read.node.is_list:
        found.append(error(_CODE, "a policy file is a list of policies", read.node.span))
    for node in read.node.value if read.node is not None and read.node.is_list else ():
        faults = list(_faults(node))
        found += faults
        if not faults:
            policies.append(_policy(plain(node)))
    names = [policy.name for policy in policies]
    twice = sorted({name for name in names if names.count(name) > 1})
    found += [error(_CODE, f'policy "{name}" is there twice', SourceSpan(path, 1, 1)) for name in twice]
    if not found:
        return tuple(policies)
    failure = InputError(f'policy file "{path}" cannot be used', code=_CODE, diagnostics=tuple(found))
    failure.read_source = lambda file: tree.read([file]).get(file) if file in tree.list() else None
    raise failure


def _policy(given: Mapping[str, Any]) -> Policy:
    return Policy(
        name=given["name"],
        severity=given.get("severity") or DENY,
        on=given.get("on") or CONFIG,
        schema=given.get("schema"),
        use=given.get("use"),
        description=given.get("description"),
    )


def _faults(node: Node) -> Iterator[Diagnostic]:
    """What is wrong with one policy."""
    if not node.is_map:
        yield error(_CODE, "a policy is a map with a name", node.span)
        return
    for name in node.value:
        if name not in _MEMBERS:
            near = nearest(name, _MEMBERS)
            detail = f'did you mean "{near}"?' if near else f"a policy has {', '.join(_MEMBERS)}"
            yield error(_CODE, f'unknown field "{name}" in a policy', node.key_span(name), detail=detail)
    name = node.get("name")
    if name is None or not isinstance(name.value, str) or not name.value.strip():
        yield error(_CODE, "a policy needs a name", name.span if name is not None else node.span)
    yield from _chosen(node, "severity", _SEVERITIES)
    yield from _chosen(node, "on", (CONFIG, PLAN))
    yield from _chosen(node, "use", tuple(BUILT_IN))
    schema, use = node.get("schema"), node.get("use")
    if (schema is None) == (use is None):
        yield error(_CODE, "a policy has either a schema or a built-in rule (use)", node.span)
    elif schema is not None:
        try:
            check_schema(plain(schema))
        except BadSchema as fault:
            yield error(_CODE, f"no JSON Schema: {fault}", schema.span)


def _chosen(node: Node, name: str, choices: tuple[str, ...]) -> Iterator[Diagnostic]:
    given = node.get(name)
    if given is None or given.value in choices:
        return
    near = nearest(given.value, choices) if isinstance(given.value, str) else None
    detail = f'did you mean "{near}"?' if near else None
    yield error(_CODE, f'"{name}" is one of {", ".join(choices)}', given.span, detail=detail)
