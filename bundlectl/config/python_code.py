"""Stage 13: jobs that functions of the bundle add or change, when the invoker lets them run (config language 15).

Called by config.loader. The functions run in a process that the request's `python` starts; here it is only said what
they are given and what becomes of their answer. Without permission they are a warning, which a plan refuses.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.config import jobs, permissions, resolution, sections
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, warning
from bundlectl.config.node import Node, lookup, plain
from bundlectl.config.python_report import Places, Read, read_answer
from bundlectl.config.python_result import LOAD, MUTATE, added, against_the_rules, overlaid, without_own_fields
from bundlectl.config.reading import defined_once, has_errors, members, resource_keys
from bundlectl.config.request import PythonCall, RunPython
from bundlectl.config.structure import shape
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import SourceSpan

NOT_LOADED = "BND295"
_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")
_LONGEST_NAME = 1000

_Change = Callable[[Node, Facts], Outcome]
# What a job goes through that Python added: stages 12b to 12d. Paths are those of the bundle root already.
_FOR_ADDED: tuple[_Change, ...] = (
    resolution.resolve_resources,
    jobs.merge_keyed,
    jobs.fix_clusters,
    permissions.run_as,
    jobs.override_compute,
    jobs.apply_presets,
    jobs.defaults,
    permissions.permissions,
)
# What a job goes through that Python changed: stage 12b; permissions are put in order at the end.
_FOR_CHANGED: tuple[_Change, ...] = (resolution.resolve_resources, jobs.merge_keyed, jobs.fix_clusters)


class Section(NamedTuple):
    """The `python` section as it counts."""

    node: Node
    span: SourceSpan  # of its key
    resources: bool  # it names functions that add jobs
    mutators: bool  # it names functions that change jobs

    @property
    def wanted(self) -> bool:
        """Whether there is something to run."""
        return self.resources or self.mutators


def section_of(node: Node) -> Section | None:
    """The section at the top, else the one in its old place; None when neither is a map."""
    ours, old = node.get("python"), members(node, "experimental").get("python")
    given = ours if ours is not None and ours.value is not None else old
    if given is None or not given.is_map:
        return None
    holder = node if given is ours else node.value["experimental"]
    return Section(given, holder.key_span("python"), _any(given, "resources"), _any(given, "mutators"))


def _any(section: Node, name: str) -> bool:
    child = section.get(name)
    return child is not None and isinstance(child.value, list) and bool(child.value)


def is_left_out(node: Node, facts: Facts) -> bool:
    """Whether Python would add or change jobs and may not run: the jobs at hand are not all there are."""
    section = section_of(node)
    return section is not None and section.wanted and facts.request.python is None


def python(node: Node, facts: Facts) -> Outcome:
    """The tree with what the bundle's functions add and change."""
    found = _check(node)
    section = section_of(node)
    if section is None or has_errors(found):
        return node, found
    node = _copied_to_old_place(node, section)
    if not section.wanted:
        return node, found
    run = facts.request.python
    if run is None:
        hint = "--allow python runs the functions of the bundle; give it for a tree that you trust"
        found.append(warning(NOT_LOADED, "python resources are not loaded", section.span, path=("python",), hint=hint))
        return node, found
    if section.resources:
        node, more = _load_resources(node, facts, section, run)
        found += more
    if section.mutators and not has_errors(found):
        node, more = _apply_mutators(node, facts, section, run)
        found += more
    return node, found


def _check(node: Node) -> Findings:
    """The section is in one place, and names functions."""
    ours, old = node.get("python"), members(node, "experimental").get("python")
    both = ours is not None and old is not None and ours.value is not None and old.value is not None
    if both and ours is not None and old is not None and plain(ours) != plain(old):
        summary = "python and experimental.python differ; give one"
        return [error("BND294", summary, ours.span, old.span, path=("python",))]
    section = section_of(node)
    found: Findings = []
    for name in ("resources", "mutators"):
        child = section.node.get(name) if section is not None else None
        for index, entry in enumerate(child.value if child is not None and isinstance(child.value, list) else ()):
            text = entry.value
            if not isinstance(text, str) or len(text) > _LONGEST_NAME or not _FUNCTION.fullmatch(text):
                summary = f'"{str(text)[:60]}" names no function'
                hint = "write package.module:function"
                found.append(error("BND294", summary, entry.span, path=("python", name, index), hint=hint))
    return found


def _copied_to_old_place(node: Node, section: Section) -> Node:
    """Older versions of the package read `experimental.python`."""
    experimental = node.get("experimental")
    holder = experimental if experimental is not None and experimental.is_map else Node({}, section.node.span)
    if holder.get("python") is section.node:
        return node
    return node.with_member("experimental", holder.with_member("python", section.node))


def _answer(
    node: Node, configuration: Mapping[str, Any], facts: Facts, section: Section, run: RunPython, phase: str
) -> tuple[Read, Places]:
    venv = section.node.get("venv_path")
    call = PythonCall(
        phase=phase,
        configuration=configuration,
        root=facts.root,
        below=facts.sync_root,
        venv_path=venv.value if venv is not None and isinstance(venv.value, str) and venv.value else None,
    )
    answer = run(call)
    span = venv.span if answer.no_venv and venv is not None else section.span
    places = Places(facts, answer.folder, span, _functions(section))
    read = read_answer(answer, phase, facts, places)
    if read.output is not None:
        read = replace(read, findings=[*read.findings, *against_the_rules(configuration, read, phase, places)])
    return read, places


def _functions(section: Section) -> dict[str, SourceSpan]:
    """Functions that the section names, and where."""
    found = {}
    for name in ("resources", "mutators"):
        child = section.node.get(name)
        for entry in child.value if child is not None and isinstance(child.value, list) else ():
            found[entry.value] = entry.span
    return found


def _load_resources(node: Node, facts: Facts, section: Section, run: RunPython) -> Outcome:
    configuration = plain(node)
    read, places = _answer(node, configuration, facts, section, run, LOAD)
    found = list(read.findings)
    if read.output is None or has_errors(found):
        return node, found
    new, more = _typed(added(configuration, read, places), facts)
    found += more
    found += [*resource_keys(new), *defined_once([node, new])]
    if has_errors(found):
        return node, found
    new, more = _taken_through(new, node, facts, _FOR_ADDED)
    found += more
    _, more = sections.other_kinds(new, facts)
    return (_with_resources(node, new), found + more) if not has_errors(found) else (node, found)


def _apply_mutators(node: Node, facts: Facts, section: Section, run: RunPython) -> Outcome:
    configuration = without_own_fields(plain(node))
    read, places = _answer(node, configuration, facts, section, run, MUTATE)
    found = list(read.findings)
    if read.output is None or has_errors(found):
        return node, found
    kinds: dict[str, Node] = {}
    for kind, child in members(node, "resources").items():
        changed = {}
        for key, resource in members(child).items():
            value = (read.output.get("resources") or {}).get(kind, {}).get(key)
            new = overlaid(resource, value, read.places.get((kind, key), places.section))
            if new is not resource:
                changed[key] = new
        if changed:
            kinds[kind] = child.with_value(changed)
    if not kinds:
        return node, found
    tree, more = _typed(Node({"resources": Node(kinds, places.section)}, places.section), facts)
    found += more
    if has_errors(found):
        return node, found
    tree, more = _taken_through(tree, node, facts, _FOR_CHANGED)
    return _with_resources(node, permissions.ordered(tree, facts)), found + more


def _typed(tree: Node, facts: Facts) -> Outcome:
    """The tree with its types; a value that does not fit, or a field that is not known, is an error here."""
    tree, said = shape(tree, part="file", allow_unknown_fields=facts.request.allow_unknown_fields)
    return tree, [_as_error(finding) for finding in said]


def _as_error(finding: Diagnostic) -> Diagnostic:
    return replace(finding, severity=Severity.ERROR) if finding.severity is Severity.WARNING else finding


def _taken_through(tree: Node, whole: Node, facts: Facts, steps: tuple[_Change, ...]) -> Outcome:
    """Some resources, taken through steps that see the rest of the configuration as well."""
    found: Findings = []
    part = whole.with_member("resources", tree.value["resources"])
    for step in steps:
        part, more = step(part, facts)
        found += more
        if has_errors(more):
            break
    return tree.with_member("resources", part.value["resources"]), found


def _with_resources(node: Node, tree: Node) -> Node:
    """The whole tree with resources of a part put in."""
    holder = node.get("resources")
    resources = holder if holder is not None and holder.is_map else Node({}, tree.span)
    for kind, child in members(tree, "resources").items():
        old = lookup(resources, (kind,))
        base = old if old is not None and old.is_map else Node({}, child.span)
        resources = resources.with_member(kind, base.with_value({**base.value, **child.value}))
    return node.with_member("resources", resources)
