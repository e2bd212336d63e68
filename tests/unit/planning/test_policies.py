"""Policies: what a schema or a built-in rule finds, in which job, and where; and schemas that are none."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bundlectl.model.job import JobDigest, JobSpec
from bundlectl.model.location import SourceSpan, address
from bundlectl.model.plan import Action, Change, Plan
from bundlectl.planning.policies import BUILT_IN, BadSchema, Policy, check_schema, judge
from tests.unit.planning.worlds import World

JOB_SPAN, TASK_SPAN, FIELD_SPAN = (SourceSpan("jobs.yml", line, 1) for line in (1, 2, 3))


def spec_of(document: Mapping[str, Any]) -> JobSpec:
    places = {"tasks[task_key='load']": TASK_SPAN, "tasks[task_key='load'].max_retries": FIELD_SPAN}
    digest = "sha256:" + "0" * 64
    return JobSpec(
        key="a", document=dict(document), digest=digest, span=JOB_SPAN, spans=places, meta=JobDigest(digest, False)
    )


def plan_of(*actions: Action) -> Plan:
    names = "abcdef"
    changes = tuple(
        Change(address=address(key), id="1", action=action, span=JOB_SPAN)
        for key, action in zip(names, actions, strict=False)
    )
    return replace(World().plan([]), changes=changes)


TRIED_TWICE = {"max_retries": {"minimum": 2}}
LOAD = {"task_key": "load", "shell_task": {"command": ["x"]}, "max_retries": 1}
HIDES = {"task_key": "load", "shell_task": {"command": ["x"], "environment": {"API_TOKEN": "hunter2"}}}
CASES: dict[str, tuple[Policy, dict[str, Any], list[tuple[str, SourceSpan]]]] = {
    "a missing field": (
        Policy("p", "deny", schema={"required": ["tags"]}), {"tasks": [LOAD]},
        [("'tags' is a required property", JOB_SPAN)],
    ),
    "a field of a task, by its key": (
        Policy("p", "deny", schema={"properties": {"tasks": {"items": {"properties": TRIED_TWICE}}}}),
        {"tasks": [{"task_key": "other"}, LOAD]},
        [("tasks[load].max_retries: 1 is less than the minimum of 2", FIELD_SPAN)],
    ),
    "a secret is not told": (
        Policy("p", "deny", schema={"properties": {"tasks": {"items": {"maxProperties": 1}}}}), {"tasks": [HIDES]},
        [('tasks[load]: "maxProperties" of the schema does not hold (the value is not shown)', TASK_SPAN)],
    ),
    "a missing field beside a secret": (
        Policy("p", "deny", schema={"properties": {"tasks": {"items": {"required": ["x"]}}}}), {"tasks": [HIDES]},
        [("tasks[load]: 'x' is a required property", TASK_SPAN)],
    ),
    "words of the team": (
        Policy("p", "deny", schema={"required": ["tags"]}, description="tag it"), {"tasks": [LOAD]},
        [("tag it", JOB_SPAN)],
    ),
    "kept": (Policy("p", "deny", schema={"required": ["tasks"]}), {"tasks": [LOAD]}, []),
    "time limit of a task": (
        Policy("p", "warn", use="timeouts"), {"tasks": [LOAD, {"task_key": "c", "condition_task": {}}]},
        [("tasks[load].timeout_seconds: neither the job nor the task has a time limit", TASK_SPAN)],
    ),
    "time limit of the job": (Policy("p", "warn", use="timeouts"), {"timeout_seconds": 9, "tasks": [LOAD]}, []),
    "retries": (
        Policy("p", "warn", use="retries"), {"tasks": [{**LOAD, "max_retries": 0}]},
        [("tasks[load].max_retries: the task is not tried again", FIELD_SPAN)],
    ),
    "retries inside a loop": (
        Policy("p", "warn", use="retries"),
        {"tasks": [{"task_key": "load", "for_each_task": {"task": {"task_key": "i"}}}]},
        [("tasks[load].for_each_task.task.max_retries: the task is not tried again", TASK_SPAN)],
    ),
    "nobody is told": (
        Policy("p", "warn", use="failure-notifications"), {"email_notifications": {"on_start": ["a@b"]}},
        [("nobody is told when it fails", JOB_SPAN)],
    ),
    "somebody is told": (
        Policy("p", "warn", use="failure-notifications"), {"webhook_notifications": {"on_failure": [{"id": "1"}]}}, []
    ),
    "owner": (Policy("p", "warn", use="owner-tag"), {"tags": {"team": "x"}}, [("tags.owner: not set", JOB_SPAN)]),
    "a person": (
        Policy("p", "warn", use="run-as-service-principal"), {"run_as": {"user_name": "ann"}},
        [("run_as: it does not run as a service principal", JOB_SPAN)],
    ),
    "a service": (Policy("p", "warn", use="run-as-service-principal"), {"run_as": {"service_principal_name": "s"}}, []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_rule_about_jobs(case: str) -> None:
    policy, document, expected = CASES[case]
    found = judge([policy], plan_of(Action.UPDATE), {"a": spec_of(document)})
    assert [(item.message, item.span) for item in found] == expected
    assert {(item.name, item.severity, item.address) for item in found} <= {("p", policy.severity, address("a"))}


@pytest.mark.parametrize("action", Action)
def test_only_jobs_that_are_written_are_judged(action: Action) -> None:
    found = judge([Policy("p", "deny", schema=False)], plan_of(action), {"a": spec_of({})})
    assert bool(found) is (action not in (Action.DELETE, Action.FORGET))


def test_rules_about_the_plan() -> None:
    plan = plan_of(Action.CREATE, Action.DELETE, Action.REPLACE)
    assert [(item.address, item.message) for item in judge([Policy("p", "deny", use="no-deletes")], plan, {})] == [
        (address("b"), "it would be deleted")
    ]
    assert [item.address for item in judge([Policy("p", "deny", use="no-replaces")], plan, {})] == [address("c")]
    few = Policy(
        "p", "deny", on="plan", schema={"properties": {"changes": {"maxItems": 2}}}, description="too much at once"
    )
    assert [(item.address, item.message) for item in judge([few], plan, {})] == [(None, "changes: too much at once")]


def test_what_a_policy_says_is_bounded() -> None:
    schema = {"additionalProperties": False}
    document = {f"field{number}": "x" * 1000 for number in range(50)}
    assert len(judge([Policy("p", "deny", schema=schema)], plan_of(Action.UPDATE), {"a": spec_of(document)})) <= 20
    long = Policy("p", "deny", schema={"const": {}}, description=None)
    assert all(len(item.message) <= 200 for item in judge([long], plan_of(Action.UPDATE), {"a": spec_of(document)}))


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"required": "tags"}, [], "x", {"$ref": 1}])
def test_what_is_no_schema(schema: Any) -> None:
    with pytest.raises(BadSchema):
        check_schema(schema)


def test_a_schema_never_leads_out_of_itself() -> None:
    far = Policy("p", "deny", schema={"$ref": "https://127.0.0.1:1/schema.json"})
    with pytest.raises(BadSchema, match="which is not in it"):
        judge([far], plan_of(Action.UPDATE), {"a": spec_of({})})
    near = Policy("p", "deny", schema={"$ref": "#/$defs/a", "$defs": {"a": {"required": ["x"]}}})
    assert len(judge([near], plan_of(Action.UPDATE), {"a": spec_of({})})) == 1


def test_every_built_in_rule_says_what_it_wants() -> None:
    assert all(rule.text and (rule.job is None) != (rule.change is None) for rule in BUILT_IN.values())
