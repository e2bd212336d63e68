"""The published schema of bundle files and the loader say the same: what one takes the other takes.

Every bundle of the language's tables, every example and template, and a rich bundle mutated at each of its keys. Where
the two differ on purpose, EXCEPTIONS says so.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.config.node import from_plain, plain
from bundlectl.config.request import Limits
from bundlectl.config.structure import shape
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Diagnostic, Severity
from tests.unit.config.bundles import Content, loaded
from tests.unit.config.test_origins import BUNDLES

SCHEMA = jsonschema.Draft7Validator(
    json.loads((resource_folder("schemas") / "bundle" / "v1.json").read_text(encoding="utf-8"))
)
# Findings about the shape of a file: kinds, names, choices, ranges, required fields.
SHAPE = frozenset({"BND203", "BND204", "BND205", "BND206", "BND209", "BND210", "BND223", "BND271", "BND277"})
# Where the two differ, and why.
EXCEPTIONS: Mapping[str, str] = {
    "BND208": "yes and no are taken for a boolean with a note; an editor suggests true and false",
    "allow_unknown_fields": "a file cannot say that it was asked for",
    "is the old name of": "an old name is taken with a warning; it has a description that names the new one",
    "source_linked_deployment": "taken with a warning: the value is good, the wish is not granted",
    "every run is skipped": "taken with a warning: the value is good, and rarely what is meant",
    "(from ": "a value that the invoker gives stands in no file",
    "BND201": "outside of jobs an unknown key may be there to hold a YAML anchor, which data does not show",
}


def parsed(content: Content) -> Any:
    """A bundle file as plain data; None for one that is no YAML."""
    data = content.encode() if isinstance(content, str) else content
    result = read_yaml(data, "databricks.yml", Limits())
    return plain(result.node) if result.node is not None and not result.findings else None


def excepted(finding: Diagnostic) -> bool:
    return any(words in finding.summary or words == finding.code for words in EXCEPTIONS)


def test_every_bundle_of_the_tables() -> None:
    stricter, laxer, taken, refused = [], [], 0, 0
    for name, files, more in BUNDLES:
        if more.get("allow_unknown_fields"):
            continue
        result = loaded(files, **more)
        read = result.bundle.files if result.bundle is not None else ()
        texts = [files[path] for path in read or files if path in files and path.endswith((".yml", ".json"))]
        documents = [document for text in texts if (document := parsed(text)) is not None]
        fits = all(SCHEMA.is_valid(document) for document in documents)
        found = [item for item in result.diagnostics if not excepted(item)]
        clean = len(found) == len(result.diagnostics) and all(item.severity is Severity.NOTE for item in found)
        if clean and result.bundle is not None:
            taken += 1
            if not fits:
                stricter.append(name)
        if any(item.code in SHAPE for item in found) and documents:
            refused += 1
            if fits:
                laxer.append(name)
    assert (stricter, laxer) == ([], [])
    assert taken > 150 and refused > 30


def example_files() -> list[Path]:
    root = Path(__file__).resolve().parents[1]
    folders = [root / "examples", resource_folder("templates"), root / "acceptance"]
    files = [path for folder in folders for path in sorted(folder.rglob("*.yml")) if path.parent.name != "ci"]
    policies = ("policies", "policies")  # files of rules, in the case about them
    return [path for path in files if "bad_input" not in path.parts and path.parts[-3:-1] != policies]


@pytest.mark.parametrize("path", example_files(), ids=lambda path: "/".join(path.parts[-3:]))
def test_every_example(path: Path) -> None:
    document = parsed(path.read_bytes())
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    found = shape(from_plain(document), part="file", allow_unknown_fields=False)[1]
    # A key at the top that only holds an anchor is no mistake: the loader warns, the schema has nothing against it.
    assert [item.summary for item in found if item.severity is not Severity.WARNING] == []


# A rich bundle, mutated at each of its keys -----------------------------------------------------------------------

RICH = """\
bundle: {name: b, git: {branch: main}, deployment: {fail_on_active_runs: true}}
include: [a.yml]
variables: {v: {default: 1, description: d}, w: {lookup: {cluster: c}}}
workspace: {profile: p}
artifacts: {a: {type: whl, path: p, files: [{source: dist/x.whl}]}}
sync: {include: [a], exclude: [b], paths: [.]}
presets: {name_prefix: p, jobs_max_concurrent_runs: 3, trigger_pause_status: PAUSED, tags: {a: b}}
permissions: [{level: CAN_VIEW, group_name: g}]
run_as: {user_name: u}
scripts: {s: {content: echo, env: {A: b}}}
bundlectl: {retention: 30d, code: snapshot, protect: true, promotion: {min_age: 1h, from: [t]}}
resources:
  jobs:
    j:
      name: n
      tags: {a: b}
      max_concurrent_runs: 2
      timeout_seconds: 5
      schedule: {quartz_cron_expression: 0 0 6 * * ?, timezone_id: UTC, pause_status: PAUSED}
      queue: {enabled: true}
      health: {rules: [{metric: RUN_DURATION_SECONDS, op: GREATER_THAN, value: 5}]}
      email_notifications: {on_failure: [a@x.com], no_alert_for_skipped_runs: true}
      parameters: [{name: p, default: d}]
      permissions: [{level: CAN_VIEW, group_name: g}]
      environments: [{environment_key: e, spec: {client: '1', dependencies: [x]}}]
      job_clusters:
        - job_cluster_key: c
          new_cluster:
            spark_version: '15.4'
            num_workers: 2
            autoscale: {min_workers: 1, max_workers: 2}
            aws_attributes: {availability: SPOT, first_on_demand: 1}
            spark_conf: {a: b}
      tasks:
        - task_key: a
          max_retries: 1
          depends_on: [{task_key: b, outcome: 'true'}]
          run_if: ALL_DONE
          libraries: [{pypi: {package: x}}]
          spark_python_task: {python_file: a.py, parameters: [x], source: WORKSPACE}
        - task_key: b
          condition_task: {left: a, op: EQUAL_TO, right: b}
        - task_key: c
          for_each_task: {inputs: '[1]', concurrency: 2, task: {task_key: i, notebook_task: {notebook_path: n}}}
"""
# Maps whose keys are free: any name is good there.
FREE = ("tags", "spark_conf", "env", "variables", "artifacts", "scripts", "jobs")
# Values of these may be anything, so no kind is wrong.
ANYTHING = (("variables", "v", "default"),)


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from members(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from members(item, (*path, index))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def findings(document: Any) -> list[str]:
    """What the loader says of the shape of a file, and of the whole that is this file."""
    read = read_yaml(json.dumps(document).encode(), "databricks.yml", Limits())
    assert read.node is not None
    node, found = shape(read.node, part="file", allow_unknown_fields=False)
    found = [*found, *shape(node, part="resolved", allow_unknown_fields=False)[1]]
    return [item.code for item in found if item.severity is not Severity.NOTE and not excepted(item)]


PATHS = list(members(parsed(RICH)))


def test_the_rich_bundle_is_good() -> None:
    document = parsed(RICH)
    assert findings(document) == [] and [error.message for error in SCHEMA.iter_errors(document)] == []


def disagreements(mutations: Iterator[tuple[Any, Any]]) -> tuple[list[str], int]:
    found, refused = [], 0
    for what, document in mutations:
        loader, schema = findings(document) != [], not SCHEMA.is_valid(document)
        refused += loader
        if loader is not schema:
            found.append(f"{what}: {'loader' if loader else 'schema'} refuses, the other does not")
    return found, refused


def replaced(value: Any) -> Iterator[tuple[Any, Any]]:
    for path in PATHS:
        if not any(path[: len(free)] == free for free in ANYTHING):
            document = copy.deepcopy(parsed(RICH))
            at(document, path[:-1])[path[-1]] = copy.deepcopy(value)
            yield path, document


@pytest.mark.parametrize("value", [[["x"]], {"zz_no_field": 1}], ids=["a list", "a map"])
def test_a_container_where_it_does_not_belong(value: Any) -> None:
    found, refused = disagreements(item for item in replaced(value) if item[0] != ("bundle",))  # BND212, see below
    assert found == [] and refused > 60


@pytest.mark.parametrize("value", ["zz no value", -7, 1.5])
def test_a_scalar_where_it_does_not_belong(value: Any) -> None:
    found, refused = disagreements(replaced(value))
    assert found == [] and refused > 40


def test_a_reference_is_good_wherever_a_value_is() -> None:
    wrong = [path for path, document in replaced("${var.v}") if not SCHEMA.is_valid(document) or findings(document)]
    assert wrong == []


def test_a_misspelt_key() -> None:
    def mutations() -> Iterator[tuple[Any, Any]]:
        for path in PATHS:
            if isinstance(path[-1], str) and not (len(path) > 1 and path[-2] in FREE) and path != ("bundle", "name"):
                document = copy.deepcopy(parsed(RICH))
                holder = at(document, path[:-1])
                holder[f"{path[-1]}_zz"] = holder.pop(path[-1])
                yield path, document

    found, refused = disagreements(mutations())
    assert found == [] and refused > 70


def test_a_key_that_is_missing() -> None:
    def mutations() -> Iterator[tuple[Any, Any]]:
        for path in PATHS:
            if path == ("bundle", "name"):
                continue  # BND212, that a bundle has no name, is said of the whole and not of a file
            document = copy.deepcopy(parsed(RICH))
            del at(document, path[:-1])[path[-1]]
            yield path, document

    found, refused = disagreements(mutations())
    assert found == [] and refused > 10


def test_every_exception_is_still_one() -> None:
    assert SCHEMA.is_valid(parsed("bundle: {name: b, compute_id: c}"))
    assert SCHEMA.is_valid(parsed("presets: {source_linked_deployment: true}"))
    assert not SCHEMA.is_valid(parsed("resources: {jobs: {j: {queue: {enabled: yes}}}}"))
    assert not SCHEMA.is_valid(parsed("resources: {jobs: {j: {newer_field: 1}}}"))
    assert SCHEMA.is_valid(parsed("resources: {jobs: {j: {max_concurrent_runs: 0}}}"))
    assert SCHEMA.is_valid(parsed("workspace: {colour: red}"))
