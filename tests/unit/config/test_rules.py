"""Rules between the tasks of a job: config language 20.4 and rows of the bad-input corpus."""

import pytest

from bundlectl.config.dependency_rules import cycle_text, cycles
from bundlectl.config.rules import RULES, check
from bundlectl.model.diagnostic import Diagnostic
from tests.unit.config.ruling import NOTEBOOK, after, checked, job, jobs_of, only, task, tasks
from tests.unit.config.shaping import E, P, W, at


def test_a_good_job_has_no_finding() -> None:
    text = job(
        "schedule: {quartz_cron_expression: '0 0 6 * * ?', timezone_id: Europe/Madrid}\n"
        "job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 1}}]\n"
        "environments: [{environment_key: e}]\n"
        "tasks:\n"
        "  - {task_key: a, job_cluster_key: c, spark_python_task: {python_file: a.py}}\n"
        "  - {task_key: b, environment_key: e, python_wheel_task: {package_name: p, entry_point: e},\n"
        "     depends_on: [{task_key: a}]}\n"
        "  - {task_key: c, condition_task: {op: EQUAL_TO, left: '1', right: '1'}, depends_on: [{task_key: b}]}\n"
        "  - {task_key: d, notebook_task: {notebook_path: n}, depends_on: [{task_key: c, outcome: 'true'}]}\n"
        "  - {task_key: e, for_each_task: {inputs: '[1]', task: {task_key: i, notebook_task: {notebook_path: n}}}}\n"
        "  - {task_key: f, shell_task: {command: [echo, '{{job.id}}'], working_directory: src}}"
    )
    for backend in ("local", "databricks", "airflow"):
        assert checked(text, backend=backend) == []


@pytest.mark.parametrize("body", ["tasks: []", "tasks:", "name: x"])
def test_a_job_without_tasks(body: str) -> None:
    item = only(checked(job(body)))
    assert (item.code, item.severity, item.summary) == ("BND250", P, 'job "etl" has no tasks')
    assert at(item) == "3:5" and item.path == "resources.jobs.etl"


def test_a_task_without_a_type_and_with_two() -> None:
    none = only(checked(tasks("task_key: a")))
    assert (none.code, none.severity, none.summary) == ("BND251", P, 'task "a" does nothing: no task type')
    assert at(none) == "5:11" and none.path == "resources.jobs.etl.tasks[task_key='a']"
    two = only(checked(tasks(task("a", f"{NOTEBOOK}, sql_task: {{}}"))))
    assert (two.code, two.severity) == ("BND252", P)
    assert two.summary == "a task has one type, found notebook_task and sql_task"
    assert at(two) == "5:25 5:60"


def test_a_task_type_of_a_newer_language_counts() -> None:
    assert checked(tasks("task_key: a, future_task: {}")) == []


def test_an_unknown_dependency() -> None:
    item = only(checked(tasks(task("load"), after("report", "lod"))))
    assert (item.code, item.severity, item.summary) == ("BND231", E, 'no task "lod" in job "etl"')
    assert item.detail == 'did you mean "load"?'
    assert item.path == "resources.jobs.etl.tasks[task_key='report'].depends_on[0].task_key"
    assert read_span(item) == "lod"


def read_span(item: Diagnostic) -> str:
    """The characters that a finding points at, in the text of `tasks`."""
    line = f"        - {{{after('report', 'lod')}}}"
    return line[item.spans[0].column - 1 : item.spans[0].end_column - 1]


def test_a_dependency_on_itself_and_twice() -> None:
    own = only(checked(tasks(after("a", "a"))))
    assert (own.code, own.severity, own.summary) == ("BND254", E, 'task "a" depends on itself')
    twice = only(checked(tasks(task("a"), after("b", "a", "a"))))
    assert (twice.code, twice.severity) == ("BND255", W)
    assert len(twice.spans) == 2


def test_a_cycle_is_shown_with_its_path_and_every_edge() -> None:
    item = only(checked(tasks(after("b", "a"), after("a", "b"), after("c", "a"))))
    assert (item.code, item.severity, item.summary) == ("BND254", E, "cycle: a -> b -> a")
    assert len(item.spans) == 2


def test_the_shortest_cycle_is_shown_and_every_separate_one() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"d", "a"}, "d": {"c"}, "x": {"y"}, "y": {"x"}}
    assert sorted(cycles(graph)) == [["a", "b", "c", "a"], ["c", "d", "c"], ["x", "y", "x"]]
    assert list(cycles({"a": {"a"}})) == [["a", "a"]]
    assert list(cycles({"a": {"b", "c"}, "b": {"c"}})) == []


def test_a_long_cycle_is_shortened_in_the_middle() -> None:
    names = [f"t{number:02}" for number in range(50)]
    edges = [after(name, names[(number + 1) % 50]) for number, name in enumerate(names)]
    item = only(checked(tasks(*edges)))
    assert item.summary.startswith("cycle: t00 -> t01 -> ") and item.summary.endswith(" -> t49 -> t00")
    assert "... 39 more ..." in item.summary and len(item.spans) == 50
    assert cycle_text(["a", "b", "a"]) == "a -> b -> a"


@pytest.mark.parametrize(
    ("outcome", "kind", "summary"),
    [
        ("'yes'", "condition_task: {op: EQUAL_TO, left: a, right: b}", 'outcome is "true" or "false", found "yes"'),
        ("'true'", NOTEBOOK, 'outcome needs a condition task, and "c" is none'),
    ],
)
def test_outcomes(outcome: str, kind: str, summary: str) -> None:
    text = tasks(task("c", kind), task("d", f"{NOTEBOOK}, depends_on: [{{task_key: c, outcome: {outcome}}}]"))
    item = only(checked(text))
    assert (item.code, item.severity, item.summary) == ("BND256", P, summary)


@pytest.mark.parametrize(
    ("field", "list_name", "what"),
    [
        ("job_cluster_key", "job_clusters", "job cluster"),
        ("environment_key", "environments", "environment"),
        ("environment_variables_key", "environment_variables", "set of environment variables"),
    ],
)
def test_keys_that_the_job_does_not_define(field: str, list_name: str, what: str) -> None:
    text = job(f"{list_name}: [{{{field}: main}}]\ntasks: [{{task_key: a, {field}: mian, {NOTEBOOK}}}]")
    item = only(checked(text))
    assert (item.code, item.severity, item.summary) == ("BND257", P, f'no {what} "mian" in job "etl"')
    assert item.detail == 'did you mean "main"?'
    inner = f"for_each_task: {{inputs: '[]', task: {{task_key: i, {field}: x, {NOTEBOOK}}}}}"
    item = only(checked(tasks(task("a", inner))))
    assert item.path == f"resources.jobs.etl.tasks[task_key='a'].for_each_task.task.{field}"
    assert checked(job(f"{list_name}: '${{var.l}}'\ntasks: [{{task_key: a, {field}: x, {NOTEBOOK}}}]")) == []


def test_several_clusters() -> None:
    item = only(checked(tasks(task("a", f"{NOTEBOOK}, existing_cluster_id: x, new_cluster: {{num_workers: 1}}"))))
    assert (item.code, item.severity) == ("BND259", P)
    assert len(item.spans) == 2


def test_compute_is_needed_on_a_workspace_only() -> None:
    text = tasks(task("a", "spark_python_task: {python_file: a.py}"))
    item = only(checked(text, backend="databricks"))
    assert (item.code, item.severity) == ("BND258", E)
    assert item.summary == 'task "a" has no compute for its spark_python_task'
    assert checked(text, backend="local") == [] and checked(text, backend="airflow") == []
    inner = "for_each_task: {inputs: '[]', task: {task_key: i, dbt_task: {commands: [dbt run]}}}"
    assert only(checked(tasks(task("a", inner)), backend="databricks")).code == "BND258"


@pytest.mark.parametrize(
    ("more", "inner", "summary"),
    [
        (
            "",
            "for_each_task: {inputs: '[]', task: {task_key: j, " + NOTEBOOK + "}}",
            "a for_each_task cannot be inside",
        ),
        ("max_retries: 1,", NOTEBOOK, "max_retries belongs on the inner task"),
        ("retry_on_timeout: true,", NOTEBOOK, "retry_on_timeout belongs on the inner task"),
        ("", f"{NOTEBOOK}, depends_on: [{{task_key: a}}]", "the inner task of a for_each_task has no depends_on"),
    ],
)
def test_loops(more: str, inner: str, summary: str) -> None:
    item = only(checked(tasks(task("a", f"{more} for_each_task: {{inputs: '[]', task: {{task_key: i, {inner}}}}}"))))
    assert (item.code, item.severity) == ("BND260", P)
    assert item.summary.startswith(summary)


def test_keys_that_differ_by_case() -> None:
    item = only(checked(tasks(task("Load"), task("load"))))
    assert (item.code, item.severity) == ("BND263", W)
    assert item.summary.startswith("task keys differ only by case") and len(item.spans) == 2


CLUSTERS = [
    ("num_workers: 0", True),
    ("num_workers: 1", False),
    ("autoscale: {min_workers: 0, max_workers: 2}", False),
    ("num_workers: 0, is_single_node: true", False),
    ("num_workers: 0, policy_id: p", False),
    ("num_workers: 0, spark_conf: {spark.master: 'local[*]'}", True),
    (
        "num_workers: 0, custom_tags: {ResourceClass: SingleNode}, spark_conf: "
        "{spark.master: 'local[*]', spark.databricks.cluster.profile: singleNode}",
        False,
    ),
    ("num_workers: 0, spark_conf: '${var.c}'", False),
]


@pytest.mark.parametrize(("cluster", "warned"), CLUSTERS)
def test_clusters_without_workers(cluster: str, warned: bool) -> None:
    own = checked(tasks(task("a", f"{NOTEBOOK}, new_cluster: {{{cluster}}}")))
    shared = checked(
        job(f"job_clusters: [{{job_cluster_key: c, new_cluster: {{{cluster}}}}}]\ntasks: [{{{task('a')}}}]")
    )
    for findings in (own, shared):
        assert [(item.code, item.severity) for item in findings] == ([("BND264", W)] if warned else [])


def test_shell_commands() -> None:
    text = only(checked(tasks(task("a", "shell_task: {command: 'echo {{job.id}}'}"))))
    assert (text.code, text.severity) == ("BND247", E)
    assert text.hint is not None and "$BUNDLECTL_PARAM_" in text.hint
    for folder in ("/tmp", "../x", "a/../../b"):
        item = only(checked(tasks(task("a", f"shell_task: {{command: ls, working_directory: {folder}}}"))))
        assert (item.code, item.severity) == ("BND284", E)
    assert checked(tasks(task("a", "shell_task: {command: ls, working_directory: a..b/c}"))) == []


def test_what_is_not_resolved_is_not_judged() -> None:
    text = job(
        "tasks:\n  - '${var.task}'\n  - {task_key: '${var.k}', notebook_task: {notebook_path: n}}\n"
        "  - {task_key: b, notebook_task: '${var.n}', depends_on: [{task_key: unknown}, {task_key: '${var.k}'}]}"
    )
    assert checked(text) == []


def test_broken_shapes_do_not_break_rules() -> None:
    for body in ("tasks: 5", "tasks: [5, null]", "tasks: [{task_key: 5, depends_on: [null, 7]}]", "schedule: 7"):
        jobs, _ = jobs_of(job(body))
        check(jobs, backend="databricks", all_keys=jobs, other_edges={})


def test_every_rule_says_what_it_holds_to() -> None:
    assert all(rule.__doc__ for rule in RULES)
    assert len(set(RULES)) == len(RULES)
