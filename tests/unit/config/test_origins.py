"""Where a value comes from: each kind of link, and that the chain of every field leads to the value that it has."""
# ruff: noqa: E501  (one row, one line)

from typing import Any

import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.config.loader import STEPS
from bundlectl.config.origins import Invoker
from bundlectl.config.step_words import said_nothing
from bundlectl.config.trace import step_name
from bundlectl.model.explanation import ROLES
from bundlectl.model.location import SourceSpan
from tests.conformance import bad_inputs, language_rows, test_language
from tests.conformance.rows import Good, Row, prepared
from tests.unit.config.bundles import ROOT, USER, Content, bundle, job_yaml, loaded
from tests.unit.config.explaining import chain, faults, short, watched

A = "resources.jobs.j.tasks[a]"
OVER = """\
bundle: {name: b}
variables:
  t: {default: "${var.u}"}
  u: {default: 600}
resources:
  jobs:
    j:
      tasks:
        - {task_key: b, timeout_seconds: 5}
        - {task_key: a, timeout_seconds: 10, max_retries: 1}
targets:
  dev:
    variables: {u: 900}
    resources: {jobs: {j: {tasks: [{task_key: a, timeout_seconds: "${var.t}"}]}}}
"""
COMPLEX = """\
bundle: {name: b}
variables:
  tasks:
    type: complex
    default:
      - task_key: a
        max_retries: ${var.n}
        libraries: [{pypi: {package: x}}]
  n: {default: 2}
  alias: {default: "${var.tasks}"}
resources: {jobs: {j: {tasks: "${var.alias}"}}}
"""
DEVELOPMENT = """\
bundle: {name: b}
targets: {dev: {mode: development}}
resources: {jobs: {j: {name: n, schedule: {quartz_cron_expression: "0 0 * * * ?", timezone_id: UTC}}}}
"""
TWO_FILES = {
    "databricks.yml": bundle(
        "include: [more.yml]\nworkspace: {profile: one}\nvariables: {v: {type: complex, default: [1]}}\n"
    ),
    "more.yml": "workspace: {profile: two}\nvariables: {v: {default: [2]}}\nsync: {exclude: [x]}\n",
}
LISTS = """\
bundle: {name: b}
resources: {jobs: {j: {tasks: [{task_key: a, libraries: [{pypi: {package: x}}]}]}}}
targets: {d: {resources: {jobs: {j: {tasks: [{task_key: a, libraries: [{pypi: {package: y}}]}]}}}}}
"""

# what, files, field, links
CHAINS: list[tuple[str, Any, str, list[tuple[Any, ...]]]] = [
    ("as it is written", OVER, f"{A}.max_retries", [(1, None, "databricks.yml:10:59", "base")]),
    (
        "an override, a variable and a variable behind it",
        OVER,
        f"{A}.timeout_seconds",
        [
            (900, "${var.t}", "databricks.yml:14:67", "override"),
            (900, "${var.u}", "databricks.yml:3:16", "variable"),
            (900, None, "databricks.yml:13:20", "override"),
            (600, None, "databricks.yml:4:16", "variable"),
            (10, None, "databricks.yml:10:42", "base"),
        ],
    ),
    (
        "a field inside a variable behind two references",
        COMPLEX,
        f"{A}.max_retries",
        [
            (2, "${var.alias}", "databricks.yml:11:31", "base"),
            (2, "${var.tasks}", "databricks.yml:10:20", "variable"),
            (2, "${var.n}", "databricks.yml:7:22", "variable"),
            (2, None, "databricks.yml:9:16", "variable"),
        ],
    ),
    (
        "a field of a list inside a variable",
        COMPLEX,
        f"{A}.libraries[0].pypi.package",
        [
            ("x", "${var.alias}", "databricks.yml:11:31", "base"),
            ("x", "${var.tasks}", "databricks.yml:10:20", "variable"),
            ("x", None, "databricks.yml:8:38", "variable"),
        ],
    ),
    (
        "one file over another",
        TWO_FILES,
        "workspace.profile",
        [("two", None, "more.yml:1:22", "include"), ("one", None, "databricks.yml:3:22", "base")],
    ),
    ("an element of the second of two lists", TWO_FILES, "var.v[1]", [(2, None, "more.yml:2:27", "variable")]),
    ("a list from another file", TWO_FILES, "sync.exclude[0]", [("x", None, "more.yml:3:18", "base")]),
    ("the base's element of joined lists", LISTS, f"{A}.libraries[0].pypi.package", [("x", None, "databricks.yml:2:75", "base")]),
    ("the target's element of joined lists", LISTS, f"{A}.libraries[1].pypi.package", [("y", None, "databricks.yml:3:89", "override")]),
    (
        "a preset that the mode filled in",
        DEVELOPMENT,
        "jobs.j.name",
        [
            ("[dev tester] n", None, None, "preset"),
            ("[dev tester] ", None, "databricks.yml:2:23", "mode"),
            ("n", None, "databricks.yml:3:30", "base"),
        ],
    ),
    ("a preset as it is", DEVELOPMENT, "jobs.j.max_concurrent_runs", [(4, None, "databricks.yml:2:23", "preset")]),
    ("a preset of tags", DEVELOPMENT, "jobs.j.tags.dev", [("tester", None, "databricks.yml:2:23", "preset")]),
    ("a preset of pauses", DEVELOPMENT, "jobs.j.schedule.pause_status", [("PAUSED", None, "databricks.yml:2:23", "preset")]),
    ("the mode of the target", DEVELOPMENT, "bundle.mode", [("development", None, "databricks.yml:2:23", "override")]),
    ("what the mode fills in", DEVELOPMENT, "presets.jobs_max_concurrent_runs", [(4, None, "databricks.yml:2:23", "mode")]),
    ("a default of the language", OVER, "jobs.j.max_concurrent_runs", [(1, None, None, "default")]),
    ("a default inside a default", OVER, "jobs.j.queue.enabled", [(True, None, None, "default")]),
    ("an annotation", OVER, "jobs.j.edit_mode", [("UI_LOCKED", None, None, "annotation")]),
    (
        "an annotation made of a folder",
        bundle("workspace: {state_path: /Workspace/s}\nresources: {jobs: {j: {}}}\n"),
        "jobs.j.deployment.metadata_file_path",
        [("/Workspace/s/metadata.json", None, None, "annotation"), ("/Workspace/s", None, "databricks.yml:2:25", "base")],
    ),
    ("not set", OVER, f"{A}.description", []),
    (
        "the compute override",
        bundle("targets: {d: {cluster_id: c1}}\nresources: {jobs: {j: {tasks: [{task_key: a, existing_cluster_id: x}]}}}\n"),
        f"{A}.existing_cluster_id",
        [("c1", None, "databricks.yml:2:27", "compute_override"), ("x", None, "databricks.yml:3:67", "base")],
    ),
    (
        "what the compute override takes away",
        bundle("targets: {d: {cluster_id: c1}}\nresources: {jobs: {j: {tasks: [{task_key: a, job_cluster_key: x}]}}}\n"),
        f"{A}.job_cluster_key",
        [("(gone)", None, None, "removed"), ("x", None, "databricks.yml:3:63", "base")],
    ),
    (
        "run_as of the bundle",
        bundle("run_as: {user_name: '${var.u}'}\nvariables: {u: {default: ann}}\nresources: {jobs: {j: {}}}\n"),
        "jobs.j.run_as.user_name",
        [("ann", "${var.u}", "databricks.yml:2:21", "run_as"), ("ann", None, "databricks.yml:3:26", "variable")],
    ),
    (
        "run_as of the target replaces",
        bundle("run_as: {user_name: a}\ntargets: {d: {run_as: {user_name: b}}}\n"),
        "run_as.user_name",
        [("b", None, "databricks.yml:3:35", "override"), ("a", None, "databricks.yml:2:21", "base")],
    ),
    (
        "permissions of the bundle",
        bundle("permissions: [{level: CAN_RUN, group_name: g}]\nresources: {jobs: {j: {}}}\n"),
        "jobs.j.permissions[g].level",
        [("CAN_MANAGE_RUN", None, None, "permissions"), ("CAN_RUN", None, "databricks.yml:2:23", "base")],
    ),
    (
        "the owner",
        bundle("permissions: [{level: CAN_VIEW, group_name: g}]\nresources: {jobs: {j: {}}}\n"),
        f"jobs.j.permissions[{USER}].level",
        [("IS_OWNER", None, None, "permissions")],
    ),
    (
        "an empty text",
        job_yaml("description: ''"),
        "jobs.j.description",
        [("(gone)", None, None, "removed"), ("", None, "databricks.yml:5:20", "base")],
    ),
    (
        "an unanswered lookup",
        bundle("variables: {w: {lookup: {warehouse: x}}}\n"),
        "var.w",
        [("(gone)", None, "databricks.yml:2:25", "lookup")],
    ),
    ("the target", bundle("targets: {d: {}}\n"), "bundle.target", [("d", None, None, "tool")]),
    ("git", bundle(""), "bundle.git.branch", [("main", None, None, "git")]),
    ("who", bundle(""), "workspace.current_user.userName", [(USER, None, None, "identity")]),
    (
        "folders",
        bundle("workspace: {root_path: '~/x/${bundle.target}'}\n"),
        "workspace.file_path",
        [
            (f"/Workspace/Users/{USER}/x/default/files", "/Workspace/Users/tester@x.com/x/${bundle.target}/files", None, "default"),
            (f"/Workspace/Users/{USER}/x/default", "/Workspace/Users/tester@x.com/x/${bundle.target}", None, "path"),
            ("default", None, None, "tool"),
            ("~/x/default", "~/x/${bundle.target}", "databricks.yml:2:24", "base"),
        ],
    ),
    (
        "a path of code",
        {
            "databricks.yml": bundle("include: [r/*.yml]\n"),
            "r/j.yml": "resources: {jobs: {j: {tasks: [{task_key: a, spark_python_task: {python_file: ../x.py}}]}}}\n",
            "x.py": "",
        },
        f"{A}.spark_python_task.python_file",
        [
            (f"{ROOT}/files/x.py", None, "r/j.yml:1:79", "path"),
            ("x.py", None, "r/j.yml:1:79", "path"),
            ("../x.py", None, "r/j.yml:1:79", "base"),
        ],
    ),
    (
        "two references in one text",
        bundle("variables: {a: {default: 1}, b: {default: 2}}\nresources: {jobs: {j: {name: '${var.a}-${var.b}'}}}\n"),
        "jobs.j.name",
        [
            ("1-2", "${var.a}-${var.b}", "databricks.yml:3:30", "base"),
            (1, None, "databricks.yml:2:26", "variable"),
            (2, None, "databricks.yml:2:43", "variable"),
        ],
    ),
    (
        "a reference that makes a reference",
        bundle("variables: {t: {default: x}, f_x: {default: found}}\nresources: {jobs: {j: {name: '${var.f_${var.t}}'}}}\n"),
        "jobs.j.name",
        [
            ("found", "${var.f_${var.t}}", "databricks.yml:3:30", "base"),
            ("x", None, "databricks.yml:2:26", "variable"),
            ("found", None, "databricks.yml:2:45", "variable"),
        ],
    ),
    (
        "a reference to another job stays",
        bundle("resources: {jobs: {j: {tasks: [{task_key: a, run_job_task: {job_id: '${resources.jobs.k.id}'}}]}, k: {}}}\n"),
        f"{A}.run_job_task.job_id",
        [("${resources.jobs.k.id}", None, "databricks.yml:2:69", "base")],
    ),
    ("what the patterns found", TWO_FILES, "include[0]", [("more.yml", None, None, "tool"), (["more.yml"], None, "databricks.yml:2:10", "base")]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "files", "field", "links"), CHAINS, ids=[row[0] for row in CHAINS])
def test_a_chain(what: str, files: Any, field: str, links: list[tuple[Any, ...]]) -> None:
    assert short(chain(files, field)) == links


GIVEN = bundle("variables: {v: {default: 1}}\nresources: {jobs: {j: {max_concurrent_runs: '${var.v}'}}}\n")


@pytest.mark.parametrize(
    ("request_fields", "value", "source"),
    [
        ({"variables": (("v", "5", "flag"),)}, "5", "--var v"),
        ({"variables": (("v", "5", "environment"),)}, "5", "BUNDLE_VAR_v"),
        ({"variable_file": {"v": 5}}, 5, "--var-file"),
        ({"override_files": (("default", b'{"v": 5}'),)}, 5, "variable-overrides.json"),
    ],
)
def test_what_the_invoker_gives_wins_and_the_default_is_still_shown(
    request_fields: dict[str, Any], value: Any, source: str
) -> None:
    links = chain(GIVEN, "jobs.j.max_concurrent_runs", **request_fields)
    assert [(link.value, link.role) for link in links] == [(5, "base"), (value, "invoker"), (1, "variable")]
    assert links[1].note == f'variable "v" from {source}' and links[2].overridden


def test_the_invoker_may_say_where_it_was_written() -> None:
    invoker = Invoker(given={"v": ("--var-file", SourceSpan("mine.yml", 3, 4))})
    link = chain(GIVEN, "var.v", invoker, variable_file={"v": 5})[0]
    assert (str(link.span), link.note) == ("mine.yml:3:4", 'variable "v" from --var-file')


def test_a_lookup_that_was_answered() -> None:
    text = bundle("variables: {w: {lookup: {warehouse: x}}}\nresources: {jobs: {j: {name: '${var.w}'}}}\n")
    links = chain(text, "jobs.j.name", lookups={"warehouse": {"x": "id-1"}})
    assert [(link.value, link.role) for link in links] == [("id-1", "base"), ("id-1", "lookup")]


def test_text_that_doubles_has_a_chain_of_bounded_length() -> None:
    variables = ", ".join(f"v{n}: {{default: '${{var.v{n - 1}}}${{var.v{n - 1}}}'}}" for n in range(1, 15))
    links = chain(bundle(f"variables: {{v0: {{default: x}}, {variables}}}\n"), "var.v14")
    assert links[0].value == "x" * 2**14 and len(links) == 15


def test_a_map_names_what_each_step_did_to_it() -> None:
    notes = [link.note for link in chain(DEVELOPMENT, "jobs.j")]
    assert notes == [
        "annotated by the tool: deployment, edit_mode, format",
        "default of the language: queue",
        "presets: max_concurrent_runs, name, schedule, tags",
        "",
    ]


# Every field of every bundle of the language's tables -------------------------------------------------------------------


def bundles() -> list[tuple[str, dict[str, Content], dict[str, Any]]]:
    """Name, files and request of every bundle in the tables, each once."""
    found: dict[str, tuple[str, dict[str, Content], dict[str, Any]]] = {}
    for row in test_language.RESOLVED:
        found[repr(row[1])] = (row[0], {"databricks.yml": row[1]}, {})
    for module in (language_rows, bad_inputs):
        for name, rows in sorted(vars(module).items()):
            if name.isupper() and isinstance(rows, list) and rows and isinstance(rows[0], Row | Good):
                for row in rows:
                    found[repr((row.files, row.more))] = (f"{name} {row.name}", prepared(row.files)[0], dict(row.more))
    return list(found.values())


BUNDLES = bundles()


def test_the_tables_are_there() -> None:
    assert len(BUNDLES) > 300


# Errors after which a value is what was left when they were found: half a merge, half an endless text.
UNFINISHED = frozenset({"BND224", "BND242"})


def wrong_chains(rows: list[tuple[str, dict[str, Content], dict[str, Any]]]) -> dict[str, list[str]]:
    found = {}
    for number, (name, files, more) in enumerate(rows):
        if UNFINISHED & {item.code for item in loaded(files, **more).diagnostics}:
            continue
        seen = watched(files, **more)
        usual = ("bundle", "workspace", "sync") if number % 20 else ()  # nearly the same in each
        if seen is not None and (wrong := faults(seen, usual)):
            found[name] = wrong
    return found


@pytest.mark.parametrize("part", range(4))
def test_every_chain_leads_to_the_value_that_the_field_has(part: int) -> None:
    assert wrong_chains(BUNDLES[part::16]) == {}


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4, 16))
def test_the_rest_of_the_chains(part: int) -> None:
    assert wrong_chains(BUNDLES[part::16]) == {}


@pytest.mark.parametrize("name", ["orders", "minimal"])
@pytest.mark.parametrize("target", ["dev", "prod"])
def test_every_chain_of_a_template(name: str, target: str) -> None:
    folder = resource_folder("templates") / name
    files: dict[str, Content] = {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(b"__BUNDLE_NAME__", b"shop")
        for path in folder.rglob("*")
        if path.is_file()
    }
    seen = watched(files, target=target)
    assert seen is not None and faults(seen) == []


def test_every_place_is_where_the_text_stands() -> None:
    checked = 0
    for what, files, field, _ in CHAINS:
        contents = files if isinstance(files, dict) else {"databricks.yml": files}
        for link in chain(files, field):
            if link.span is None or link.role not in ("base", "include", "override", "variable", "run_as"):
                continue
            written = contents[link.span.file].splitlines()[link.span.line - 1][link.span.column - 1 :]
            text = str(link.raw or link.value)
            assert isinstance(link.value, list) or written.lstrip("\"'").startswith(text), (what, link)
            checked += 1
    assert checked >= 40


def test_every_step_that_changes_values_has_words() -> None:
    assert said_nothing([step_name(step.run) for step in STEPS]) == []
    assert len(set(ROLES)) == len(ROLES)
