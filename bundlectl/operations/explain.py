"""Where the value of a field comes from: the chain behind it, what was deployed last, and how the two are compared.

Loads the bundle as `validate` does, then once more while every step is watched. A backend that can be asked is asked
for the job as it is there; none is needed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl.config.field_names import Field, find_field, job_of, read_name, unknown_field
from bundlectl.config.node import lookup, plain
from bundlectl.config.origins import Invoker, Origins
from bundlectl.config.request import DEFAULT_LIMITS, LoadRequest
from bundlectl.config.trace import Trace, trace
from bundlectl.config.tree_view import join
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.errors import BundlectlError
from bundlectl.model.explanation import Explanation, Link, Rule
from bundlectl.model.job import NATURAL_KEYS
from bundlectl.model.location import FieldPath, Keyed, SourceSpan
from bundlectl.model.plan import ABSENT, is_sensitive
from bundlectl.operations.context import OperationContext
from bundlectl.operations.load import Loading, load_for_validation, same_request
from bundlectl.planning.field_table import FieldTable, pattern_of
from bundlectl.schema.table import Entry, Kind

_RESOURCES, _JOBS = ("resources",), ("resources", "jobs")
_KINDS = {
    Kind.TEXT: "text",
    Kind.BOOL: "boolean",
    Kind.INT: "integer",
    Kind.FLOAT: "number",
    Kind.MAP: "map, key by key",
    Kind.OBJECT: "map, field by field",
}
_NOT_SENT = {
    "bundlectl": "a setting of bundlectl: never sent, not compared",
    "lifecycle": "kept in the state as protection: never sent",
}


class Explained(NamedTuple):
    """A field, and the findings of the bundle: with errors among them the value is not final."""

    explanation: Explanation
    loading: Loading
    findings: Diagnostics


def explain(context: OperationContext, name: str, *, variable_file: Path | None = None) -> Explained:
    """The chain behind a field. `variable_file`: the file of --var-file, to say where in it a value is written.

    Raises UsageError for a field that cannot be, InputError when no file of the bundle can be read.
    """
    path = read_name(name)
    loading = load_for_validation(context)
    findings = loading.loaded.diagnostics.settled(planning=False)
    bundle = loading.loaded.bundle
    if bundle is not None and path[:2] == _JOBS and len(path) > 2 and path[2] not in bundle.jobs:
        raise unknown_field(path[2], bundle.jobs, _JOBS)
    with same_request(context, loading) as request:
        only = _jobs(request, path) if bundle is not None else None
        watched = trace(loading.tree, request, only=only, loads=bundle is not None)
    if watched is None:
        raise loading.failure(findings)
    field = find_field(watched.node, path)
    chain = Origins(watched, _invoker(context, watched, variable_file)).chain(field.path)
    node = lookup(watched.node, field.path)
    value = plain(node) if node is not None else ABSENT
    known = _known(context, loading, field.path)
    explanation = Explanation(
        path=field.path,
        target=watched.facts.target if bundle is not None or watched.facts.target_node is not None else None,
        value=value,
        sensitive=any(_is_secret(at, shown) for at, shown in _shown(field.path, value, chain)),
        chain=chain,
        recorded=known.recorded,
        deployment=known.deployment,
        observed=known.observed,
        was_observed=known.was_observed,
        rule=_rule(field, loading),
    )
    return Explained(explanation, loading, findings)


def _jobs(request: LoadRequest, path: FieldPath) -> frozenset[str] | None:
    """The jobs that matter for a field: its own. None: all of them."""
    key = job_of(path)
    if request.python is not None or path[0] == "artifacts" or (key is None and path[:2] in (_RESOURCES, _JOBS)):
        return None
    return frozenset() if key is None else frozenset({key})


def _shown(path: FieldPath, value: Any, chain: Iterable[Link]) -> Iterable[tuple[FieldPath, Any]]:
    return [(path, value), *((link.path or path, link.value) for link in chain)]


def _is_secret(path: FieldPath, value: Any) -> bool:
    """Whether a value is hidden, as in a plan: by the name of its field, or of the variable."""
    return is_sensitive(path, value) or (path[:1] == ("variables",) and is_sensitive(path[:2], value))


# Who gave what no file of the bundle gives ---------------------------------------------------------------------------


def _invoker(context: OperationContext, watched: Trace, variable_file: Path | None) -> Invoker:
    request = watched.facts.request
    given: dict[str, tuple[str, SourceSpan | None]] = {}
    for name, where in _overrides(watched).items():
        given[name] = (where.file, where)
    for name in request.variable_file or {}:
        given[name] = ("--var-file", None)
    if variable_file is not None:
        data = (context.start / variable_file).read_bytes()
        given.update({name: ("--var-file", where) for name, where in _members(data, str(variable_file)).items()})
    for origin, form in (("environment", "BUNDLE_VAR_{}"), ("flag", "--var")):
        given.update({name: (form.format(name), None) for name, _, source in request.variables if source == origin})
    return Invoker(_user_from(context), _target_from(context, watched), given)


def _overrides(watched: Trace) -> Mapping[str, SourceSpan]:
    """Where entries of the target's variable-overrides.json are written."""
    facts = watched.facts
    path = join(facts.root, f".databricks/bundle/{facts.target}/variable-overrides.json")
    data = dict(facts.request.override_files).get(facts.target)
    if data is None:
        if path not in facts.view.entries or facts.view.find(path).kind != "file":
            return {}
        data = facts.view.read(path)
    return _members(data, path)


def _members(data: bytes, file: str) -> Mapping[str, SourceSpan]:
    node = read_yaml(data, file, DEFAULT_LIMITS).node
    return {name: item.span for name, item in node.value.items()} if node is not None and node.is_map else {}


def _user_from(context: OperationContext) -> str:
    environment = context.environment
    for name in ("BUNDLECTL_USER", "DATABRICKS_CLIENT_ID"):
        if environment.get(name):
            return name
    return "the login name" if context.request.user_guessed else "git config user.email"


def _target_from(context: OperationContext, watched: Trace) -> str:
    if context.request.target is None:
        only = "the only target" if len(watched.facts.target_names) == 1 else "the default target"
        return only if watched.facts.target_node is not None else "the bundle has no targets"
    for name in ("BUNDLECTL_TARGET", "DATABRICKS_BUNDLE_TARGET"):
        if context.environment.get(name) == context.request.target:
            return f"chosen with -t or {name}"
    return "chosen with -t"


# What was deployed ---------------------------------------------------------------------------------------------------


class _Known(NamedTuple):
    """What was deployed: the value that was written, by which deployment, and the one that is on the backend."""

    recorded: Any = ABSENT
    deployment: int | None = None
    observed: Any = ABSENT
    was_observed: bool = False


def _known(context: OperationContext, loading: Loading, path: FieldPath) -> _Known:
    """A state or a backend that cannot be read is what `history` and `plan` speak of."""
    key, bundle = job_of(path), loading.loaded.bundle
    if key is None or bundle is None or loading.repository is None:
        return _Known()
    try:
        store = context.open_store(loading.repository, bundle)
        recorded = store.read()
        deployment = recorded.deployment
        if deployment is None or deployment.deployed is None:
            return _Known()
        old = bundle.jobs[key].renamed_from if key in bundle.jobs else None
        name = next((name for name in (key, old) if name is not None and name in deployment.jobs), None)
        if name is None:
            return _Known(deployment=deployment.serial)
        document = store.documents(recorded.version, [name]).get(name, {})
    except BundlectlError:
        return _Known()
    known = _Known(_at(document, path[3:]), deployment.serial)
    if context.offline:
        return known
    try:
        there = context.open_backend(bundle).read([deployment.jobs[name].id])[deployment.jobs[name].id]
    except BundlectlError:
        return known
    return known if there is None else known._replace(observed=_at(there, path[3:]), was_observed=True)


def _at(value: Any, path: FieldPath) -> Any:
    for step in path:
        if isinstance(step, Keyed):
            elements = value if isinstance(value, list) else []
            named = (item for item in elements if isinstance(item, dict) and item.get(step.field) == step.value)
            value = next(named, ABSENT)
        elif isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else ABSENT
        else:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
    return value


# How it is compared --------------------------------------------------------------------------------------------------


def _rule(field: Field, loading: Loading) -> Rule | None:
    """How a field of a job is compared; None for what acts through jobs only."""
    if job_of(field.path) is None:
        return None
    path = field.path[3:]
    if path and path[0] in _NOT_SENT:
        return Rule("nothing", _NOT_SENT[str(path[0])])
    bundle = loading.loaded.bundle
    table = FieldTable(bundle.target.backend if bundle is not None else "local")
    unordered = table.find("unordered", pattern_of(path)) is not None
    compared_as = _compared_as(field.entry, path, unordered=unordered)
    found: list[tuple[str, str, str]] = []
    for behaviour in ("ignored", "operator", "replace", "absent", "default", "unordered"):
        for length in range(1, len(path) + 1) if behaviour == "ignored" else (len(path),):
            for row in table.rows(behaviour, path[:length]):
                if (behaviour, row.reason, row.why) not in found:
                    found.append((behaviour, row.reason, row.why))
    words = [f"compared as {compared_as}"] + [_BEHAVIOUR[behaviour].format(why) for behaviour, _, why in found]
    if not any(behaviour in ("ignored", "replace") for behaviour, _, _ in found):
        words.insert(1, "change in place")
    if any(behaviour == "ignored" for behaviour, _, _ in found):
        words = words[1:]
    return Rule(compared_as, "; ".join(dict.fromkeys(words)), tuple(found))


_BEHAVIOUR = {
    "ignored": "never compared: {}",
    "operator": "kept as it is on the backend where {}",
    "replace": "a change replaces the job: {}",
    "absent": "no drift when the backend does not tell: {}",
    "default": "no drift when only the backend has it: {}",
    "unordered": "in any order: {}",
}


def _compared_as(entry: Entry | None, path: FieldPath, *, unordered: bool) -> str:
    if entry is not None and entry.kind is Kind.LIST:
        key = NATURAL_KEYS.get(pattern_of(path))
        return f"list, by {key}" if key is not None else "list without order" if unordered else "list, in order"
    return _KINDS.get(entry.kind, "value") if entry is not None else "value"
