"""Every reference of jobs.md 3.10, parameters and pushdown of 3.11, the check at create."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.engine.references import MEMBERS, REFERENCE, check_references, parameter_variable
from bundlectl.engine.values import (
    Scope,
    TaskFacts,
    UnresolvedReference,
    effective_parameters,
    effective_task,
    override_task,
    resolve,
    resolve_operand,
    time_value,
)

START = 1_779_530_405_006  # 2026-05-23T10:00:05.006Z, a Saturday
TRIGGER = 1_779_530_400_000
SCOPE = Scope(
    job_id="11",
    job_name="nightly",
    run_id="22",
    start_ms=START,
    trigger_ms=TRIGGER,
    trigger_type="periodic",
    repair_count=1,
    parameters={"day": "2026-05-23", "a.b": "dotted", "input": "in"},
    task_key="me",
    task_run_id="33",
    execution_count=2,
    notebook_path="/n",
    tasks={
        "up": TaskFacts(
            run_id="44",
            execution_count=3,
            notebook_path="/up",
            result="FAILED",
            error_code="RUN_EXECUTION_ERROR",
            values={"s": "text", "n": 1, "b": True, "none": None, "o": {"x y": {"z": 2.5}}, "l": [1, "ä"], "a.b": "q"},
        ),
        "my task": TaskFacts(run_id="45", result="SUCCESS", error_code="SUCCESS", values={"a.b": "quoted"}),
        "sql": TaskFacts(run_id="46", result="SUCCESS_WITH_FAILURES", rows=[{"c": 1, "d": "x"}, {"c": 2, "d": "y"}]),
        "empty": TaskFacts(run_id="47", result="EXCLUDED", rows=[]),
    },
    workspace_id="55",
    workspace_url="http://here",
    backfill_ms=TRIGGER,
    input={"k": "v", "o": {"p": 1}},
)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("job.id", "11"),
        ("job.name", "nightly"),
        ("job.run_id", "22"),
        ("job.repair_count", "1"),
        ("job.start_time.iso_date", "2026-05-23"),
        ("job.start_time.timestamp_ms", str(START)),
        ("job.trigger.time.iso_datetime", "2026-05-23T10:00:00.000Z"),
        ("job.trigger.type", "periodic"),
        ("job.trigger.file_arrival.location", ""),
        ("job.trigger.table_update.updated_tables", ""),
        ("job.trigger.table_update.`c.s.t`.version", ""),
        ("job.trigger.table_update.`c.s.t`.commit_timestamp.iso_date", ""),
        ("job.parameters.day", "2026-05-23"),
        ("job.parameters.[input]", "in"),
        ("job.parameters.`a.b`", "dotted"),
        ("task.name", "me"),
        ("task.run_id", "33"),
        ("task.execution_count", "2"),
        ("task.notebook_path", "/n"),
        ("tasks.up.run_id", "44"),
        ("tasks.up.execution_count", "3"),
        ("tasks.up.notebook_path", "/up"),
        ("tasks.up.result_state", "failed"),
        ("tasks.sql.result_state", "success"),
        ("tasks.empty.result_state", "excluded"),
        ("tasks.up.error_code", "RunExecutionError"),
        ("tasks.`my task`.error_code", ""),
        ("tasks.up.values.s", "text"),
        ("tasks.up.values.n", "1"),
        ("tasks.up.values.b", "true"),
        ("tasks.up.values.none", "null"),
        ("tasks.up.values.l", '[1,"ä"]'),
        ("tasks.up.values.o", '{"x y":{"z":2.5}}'),
        ("tasks.up.values.o.`x y`.z", "2.5"),
        ("tasks.`my task`.values.`a.b`", "quoted"),
        ("tasks.sql.output.rows", '[{"c":1,"d":"x"},{"c":2,"d":"y"}]'),
        ("tasks.sql.output.first_row", '{"c":1,"d":"x"}'),
        ("tasks.sql.output.first_row.d", "x"),
        ("tasks.empty.output.rows", "[]"),
        ("workspace.id", "55"),
        ("workspace.url", "http://here"),
        ("backfill.hour", "10"),
        ("input", '{"k":"v","o":{"p":1}}'),
        ("input.k", "v"),
        ("input.o.p", "1"),
        ("job_id", "11"),
        ("run_id", "33"),
        ("parent_run_id", "22"),
        ("task_key", "me"),
        ("start_date", "2026-05-23"),
        ("start_time", str(START)),
        ("task_retry_count", "1"),
    ],
)
def test_reference(reference: str, expected: str) -> None:
    assert resolve("{{" + reference + "}}", SCOPE) == expected
    assert resolve("<{{  " + reference + " }}>", SCOPE) == f"<{expected}>"


def test_table_update_references() -> None:
    scope = replace(SCOPE, updated_tables={"c.s.t": {"version": 3, "commit_timestamp": TRIGGER}})
    assert resolve("{{job.trigger.table_update.updated_tables}}", scope) == '["c.s.t"]'
    assert resolve("{{job.trigger.table_update.`c.s.t`.version}}", scope) == "3"
    assert resolve("{{job.trigger.table_update.`c.s.t`.commit_timestamp.hour}}", scope) == "10"


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("iso_weekday", "6"),
        ("is_weekday", "false"),
        ("iso_date", "2026-05-23"),
        ("iso_datetime", "2026-05-23T10:00:05.006Z"),
        ("year", "2026"),
        ("month", "5"),
        ("day", "23"),
        ("hour", "10"),
        ("minute", "0"),
        ("second", "5"),
        ("timestamp_ms", str(START)),
    ],
)
def test_time(member: str, expected: str) -> None:
    assert time_value(START, member) == expected


def test_weekdays() -> None:
    assert [time_value(TRIGGER + days * 86_400_000, "is_weekday") for days in range(3)] == ["false", "false", "true"]


@pytest.mark.parametrize(
    "text",
    [
        "{{foo.bar}}",
        "{{job.run_id",
        "job.run_id}}",
        "{{}}",
        "{{ }}",
        "{{7*7}}",
        "{{job.id + 1}}",
        "{{job..id}}",
        "{{.job.id}}",
        "{{job.}}",
        "{{job.parameters.[a}}",
        "{{tasks.`a.values.x}}",
        "{job.id}",
        "{{secrets/scope/key}}",
        "{{ __class__ }}",
        "{{name}}",
        "${job.id}",
        "{{{{",
    ],
)
def test_what_is_no_reference_stays_as_it_is(text: str) -> None:
    assert resolve(text, SCOPE) == text


def test_text_around_and_several_references() -> None:
    assert resolve("job_{{job.run_id}}/{{task.name}}{{job.id}}", SCOPE) == "job_22/me11"
    assert resolve("{{{{job.id}}}}", SCOPE) == "{{11}}"


def test_values_keys_stay_and_other_types_stay() -> None:
    value = {"{{job.id}}": ["{{job.id}}", 1, None, {"a": "{{task.name}}"}]}
    assert resolve(value, SCOPE) == {"{{job.id}}": ["11", 1, None, {"a": "me"}]}


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("job.notebook_url", 'no member "notebook_url"'),
        ("job", "names no value"),
        ("job.start_time", "no member"),
        ("job.start_time.iso_week", "no member"),
        ("job.parameters.a.b", "quoted"),
        ("job.parameters.absent", 'no job parameter "absent"'),
        ("tasks.up.value.x", "no member"),
        ("tasks.up.output", "no member"),
        ("tasks.down.values.x", '"down" is not upstream'),
        ("tasks.up.values.absent", 'no task value "absent"'),
        ("tasks.up.values.o.absent", 'no member "absent"'),
        ("tasks.up.values.s.x", 'no member "x"'),
        ("tasks.up.output.rows", "no result set"),
        ("tasks.empty.output.first_row", "is empty"),
        ("tasks.sql.output.first_row.z", 'no member "z"'),
        ("tasks.sql.notebook_path", "not a notebook task"),
        ("workspace.name", "no member"),
        ("backfill.week", "no member"),
        ("input.absent", 'no member "absent"'),
    ],
)
def test_a_reference_without_a_value_says_which_and_why(reference: str, why: str) -> None:
    with pytest.raises(UnresolvedReference) as caught:
        resolve("a {{ " + reference + " }} b", SCOPE)
    assert caught.value.reference == "{{ " + reference + " }}"
    assert reference in str(caught.value)
    assert why in str(caught.value)


def test_facts_that_this_run_does_not_have() -> None:
    bare = Scope(job_id="1", job_name="j", run_id="2", start_ms=0, trigger_ms=0)
    for reference in ("backfill.day", "input", "task.name", "run_id"):
        with pytest.raises(UnresolvedReference):
            resolve("{{" + reference + "}}", bare)


def test_operands_keep_their_type_only_when_they_are_one_reference() -> None:
    assert resolve_operand(" {{tasks.up.values.n}} ", SCOPE) == 1
    assert resolve_operand("{{tasks.up.values.l}}", SCOPE) == [1, "ä"]
    assert resolve_operand("n={{tasks.up.values.n}}", SCOPE) == "n=1"
    assert resolve_operand("{{foo}}", SCOPE) == "{{foo}}"


def test_parameters_are_resolved_before_tasks_see_them() -> None:
    defaults = [{"name": "b", "default": "{{job.trigger.time.iso_date}}"}, {"name": "a", "default": "1"}, {"name": "c"}]
    bare = replace(SCOPE, task_key=None, parameters={})
    assert effective_parameters(defaults, {"a": 2, "extra": "{{job.id}}"}, bare) == {
        "a": "2",
        "b": "2026-05-23",
        "c": "",
        "extra": "11",
    }


@pytest.mark.parametrize(
    ("kind", "member", "reached"),
    [
        ("notebook_task", "base_parameters", True),
        ("sql_task", "parameters", True),
        ("run_job_task", "job_parameters", True),
        ("python_wheel_task", "named_parameters", True),
        ("spark_python_task", "parameters", False),
        ("python_wheel_task", "parameters", False),
        ("spark_jar_task", "parameters", False),
    ],
)
def test_pushdown(kind: str, member: str, reached: bool) -> None:
    own: Any = {"day": "own", "x": "1"} if reached else ["day"]
    done = effective_task({kind: {member: own}}, SCOPE)
    assert done[kind][member] == ({"day": "2026-05-23", "x": "1", "a.b": "dotted", "input": "in"} if reached else own)


def test_pushdown_gives_a_wheel_without_parameters_nothing_and_resolves_nothing_twice() -> None:
    assert effective_task({"python_wheel_task": {"package_name": "p"}}, SCOPE) == {
        "python_wheel_task": {"package_name": "p"}
    }
    scope = replace(SCOPE, parameters={"p": "{{job.id}}"})
    done = effective_task({"notebook_task": {"notebook_path": "n", "base_parameters": {"q": "{{job.id}}"}}}, scope)
    assert done["notebook_task"]["base_parameters"] == {"p": "{{job.id}}", "q": "11"}


def test_references_count_only_in_their_places() -> None:
    task = {
        "task_key": "{{job.id}}",
        "description": "{{job.nonsense}}",
        "notebook_task": {"notebook_path": "{{job.name}}/n", "source": "{{job.nonsense}}"},
        "shell_task": {"command": "echo {{job.nonsense}}", "working_directory": "{{job.name}}"},
        "for_each_task": {"inputs": "{{tasks.up.values.l}}", "task": {"shell_task": {"command": ["{{input}}"]}}},
    }
    bare = replace(SCOPE, parameters={})
    done = effective_task(task, bare)
    assert done["task_key"] == "{{job.id}}"
    assert done["notebook_task"]["notebook_path"] == "nightly/n"
    assert done["shell_task"] == {"command": "echo {{job.nonsense}}", "working_directory": "nightly"}
    assert done["for_each_task"]["inputs"] == '[1,"ä"]'
    assert done["for_each_task"]["task"] == task["for_each_task"]["task"]  # type: ignore[index]


def test_overrides_of_run_now() -> None:
    notebook = {"notebook_task": {"base_parameters": {"a": "1", "b": "2"}}}
    assert override_task(notebook, {"notebook_params": {"b": "3"}})["notebook_task"]["base_parameters"] == {
        "a": "1",
        "b": "3",
    }
    script = {"spark_python_task": {"parameters": ["x"]}}
    assert override_task(script, {"python_params": []})["spark_python_task"]["parameters"] == []
    assert override_task(script, {"notebook_params": {"b": "3"}}) == script


def test_check_at_create_names_every_place() -> None:
    settings = {
        "parameters": [{"name": "p", "default": "{{job.nope}}"}],
        "tasks": [
            {"task_key": "a", "notebook_task": {"notebook_path": "n", "base_parameters": {"k": "{{tasks.b.nope}}"}}},
            {"task_key": "b", "spark_python_task": {"python_file": "f", "parameters": ["{{input}}", "{{foo.bar}}"]}},
            {"task_key": "c", "for_each_task": {"inputs": "[]", "task": {"shell_task": {"command": ["{{input.x}}"]}}}},
            {"task_key": "d", "shell_task": {"command": "echo {{job.id}}"}},
            {"task_key": "e", "shell_task": {"command": ["echo", "{{job.id}}"]}},
        ],
    }
    messages = check_references(settings)
    assert [message.split(":")[0] for message in messages] == [
        'job parameter "p"',
        'task "a", notebook_task.base_parameters',
        'task "b", spark_python_task.parameters',
        'task "d"',
    ]
    assert "$BUNDLECTL_PARAM_<name>" in messages[-1]


def test_parameters_that_collide_in_the_environment_matter_only_to_a_shell_task() -> None:
    parameters = [{"name": "a.b", "default": ""}, {"name": "a-b", "default": ""}]
    shell = {"task_key": "s", "shell_task": {"command": ["true"]}}
    (message,) = check_references({"parameters": parameters, "tasks": [shell]})
    assert '"a.b" and "a-b"' in message and "$BUNDLECTL_PARAM_a_b" in message
    assert check_references({"parameters": parameters, "tasks": [{"task_key": "x"}]}) == []


def test_variable_names() -> None:
    assert parameter_variable("a.b-c_1Ä") == "BUNDLECTL_PARAM_a_b_c_1_"


@given(st.text(alphabet="{}`[]. \nabjo_-:/\\'\"", max_size=60))
def test_text_without_a_known_reference_never_changes(text: str) -> None:
    if not any(match["path"].split(".")[0] in MEMBERS for match in REFERENCE.finditer(text)):
        assert resolve(text, SCOPE) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9))
def test_a_task_value_is_never_resolved_again(value: Any) -> None:
    scope = replace(SCOPE, tasks={"t": TaskFacts(run_id="1", values={"v": value, "w": "{{job.id}}"})})
    assert resolve_operand("{{tasks.t.values.v}}", scope) == value
    assert resolve("{{tasks.t.values.w}}", scope) == "{{job.id}}"


def test_long_hostile_text_is_read_in_linear_time() -> None:
    for text in ("{{" * 50_000, "{{" + " " * 100_000, "{{job" + ".a" * 50_000, "{{`" * 40_000):
        assert resolve(text, SCOPE) == text
