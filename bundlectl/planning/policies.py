"""Rules of a team over the jobs that a plan writes, and over the plan itself: JSON Schemas and built-in ones. Pure.

Called by operations.policies, which reads the rules from where they are protected. The only module that knows
jsonschema. A policy never changes a plan; what a finding stops is decided by whoever carries the plan out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from bundlectl.model.job import NATURAL_KEYS, JobSpec
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, key_of, path_short, path_text
from bundlectl.model.plan import Action, Change, Plan, PolicyFinding
from bundlectl.model.plan_document import hidden, plan_document

CONFIG, PLAN = "config", "plan"
_MOST = 20  # findings of one policy for one job
_LONGEST = 200  # characters of a message
_NAMES_ONLY = frozenset({"required", "dependentRequired", "additionalProperties"})  # say names, and no value
_WRITTEN = frozenset({Action.CREATE, Action.UPDATE, Action.RENAME, Action.REPLACE})


class Policy(NamedTuple):
    """One rule. Exactly one of `schema` and `use` is set."""

    name: str
    severity: str  # deny or warn
    on: str = CONFIG  # config: each job that is written; plan: the plan document
    schema: Any = None  # a JSON Schema
    use: str | None = None  # a name of BUILT_IN
    description: str | None = None  # said instead of what the schema found


class BadSchema(Exception):
    """The schema of a policy is no JSON Schema, or names something outside itself."""


Said = tuple[FieldPath, str]  # a field of the job, and what is wrong with it


def check_schema(schema: Any) -> None:
    """Raises BadSchema."""
    if not isinstance(schema, dict | bool):
        raise BadSchema("a JSON Schema is a map")
    try:
        kind: Any = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except SchemaError as error:
        where = path_text(tuple(error.absolute_path))
        raise BadSchema(f"{where + ': ' if where else ''}{error.message}") from None


def judge(policies: Iterable[Policy], plan: Plan, specs: Mapping[str, JobSpec]) -> tuple[PolicyFinding, ...]:
    """What the plan does not keep, by policy and job. `specs`: of the jobs that it writes. Raises BadSchema."""
    found: list[PolicyFinding] = []
    for policy in policies:
        if policy.use is not None:
            rule = BUILT_IN[policy.use]
            found.extend(
                _on_jobs(policy, plan, specs, rule.job) if rule.job else _on_changes(policy, plan, rule.change)
            )
        elif policy.on == PLAN:
            found.extend(
                PolicyFinding(policy.name, policy.severity, _message(policy, path, said))
                for path, said in _errors(policy, plan_document(plan))
            )
        else:
            found.extend(_on_jobs(policy, plan, specs, partial(_errors, policy)))
    return tuple(found)


def _on_jobs(
    policy: Policy, plan: Plan, specs: Mapping[str, JobSpec], rule: Callable[[Mapping[str, Any]], Iterable[Said]]
) -> Iterator[PolicyFinding]:
    for change in plan.changes:
        spec = specs.get(key_of(change.address))
        if change.action not in _WRITTEN or spec is None:
            continue
        for path, said in rule(spec.document):
            span = _span(spec, path) or change.span
            yield PolicyFinding(policy.name, policy.severity, _message(policy, path, said), change.address, span)


def _on_changes(policy: Policy, plan: Plan, rule: Callable[[Change], str | None] | None) -> Iterator[PolicyFinding]:
    for change in plan.changes:
        said = rule(change) if rule is not None else None
        if said is not None:
            message = policy.description or said
            yield PolicyFinding(policy.name, policy.severity, message, change.address, change.span)


def _errors(policy: Policy, document: Mapping[str, Any]) -> list[Said]:
    """What a schema finds, in the order of the document. A reference to another place is never followed."""
    kind = validator_for(policy.schema, default=Draft202012Validator)
    checker = kind(policy.schema, registry=Registry())
    try:
        found = sorted(checker.iter_errors(document), key=lambda error: [str(step) for step in error.absolute_path])
    except Unresolvable as error:
        raise BadSchema(f'policy "{policy.name}" refers to {error.ref}, which is not in it') from None
    return [_said(_path(document, error), error) for error in found[:_MOST]]


def _said(path: FieldPath, error: ValidationError) -> Said:
    """What a schema found. Its own words show the value, and a plan can be read by many."""
    if error.validator not in _NAMES_ONLY and hidden(error.instance, path) != error.instance:
        return path, f'"{error.validator}" of the schema does not hold (the value is not shown)'
    return path, error.message


def _path(document: Any, error: ValidationError) -> FieldPath:
    """The path of a finding, with elements of lists by their keys where they have some."""
    path: list[str | int | Keyed] = []
    shape: tuple[str, ...] = ()
    value = document
    for step in error.absolute_path:
        key = NATURAL_KEYS.get(shape) if isinstance(step, int) else None
        value = value[step]
        named = value.get(key) if key is not None and isinstance(value, dict) else None
        path.append(Keyed(key, named) if key is not None and isinstance(named, str) else step)
        shape = (*shape, "*" if isinstance(step, int) else str(step))
    return tuple(path)


def _span(spec: JobSpec, path: FieldPath) -> SourceSpan | None:
    """Where the field is written, else the element of a list that holds it, else the job."""
    whole = path
    while path:
        span = spec.spans.get(path_text(path))
        if span is not None and (path == whole or len(path) > 1):
            return span
        path = path[:-1]
    return spec.span


def _message(policy: Policy, path: FieldPath, said: str) -> str:
    text = f"{path_short(path)}: {policy.description or said}" if path else policy.description or said
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


# Built-in rules ------------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    text: str
    job: Callable[[Mapping[str, Any]], Iterator[Said]] | None = None
    change: Callable[[Change], str | None] | None = None


def _tasks(document: Mapping[str, Any]) -> Iterator[tuple[FieldPath, Mapping[str, Any]]]:
    for task in document.get("tasks") or ():
        at: FieldPath = ("tasks", Keyed("task_key", str(task.get("task_key"))))
        loop = task.get("for_each_task")
        yield (*at, "for_each_task", "task") if loop else at, loop["task"] if loop else task


def _limited_time(document: Mapping[str, Any]) -> Iterator[Said]:
    if document.get("timeout_seconds"):
        return
    for path, task in _tasks(document):
        if not task.get("timeout_seconds") and "condition_task" not in task:
            yield (*path, "timeout_seconds"), "neither the job nor the task has a time limit"


def _retried(document: Mapping[str, Any]) -> Iterator[Said]:
    for path, task in _tasks(document):
        if not task.get("max_retries") and not {"condition_task", "run_job_task"} & task.keys():
            yield (*path, "max_retries"), "the task is not tried again"


def _told(document: Mapping[str, Any]) -> Iterator[Said]:
    places = ("email_notifications", "webhook_notifications")
    if not any((document.get(name) or {}).get("on_failure") for name in places):
        yield (), "nobody is told when it fails"


def _owned(document: Mapping[str, Any]) -> Iterator[Said]:
    if not (document.get("tags") or {}).get("owner"):
        yield ("tags", "owner"), "not set"


def _acts_for_a_service(document: Mapping[str, Any]) -> Iterator[Said]:
    if not (document.get("run_as") or {}).get("service_principal_name"):
        yield ("run_as",), "it does not run as a service principal"


BUILT_IN: Mapping[str, _Rule] = {
    "no-deletes": _Rule(
        "no job is deleted", change=lambda change: "it would be deleted" if change.action is Action.DELETE else None
    ),
    "no-replaces": _Rule(
        "no job is replaced", change=lambda change: "it would be replaced" if change.action is Action.REPLACE else None
    ),
    "timeouts": _Rule("every job or task has a time limit", job=_limited_time),
    "retries": _Rule("every task is tried again", job=_retried),
    "failure-notifications": _Rule("somebody is told of a failure", job=_told),
    "owner-tag": _Rule("every job has a tag owner", job=_owned),
    "run-as-service-principal": _Rule("no job runs as a person", job=_acts_for_a_service),
}
