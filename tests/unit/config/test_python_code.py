"""Stage 13 (config language 15) without a process: what functions are given, what becomes of any answer they give."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from bundlectl.config.request import DEFAULT_LIMITS, Loaded, PythonAnswer, PythonCall
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.source import Revision
from tests.unit.config.bundles import codes, found, loaded

CODE = "def jobs():\n    return 1\n\n\ndef change(job):\n    return job\n"
TASK = {"task_key": "t", "spark_python_task": {"python_file": "src/a.py"}}
YAML = """\
bundle: {{name: b}}
variables: {{n: {{default: 7}}}}
presets: {{name_prefix: "p ", tags: {{team: data}}}}
run_as: {{user_name: runner}}
permissions: [{{level: CAN_VIEW, group_name: g}}]
python:
  {python}
resources:
  jobs:
    own:
      name: own
      description: ""
      bundlectl: {{pause: operator}}
      parameters: []
      tasks:
        - {{task_key: a, shell_task: {{command: x}}, on_lost: retry}}
        - {{task_key: b, depends_on: [{{task_key: a}}], spark_python_task: {{python_file: ../src/a.py}}}}
"""
Change = Callable[[dict[str, Any]], None]


class Process:
    """Stands for the process: keeps what it is given and answers with a changed copy."""

    def __init__(self, change: Change = lambda configuration: None, **more: Any) -> None:
        self.calls: list[PythonCall] = []
        self._change = change
        self._more = more

    def __call__(self, call: PythonCall) -> PythonAnswer:
        self.calls.append(call)
        configuration = deepcopy(dict(call.configuration))
        self._change(configuration)
        answer = {"code": 0, "output": json.dumps(configuration).encode(), "diagnostics": b"", "locations": b""}
        return PythonAnswer(**{**answer, **self._more})


def _loaded(process: Process | None, python: str = "resources: ['code:jobs']", **more: Any) -> Loaded:
    files = {"etl/databricks.yml": "bundle: {name: b}\ninclude: [conf/*.yml]\nsync: {paths: [.., .]}\n"}
    text = YAML.format(python=python).replace("bundle: {name: b}\n", "")
    contents = {**files, "etl/conf/all.yml": text, "etl/code.py": CODE, "etl/src/a.py": "", "shared/x.py": ""}
    return loaded(contents, start="etl", python=process, **more)


def _job(result: Loaded, key: str) -> Mapping[str, Any]:
    assert result.document is not None
    job: Mapping[str, Any] = result.document["resources"]["jobs"][key]
    return job


def _line(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


def _adds(key: str, job: Any, kind: str = "jobs") -> Change:
    return lambda configuration: configuration["resources"].setdefault(kind, {}).update({key: job})


def _errors(result: Loaded) -> list[Diagnostic]:
    return [finding for finding in result.diagnostics if finding.severity is Severity.ERROR]


def test_without_permission_nothing_is_run_and_it_is_said() -> None:
    result = _loaded(None)
    (finding,) = found(result, "BND295")
    assert finding.severity is Severity.WARNING
    assert (finding.path, str(finding.spans[0])) == ("python", "etl/conf/all.yml:5:1")
    assert finding.hint is not None and "--allow python" in finding.hint
    assert result.bundle is not None and list(result.bundle.jobs) == ["own"]


def test_a_reference_to_a_job_that_python_would_add_is_no_error_while_it_may_not_run() -> None:
    text = "bundle: {name: b}\npython: {resources: ['m:f']}\nresources: {jobs: {j: {tasks: [{task_key: t, "
    text += "run_job_task: {job_id: '${resources.jobs.made.id}'}}]}}}\n"
    assert codes(loaded(text)) == ["BND295"]
    assert found(loaded(text, python=Process()), "BND248")


@pytest.mark.parametrize("python", ["venv_path: .venv", "resources: []", "{resources: [], mutators: []}"])
def test_a_section_that_names_nothing_runs_nothing(python: str) -> None:
    process = Process()
    assert found(_loaded(None, python), "BND295") == []
    _loaded(process, python)
    assert process.calls == []


def test_functions_are_given_the_whole_configuration_with_types_and_values() -> None:
    process = Process()
    _loaded(process, "{resources: ['code:jobs'], mutators: ['code:change'], venv_path: .venv}")
    assert [call.phase for call in process.calls] == ["load_resources", "apply_mutators"]
    first, second = process.calls
    assert (first.root, first.below, first.venv_path) == ("etl", "", ".venv")
    assert first.configuration["variables"] == {"n": {"default": 7, "value": 7}}
    assert first.configuration["bundle"]["target"] == "default"
    assert first.configuration["python"] == first.configuration["experimental"]["python"]
    given = first.configuration["resources"]["jobs"]["own"]
    assert (given["name"], given["max_concurrent_runs"]) == ("p own", 1)
    assert given["tasks"][1]["spark_python_task"]["python_file"] == "src/a.py"
    # The package knows none of our own fields and would refuse the job.
    bare = second.configuration["resources"]["jobs"]["own"]
    assert "bundlectl" not in bare and list(bare["tasks"][0]) == ["task_key"]


def test_an_added_job_goes_through_what_every_job_goes_through() -> None:
    job = {"name": "made ${var.n}", "tasks": [{**TASK, "max_retries": "2"}], "tags": {"own": 1}}
    place = _line(path="resources.jobs.made", file="code.py", line=2, column=5)
    result = _loaded(Process(_adds("made", job), locations=place))
    assert _errors(result) == []
    made = _job(result, "made")
    assert made["name"] == "p made 7"
    assert made["tags"] == {"own": "1", "team": "data"}
    assert (made["run_as"], made["queue"]) == ({"user_name": "runner"}, {"enabled": True})
    assert made["permissions"][0] == {"level": "CAN_VIEW", "group_name": "g"}
    assert made["permissions"][1]["level"] == "IS_OWNER"
    (task,) = made["tasks"]
    assert task["max_retries"] == 2
    # Relative to the bundle root, not to the file of the function.
    assert task["spark_python_task"]["python_file"].endswith("/files/etl/src/a.py")
    assert str(result.specs["made"].span) == "etl/code.py:2:5"
    assert _job(result, "own")["name"] == "p own"


@pytest.mark.parametrize(
    ("job", "code", "path"),
    [
        ({"tasks": [{**TASK, "max_retry": 1}]}, "BND204", "resources.jobs.made.tasks[task_key='t'].max_retry"),
        ({"tasks": "x"}, "BND203", "resources.jobs.made.tasks"),
        ({"tasks": [{**TASK, "max_retries": "5m"}]}, "BND209", "resources.jobs.made.tasks[task_key='t'].max_retries"),
        ({"name": None, "tasks": [TASK]}, "BND202", "resources.jobs.made.name"),
        ({"existing_cluster_id": 1, "tasks": [TASK]}, "BND204", "resources.jobs.made.existing_cluster_id"),
        ({"tasks": [TASK], "name": "${var.nope}"}, "BND240", "resources.jobs.made.name"),
        (
            {"tasks": [{"task_key": "t", "spark_python_task": {"python_file": "no.py"}}]},
            "BND280",
            "resources.jobs.made.tasks[0].spark_python_task.python_file",
        ),
        (None, "BND219", "resources.jobs.made"),
    ],
)
def test_every_fault_of_an_added_job_is_an_error_at_the_line_that_made_it(job: Any, code: str, path: str) -> None:
    place = _line(path="resources.jobs.made", file="code.py", line=2, column=5)
    result = _loaded(Process(_adds("made", job), locations=place))
    assert result.bundle is None
    assert [(item.code, item.path, str(item.spans[0])) for item in _errors(result)] == [(code, path, "etl/code.py:2:5")]


@pytest.mark.parametrize("key", ["a/b", "", "a b", "${var.n}"])
def test_keys_of_added_jobs_are_checked(key: str) -> None:
    result = _loaded(Process(_adds(key, {"tasks": [TASK]})))
    assert {"BND226", "BND227", "BND247"} & set(codes(result))


def test_a_key_is_unique_over_kinds() -> None:
    (finding,) = _errors(_loaded(Process(_adds("own", {"name": "x"}, "pipelines"))))
    assert finding.code == "BND225"


def test_resources_of_other_kinds_are_printed_and_left_alone() -> None:
    result = _loaded(Process(_adds("p", {"name": "${var.n}"}, "pipelines")))
    assert _errors(result) == []
    assert result.document is not None and result.document["resources"]["pipelines"] == {"p": {"name": 7}}
    assert [item.path for item in found(result, "BND229")] == ["resources.pipelines.p"]


def _delete(configuration: dict[str, Any]) -> None:
    del configuration["resources"]["jobs"]["own"]


def _rename(configuration: dict[str, Any]) -> None:
    configuration["bundle"]["name"] = "other"


def _retag(configuration: dict[str, Any]) -> None:
    configuration["resources"]["jobs"]["own"]["tags"] = {"x": "y"}


@pytest.mark.parametrize(
    ("section", "change", "text", "path"),
    [
        ("resources", _delete, "python deleted jobs.own in phase load_resources", "resources.jobs.own"),
        ("resources", _retag, "python changed jobs.own in phase load_resources", "resources.jobs.own"),
        ("resources", _rename, 'python changed "bundle" in phase load_resources', "bundle"),
        ("mutators", _delete, "python deleted jobs.own in phase apply_mutators", "resources.jobs.own"),
        ("mutators", _rename, 'python changed "bundle" in phase apply_mutators', "bundle"),
        ("mutators", _adds("x", {"tasks": []}), "python added jobs.x in phase apply_mutators", "resources.jobs.x"),
    ],
)
def test_what_a_phase_may_not_change(section: str, change: Change, text: str, path: str) -> None:
    place = _line(path="resources.jobs.x", file="code.py", line=5, column=1)
    result = _loaded(Process(change, locations=place), f"{section}: ['code:change']")
    (finding,) = _errors(result)
    assert (finding.code, finding.path) == ("BND297", path)
    assert finding.summary.startswith(text)
    assert str(finding.spans[0]) == ("etl/code.py:5:1" if path.endswith(".x") else "etl/conf/all.yml:5:1")


def test_a_changed_job_keeps_what_the_package_never_writes() -> None:
    def change(configuration: dict[str, Any]) -> None:
        job = configuration["resources"]["jobs"]["own"]
        del job["parameters"], job["description"]
        job["tasks"].reverse()
        job["tasks"][0]["max_retries"] = 3
        job["permissions"].append({"level": "CAN_MANAGE", "user_name": "tester@x.com"})
        job["tags"] = {"n": "${var.n}"}

    place = _line(path="resources.jobs.own", file="code.py", line=5, column=1)
    result = _loaded(Process(change, locations=place), "mutators: ['code:change']")
    assert _errors(result) == []
    own = _job(result, "own")
    assert own["tags"] == {"n": "7"}
    assert [task["task_key"] for task in own["tasks"]] == ["a", "b"]
    assert own["tasks"][0]["shell_task"] == {"command": "x"} and own["tasks"][0]["on_lost"] == "retry"
    assert own["tasks"][1]["max_retries"] == 3
    assert own["bundlectl"] == {"pause": "operator"}
    levels = {entry.get("user_name") or entry.get("group_name"): entry["level"] for entry in own["permissions"]}
    assert levels == {"g": "CAN_VIEW", "tester@x.com": "IS_OWNER"}
    spans = result.specs["own"].spans
    assert str(spans["tags.n"]) == "etl/code.py:5:1"
    assert str(spans["name"]).startswith("etl/conf/all.yml:10:")


def test_a_mutator_without_effect_changes_nothing() -> None:
    same = _loaded(Process(), "mutators: ['code:change']")
    without = _loaded(None, "mutators: ['code:change']")
    assert same.bundle is not None and without.bundle is not None
    assert same.bundle.jobs == without.bundle.jobs
    assert same.bundle.config_digest == without.bundle.config_digest


TRACE = 'Traceback (most recent call last):\n  File "/w/etl/code.py", line 2, in jobs\nValueError: boom\n'


@pytest.mark.parametrize(
    ("answer", "code", "summary", "place", "detail"),
    [
        (
            {
                "diagnostics": _line(
                    severity="error", summary="Bad", location={"file": "code.py", "line": 5, "column": 2}
                )
            },
            "BND296",
            "python: Bad",
            "etl/code.py:5:2",
            None,
        ),
        (
            {"diagnostics": _line(severity="error", summary="Bad", detail=TRACE), "folder": "/w", "code": 1},
            "BND296",
            "python: Bad",
            "etl/code.py:2:1",
            "ValueError: boom",
        ),
        (
            {"diagnostics": _line(severity="error", summary="Failed to import module 'code'")},
            "BND296",
            "python: Failed to import",
            "etl/conf/all.yml:6:15",
            None,
        ),
        ({"diagnostics": _line(severity="error", location=7, path=[1])}, "BND296", "python: an error", None, None),
        ({"diagnostics": None, "code": 3}, "BND296", "python ended with exit status 3", None, "it wrote nothing"),
        ({"code": 3, "stderr": "a\nlast\n"}, "BND296", "python ended with exit status 3", None, "last"),
        (
            {"code": 1, "diagnostics": None, "stderr": "No module named 'databricks'"},
            "BND296",
            "python ended with",
            None,
            "No module",
        ),
        ({"output": None}, "BND296", "python wrote no result", None, None),
        ({"output": b"{"}, "BND297", "python's result of phase load_resources is not JSON", None, None),
        ({"output": b"[]"}, "BND297", "python's result", None, None),
        ({"output": b'{"resources": []}'.replace(b"[]", b"[1]")}, "BND297", "python's result", None, None),
        ({"output": b'{"resources": {"jobs": 3}}'}, "BND297", "python's result", None, None),
        ({"output": b'{"a": NaN}'}, "BND297", "python's result", None, None),
        ({"output": b'{"a": 99999999999999999999}'}, "BND297", "python's result", None, None),
        ({"output": b'{"a": ' + b"[" * 100_000}, "BND297", "python's result", None, None),
        ({"output": b"\xff"}, "BND297", "python's result", None, None),
        ({"fault": "it hung", "hint": "wait"}, "BND296", "it hung", None, None),
        ({"fault": "no venv", "no_venv": True}, "BND294", "no venv", None, None),
    ],
)
def test_a_process_that_fails_is_an_error_with_its_own_words(
    answer: dict[str, Any], code: str, summary: str, place: str | None, detail: str | None
) -> None:
    result = _loaded(Process(**answer))
    (finding,) = _errors(result)
    assert finding.code == code
    assert finding.summary.startswith(summary)
    assert str(finding.spans[0]) == (place or "etl/conf/all.yml:5:1")
    assert detail is None or (finding.detail or "").startswith(detail)
    assert result.bundle is None


def test_a_missing_package_is_named() -> None:
    for text in (
        "No module named 'databricks'",
        "No module named databricks.bundles",
        "No module named 'databricks.bundles'",
    ):
        (finding,) = _errors(_loaded(Process(code=1, diagnostics=None, stderr=text)))
        assert finding.hint is not None and "databricks-bundles" in finding.hint


def test_a_result_that_is_too_large_is_refused() -> None:
    small = DEFAULT_LIMITS._replace(bundle_bytes=2_000)
    (finding,) = _errors(_loaded(Process(_adds("x", {"name": "n" * 5_000})), limits=small))
    assert (finding.code, "too large" in finding.summary) == ("BND297", True)


def test_a_warning_of_a_function_is_a_warning() -> None:
    line = _line(severity="warning", summary="Careful", detail="why\nmore", path="resources.jobs.own")
    result = _loaded(Process(diagnostics=line + b"not json\n\n"))
    (finding,) = found(result, "BND296")
    assert (finding.severity, finding.summary, finding.detail) == (Severity.WARNING, "python: Careful", "why")
    assert finding.path == "resources.jobs.own"
    assert result.bundle is not None


@pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "gone.py", "", 7, None])
def test_a_place_that_is_not_in_the_tree_is_not_shown(file: Any) -> None:
    line = _line(severity="error", summary="Bad", location={"file": file, "line": -1, "column": "x"})
    (finding,) = _errors(_loaded(Process(diagnostics=line)))
    assert str(finding.spans[0]) == "etl/conf/all.yml:5:1"


def test_code_of_the_working_tree_is_refused_when_a_commit_was_asked_for() -> None:
    place = _line(path="resources.jobs.made", file="/repo/etl/code.py", line=2, column=1)
    process = Process(_adds("made", {"tasks": [TASK]}), locations=place)
    (finding,) = _errors(_loaded(process, top="/repo"))
    assert finding.code == "BND297" and '"etl/code.py" of the working tree' in finding.summary
    on_disk = Revision(commit="1" * 40, tree="t", working_tree=True)
    result = _loaded(process, top="/repo", revision=on_disk)
    assert _errors(result) == []
    assert str(result.specs["made"].span) == "etl/code.py:2:1"


@pytest.mark.parametrize("entry", ["nofunction", "a:b:c", "os;x:y", "", "a.b", ":f", "m:", "../m:f"])
def test_an_entry_that_names_no_function(entry: str) -> None:
    process = Process()
    result = _loaded(process, f"resources: ['{entry}']")
    (finding,) = _errors(result)
    assert (finding.code, finding.path) == ("BND294", "python.resources[0]")
    assert process.calls == []


def test_two_sections_that_differ_and_two_that_agree() -> None:
    text = "bundle: {{name: b}}\npython: {{resources: ['a:b']}}\nexperimental: {{python: {{resources: ['{}']}}}}\n"
    (finding,) = _errors(loaded(text.format("a:c"), python=Process()))
    assert finding.code == "BND294"
    process = Process()
    assert _errors(loaded(text.format("a:b"), python=process)) == []
    assert len(process.calls) == 1


def test_the_old_place_alone_counts_too() -> None:
    process = Process()
    result = loaded("bundle: {name: b}\nexperimental: {python: {resources: ['a:b']}}\n", python=process)
    assert [call.phase for call in process.calls] == ["load_resources"]
    assert result.document is not None and "python" not in result.document
