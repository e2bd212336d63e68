"""Unknown fields, nulls, positions and paths of findings, and what is shared: config language 3.4, 3.5."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.config.node import Node, Note, from_plain, plain
from bundlectl.config.structure import has_reference, is_reference, job_fields, shape
from bundlectl.model.job import TASK_TYPES
from tests.unit.config.shaping import E, P, Shaped, W, at, in_job, in_task, only, read, shaped


def test_a_text_from_outside_is_named_with_its_origin() -> None:
    node = from_plain({"resources": {"jobs": {"etl": {}}}})
    job = node.value["resources"].value["jobs"].value["etl"]
    job.value["max_concurrent_runs"] = Node("abc", job.span, note=Note(origin="BUNDLE_VAR_n"))
    _, findings = shape(node, part="resolved", allow_unknown_fields=False)
    assert [item.summary for item in findings] == ['"abc" is not an integer (from BUNDLE_VAR_n)']


def test_kinds_are_checked_at_every_level() -> None:
    text = (
        "bundle: text\ninclude: a\nvariables: [1]\ntargets: {dev: [1]}\nresources: {jobs: {x: 1, y: {tasks: {a: 1}}}}\n"
    )
    assert shaped(text).brief == [
        ("BND203", "expected a map, found text"),
        ("BND203", "expected a list, found text"),
        ("BND203", "expected a map, found a list"),
        ("BND203", "expected a map, found a list"),
        ("BND203", "expected a map, found an integer"),
        ("BND203", "expected a list, found a map"),
    ]
    assert only(Shaped(None, shape(from_plain([1]), part="file", allow_unknown_fields=False)[1])).code == "BND203"


def test_null_for_a_scalar_is_dropped_and_for_a_container_kept() -> None:
    result = shaped(in_job("name:\ntags: {a: , b: x}\ntasks:\nqueue:"))
    assert result.value["resources"]["jobs"]["etl"] == {"tags": {"b": "x"}, "tasks": None, "queue": None}
    assert [(item.code, item.severity, item.summary) for item in result.findings] == [
        ("BND202", W, "expected text, found null")
    ] * 2
    assert at(result.findings[0]) == "4:7"  # at the key
    presets = shaped("presets: {name_prefix: }")
    assert presets.value == {"presets": {}} and only(presets).code == "BND202"


def test_null_for_a_required_field_is_missing_not_dropped() -> None:
    text = in_job("tasks:\n  - task_key:\n    spark_python_task: {python_file: a.py}")
    assert shaped(text).findings == []
    item = only(shaped(text, part="resolved"))
    assert (item.code, item.severity, item.summary) == ("BND205", P, 'required field "task_key" is not set')
    assert at(item) == "5:11"


def test_an_unknown_field_of_a_task_is_an_error_with_the_nearest_name() -> None:
    item = only(shaped(in_task("max_retrys: 3")))
    assert (item.code, item.severity) == ("BND204", E)
    assert item.summary == 'unknown field "max_retrys" in a task'
    assert item.detail == 'did you mean "max_retries"?'
    assert item.hint is not None and "--allow-unknown-fields" in item.hint
    assert item.path == "resources.jobs.etl.tasks[task_key='a'].max_retrys"
    assert at(item) == "6:11" and item.spans[0].end_column == 21


UNKNOWN = [
    (in_task("max_retry: 2"), 'unknown field "max_retry" in a task', 'did you mean "max_retries"?'),
    (in_task("bash_task: {}"), 'unknown field "bash_task" in a task', 'did you mean "shell_task"?'),
    (in_task("python_task: {}"), 'unknown field "python_task" in a task', 'did you mean "spark_python_task"?'),
    (
        in_task("max_concurrent_runs: 1"),
        'unknown field "max_concurrent_runs" in a task',
        '"max_concurrent_runs" is a field of a job',
    ),
    (in_task("zzz: 1"), 'unknown field "zzz" in a task', None),
    (in_job("scedule: {}"), 'unknown field "scedule" in a job', 'did you mean "schedule"?'),
    (in_job("bundlectl: {retention: 1d}"), 'unknown field "retention" in the bundlectl settings of a job', None),
    ("bundlectl: {protct: true}", 'unknown field "protct" in bundlectl', 'did you mean "protect"?'),
    ("targets: {p: {bundlectl: {stat: {}}}}", 'unknown field "stat" in bundlectl', 'did you mean "state"?'),
    (
        "targets: {p: {resources: {jobs: {x: {tsks: []}}}}}",
        'unknown field "tsks" in a job',
        'did you mean "tasks"?',
    ),
]


@pytest.mark.parametrize(("text", "summary", "detail"), UNKNOWN)
def test_unknown_fields_where_they_are_errors(text: str, summary: str, detail: str | None) -> None:
    item = only(shaped(text))
    assert (item.code, item.severity, item.summary, item.detail) == ("BND204", E, summary, detail)


def test_unknown_fields_elsewhere_are_dropped_with_a_warning() -> None:
    result = shaped("resorces: {}\nbundle: {nme: x, name: b}\nresources: {pipelines: {p: {any: 1}}, pipelins: {}}\n")
    assert [(item.code, item.severity, item.summary, item.detail) for item in result.findings] == [
        ("BND201", W, 'unknown field "resorces"', 'did you mean "resources"?'),
        ("BND201", W, 'unknown field "nme" in bundle', 'did you mean "name"?'),
        ("BND201", W, 'unknown field "pipelins" in resources', 'did you mean "pipelines"?'),
    ]
    assert result.value == {"bundle": {"name": "b"}, "resources": {"pipelines": {"p": {"any": 1}}}}
    assert [item.path for item in result.findings] == ["resorces", "bundle.nme", "resources.pipelins"]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("defs: {c: &c {n: 1}}", False),
        ("defs: &d {n: 1}", False),
        ("defs: [&a {n: 1}, &b {n: 2}]", False),
        ("defs: [&a {n: 1}, {n: 2}]", True),
        ("defs: {}", True),
        ("defs: 1", True),
    ],
)
def test_an_unknown_field_that_only_holds_anchors_is_silent(text: str, warned: bool) -> None:
    result = shaped(text)
    assert result.value == {} and bool(result.findings) is warned


def test_an_anchor_does_not_excuse_an_unknown_field_of_a_job() -> None:
    assert only(shaped(in_job("defs: &d {n: 1}"))).code == "BND204"


def test_allowed_unknown_fields_of_a_job_pass_untouched() -> None:
    text = in_task("new_thing: {any: [1, null], x: yes}")
    result = shaped(text, allow=True)
    assert result.findings == []
    assert result.value["resources"]["jobs"]["etl"]["tasks"][0]["new_thing"] == {"any": [1, None], "x": "yes"}
    assert shaped("bundlectl: {new: 1}", allow=True).findings[0].code == "BND204"
    assert shaped(in_job("bundlectl: {new: 1}"), allow=True).findings[0].code == "BND204"
    assert shaped("new: 1", allow=True).findings[0].code == "BND201"


def test_fields_that_the_tool_sets() -> None:
    result = shaped("bundle: {name: b, target: x, git: {commit: abc, branch: main}}")
    assert [(item.code, item.severity) for item in result.findings] == [("BND218", W)] * 2
    assert result.value == {"bundle": {"name": "b", "git": {"branch": "main"}}}
    assert shaped("bundle: {name: b, target: x}", part="resolved").findings == []
    item = only(shaped(in_job("deployment: {deployment_id: x, kind: BUNDLE}")))
    assert (item.code, item.severity) == ("BND218", E)
    assert only(shaped("experimental: {pydabs: {enabled: true}}")).code == "BND294"


def test_a_key_twice_in_a_list_that_is_not_merged_by_key() -> None:
    text = in_job("environments:\n  - environment_key: e\n  - environment_key: f\n  - environment_key: e")
    assert shaped(text).findings == []
    item = only(shaped(text, part="resolved"))
    assert (item.code, item.severity, item.summary) == ("BND228", P, 'environment "e" is defined twice')
    assert at(item) == "7:28 5:28" and item.path == "resources.jobs.etl.environments[environment_key='e']"
    variables = "environment_variables: [{environment_variables_key: e}, {environment_variables_key: e}]"
    assert only(shaped(in_job(variables), part="resolved")).code == "BND228"


def test_every_finding_is_shown_and_none_hides_another() -> None:
    text = in_job(
        "nme: x\ntimeout_seconds: 5m\ntasks:\n  - task_key: a\n    max_retrys: 1\n    disabled: maybe\n"
        "    depends_on: x\n"
        "  - task_key: b\n    max_retrys: 1"
    )
    assert [item.code for item in shaped(text).findings] == [
        "BND204",
        "BND209",
        "BND204",
        "BND203",
        "BND203",
        "BND204",
    ]


def test_one_job_can_be_checked_by_itself() -> None:
    node = read("name: ''\ntasks: [{notebook_task: {}}]\n")
    _, findings = shape(node, part="job", allow_unknown_fields=False, at=("resources", "jobs", "a.b"))
    assert [(item.code, item.path) for item in findings] == [
        ("BND211", "resources.jobs['a.b'].name"),
        ("BND205", "resources.jobs['a.b'].tasks[0].notebook_task.notebook_path"),
        ("BND205", "resources.jobs['a.b'].tasks[0].task_key"),
    ]


def test_a_tree_without_changes_is_returned_as_it_is() -> None:
    node = read(in_task("max_retries: 2\nlibraries: [{pypi: {package: x}}]\nenvironment_key: ${var.e}"))
    kept, findings = shape(node, part="file", allow_unknown_fields=False)
    assert kept is node and findings == []


def test_other_nodes_are_shared_when_one_changes() -> None:
    node = read(in_job("name: 5\ntasks: [{task_key: a}]"))
    kept, _ = shape(node, part="file", allow_unknown_fields=False)
    old, new = (tree.value["resources"].value["jobs"].value["etl"].value for tree in (node, kept))
    assert new["name"].value == "5" and new["name"].span == old["name"].span
    assert new["tasks"] is old["tasks"] and plain(node)["resources"]["jobs"]["etl"]["name"] == 5


REFERENCES = [
    ("${var.foo}", True, True),
    ("${var.foo} suffix", True, False),
    ("${foo.bar.baz[0][1].qux}", True, True),
    ("${hello-world.a__b}", True, True),
    ("${helloworld.9world}", False, False),
    ("${a..b}", False, False),
    ("${0a.b}", False, False),
    ("${a-.b}", False, False),
    ("${}", False, False),
    ("${a.b", False, False),
    ("$${a.b}", True, False),
    ("${ä.ß}", True, True),
    ("${\u2160.a}", False, False),  # a Roman numeral is no letter
    ("{{a.b}}", False, False),
]


@pytest.mark.parametrize(("text", "somewhere", "whole"), REFERENCES)
def test_what_a_reference_is(text: str, somewhere: bool, whole: bool) -> None:
    assert (has_reference(text), is_reference(text)) == (somewhere, whole)


def test_every_task_type_is_a_known_field() -> None:
    assert {"tasks", "schedule", "bundlectl"} <= job_fields()
    for kind in TASK_TYPES:
        codes = [item.code for item in shaped(in_task(f"{kind}: {{}}")).findings]
        assert codes == [], kind


NAMES = [
    *("bundle", "name", "resources", "jobs", "x", "tasks", "task_key", "depends_on", "schedule", "targets"),
    *("variables", "bundlectl", "backend", "kind", "notebook_task", "notebook_path", "for_each_task", "task"),
    *("libraries", "pypi", "tags", "new_cluster", "num_workers", "nope", "trigger"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["${var.a}", "yes", "5m", "PAUSED"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(value=st.dictionaries(st.sampled_from(["bundle", "resources", "targets", "bundlectl", "x"]), JSON, max_size=4))
def test_any_tree_gets_findings_and_the_result_has_no_more_of_them(value: dict[str, Any]) -> None:
    first, findings = shape(from_plain(value), part="file", allow_unknown_fields=False)
    assert all(item.summary and item.spans for item in findings)
    again, more = shape(first, part="file", allow_unknown_fields=False)
    assert again is first and more == []
    shape(first, part="resolved", allow_unknown_fields=True)


@given(value=st.fixed_dictionaries({"resources": st.fixed_dictionaries({"jobs": st.dictionaries(st.just("x"), JSON)})}))
def test_any_job_gets_findings(value: dict[str, Any]) -> None:
    kept, _ = shape(from_plain(value), part="file", allow_unknown_fields=True)
    assert "resources" in plain(kept)


def test_the_module_itself_brings_no_pydantic() -> None:
    """An unchanged plan imports config.structure without the models."""
    import subprocess

    code = "import sys, bundlectl.config.structure, bundlectl.config.rules; print('pydantic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
