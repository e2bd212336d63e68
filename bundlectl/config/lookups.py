"""Ids behind lookup variables (config language 7.4): from the answers that the request brings, else left open.

Called by config.loader at stage 9, after variables have their other values, and by cli.wiring for --lookups. Asks
nobody: whoever may ask a backend loads again with its answers.
"""

from collections.abc import Mapping
from typing import Any

from bundlectl.base.suggest import nearest
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import did_you_mean, error, plan_error
from bundlectl.config.interpolation import TooLarge, references
from bundlectl.config.node import Node, Note, plain
from bundlectl.config.reading import members
from bundlectl.config.request import DEFAULT_LIMITS
from bundlectl.config.resolution import Resolver
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.errors import InputError
from bundlectl.model.location import FieldPath

LOOKUP_KINDS = (
    "alert",
    "cluster",
    "cluster_policy",
    "dashboard",
    "instance_pool",
    "job",
    "metastore",
    "notification_destination",
    "pipeline",
    "query",
    "service_principal",
    "warehouse",
)
UNANSWERED = "BND238"
ORIGIN = "lookup"


def is_open(definition: Node) -> bool:
    """Whether a variable has a lookup and no value that was given in its place."""
    lookup = definition.get("lookup")
    return lookup is not None and lookup.value is not None and definition.get("value") is None


def answer(node: Node, facts: Facts) -> Outcome:
    """Gives lookup variables their ids, as far as they are known."""
    definitions = members(node, "variables")
    waiting = {name: definition for name, definition in definitions.items() if is_open(definition)}
    if not waiting:
        return node, []
    found: Findings = []
    answered = {}
    for name, definition in waiting.items():
        id = _id(name, definition, waiting, node, facts, found)
        if id is not None:
            answered[name] = definition.with_member("value", id)
    holder = node.value["variables"]
    return node.with_member("variables", holder.with_value({**holder.value, **answered})), found


def _id(
    variable: str, definition: Node, waiting: Mapping[str, Node], node: Node, facts: Facts, found: Findings
) -> Node | None:
    lookup = definition.value["lookup"]
    path: FieldPath = ("variables", variable, "lookup")
    kinds = [kind for kind, item in members(lookup).items() if kind in LOOKUP_KINDS and item.value is not None]
    if len(kinds) != 1:
        return None  # said where the definition is checked
    kind = kinds[0]
    written = lookup.value[kind]
    name = written.value
    if isinstance(name, str) and references(name):
        circular = _through_a_lookup(written, waiting)
        if circular is not None:
            summary = f'the lookup of variable "{variable}" may not use "{circular}", which is a lookup itself'
            found.append(error("BND237", summary, written.span, path=(*path, kind)))
            return None
        name = _resolved(written, node, facts, (*path, kind))
    id = facts.request.lookups.get(kind, {}).get(name) if isinstance(name, str) else None
    if id is not None:
        return Node(id, lookup.span, None, (), Note(origin=ORIGIN))
    found.append(_unanswered(variable, lookup, path))
    return None


def _unanswered(variable: str, lookup: Node, path: FieldPath) -> Diagnostic:
    summary = f'the lookup of variable "{variable}" is not answered offline'
    hint = f"give the id: --var {variable}=<id>, or --lookups FILE with kind, name and id"
    return plan_error(UNANSWERED, summary, lookup.span, path=path, hint=hint)


def _through_a_lookup(written: Node, waiting: Mapping[str, Node]) -> str | None:
    """The variable that a lookup's name uses although its own value is looked up."""
    for reference in references(written.value):
        steps = reference.steps
        if steps[0] == "var" and len(steps) > 1 and steps[1] in waiting:
            return str(steps[1])
        if steps[:1] == ("variables",) and len(steps) > 2 and steps[2] == "value" and steps[1] in waiting:
            return str(steps[1])
    return None


def _resolved(written: Node, node: Node, facts: Facts, path: FieldPath) -> Any:
    """The name with its references replaced; faults in them are said when the whole frame is resolved."""
    resolver = Resolver(node, facts.request.limits)
    try:
        kept = resolver.text_or_tree(written, path)
    except TooLarge:
        return None
    return None if isinstance(kept.value, str) and references(kept.value) else kept.value


def read_lookup_file(data: bytes, file: str) -> dict[str, dict[str, str]]:
    """Answers of --lookups: kind -> name -> id, as JSON or YAML. Raises InputError BND140 with every fault."""
    read = read_yaml(data, file, DEFAULT_LIMITS)
    found = [error("BND140", fault.summary, *fault.spans) for fault in read.findings]
    answers: dict[str, dict[str, str]] = {}
    if not found and read.node is not None:
        answers = _answers(read.node, found)
    if found:
        failed = InputError(f'"{file}" cannot be read', code="BND140", diagnostics=found)
        failed.read_source = lambda name: data if name == file else None
        raise failed
    return answers


def _answers(node: Node, found: Findings) -> dict[str, dict[str, str]]:
    if not node.is_map:
        found.append(error("BND140", "expected a map of kinds, names and ids", node.span))
        return {}
    answers: dict[str, dict[str, str]] = {}
    for kind, names in node.value.items():
        if kind not in LOOKUP_KINDS:
            near = did_you_mean(nearest(kind, LOOKUP_KINDS))
            found.append(error("BND140", f'"{kind}" is no kind of lookup', node.key_span(kind), detail=near))
        elif not names.is_map:
            found.append(error("BND140", f'expected a map of names and ids under "{kind}"', names.span))
        else:
            answers[kind] = {}
            for name, id in names.value.items():
                if isinstance(id.value, bool) or not isinstance(id.value, str | int) or id.value == "":
                    found.append(error("BND140", f'the id of {kind} "{name}" is neither text nor a number', id.span))
                else:
                    answers[kind][name] = str(plain(id))
    return answers
