"""Required fields, choices, ranges and lengths: config language 3.5, 20 and rows of the bad-input corpus."""

import pytest

from bundlectl.model.diagnostic import Severity
from tests.unit.config.shaping import E, P, at, in_job, in_task, only, shaped

MISSING = [
    ("python_wheel_task: {package_name: p}", "entry_point", "6:11", "python_wheel_task.entry_point"),
    ("depends_on: [{outcome: 'true'}]", "task_key", "6:24", "depends_on[0].task_key"),
    ("libraries: [{pypi: {repo: x}}]", "package", "6:24", "libraries[0].pypi.package"),
]


@pytest.mark.parametrize(("line", "field", "place", "path"), MISSING)
def test_missing_required_fields(line: str, field: str, place: str, path: str) -> None:
    assert shaped(in_task(line)).findings == []
    item = only(shaped(in_task(line), part="resolved"))
    assert (item.code, item.severity, item.summary) == ("BND205", P, f'required field "{field}" is not set')
    assert at(item) == place
    assert item.path == f"resources.jobs.etl.tasks[task_key='a'].{path}"


def test_an_empty_task_key_is_none() -> None:
    item = only(shaped(in_job("tasks: [{task_key: '', notebook_task: {notebook_path: n}}]"), part="resolved"))
    assert (item.code, item.path) == ("BND205", "resources.jobs.etl.tasks[0].task_key")


def test_a_missing_bundle_name_is_left_to_its_own_check() -> None:
    assert shaped("bundle: {}", part="resolved").findings == []


LIMITED = [
    (in_task("run_if: ALL_GOOD"), "BND206", P, '"ALL_GOOD" is not one of ALL_DONE, ALL_FAILED, '),
    (in_task("max_retries: -2"), "BND210", P, "max_retries must be -1 .. 5000"),
    (in_task("max_retries: 1000000000"), "BND210", P, "max_retries must be -1 .. 5000"),
    (in_task("timeout_seconds: -1"), "BND210", P, "timeout_seconds must be >= 0"),
    (in_job("max_concurrent_runs: 1001"), "BND210", P, "max_concurrent_runs must be 0 .. 1000"),
    (in_job("name: ''"), "BND211", P, "name is blank"),
    (in_job("name: 'a '"), "BND211", P, "name ends with white space"),
    (in_job(f"name: {'ä' * 2049}"), "BND210", P, "name is longer than 4096 bytes"),
    (
        in_job("tasks: [{task_key: a b, notebook_task: {notebook_path: n}}]"),
        "BND262",
        P,
        'task_key "a b" may hold only',
    ),
    (in_job(f"tasks: [{{task_key: {'a' * 101}}}]"), "BND262", P, "task_key is longer than 100 characters"),
    (in_job("parameters: [{name: a b, default: x}]"), "BND210", P, 'name "a b" may hold only'),
    (in_job(f"tags: {{{', '.join(f't{n}: x' for n in range(26))}}}"), "BND210", P, "26 tags, at most 25"),
    (in_job("trigger: {periodic: {interval: 0, unit: DAYS}}"), "BND269", P, "interval must be >= 1"),
    (in_job("git_source: {git_url: u, git_provider: svn}"), "BND206", P, '"svn" is not one of awsCodeCommit'),
    (in_job("trigger: {}"), "BND269", P, "a trigger needs exactly one of periodic, file_arrival"),
    (in_job("run_as: {}"), "BND270", E, "run_as needs exactly one of user_name, service_principal_name"),
    (in_task("libraries: [{whl: a, jar: b}]"), "BND210", P, "a library needs exactly one of whl, jar"),
    (in_task("libraries: [{}]"), "BND205", P, "a library needs exactly one of whl, jar"),
    (in_task("dbt_task: {commands: []}"), "BND210", P, "commands is empty"),
    (in_task("shell_task: {command: ''}"), "BND210", P, "command is empty"),
    (in_task("shell_task: {command: []}"), "BND210", P, "command is empty"),
    ("permissions: [{level: CAN_FLY, user_name: u}]", "BND271", E, '"CAN_FLY" is not one of CAN_MANAGE, CAN_RUN'),
    ("presets: {trigger_pause_status: ON}", "BND277", E, '"ON" is not one of PAUSED, UNPAUSED'),
    ("bundlectl: {retention: 0s}", "BND203", E, '"0s" is not a duration (30m, 12h, 7d)'),
    ("bundlectl: {retention: 1y1}", "BND203", E, '"1y1" is not a duration (30m, 12h, 7d)'),
    ("bundlectl: {code: zip}", "BND206", P, '"zip" is not one of git_source, in_place, snapshot'),
    (
        in_job("continuous: {maintenance_window: {start_hour: 25, day_of_week: MONDAY, timezone_id: UTC}}"),
        "BND269",
        P,
        "start_hour must be 0-23",
    ),
]


@pytest.mark.parametrize(("text", "code", "severity", "summary"), LIMITED)
def test_limits_of_fields(text: str, code: str, severity: Severity, summary: str) -> None:
    item = only(shaped(text, part="resolved"))
    assert (item.code, item.severity) == (code, severity)
    assert item.summary.startswith(summary)


def test_errors_are_said_when_the_file_is_read_and_plan_errors_later() -> None:
    for text, code, severity, _ in LIMITED:
        early = [item.code for item in shaped(text).findings]
        assert early == ([code] if severity is E and code != "BND270" else []), text
    assert only(shaped("targets: {x: {mode: prod}}")).code == "BND223"


def test_what_keeps_its_limits() -> None:
    for text in (
        in_task("run_if: ${var.r}"),
        in_task("run_if: ALL_${var.r}"),
        in_task("max_retries: -1"),
        in_task("timeout_seconds: 0"),
        in_job("name: ${var.n}"),
        in_job("git_source: {git_url: u, git_provider: GITHUB}"),
        in_job("tasks: [{task_key: '${var.k}'}]"),
        in_job("trigger: ${var.t}"),
        "bundlectl: {retention: 30d, backend: local, promotion: {from: [dev], min_age: 1h}}",
        "bundlectl: {backend: {kind: airflow, queues: {k: q}}, externals: {resources.pipelines.p.id: 1}}",
    ):
        assert shaped(text, part="resolved").findings == [], text


def test_too_many_tasks_are_shown_at_the_first_one_too_many() -> None:
    tasks = "\n".join(f"  - task_key: t{number}" for number in range(1001))
    item = only(shaped(in_job(f"tasks:\n{tasks}"), part="resolved"))
    assert (item.code, item.summary) == ("BND261", "1001 tasks, at most 1000")
    assert at(item) == "1005:11"
