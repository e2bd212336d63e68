"""What must hold for every bundle: loading in parts equals loading whole, and no input makes it raise."""
# ruff: noqa: E501  (YAML on one line)

import json
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundlectl.config.cache import load_cached, specs_of
from bundlectl.config.index import LoadIndex
from bundlectl.config.loader import load
from bundlectl.config.request import Limits, LoadRequest
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Severity
from tests.unit.config.bundles import MemoryTree, settled

KEYS = ("a", "b", "c", "d", "e")
BRANCH = ""  # not a path: the branch that is checked out
SOURCES = ("src/x.py", "src/y.py", "src/z.py")
ROOTS = (
    'bundle: {name: b}\ninclude: ["r/*.yml", "extra.yml"]\nvariables: {v: {default: one}}\n',
    'bundle: {name: b}\ninclude: ["r/*.yml"]\nvariables: {v: {default: two}}\nsync: {exclude: ["src/z.py"]}\n'
    "targets: {dev: {mode: development, resources: {jobs: {a: {max_concurrent_runs: 3}, only: {tasks: []}}}}}\n",
    'bundle: {name: "b"}\ninclude: ["r/*.yml"]\nvariables: {v: {default: one}}\npermissions: [{level: CAN_VIEW, group_name: g}]\n'
    "resources: {jobs: {root: {name: r, tasks: [{task_key: t, notebook_task: {notebook_path: /n}}]}}}\n",
)


@st.composite
def job_files(draw: st.DrawFn) -> str:
    """A file with one or two jobs that may name sources, variables, git facts and each other."""
    lines = ["resources:", "  jobs:"]
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True)):
        lines.append(f"    {key}:")
        lines.append(f"      name: {draw(st.sampled_from(['plain', '${var.v} job', '${bundle.git.branch}', 'x ${']))}")
        if draw(st.booleans()):
            lines.append(f"      bundlectl: {{renamed_from: {draw(st.sampled_from(['old', 'b']))}}}")
        lines.append("      tasks:")
        lines.append("        - task_key: t")
        lines.append("          spark_python_task:")
        lines.append(f"            python_file: ../{draw(st.sampled_from(SOURCES))}")
        if draw(st.booleans()):
            other = draw(st.sampled_from((*KEYS, "nope")))
            lines.append("        - task_key: u")
            lines.append(f"          run_job_task: {{job_id: '${{resources.jobs.{other}.id}}'}}")
        if draw(st.booleans()):
            lines.append("          libraries: [{whl: ../dist/*.whl}]")
    return "\n".join(lines) + "\n"


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[str, str | None]]:
    """Changes of a tree: path and new content, None to remove."""
    edit = st.one_of(
        st.tuples(st.sampled_from([f"r/{name}.yml" for name in "123"]), st.none() | job_files()),
        st.tuples(
            st.sampled_from(SOURCES),
            st.none() | st.sampled_from(["print(1)\n", "print(2)\n", "# Databricks notebook source\n"]),
        ),
        st.tuples(st.just("databricks.yml"), st.sampled_from(ROOTS)),
        st.tuples(st.just("extra.yml"), st.sampled_from([None, "variables: {w: {default: 1}}\n"])),
        st.tuples(st.just(".gitignore"), st.sampled_from([None, "*.txt\n", "y.py\n", "dist/\n"])),
        st.tuples(st.just(BRANCH), st.sampled_from(["main", "topic"])),
        st.tuples(st.sampled_from(["notes.txt", "dist/a.whl", "setup.py"]), st.sampled_from([None, "1", "2"])),
    )
    return draw(st.lists(edit, min_size=1, max_size=4))


START: dict[str, str] = {
    "databricks.yml": ROOTS[0],
    "extra.yml": "variables: {w: {default: 1}}\n",
    "r/1.yml": "resources: {jobs: {a: {name: a, tasks: [{task_key: t, spark_python_task: {python_file: ../src/x.py}}]}}}\n",
    "r/2.yml": "resources: {jobs: {b: {name: b, tasks: [{task_key: t, spark_python_task: {python_file: ../src/y.py}}]}}}\n",
    **dict.fromkeys(SOURCES, "print(0)\n"),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(edits(), min_size=1, max_size=5))
def test_a_load_that_reuses_what_it_knows_equals_a_load_from_scratch(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[str, str | None]]]
) -> None:
    index = LoadIndex(tmp_path_factory.mktemp("index") / "bundles.sqlite")
    request = LoadRequest(user="tester@x.com")
    files: dict[str, str] = dict(START)
    branch = "main"
    load_cached(MemoryTree(files), request, index)
    for step in steps:
        for path, content in step:
            if path == BRANCH:
                branch = content or branch
            elif content is None:
                files.pop(path, None)
            else:
                files[path] = content
        if "databricks.yml" not in files:
            files["databricks.yml"] = ROOTS[0]
        revision = replace(MemoryTree(files).revision, ref=f"refs/heads/{branch}")
        whole = load(MemoryTree(files, revision=revision), request)
        for _ in range(2):  # made, then found as a whole
            cached = load_cached(MemoryTree(files, revision=revision), request, index)
            assert settled(cached) == settled(whole)
            if whole.bundle is not None:
                specs = specs_of(cached, whole.bundle.jobs)
                assert {key: spec.document for key, spec in specs.items()} == {
                    key: spec.document for key, spec in whole.specs.items()
                }
                assert {
                    key: (dict(spec.spans), spec.span, spec.code_paths, spec.meta) for key, spec in specs.items()
                } == {
                    key: (dict(spec.spans), spec.span, spec.code_paths, spec.meta) for key, spec in whole.specs.items()
                }
    assert index.problem is None
    index.close()


JUNK = st.text(alphabet=string.printable + "é€\u0000\u0085\u2028\ufeff🙂", max_size=200)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300) | JUNK.map(lambda text: text.encode("utf-8")))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    read = read_yaml(data, "f.yml", Limits())
    assert read.node is not None or read.findings or read.empty
    for finding in read.findings:
        assert finding.spans
        assert finding.spans[0].line >= 1
        assert finding.spans[0].column >= 1


WHOLE = """\
bundle: {name: shop, git: {branch: main}}
variables:
  env: {default: dev}
  cluster: {type: complex, default: {num_workers: 1, spark_version: "15.4"}}
targets:
  dev: {mode: development, default: true, variables: {env: d2}}
  prod: {mode: production, workspace: {root_path: /Workspace/x}}
permissions: [{level: CAN_VIEW, group_name: g}]
sync: {include: ["dist/*"], exclude: ["*.tmp"]}
artifacts: {w: {type: whl, path: .}}
resources:
  jobs:
    j:
      name: "job ${var.env} ${bundle.target}"
      tags: {a: b}
      job_clusters: [{job_cluster_key: k, new_cluster: "${var.cluster}"}]
      tasks:
        - {task_key: a, job_cluster_key: k, notebook_task: {notebook_path: /n}}
        - {task_key: b, depends_on: [{task_key: a}], condition_task: {op: EQUAL_TO, left: "1", right: "1"}}
        - task_key: c
          for_each_task: {inputs: "[1]", task: {task_key: d, run_job_task: {job_id: "${resources.jobs.j2.id}"}}}
    j2: {name: two, schedule: {quartz_cron_expression: "0 0 6 * * ?", timezone_id: UTC}}
"""
PIECES = (
    "${var.env}",
    "${",
    "}",
    "null",
    "[]",
    "{}",
    "*",
    "&a ",
    "*a",
    "<<: ",
    "-1",
    "1e400",
    ": ",
    "\n",
    "\t",
    '"',
    "é",
    "🙂",
)


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3))
def test_a_damaged_bundle_loads_or_says_why(changes: list[tuple[int, int, str]]) -> None:
    text = WHOLE
    for at, removed, piece in changes:
        text = text[:at] + piece + text[at + removed :]
    result = load(MemoryTree({"databricks.yml": text}), LoadRequest(user="tester@x.com"))
    errors = [finding for finding in result.diagnostics if finding.severity is Severity.ERROR]
    assert (result.bundle is None) == bool(errors)
    lines = text.count("\n") + 2
    for finding in result.diagnostics:
        assert all(1 <= span.line <= lines for span in finding.spans), finding


@settings(max_examples=100, deadline=None)
@given(value=st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda child: (
    st.lists(child, max_size=3) | st.dictionaries(st.sampled_from(["a", "jobs", "dev", "name", "default", "tasks", "path"]), child, max_size=3)
), max_leaves=10), place=st.sampled_from([
    "bundle", "include", "variables", "workspace", "artifacts", "resources", "targets", "sync", "run_as", "presets",
    "permissions", "scripts", "python", "experimental", "bundlectl",
]))  # fmt: skip
def test_any_value_in_any_section_loads_or_says_why(value: Any, place: str) -> None:
    text = json.dumps({"bundle": {"name": "b"}, place: value})
    result = load(MemoryTree({"databricks.yml": text}), LoadRequest(user="tester@x.com"))
    assert result.bundle is not None or len(result.diagnostics) > 0


def test_shuffling_files_and_fields_changes_no_digest(tmp_path: Path) -> None:
    one = "resources: {jobs: {a: {name: n, tags: {x: y, z: w}, tasks: [{task_key: t, notebook_task: {notebook_path: /n}}]}}}"
    two = "resources: {jobs: {a: {tasks: [{notebook_task: {notebook_path: /n}, task_key: t}], tags: {z: w, x: y}, name: n}}}"
    root = "bundle: {name: b}\ninclude: [j.yml]\n"
    digests = {
        load(MemoryTree({"databricks.yml": root, "j.yml": text}), LoadRequest(user="u@x.com")).specs["a"].digest
        for text in (one, two)
    }
    assert len(digests) == 1
