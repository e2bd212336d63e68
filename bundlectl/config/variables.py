"""Values of variables and where each came from (config language 7.1, 7.3, 7.4). References in them are resolved later.

Called by config.loader at stage 9. A lookup stays without value here: config.lookups.
"""

from collections.abc import Mapping
from typing import Any

from bundlectl.base.suggest import nearest
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import did_you_mean, error, warning
from bundlectl.config.lookups import LOOKUP_KINDS, ORIGIN
from bundlectl.config.node import Node, Note, from_plain, plain
from bundlectl.config.reading import members
from bundlectl.config.request import DEFAULT_LIMITS
from bundlectl.config.tree_view import join
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.bundle import Variable
from bundlectl.model.errors import InputError
from bundlectl.model.location import SourceSpan

FLAG, ENVIRONMENT, FILE, OVERRIDES = "flag", "environment", "file", "overrides-file"
_ORIGIN_TEXT = {
    FLAG: "--var {}",
    ENVIRONMENT: "BUNDLE_VAR_{}",
    FILE: "--var-file",
    OVERRIDES: "variable-overrides.json",
}


def assign(node: Node, facts: Facts) -> Outcome:
    """Gives each variable its `value`."""
    found: Findings = []
    definitions = members(node, "variables")
    given = _given(definitions, node, facts, found)
    if not definitions:
        return node, found
    valued = {}
    for name, definition in definitions.items():
        _check_definition(name, definition, found)
        value = _value(name, definition, given, found, node.value["variables"].key_span(name))
        valued[name] = definition if value is None else definition.with_member("value", value)
    return node.with_member("variables", node.value["variables"].with_value(valued)), found


def _value(
    name: str, definition: Node, given: Mapping[str, tuple[Any, str]], found: Findings, key_span: SourceSpan
) -> Node | None:
    lookup = definition.get("lookup")
    has_lookup = lookup is not None and lookup.value is not None
    value, origin = given.get(name, (None, ""))
    if origin and (origin != OVERRIDES or not has_lookup):
        note = Note(origin=_ORIGIN_TEXT[origin].format(name))
        return from_plain(value, definition.span, note=note)
    if has_lookup:
        return None  # config.lookups has the answer, or says that there is none
    default = definition.get("default")
    if default is not None and default.value is not None:
        return default
    summary = f'no value for required variable "{name}"'
    hint = f"give it: --var {name}=..., BUNDLE_VAR_{name}=..., or a default in the bundle"
    found.append(error("BND253", summary, key_span, path=("variables", name), hint=hint))
    return None


def _check_definition(name: str, definition: Node, found: Findings) -> None:
    kind = definition.get("type")
    if kind is not None and kind.value not in (None, "complex"):
        summary = f'type of variable "{name}" can only be complex; "{kind.value}" means not complex'
        found.append(warning("BND239", summary, kind.span, path=("variables", name, "type")))
    lookup = definition.get("lookup")
    if lookup is not None and lookup.value is not None and lookup.is_map:
        kinds = [field for field, value in lookup.value.items() if value.value is not None]
        if len(kinds) != 1:
            summary = f"a lookup needs exactly one of {', '.join(LOOKUP_KINDS)}"
            found.append(error("BND236", summary, lookup.span, path=("variables", name, "lookup")))


def is_complex(definition: Node) -> bool:
    """Whether a variable is declared to hold a map or list."""
    kind = definition.get("type")
    return kind is not None and kind.value == "complex"


def _given(definitions: Mapping[str, Node], node: Node, facts: Facts, found: Findings) -> dict[str, tuple[Any, str]]:
    """What the invoker gives: name -> value and origin, the strongest source only."""
    given: dict[str, tuple[Any, str]] = {}
    for name, value in _overrides(definitions, facts, found).items():
        given[name] = (value, OVERRIDES)
    for name, value in (facts.request.variable_file or {}).items():
        if name not in definitions:
            found.append(_undefined(name, definitions, f'variable "{name}" of --var-file is not defined'))
        elif _fits(name, value, definitions[name], "--var-file", found):
            given[name] = (value, FILE)
    for origin in (ENVIRONMENT, FLAG):
        seen: dict[str, str] = {}
        for name, value, source in facts.request.variables:
            if source != origin:
                continue
            if name not in definitions:
                if origin == FLAG:
                    found.append(_undefined(name, definitions, f'variable "{name}" is not defined'))
                continue
            if name in seen:
                summary = f'--var "{name}" given twice ({seen[name]}, {value})'
                found.append(error("BND233", summary))
            elif is_complex(definitions[name]):
                summary = f'"{name}" is complex; set it in the file or in variable-overrides.json'
                found.append(error("BND232", summary, detail=f"given by {_ORIGIN_TEXT[origin].format(name)}"))
            seen[name] = value
            given[name] = (value, origin)
    return given


def _undefined(name: str, definitions: Mapping[str, Node], summary: str) -> Any:
    near = did_you_mean(nearest(name, definitions))
    known = f"variables: {', '.join(sorted(definitions))}" if definitions else "the bundle defines no variables"
    return error("BND230", summary, detail=near, hint=None if near else known)


def _fits(
    name: str, value: Any, definition: Node, source: str, found: Findings, span: SourceSpan | None = None
) -> bool:
    container = isinstance(value, dict | list)
    if container is is_complex(definition):
        return True
    wanted = "a map or a list" if is_complex(definition) else "a single value"
    summary = f'variable "{name}" takes {wanted}, {source} gives {"a map or a list" if container else "a single value"}'
    found.append(error("BND235", summary, *((span,) if span else ())))
    return False


def _overrides(definitions: Mapping[str, Node], facts: Facts, found: Findings) -> dict[str, Any]:
    """Entries of the target's variable-overrides.json, which git usually ignores."""
    path = join(facts.root, f".databricks/bundle/{facts.target}/variable-overrides.json")
    data = dict(facts.request.override_files).get(facts.target)
    if data is None:
        if path not in facts.view.entries or facts.view.find(path).kind != "file":
            return {}
        data = facts.view.read(path)
    read = read_yaml(data, path, facts.request.limits)
    for fault in read.findings:
        found.append(error("BND140", f"variable-overrides.json: {fault.summary}", *fault.spans))
    if read.findings or read.node is None:
        return {}
    if not read.node.is_map:
        found.append(error("BND140", "variable-overrides.json: expected an object of names and values", read.node.span))
        return {}
    values = {}
    for name, item in read.node.value.items():
        if item.value is None:
            continue
        if name not in definitions:
            near = did_you_mean(nearest(name, definitions))
            found.append(warning("BND230", f'variable "{name}" is not defined', item.span, detail=near))
        elif _fits(name, plain(item), definitions[name], "variable-overrides.json", found, item.span):
            values[name] = plain(item)
    return values


def read_variable_file(data: bytes, file: str) -> dict[str, Any]:
    """Values of --var-file: a YAML or JSON map name -> value. Raises InputError BND140 with every fault."""
    read = read_yaml(data, file, DEFAULT_LIMITS)
    found = [error("BND140", fault.summary, *fault.spans) for fault in read.findings]
    if not found and read.node is not None and not read.node.is_map:
        found.append(error("BND140", "expected a map of names and values", read.node.span))
    if found:
        failed = InputError(f'"{file}" cannot be read', code="BND140", diagnostics=found)
        failed.read_source = lambda name: data if name == file else None
        raise failed
    return {} if read.node is None else plain(read.node)


def given_variables(node: Node) -> tuple[Variable, ...]:
    """Variables that the invoker gave or had looked up, with resolved values."""
    origins = {text.split(" ")[0].rstrip("{}"): origin for origin, text in _ORIGIN_TEXT.items()}
    found = []
    for name, definition in members(node, "variables").items():
        value = definition.get("value")
        if value is None or value.origin is None:
            continue
        word = value.origin.split(" ")[0]
        origin = ENVIRONMENT if word.startswith("BUNDLE_VAR_") else origins.get(word, FLAG)
        if word == ORIGIN:
            origin = ORIGIN
        found.append(Variable(name, plain(value), origin))
    return tuple(sorted(found))
