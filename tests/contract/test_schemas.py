"""Published schemas: fresh, valid themselves, accept what the references show, refuse what is misspelt."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.config.node import plain
from bundlectl.config.request import Limits
from bundlectl.config.structure import shape
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.schema.export import KINDS, main, rendered, stale
from tests.contract.examples_of_documents import EXAMPLES

FOLDER = resource_folder("schemas")
DIGEST = "sha256:" + "0" * 64


def schema_of(kind: str) -> Any:
    return json.loads((FOLDER / kind / "v1.json").read_text(encoding="utf-8"))


def valid(kind: str, document: Any) -> bool:
    return bool(jsonschema.Draft7Validator(schema_of(kind)).is_valid(document))


def test_the_files_are_fresh() -> None:
    assert stale(FOLDER) == [], "run: python -m bundlectl.schema.export"


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "plan" / "v1.json").write_text("{}")
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "v1.json").write_text("{}")
    assert stale(tmp_path) == ["left/v1.json", "plan/v1.json"]
    assert main(["--check", "--folder", str(tmp_path)]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_a_schema_with_a_name_and_a_version(kind: str) -> None:
    schema = schema_of(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == f"urn:bundlectl:schema:{kind}:v1" and schema["title"]


def test_schemas_do_not_depend_on_the_order_in_which_they_are_made() -> None:
    assert rendered() == rendered()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_documents_of_the_references_are_accepted(kind: str) -> None:
    for document in EXAMPLES[kind]:
        errors = [error.message for error in jsonschema.Draft7Validator(schema_of(kind)).iter_errors(document)]
        assert errors == []


def test_every_kind_of_document_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS) - {"bundle", "job"}


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of every member of every map of a document."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            yield from members(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from members(item, (*path, index))


def misspelt(document: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(document)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[str(path[-1]) + "x"] = holder.pop(path[-1])
    return changed


# Maps whose keys are free, or whose shape belongs to somebody else.
FREE = (
    "desired",
    "observed",
    "recorded",
    "document",
    "task_overrides",
    "counts",
    "promotion",
    "rollback",
    "hold",
    "holds",
)


@pytest.mark.parametrize("kind", ["plan", "deployment", "run-manifest"])
def test_a_misspelt_member_of_a_kept_document_is_refused(kind: str) -> None:
    tried = 0
    for document in EXAMPLES[kind]:
        for path in members(document):
            inside_free = any(step in FREE for step in path[:-1])
            loose = "diagnostics" in path[:-1] or "repairs" in path[:-1]
            if inside_free or loose:
                continue
            tried += 1
            assert not valid(kind, misspelt(document, path)), path
    assert tried > 40


@pytest.mark.parametrize("kind", [name for name in EXAMPLES if name not in ("plan", "deployment", "run-manifest")])
def test_a_result_without_one_of_its_members_is_refused_and_a_new_member_is_not(kind: str) -> None:
    optional = {
        "error": {"tool_version"},
        "run": {"run"},
        "summary": {"places"},
        "explain": {"value", "recorded", "deployment"},
    }.get(kind, set())
    for document in EXAMPLES[kind]:
        for name in document.keys() - optional:
            if kind == "events" and name in (
                "elapsed_ms",
                "op_id",
                "result_state",
                "outcome",
                "id",
                "run_url",
                "error",
            ):
                continue
            assert not valid(kind, {key: value for key, value in document.items() if key != name}), name
        assert valid(kind, {**document, "added_later": 1})


WRONG = [
    ("plan", ("serial",), "41", ("base",)),
    ("plan", ("digest",), "sha256:77c0", ()),
    ("plan", ("created",), "2026-11-23 10:00", ()),
    ("plan", ("verdict",), "changed", ("changes", 0, "fields", 0)),
    ("plan", ("action",), "none", ("changes", 0)),
    ("plan", ("address",), "jobs.etl", ("changes", 0)),
    ("deployment", ("outcome",), "ok", ()),
    ("deployment", ("parent",), 1, ()),
    ("run-manifest", ("origin",), "cli", ("inputs", "parameters", 0)),
    ("run-manifest", ("state",), "DONE", ("outcome", "tasks", 0, "attempts", 0)),
    ("error", ("exit_code",), 0, ("error",)),
    ("diagnostics", ("severity",), "plan-error", ("diagnostics", 0)),
]


@pytest.mark.parametrize(("kind", "member", "value", "below"), WRONG)
def test_a_wrong_value_is_refused(kind: str, member: tuple[str], value: Any, below: tuple[Any, ...]) -> None:
    document = copy.deepcopy(EXAMPLES[kind][0])
    holder = document
    for step in below:
        holder = holder[step]
    assert member[0] in holder
    holder[member[0]] = value
    assert not valid(kind, document)


BUNDLES = [
    "bundle: {name: b}",
    "bundle: {name: b, git: {branch: main}}\ninclude: ['*.yml']\nsync: {exclude: [a], paths: }",
    "variables: {a: {default: 1}, b: {type: complex, default: {x: [1]}}, c: {lookup: {cluster: x}}, d: }",
    "resources: {jobs: {x: {name: '${var.n}', max_concurrent_runs: '${var.c}', tasks: '${var.t}', queue: }}}",
    "resources: {jobs: {x: {max_concurrent_runs: '5', tags: {a: 1, b: true}}}}",
    "resources: {jobs: {x: {trigger: {periodic: {interval: 1, unit: DAYS}}}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, new_cluster: '${var.c}'}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, libraries: [{pypi: {package: p}}, {whl: ./d/*.whl}]}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, shell_task: {command: [a, b]}}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: b, shell_task: {command: x}}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, for_each_task: {inputs: '[1]', task: {task_key: i}}}]}}}",
    "resources: {pipelines: {p: {any: [1]}}, schemas: {s: {}}}",
    # what a target changes is a part of a job
    "targets: {prod: {resources: {jobs: {x: {tasks: [{task_key: a, max_retries: 1}]}}}}}",
    "targets: {prod: {resources: {jobs: {x: {schedule: {pause_status: PAUSED}}}}}}",
    "targets: {prod: {mode: production, variables: {c: {a: 9}, w: id}}}",
    "targets: {prod: {bundlectl: {backend: {kind: airflow, url: u}, promotion: {from: [dev], min_age: 1h}}}}",
    "bundlectl: {backend: local, retention: 30d, requires: '>=0.1', externals: {resources.pipelines.p.id: 12}}",
    "definitions: {c: &c {num_workers: 1}}",
]
BROKEN = [
    "bundle: {nme: b}",
    "bundle: text",
    "resources: {jobs: {x: {tsks: []}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, max_retry: 1}]}}}",
    "resources: {jobs: {x: {tasks: [{}]}}}",
    "resources: {jobs: {x: {tasks: abc}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, run_if: NEVER}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, max_retries: -2}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a b}]}}}",
    "resources: {jobs: {x: {tasks: [{task_key: a, libraries: [{whl: a, jar: b}]}]}}}",
    "resources: {jobs: {x: {max_concurrent_runs: many}}}",
    "targets: {prod: {resources: {jobs: {x: {tsks: []}}}}}",
    "bundlectl: {protct: true}",
    "bundlectl: {retention: 0s}",
    "permissions: [{level: CAN_FLY, user_name: u}]",
]


def read(text: str) -> Any:
    result = read_yaml(text.encode(), "databricks.yml", Limits())
    assert result.node is not None, result.findings
    return result.node


def findings(text: str) -> list[str]:
    node, found = shape(read(text), part="file", allow_unknown_fields=False)
    if "targets" not in text:  # a target is resolved before required fields count
        found = [*found, *shape(node, part="resolved", allow_unknown_fields=False)[1]]
    return [item.code for item in found]


@pytest.mark.parametrize("text", BUNDLES)
def test_a_bundle_that_loads_fits_the_schema(text: str) -> None:
    assert [code for code in findings(text) if code != "BND201"] == []
    errors = [error.message for error in jsonschema.Draft7Validator(schema_of("bundle")).iter_errors(plain(read(text)))]
    assert errors == []


@pytest.mark.parametrize("text", BROKEN)
def test_a_bundle_with_a_finding_does_not_fit(text: str) -> None:
    assert findings(text) != []
    assert not valid("bundle", plain(read(text)))


def test_templates_fit_the_schema() -> None:
    paths = [path for path in resource_folder("templates").rglob("*.yml") if path.parent.name != "ci"]
    assert paths
    for path in paths:
        node = read(path.read_text(encoding="utf-8"))
        assert valid("bundle", plain(node)), path
        _, found = shape(node, part="file", allow_unknown_fields=False)
        assert found == [], path


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property of a schema, with its path."""
    if isinstance(schema, dict):
        for name, item in schema.get("properties", {}).items():
            yield f"{path}.{name}", item
        for name, item in schema.items():
            yield from properties(item, f"{path}.{name}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from properties(item, f"{path}[{index}]")


def test_every_key_of_a_bundle_has_a_description() -> None:
    named = dict(properties(schema_of("bundle")))
    assert len(named) > 500
    assert [path for path, schema in named.items() if not schema.get("description")] == []


def test_the_schema_of_a_job_is_the_one_inside_the_bundle() -> None:
    bundle, job = schema_of("bundle"), schema_of("job")
    assert bundle["definitions"]["Job"]["properties"] == job["properties"]
    assert bundle["definitions"]["Task"] == job["definitions"]["Task"]
    assert job["additionalProperties"] is False
    assert valid("job", {"name": "x", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "n"}}]})


def test_every_map_inside_a_job_is_closed() -> None:
    open_maps = [
        name
        for name, schema in schema_of("job")["definitions"].items()
        if "properties" in schema and schema.get("additionalProperties") is not False
    ]
    assert open_maps == []
