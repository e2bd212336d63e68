"""Stages 3 and 4: old names, the choice of a target, its settings over the bundle's (section 6, 7.2).

Called by config.loader.
"""

import re
from dataclasses import replace

from bundlectl.base.suggest import nearest
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import did_you_mean, error, warning
from bundlectl.config.interpolation import references
from bundlectl.config.merge import merge
from bundlectl.config.node import Node, set_at, walk_scalars
from bundlectl.config.reading import members
from bundlectl.model.location import SourceSpan

DEFAULT_TARGET = "default"
MERGED = ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets", "bundlectl")
# Maps with exactly these keys define a variable anew; any other map is a value.
FULL_FORMS = (
    {"default"},
    {"lookup"},
    {"default", "type"},
    {"default", "description"},
    {"default", "type", "description"},
    {"lookup", "description"},
)
NAME_LIMIT = 255
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")


def old_names(node: Node, facts: Facts) -> Outcome:
    """`environments` is `targets`, `compute_id` is `cluster_id`; a null variable is an empty definition."""
    found: Findings = []
    if node.get("environments") is not None:
        span = node.key_span("environments")
        if node.get("targets") is not None:
            summary = "targets and environments are the same; give one"
            found.append(error("BND217", summary, node.key_span("targets"), span, path=("environments",)))
            return node, found
        found.append(warning("BND217", "environments is the old name of targets", span, path=("environments",)))
        value = {("targets" if key == "environments" else key): child for key, child in node.value.items()}
        node = node.with_value(value).with_member("targets", value["targets"], span)
    bundle = node.get("bundle")
    if bundle is not None and bundle.is_map:
        node = node.with_member("bundle", _cluster_id(bundle, ("bundle",), found))
    targets = members(node, "targets")
    if targets:
        renamed = {
            name: _cluster_id(target, ("targets", name), found) if target.is_map else target
            for name, target in targets.items()
        }
        node = node.with_member("targets", node.value["targets"].with_value(renamed))
    variables = members(node, "variables")
    if variables:
        whole = {name: item.with_value({}) if item.value is None else item for name, item in variables.items()}
        node = node.with_member("variables", node.value["variables"].with_value(whole))
    return node, found


def _cluster_id(holder: Node, path: tuple[str, ...], found: Findings) -> Node:
    old = holder.get("compute_id")
    if old is None:
        return holder
    span = holder.key_span("compute_id")
    found.append(warning("BND201", "compute_id is the old name of cluster_id", span, path=(*path, "compute_id")))
    holder = holder.without("compute_id")
    return holder if holder.get("cluster_id") is not None else holder.with_member("cluster_id", old, span)


def choose(node: Node, facts: Facts) -> tuple[Facts, Findings]:
    """Which target is meant."""
    targets = members(node, "targets")
    names = tuple(targets)
    found: Findings = [
        error("BND213", reason, node.value["targets"].key_span(name), path=("targets", name))
        for name in names
        if (reason := bad_target_name(name)) is not None
    ]
    wanted = facts.request.target
    if not targets:
        if wanted is not None and wanted != DEFAULT_TARGET:
            summary = f'no target "{wanted}": the bundle has no targets'
            return facts, [*found, error("BND220", summary, hint='leave -t out, or define it under "targets"')]
        return replace(facts, target=DEFAULT_TARGET, target_names=(DEFAULT_TARGET,)), found
    defaults = [name for name, target in targets.items() if _is_default(target)]
    if len(defaults) > 1:
        spans = [targets[name].key_span("default") for name in defaults]
        summary = f"several default targets: {', '.join(defaults)}"
        found.append(error("BND222", summary, *spans, path=("targets",)))
        return facts, found
    default = defaults[0] if defaults else names[0] if len(names) == 1 else None
    name = wanted if wanted is not None else default
    if name is None:
        summary = f"choose a target with -t: {', '.join(names)}"
        found.append(error("BND221", summary, node.key_span("targets"), path=("targets",)))
        return facts, found
    if name not in targets:
        summary = f'no target "{name}" ({", ".join(names)})'
        found.append(error("BND220", summary, detail=did_you_mean(nearest(name, names))))
        return facts, found
    chosen = targets[name]
    return replace(
        facts,
        target=name,
        target_node=chosen,
        target_span=node.value["targets"].key_span(name),
        target_names=names,
        default_target=name == default,
    ), found


def _is_default(target: Node) -> bool:
    flag = target.get("default")
    return flag is not None and flag.value is True


def bad_name(name: str, what: str) -> str | None:
    """Why a bundle or target may not have this name, or None."""
    if not name:
        return f"{what} may not be empty"
    bad = _BAD_NAME.search(name)
    if bad is not None:
        sign = bad[0] if bad[0].isprintable() else f"U+{ord(bad[0]):04X}"
        return f'{what} may not contain "{sign}"'
    if name in (".", ".."):
        return f'{what} may not be "{name}"'
    if len(name.encode("utf-8", "surrogatepass")) > NAME_LIMIT:
        return f"{what} is longer than {NAME_LIMIT} bytes"
    return None


def bad_target_name(name: str) -> str | None:
    """Why a target may not have this name, or None."""
    if name.startswith("-"):
        return 'target name may not start with "-"'
    return bad_name(name, "target name")


def other_targets(node: Node, facts: Facts) -> Outcome:
    """References to undefined variables in targets that are not chosen."""
    defined = set(members(node, "variables"))
    found: Findings = []
    for name, target in members(node, "targets").items():
        if name == facts.target:
            continue
        for path, scalar in walk_scalars(target, ("targets", name)):
            for reference in references(scalar.value) if isinstance(scalar.value, str) else ():
                steps = reference.steps
                if steps[0] == "var" and len(steps) > 1 and steps[1] not in defined:
                    summary = f'{reference.text} is not defined (target "{name}")'
                    near = did_you_mean(nearest(str(steps[1]), defined))
                    found.append(warning("BND246", summary, scalar.span, path=path, detail=near))
    return node, found


def apply(node: Node, facts: Facts) -> Outcome:
    """The chosen target over the bundle; `targets` is then gone."""
    found: Findings = []
    chosen = facts.target_node
    node = node.without("targets")
    resources = node.get("resources")
    if resources is not None and resources.is_map:
        node = node.with_member("resources", _own_jobs(resources, facts))
    if chosen is not None and chosen.is_map:
        for name in MERGED:
            child = chosen.get(name)
            if child is not None:
                if name == "resources":
                    child = _own_jobs(child, facts)
                mine = node.get(name)
                merged = merge([mine, child], (name,), found) if mine is not None else child
                node = node.with_member(name, merged, node.key_span(name) if mine is not None else child.span)
        run_as = chosen.get("run_as")
        if run_as is not None and run_as.value is not None:
            node = node.with_member("run_as", run_as, chosen.key_span("run_as"))
        for source, path in (("mode", ("bundle", "mode")), ("cluster_id", ("bundle", "cluster_id"))):
            child = chosen.get(source)
            if child is not None and child.value is not None:
                node = set_at(node, path, child, chosen.key_span(source))
        git = chosen.get("git")
        if git is not None and git.is_map:
            for name, child in git.value.items():
                node = set_at(node, ("bundle", "git", name), child, git.key_span(name))
        node = _variables(node, chosen, facts.target, found)
    place = chosen.span if chosen is not None else SourceSpan(facts.root_file, 1, 1)
    for name in ("target", "environment"):
        node = set_at(node, ("bundle", name), Node(facts.target, place))
    return node, found


def _own_jobs(resources: Node, facts: Facts) -> Node:
    """Without the jobs of other parts: what a target says about them would look like jobs of their own."""
    jobs = resources.get("jobs")
    others = facts.others
    if jobs is None or not jobs.is_map or (not others.keys and others.only is None):
        return resources
    kept = {
        key: job
        for key, job in jobs.value.items()
        if key not in others.keys and (others.only is None or key in others.only)
    }
    return resources.with_member("jobs", jobs.with_value(kept))


def _variables(node: Node, chosen: Node, target: str, found: Findings) -> Node:
    overrides = members(chosen, "variables")
    if not overrides:
        return node
    defined = dict(members(node, "variables"))
    for name, given in overrides.items():
        definition = defined.get(name)
        if definition is None:
            near = did_you_mean(nearest(name, defined))
            path = ("targets", target, "variables", name)
            summary = f'variable "{name}" is not defined'
            hint = None if near else f'define it under "variables", as {name}: {{default: ...}}'
            span = chosen.value["variables"].key_span(name)
            found.append(error("BND230", summary, span, path=path, detail=near, hint=hint))
            continue
        defined[name] = _overridden(definition, given)
    holder = node.get("variables")
    if holder is None:
        return node
    return node.with_member("variables", holder.with_value(defined))


def _overridden(definition: Node, given: Node) -> Node:
    full = isinstance(given.value, dict) and set(given.value) in FULL_FORMS
    if not full:
        return definition.without("lookup").with_member("default", given, given.span)
    for name, child in given.value.items():
        definition = definition.with_member(name, child, given.key_span(name))
    return definition.without("default" if "lookup" in given.value else "lookup")
