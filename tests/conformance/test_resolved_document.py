"""`validate -o json` key by key (config language 19): each row of that section, numbers, order, null, output on errors."""
# ruff: noqa: E501  (one row, one line)

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bundlectl.config.request import LoadRequest
from bundlectl.model.source import Revision
from bundlectl.render.resolved import resolved_text
from tests.unit.config.bundles import OUTSIDE_GIT, ROOT, USER, Content, bundle, document, loaded

ABSENT = "(absent)"
NOTEBOOK = "notebook_task: {notebook_path: /n}"


def printed(files: Mapping[str, Content] | str, **more: Any) -> Any:
    """What stands on stdout, read back."""
    return json.loads(resolved_text(document(loaded(files, **more))))


def at(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else ABSENT
        else:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def jobs(body: str) -> str:
    return bundle(f"resources: {{jobs: {{j: {{{body}}}}}}}\n")


DEVELOPMENT = bundle("targets: {dev: {mode: development}}\nresources: {jobs: {j: {name: n}}}\n")
USER_DOCUMENT = {"domain_friendly_name": "tester", "short_name": "tester", "userName": USER}

# row of section 19, bundle, path, value
ROWS: list[tuple[str, str, str, Any]] = [
    ("absent: a default that is not set", jobs("name: n"), "resources.jobs.j.schedule", ABSENT),
    ("null: an explicit list", jobs("tasks: "), "resources.jobs.j.tasks", None),
    ("null: an explicit map", jobs("queue: "), "resources.jobs.j.queue", None),
    ("null: an explicit object", jobs("email_notifications: "), "resources.jobs.j.email_notifications", None),
    ("absent: a null scalar", jobs("description: "), "resources.jobs.j.description", ABSENT),
    ("null stays in a free map of a variable", bundle("variables: {v: {type: complex, default: {a: }}}\n"), "variables.v.value", {"a": None}),
    ("never: environments", bundle("environments: {e: {}}\n"), "environments", ABSENT),
    ("never: targets", bundle("targets: {a: {}}\n"), "targets", ABSENT),
    ("never: unknown fields", bundle("varaibles: {a: 1}\n"), "varaibles", ABSENT),
    ("never: unknown field of the workspace", bundle("workspace: {colour: red}\n"), "workspace.colour", ABSENT),
    ("never: ids", jobs("name: n"), "resources.jobs.j.id", ABSENT),
    ("never: urls", jobs("name: n"), "resources.jobs.j.url", ABSENT),
    ("bundle: name", bundle(""), "bundle.name", "b"),
    ("bundle: environment", bundle("targets: {t: {}}\n"), "bundle.environment", "t"),
    ("bundle: target", bundle("targets: {t: {}}\n"), "bundle.target", "t"),
    ("bundle: no mode", bundle(""), "bundle.mode", ABSENT),
    ("bundle: mode", DEVELOPMENT, "bundle.mode", "development"),
    ("bundle: given fields", "bundle: {name: b, uuid: u-1, engine: direct}\n", "bundle.uuid", "u-1"),
    ("bundle: a null text", "bundle: {name: b, uuid: }\n", "bundle.uuid", ABSENT),
    ("bundle: the lock in development", DEVELOPMENT, "bundle.deployment", {"lock": {"enabled": False}}),
    ("bundle: no lock elsewhere", bundle(""), "bundle.deployment", ABSENT),
    ("bundle: git", bundle(""), "bundle.git.bundle_root_path", "."),
    ("include: none", bundle(""), "include", ABSENT),
    ("include: nothing found", bundle("include: ['x/*.yml']\n"), "include", ABSENT),
    ("sync: paths always", bundle(""), "sync", {"paths": ["."]}),
    ("sync: include", bundle("sync: {include: [a]}\n"), "sync", {"include": ["a"], "paths": ["."]}),
    ("sync: exclude", bundle("sync: {exclude: ['*.tmp']}\n"), "sync", {"exclude": ["*.tmp"], "paths": ["."]}),
    ("sync: empty", bundle("sync: {paths: []}\n"), "sync.paths", []),
    ("variables: default and value", bundle("variables: {a: {default: 25}}\n"), "variables.a", {"default": 25, "value": 25}),
    ("variables: type and description", bundle("variables: {a: {type: complex, description: d, default: [1]}}\n"), "variables.a", {"default": [1], "description": "d", "type": "complex", "value": [1]}),
    ("variables: default resolved", bundle("variables: {a: {default: '${var.b}'}, b: {default: x}}\n"), "variables.a", {"default": "x", "value": "x"}),
    ("variables: lookup without answer", bundle("variables: {a: {lookup: {cluster: c}}}\n"), "variables.a", {"lookup": {"cluster": "c"}}),
    ("workspace: given", bundle("workspace: {profile: p}\n"), "workspace.profile", "p"),
    ("workspace: root", bundle(""), "workspace.root_path", ROOT),
    ("workspace: files", bundle(""), "workspace.file_path", f"{ROOT}/files"),
    ("workspace: artifacts", bundle(""), "workspace.artifact_path", f"{ROOT}/artifacts"),
    ("workspace: state", bundle(""), "workspace.state_path", f"{ROOT}/state"),
    ("workspace: resources", bundle(""), "workspace.resource_path", f"{ROOT}/resources"),
    ("workspace: user", bundle(""), "workspace.current_user", USER_DOCUMENT),
    ("presets: none", bundle(""), "presets", ABSENT),
    ("presets: empty", bundle("presets: {}\n"), "presets", ABSENT),
    ("presets: as given", bundle("presets: {tags: {a: b}}\n"), "presets", {"tags": {"a": "b"}}),
    ("presets: by the mode", DEVELOPMENT, "presets", {"jobs_max_concurrent_runs": 4, "name_prefix": "[dev tester] ", "pipelines_development": True, "tags": {"dev": "tester"}, "trigger_pause_status": "PAUSED"}),
    ("jobs: no permissions", jobs("permissions: []"), "resources.jobs.j.permissions", ABSENT),
    ("jobs: permissions", jobs("permissions: [{level: CAN_VIEW, group_name: g}]"), "resources.jobs.j.permissions", [{"group_name": "g", "level": "CAN_VIEW"}, {"level": "IS_OWNER", "user_name": USER}]),
    ("jobs: our settings", jobs("bundlectl: {renamed_from: k}"), "resources.jobs.j.bundlectl", {"renamed_from": "k"}),
    ("other kinds", bundle("resources: {pipelines: {p: {name: x, n: 1.0}}}\n"), "resources.pipelines.p", {"n": 1, "name": "x"}),
    ("no jobs", bundle(""), "resources", ABSENT),
    ("bundlectl: none", bundle(""), "bundlectl", ABSENT),
    ("bundlectl: merged, without defaults", bundle("bundlectl: {code: snapshot, promotion: {min_age: 1h}}\ntargets: {prod: {bundlectl: {promotion: {from: [dev]}}}}\n"), "bundlectl", {"code": "snapshot", "promotion": {"from": ["dev"], "min_age": "1h"}}),
    ("run_as", bundle("run_as: {user_name: u}\n"), "run_as", {"user_name": "u"}),
    ("permissions", bundle("permissions: [{level: CAN_RUN, group_name: g}]\n"), "permissions", [{"group_name": "g", "level": "CAN_RUN"}]),
    ("scripts", bundle("scripts: {s: {content: echo 1, env: {T: '${bundle.target}'}}}\n"), "scripts.s", {"content": "echo 1", "env": {"T": "default"}}),
    ("python", bundle("python: {resources: ['m:f']}\n"), "python", {"resources": ["m:f"]}),
    ("experimental", bundle("experimental: {python_wheel_wrapper: true}\n"), "experimental", {"python_wheel_wrapper": True}),
    ("artifacts", bundle("artifacts: {a: {type: whl}}\n"), "artifacts.a.type", "whl"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "text", "path", "value"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row(row: str, text: str, path: str, value: Any) -> None:
    assert at(printed(text), path) == value


def test_all_top_level_keys_and_no_other() -> None:
    text = bundle(
        "include: [r/*.yml]\nvariables: {v: {default: 1}}\nworkspace: {profile: p}\nartifacts: {a: {type: whl}}\n"
        "sync: {exclude: [x]}\nrun_as: {user_name: u}\npresets: {tags: {a: b}}\npython: {venv_path: v}\n"
        "permissions: [{level: CAN_VIEW, group_name: g}]\nscripts: {s: {content: x}}\nexperimental: {}\n"
        "bundlectl: {backend: local}\ntargets: {t: {}}\n"
    )
    shown = printed({"databricks.yml": text, "r/j.yml": "resources: {jobs: {j: {name: n}}}\n"})
    known = (
        "artifacts bundle bundlectl experimental include permissions presets python resources run_as scripts sync"
        " variables workspace"
    )
    assert list(shown) == known.split()


def test_included_files_are_named_from_the_root() -> None:
    files = {
        "etl/databricks.yml": bundle("include: [r/*.yml]\n"),
        "etl/r/b.yml": "variables: {}\n",
        "etl/r/a.yml": "{}",
    }
    assert printed(files, start="etl")["include"] == ["r/a.yml", "r/b.yml"]


def test_the_user_has_an_id_when_it_is_known() -> None:
    assert printed(bundle(""), user_id="42")["workspace"]["current_user"] == {**USER_DOCUMENT, "id": "42"}


def test_a_null_variable_has_a_value_alone() -> None:
    shown = printed(bundle("variables: {v: }\n"), variables=(("v", "1", "flag"),))
    assert shown["variables"] == {"v": {"value": "1"}}


GIT = Revision(commit="c" * 40, tree="t" * 40, ref="refs/heads/main", remote="https://h/r.git")


@pytest.mark.parametrize(
    ("revision", "git"),
    [
        (OUTSIDE_GIT, {"bundle_root_path": "."}),
        (GIT, {"actual_branch": "main", "branch": "main", "bundle_root_path": ".", "commit": "c" * 40, "origin_url": "https://h/r.git"}),
        (Revision(commit="c" * 40, tree="t" * 40), {"bundle_root_path": ".", "commit": "c" * 40}),
    ],
)  # fmt: skip
def test_git_facts(revision: Revision, git: dict[str, str]) -> None:
    assert printed(bundle(""), revision=revision)["bundle"]["git"] == git


# Form ----------------------------------------------------------------------------------------------------------------

NUMBERS = [
    ("1", "1"),
    ("-0", "0"),
    ("9223372036854775807", "9223372036854775807"),
    ("1.0", "1"),
    ("1.50", "1.5"),
    ("1e5", "100000"),
    ("1e20", "100000000000000000000"),
    ("1e21", "1e+21"),
    ("0.000001", "0.000001"),
    ("0.0000001", "1e-7"),
    ("-1.5e-9", "-1.5e-9"),
    ("0.1", "0.1"),
]


@pytest.mark.parametrize(("written", "shown"), NUMBERS)
def test_numbers(written: str, shown: str) -> None:
    text = resolved_text(document(loaded(bundle(f"variables: {{v: {{default: {written}}}}}\n"))))
    assert f'"value": {shown}\n' in text


ESCAPES = [
    ("<&>", r"\u003c\u0026\u003e"),
    ("\u2028\u2029", r"\u2028\u2029"),
    ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
    ("a\tb\nc", r"a\tb\nc"),
    ('"\\/', r"\"\\/"),
]


@pytest.mark.parametrize(("value", "shown"), ESCAPES)
def test_signs(value: str, shown: str) -> None:
    assert resolved_text({"k": value}) == f'{{\n  "k": "{shown}"\n}}\n'


def test_keys_are_sorted_by_their_bytes_and_lists_keep_their_order() -> None:
    # Beyond the BMP, the order of UTF-16 units is another one than that of bytes and code points.
    names = ["Z", "a", "a.b", "a_b", "\u00e9", "\uffee", "\U0001f600"]
    text = resolved_text({name: [2, 1] for name in reversed(names)})
    assert list(json.loads(text)) == sorted(names, key=lambda name: name.encode())
    assert json.loads(text)["a"] == [2, 1]


def test_layout() -> None:
    assert resolved_text({"a": {}, "b": [], "c": [{"d": None}, []]}) == (
        '{\n  "a": {},\n  "b": [],\n  "c": [\n    {\n      "d": null\n    },\n    []\n  ]\n}\n'
    )


# The worked example ----------------------------------------------------------------------------------------------------


def test_the_complete_example_to_the_byte() -> None:
    text = """\
bundle: {name: foobar}
resources:
  jobs:
    outer: {tasks: [{task_key: t, run_job_task: {job_id: "${resources.jobs.inner.id}"}}]}
    inner: {name: i}
"""
    shown = document(loaded(text, revision=OUTSIDE_GIT))
    inner = shown["resources"]["jobs"]["inner"]
    base = f"/Workspace/Users/{USER}/.bundle/foobar/default"
    made = {"deployment": {"kind": "BUNDLE", "metadata_file_path": f"{base}/state/metadata.json"}}
    assert inner == {**made, "edit_mode": "UI_LOCKED", "format": "MULTI_TASK", "max_concurrent_runs": 1, "name": "i", "queue": {"enabled": True}}  # fmt: skip
    rest = {**shown, "resources": {"jobs": {"outer": shown["resources"]["jobs"]["outer"]}}}
    assert resolved_text(rest) == EXAMPLE.replace("...", base)


EXAMPLE = """\
{
  "bundle": {
    "environment": "default",
    "git": {
      "bundle_root_path": "."
    },
    "name": "foobar",
    "target": "default"
  },
  "resources": {
    "jobs": {
      "outer": {
        "deployment": {
          "kind": "BUNDLE",
          "metadata_file_path": ".../state/metadata.json"
        },
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
        "max_concurrent_runs": 1,
        "name": "Untitled",
        "queue": {
          "enabled": true
        },
        "tasks": [
          {
            "run_job_task": {
              "job_id": "${resources.jobs.inner.id}"
            },
            "task_key": "t"
          }
        ]
      }
    }
  },
  "sync": {
    "paths": [
      "."
    ]
  },
  "workspace": {
    "artifact_path": ".../artifacts",
    "current_user": {
      "domain_friendly_name": "tester",
      "short_name": "tester",
      "userName": "tester@x.com"
    },
    "file_path": ".../files",
    "resource_path": ".../resources",
    "root_path": "...",
    "state_path": ".../state"
  }
}
"""


# On errors: as it was after the last complete step (17) ----------------------------------------------------------------


def stopped(text: str, **more: Any) -> Any:
    result = loaded(text, **more)
    assert result.bundle is None and result.diagnostics.has_errors
    return json.loads(resolved_text(document(result)))


def test_stage_3_leaves_targets_and_no_defaults() -> None:
    shown = stopped(bundle("targets: {t: {}}\nresources: {jobs: {a/b: {}}}\n"))
    assert list(shown) == ["bundle", "resources", "targets"]
    assert shown["bundle"] == {"name": "b"}


def test_stage_4_without_a_choice_of_target() -> None:
    shown = stopped(bundle("targets: {a: {}, b: {}}\n"))
    assert list(shown) == ["bundle", "targets"] and "target" not in shown["bundle"] and "workspace" not in shown


def test_stage_9_leaves_jobs_unresolved_and_without_annotations() -> None:
    shown = stopped(bundle("variables: {v: }\nresources: {jobs: {j: {name: '${var.v}'}}}\n"))
    assert shown["resources"]["jobs"]["j"] == {"name": "${var.v}"}
    assert shown["bundle"]["target"] == "default" and shown["workspace"]["root_path"] == ROOT


def test_stage_15_has_defaults_and_paths_of_the_bundle_root_and_no_annotations() -> None:
    text = bundle("include: [r/j.yml]\n")
    job = "resources: {jobs: {j: {tasks: [{task_key: t, spark_python_task: {python_file: ../src/a.py}}]}}}\n"
    result = loaded({"databricks.yml": text, "r/j.yml": job})
    assert result.bundle is None
    shown = json.loads(resolved_text(document(result)))["resources"]["jobs"]["j"]
    assert shown["tasks"][0]["spark_python_task"]["python_file"] == "src/a.py"
    assert shown["name"] == "Untitled" and shown["queue"] == {"enabled": True}
    assert not {"deployment", "edit_mode", "format"} & shown.keys()


def test_stage_19_has_everything() -> None:
    shown = stopped(jobs(f"tasks: [{{task_key: t, depends_on: [{{task_key: x}}], {NOTEBOOK}}}]"))
    assert shown["resources"]["jobs"]["j"]["edit_mode"] == "UI_LOCKED"


def test_nothing_is_printed_when_no_file_can_be_read() -> None:
    assert loaded({"x.txt": ""}).document is None
    assert loaded("a: [").document is None
    assert LoadRequest().target is None
