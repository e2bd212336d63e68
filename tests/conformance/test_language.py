"""The bundle language as a table: what is written and what it resolves to (config language 1 to 19)."""
# ruff: noqa: E501  (one row, one line)

import json
from typing import Any

import pytest

from bundlectl.model.diagnostic import Severity
from bundlectl.model.source import Revision
from tests.unit.config.bundles import OUTSIDE_GIT, ROOT, Content, bundle, codes, document, found, job, loaded

N = "notebook_task: {notebook_path: /n}"
V = "variables: {x: {default: one}, n: {default: 2}, f: {default: 2.5}, big: {default: 1.0e6}, b: {default: true}, m: {type: complex, default: {k: v}}, l: {type: complex, default: [a, b]}}\n"


def jobs(body: str) -> str:
    return bundle(f"resources: {{jobs: {{j: {{{body}}}}}}}\n")


def at(value: Any, path: str) -> Any:
    """A value by a simple path: `resources.jobs.j.tasks.0.task_key`."""
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else ABSENT
        else:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
    return value


ABSENT = "(absent)"

# section, databricks.yml, path in the document, value
RESOLVED: list[tuple[str, str, str, Any]] = [
    ("2.2 yes stays text", jobs("tags: {a: yes, b: NO, c: on, d: 12:30:45, e: 2024-01-01, f: 1_000}"), "resources.jobs.j.tags", {"a": "yes", "b": "NO", "c": "on", "d": "12:30:45", "e": "2024-01-01", "f": "1_000"}),
    ("2.2 integers", bundle("variables: {v: {default: [012, 0x1F, 0o14, +12, -3]}}\n"), "variables.v.value", [12, 31, 12, 12, -3]),
    ("2.2 floats", bundle("variables: {v: {default: [1e5, .5, 1., 6.02E+2]}}\n"), "variables.v.value", [100000.0, 0.5, 1.0, 602.0]),
    ("2.2 nulls", bundle("variables: {v: {type: complex, default: [~, null, Null, '', \"~\"]}}\n"), "variables.v.value", [None, None, None, "", "~"]),
    ("2.4 null key", jobs("tags: {null: x}"), "resources.jobs.j.tags", {"null": "x"}),
    ("2.5 alias", bundle("variables: {a: {default: &x [1]}, b: {default: *x}}\n"), "variables.b.value", [1]),
    ("2.5 merge", bundle("variables:\n  a: {default: &a {n: 1, s: x}}\n  b: {default: &b {s: y}}\n  c: {default: {<<: [*a, *b], n: 3}}\n"), "variables.c.value", {"n": 3, "s": "y"}),
    ("2.5 quoted", bundle('variables: {a: {default: {"<<": 1}}}\n'), "variables.a.value", {"<<": 1}),
    ("3.1 environments", bundle("environments: {e: {}}\n"), "bundle.target", "e"),
    ("3.3 host", bundle("workspace: {host: 'https://x.cloud/?o=123'}\n"), "workspace.workspace_id", "123"),
    ("3.3 host alone", bundle("workspace: {host: 'https://x.cloud/?o=123'}\n"), "workspace.host", "https://x.cloud"),
    ("3.4 text", jobs("tasks: [{task_key: t, existing_cluster_id: 500, " + N + "}]"), "resources.jobs.j.tasks.0.existing_cluster_id", "500"),
    ("3.4 float to text", jobs("tags: {a: 1e5}"), "resources.jobs.j.tags.a", "100000"),
    ("3.4 bool to text", jobs("tags: {a: true}"), "resources.jobs.j.tags.a", "true"),
    ("3.4 int", jobs("timeout_seconds: '5'"), "resources.jobs.j.timeout_seconds", 5),
    ("3.4 null scalar", bundle("presets: {name_prefix: }\n"), "presets", ABSENT),
    ("3.4 null list", jobs("tasks: "), "resources.jobs.j.tasks", None),
    ("3.5 anchors", bundle("defs: {c: &c {default: 1}}\nvariables: {v: *c}\n"), "variables.v.value", 1),
    ("5 keyed", bundle("resources: {jobs: {j: {tasks: [{task_key: b, max_retries: 1}, {task_key: a}]}}}\ntargets: {d: {resources: {jobs: {j: {tasks: [{task_key: b, timeout_seconds: 9}]}}}}}\n"), "resources.jobs.j.tasks", [{"task_key": "a"}, {"task_key": "b", "max_retries": 1, "timeout_seconds": 9}]),
    ("5 first seen", bundle("resources: {jobs: {j: {parameters: [{name: z, default: 1}, {name: a, default: 2}]}}}\ntargets: {d: {resources: {jobs: {j: {parameters: [{name: z, default: 3}]}}}}}\n"), "resources.jobs.j.parameters", [{"name": "z", "default": "3"}, {"name": "a", "default": "2"}]),
    ("5 missing key", jobs("tasks: [{" + N + "}]"), "resources.jobs.j.tasks.0.task_key", ""),
    ("6 default name", bundle(""), "bundle.target", "default"),
    ("6 one target", bundle("targets: {only: {}}\n"), "bundle.environment", "only"),
    ("6 marked", bundle("targets: {a: {}, b: {default: true}}\n"), "bundle.target", "b"),
    ("6 permissions", bundle("permissions: [{level: CAN_VIEW, group_name: a}]\ntargets: {d: {permissions: [{level: CAN_VIEW, group_name: b}]}}\n"), "permissions", [{"level": "CAN_VIEW", "group_name": "a"}, {"level": "CAN_VIEW", "group_name": "b"}]),
    ("6 run_as", bundle("run_as: {user_name: a}\ntargets: {d: {run_as: {user_name: b}}}\n"), "run_as", {"user_name": "b"}),
    ("6 git", bundle("targets: {d: {git: {branch: main}}}\n"), "bundle.git.branch", "main"),
    ("7.2 scalar", bundle("variables: {w: {lookup: {warehouse: x}}}\ntargets: {d: {variables: {w: id-1}}}\n"), "variables.w", {"default": "id-1", "value": "id-1"}),
    ("7.2 complex replaces", bundle("variables: {c: {default: {a: 1, b: 2}}}\ntargets: {d: {variables: {c: {a: 9}}}}\n"), "variables.c.value", {"a": 9}),
    ("7.2 full form", bundle("variables: {c: {default: 1}}\ntargets: {d: {variables: {c: {default: 5, description: x}}}}\n"), "variables.c", {"default": 5, "description": "x", "value": 5}),
    ("7.3 default", bundle("variables: {a: {default: 25}}\n"), "variables.a", {"default": 25, "value": 25}),
    ("8.2 pure keeps type", bundle(V + "resources: {jobs: {j: {max_concurrent_runs: '${var.n}'}}}\n"), "resources.jobs.j.max_concurrent_runs", 2),
    ("8.2 mixed", bundle(V + "resources: {jobs: {j: {name: '${var.n}+${var.n} ${var.b} ${var.x}'}}}\n"), "resources.jobs.j.name", "2+2 true one"),
    ("8.2 float", bundle(V + "resources: {jobs: {j: {name: 'v${var.f} ${var.big}'}}}\n"), "resources.jobs.j.name", "v2.5 1e+06"),
    ("8.2 map", bundle(V + "resources: {jobs: {j: {tags: '${var.m}'}}}\n"), "resources.jobs.j.tags", {"k": "v"}),
    ("8.2 index", bundle(V + "resources: {jobs: {j: {name: '${var.l[1]}'}}}\n"), "resources.jobs.j.name", "b"),
    ("8.2 inside a map", bundle(V + "resources: {jobs: {j: {name: '${var.m.k}'}}}\n"), "resources.jobs.j.name", "v"),
    ("8.2 unset", jobs("name: 'x${bundle.cluster_id}'"), "resources.jobs.j.name", "x"),
    ("8.2 chain", bundle("variables: {a: {default: '${var.b}'}, b: {default: x}}\n"), "variables.a.value", "x"),
    ("8.1 dollar", bundle(V + "resources: {jobs: {j: {name: '$${var.x}'}}}\n"), "resources.jobs.j.name", "$one"),
    ("8.1 dynamic", jobs("name: '{{job.id}} ${a..b}'"), "resources.jobs.j.name", "{{job.id}} ${a..b}"),
    ("8.1 other letters", bundle("variables: {größe: {default: 3}}\nresources: {jobs: {j: {name: '${var.größe}'}}}\n"), "resources.jobs.j.name", "3"),
    ("8.1 no letter", jobs("name: '${var.Ⅷ}'"), "resources.jobs.j.name", "${var.Ⅷ}"),
    ("8.3 nested", bundle("variables: {tail: {default: x}, foo_x: {default: found}}\nresources: {jobs: {j: {name: '${var.foo_${var.tail}}'}}}\n"), "resources.jobs.j.name", "found"),
    ("8.3 crossing", bundle("variables: {a: {default: {a1: 500, a2: '${var.b.b2}'}}, b: {default: {b1: '${var.a.a1}', b2: 2.5}}}\n"), "variables.a.value", {"a1": 500, "a2": 2.5}),
    ("8.5 workspace path", jobs("name: '${workspace.file_path}'"), "resources.jobs.j.name", f"{ROOT}/files"),
    ("8.6 stays", bundle("resources: {jobs: {j: {tasks: [{task_key: t, run_job_task: {job_id: '${resources.jobs.k.id}'}}]}, k: {tasks: [{task_key: t, " + N + "}]}}}\n"), "resources.jobs.j.tasks.0.run_job_task.job_id", "${resources.jobs.k.id}"),
    ("9.2 default", bundle(""), "workspace.root_path", ROOT),
    ("9.2 home", bundle("workspace: {root_path: ~/x}\n"), "workspace.root_path", "/Workspace/Users/tester@x.com/x"),
    ("9.2 prefix", bundle("workspace: {root_path: /remote}\n"), "workspace.state_path", "/Workspace/remote/state"),
    ("9.2 reference", bundle("variables: {r: {default: /Users/j}}\nworkspace: {root_path: '${var.r}/x'}\n"), "workspace.file_path", "/Users/j/x/files"),
    ("9.2 doubled", bundle("workspace: {file_path: '/Workspace${workspace.root_path}/f'}\n"), "workspace.file_path", f"{ROOT}/f"),
    ("9.2 name holds a reference", bundle("").replace("b}", '"b-${bundle.target}"}'), "workspace.root_path", ROOT.replace("/b/", "/b-default/")),
    ("10.1 prefix", bundle("presets: {name_prefix: 'p '}\nresources: {jobs: {j: {name: n}}}\n"), "resources.jobs.j.name", "p n"),
    ("10.1 prefix alone", bundle("presets: {name_prefix: p}\nresources: {jobs: {j: {}}}\n"), "resources.jobs.j.name", "p"),
    ("10.1 tags", bundle("presets: {tags: {env: dev, a: b}}\nresources: {jobs: {j: {tags: {env: prod}}}}\n"), "resources.jobs.j.tags", {"env": "prod", "a": "b"}),
    ("10.1 runs", bundle("presets: {jobs_max_concurrent_runs: 7}\nresources: {jobs: {j: {max_concurrent_runs: 0}}}\n"), "resources.jobs.j.max_concurrent_runs", 7),
    ("10.1 pause", bundle("presets: {trigger_pause_status: PAUSED}\nresources: {jobs: {j: {triggers: [{periodic: {interval: 1, unit: DAYS}}]}}}\n"), "resources.jobs.j.triggers.0.pause_status", "PAUSED"),
    ("10.1 linked", bundle("presets: {source_linked_deployment: true}\n"), "presets.source_linked_deployment", False),
    ("10.2 name", bundle("targets: {d: {mode: development}}\nresources: {jobs: {j: {name: j}}}\n"), "resources.jobs.j.name", "[dev tester] j"),
    ("10.2 tags", bundle("targets: {d: {mode: development}}\nresources: {jobs: {j: {name: j}}}\n"), "resources.jobs.j.tags", {"dev": "tester"}),
    ("10.2 schedule", bundle("targets: {d: {mode: development}}\nresources: {jobs: {j: {schedule: {quartz_cron_expression: '0 0 * * * ?', timezone_id: UTC}}}}\n"), "resources.jobs.j.schedule.pause_status", "PAUSED"),
    ("10.2 lock", bundle("targets: {d: {mode: development}}\n"), "bundle.deployment.lock.enabled", False),
    ("10.3 override", bundle("bundle: {}\n").replace("bundle: {}\n", "").replace("b}", "b, cluster_id: c1}") + "resources: {jobs: {j: {tasks: [{task_key: t, job_cluster_key: k, " + N + "}]}}}\n", "resources.jobs.j.tasks.0", {"task_key": "t", "existing_cluster_id": "c1", "notebook_task": {"notebook_path": "/n"}}),
    ("10.4 run_as", bundle("run_as: {user_name: u}\nresources: {jobs: {j: {name: n}}}\n"), "resources.jobs.j.run_as", {"user_name": "u"}),
    ("10.5 permissions", bundle("permissions: [{level: CAN_MANAGE, user_name: o}, {level: CAN_VIEW, group_name: g}]\nresources: {jobs: {j: {permissions: [{level: CAN_VIEW, user_name: o}]}}}\n"), "resources.jobs.j.permissions", [{"level": "CAN_VIEW", "user_name": "o"}, {"level": "CAN_VIEW", "group_name": "g"}, {"level": "IS_OWNER", "user_name": "tester@x.com"}]),
    ("10.5 another owner", jobs("permissions: [{level: IS_OWNER, user_name: o}]"), "resources.jobs.j.permissions", [{"level": "IS_OWNER", "user_name": "o"}, {"level": "CAN_MANAGE", "user_name": "tester@x.com"}]),
    ("10.5 upgrade", jobs("permissions: [{level: CAN_MANAGE, user_name: tester@x.com}]"), "resources.jobs.j.permissions", [{"level": "IS_OWNER", "user_name": "tester@x.com"}]),
    ("10.5 highest", jobs("permissions: [{level: CAN_VIEW, group_name: g}, {level: CAN_MANAGE, group_name: g}]"), "resources.jobs.j.permissions.0", {"level": "CAN_MANAGE", "group_name": "g"}),
    ("10.5 run", bundle("permissions: [{level: CAN_RUN, group_name: g}]\nresources: {jobs: {j: {name: n}}}\n"), "resources.jobs.j.permissions.0.level", "CAN_MANAGE_RUN"),
    ("11 empty job", jobs(""), "resources.jobs.j", {"deployment": {"kind": "BUNDLE", "metadata_file_path": f"{ROOT}/state/metadata.json"}, "edit_mode": "UI_LOCKED", "format": "MULTI_TASK", "max_concurrent_runs": 1, "name": "Untitled", "queue": {"enabled": True}}),
    ("11 null queue", jobs("queue: "), "resources.jobs.j.queue", None),
    ("11 zero", jobs("max_concurrent_runs: 0"), "resources.jobs.j.max_concurrent_runs", 0),
    ("11 pause", jobs("continuous: {}"), "resources.jobs.j.continuous.pause_status", "UNPAUSED"),
    ("11 clients", jobs("job_clusters: [{job_cluster_key: k, new_cluster: {workload_type: {clients: {jobs: false}}}}]"), "resources.jobs.j.job_clusters.0.new_cluster.workload_type.clients", {"jobs": False, "notebooks": True}),
    ("11 pool", jobs("job_clusters: [{job_cluster_key: k, new_cluster: {instance_pool_id: p, node_type_id: n, aws_attributes: {zone_id: z, instance_profile_arn: a}, azure_attributes: {first_on_demand: 1}}}]"), "resources.jobs.j.job_clusters.0.new_cluster", {"instance_pool_id": "p", "aws_attributes": {"instance_profile_arn": "a"}, "azure_attributes": {}}),
    ("11 no pool", jobs("job_clusters: [{job_cluster_key: k, new_cluster: {driver_instance_pool_id: p, num_workers: 1}}]"), "resources.jobs.j.job_clusters.0.new_cluster", {"num_workers": 1}),
    ("11 empty text", jobs("description: '', tags: {b: ''}"), "resources.jobs.j.description", ABSENT),
    ("11 empty tag stays", jobs("description: '', tags: {b: ''}"), "resources.jobs.j.tags", {"b": ""}),
    ("12 absolute", jobs("tasks: [{task_key: t, spark_python_task: {python_file: 'dbfs:/x.py'}}]"), "resources.jobs.j.tasks.0.spark_python_task.python_file", "dbfs:/x.py"),
    ("12 git source", jobs("git_source: {git_url: u, git_provider: gitHub}, tasks: [{task_key: t, spark_python_task: {python_file: a/x.py}}]"), "resources.jobs.j.tasks.0.spark_python_task.python_file", "a/x.py"),
    ("12.4 default", bundle(""), "sync", {"paths": ["."]}),
    ("12.4 none", bundle("sync: {paths: []}\n"), "sync", {"paths": []}),
    ("13 wheel", bundle("artifacts: {a: {type: whl}}\n"), "artifacts.a", {"type": "whl", "path": "/repo", "build": "python -m build --wheel", "files": [{"source": "/repo/dist/*.whl"}]}),
    ("13 dynamic", bundle("presets: {artifacts_dynamic_version: true}\nartifacts: {a: {type: whl}}\n"), "artifacts.a.dynamic_version", True),
    ("15 python", bundle("python: {resources: ['m:f']}\n"), "experimental.python", {"resources": ["m:f"]}),
    ("18 merged", bundle("bundlectl: {code: snapshot, promotion: {min_age: 1h}}\ntargets: {prod: {bundlectl: {promotion: {from: [dev]}}}}\n"), "bundlectl", {"code": "snapshot", "promotion": {"min_age": "1h", "from": ["dev"]}}),
    ("19 no include", bundle(""), "include", ABSENT),
    ("19 no targets", bundle("targets: {a: {}}\n"), "targets", ABSENT),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "path", "value"), RESOLVED, ids=[row[0] for row in RESOLVED])
def test_what_is_written_resolves_to(rule: str, text: str, path: str, value: Any) -> None:
    result = loaded(text, top="/repo")
    errors = [finding for finding in result.diagnostics if finding.severity is Severity.ERROR]
    assert errors == []
    assert at(document(result), path) == value


def test_the_complete_example_of_the_specification() -> None:
    text = 'bundle: {name: foobar}\nresources: {jobs: {outer: {tasks: [{task_key: t, run_job_task: {job_id: "${resources.jobs.inner.id}"}}]}, inner: {name: i}}}\n'
    shown = document(loaded(text, revision=OUTSIDE_GIT))
    root = "/Workspace/Users/tester@x.com/.bundle/foobar/default"
    common = {
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{root}/state/metadata.json"},
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
    }
    assert shown == {
        "bundle": {"environment": "default", "git": {"bundle_root_path": "."}, "name": "foobar", "target": "default"},
        "resources": {
            "jobs": {
                "inner": {**common, "name": "i"},
                "outer": {
                    **common,
                    "name": "Untitled",
                    "tasks": [{"run_job_task": {"job_id": "${resources.jobs.inner.id}"}, "task_key": "t"}],
                },
            }
        },
        "sync": {"paths": ["."]},
        "workspace": {
            "artifact_path": f"{root}/artifacts",
            "current_user": {"domain_friendly_name": "tester", "short_name": "tester", "userName": "tester@x.com"},
            "file_path": f"{root}/files",
            "resource_path": f"{root}/resources",
            "root_path": root,
            "state_path": f"{root}/state",
        },
    }
    json.dumps(shown)


DISCOVERY: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
    ("nearest wins", {"a/databricks.yml": "bundle: {name: x}", "databricks.yml": "bundle: {name: y}"}, {"start": "a/b"}, "x"),
    ("other name", {"bundle.yaml": "bundle: {name: x}"}, {}, "x"),
    ("given root", {"a/databricks.yml": "bundle: {name: x}", "databricks.yml": "bundle: {name: y}"}, {"root": "a"}, "x"),
    ("given absolute root", {"a/bundle.yml": "bundle: {name: x}"}, {"root": "/repo/a", "top": "/repo"}, "x"),
    ("glob characters", {"[abc]/databricks.yml": "bundle: {name: x}"}, {"start": "[abc]"}, "x"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "files", "request_fields", "name"), DISCOVERY, ids=[row[0] for row in DISCOVERY])
def test_the_bundle_is_found(rule: str, files: dict[str, str], request_fields: dict[str, Any], name: str) -> None:
    assert document(loaded(files, **request_fields))["bundle"]["name"] == name


def test_no_or_several_root_files() -> None:
    result = loaded({"x.txt": ""}, start="x")
    assert codes(result) == ["BND101"]
    assert result.document is None
    assert 'no bundle file between "x" and the repository root' in found(result, "BND101")[0].summary
    several = loaded({"databricks.yml": "bundle: {name: b}", "bundle.yml": "bundle: {name: b}"})
    assert "databricks.yml, bundle.yml" in found(several, "BND102")[0].summary
    on_disk = loaded({"x.txt": ""}, on_disk=["databricks.yml"])
    assert found(on_disk, "BND101")[0].detail == '"databricks.yml" exists in the working tree, not in commit 1a2b3c4'
    given = loaded({"x.txt": ""}, root="nope", root_from="BUNDLECTL_ROOT")
    assert 'no bundle file in "nope", given by BUNDLECTL_ROOT' in found(given, "BND101")[0].summary


def test_includes_are_merged_in_their_order() -> None:
    files = {
        "databricks.yml": bundle("include: [b.yml, '*.yml', 'r/?.yml', 'r/[x-z]*.json']\n"),
        "a.yml": "variables: {v: {default: a}}\n",
        "b.yml": "variables: {v: {default: b}}\n",
        "r/c.yml": "variables: {c: {default: 1}}\n",
        "r/dd.yml": "variables: {no: {default: 1}}\n",
        "r/xy.json": '{"variables": {"j": {"default": 2}}}',
        "r/sub/a.yml": "variables: {no: {default: 1}}\n",
    }
    shown = document(loaded(files))
    assert shown["include"] == ["b.yml", "a.yml", "r/c.yml", "r/xy.json"]
    assert {name: one["value"] for name, one in shown["variables"].items()} == {"v": "a", "c": 1, "j": 2}


def test_includes_may_climb_inside_the_repository() -> None:
    files = {
        "etl/databricks.yml": bundle("include: [../shared/x.yml]\n"),
        "shared/x.yml": "variables: {v: {default: 1}}\ninclude: [y.yml]\n",
    }
    result = loaded(files, start="etl")
    assert document(result)["include"] == ["../shared/x.yml"]
    assert codes(result) == ["BND135"]
    assert document(result)["bundle"]["git"]["bundle_root_path"] == "etl"


def test_other_findings_about_includes() -> None:
    files = {
        "databricks.yml": bundle("include: ['*.py', one.job.yml]\n"),
        "a.py": "",
        "one.job.yml": "resources: {jobs: {one: {name: 1}, two: {name: 2}}}",
    }
    result = loaded(files)
    assert {"BND132", "BND137"} <= set(codes(result))
    twice = {
        "databricks.yml": bundle("include: ['*.job.yml']\n"),
        "a.job.yml": "resources: {jobs: {x: {name: 1}}}",
        "b.job.yml": "resources: {jobs: {x: {name: 2}}}",
    }
    (finding,) = found(loaded(twice), "BND225")
    assert [span.file for span in finding.spans] == ["a.job.yml", "b.job.yml"]


def test_an_empty_included_file_is_a_warning() -> None:
    result = loaded({"databricks.yml": bundle("include: [e.yml]\n"), "e.yml": "# later\n"})
    assert [(finding.code, finding.severity) for finding in result.diagnostics] == [("BND103", Severity.WARNING)]


TARGETS = bundle("targets: {dev: {}, prod: {}}\n")


def test_the_choice_of_a_target() -> None:
    assert document(loaded(TARGETS, target="prod"))["bundle"]["target"] == "prod"
    (finding,) = found(loaded(TARGETS), "BND221")
    assert finding.summary == "choose a target with -t: dev, prod"
    (finding,) = found(loaded(TARGETS, target="prd"), "BND220")
    assert finding.summary == 'no target "prd" (dev, prod)'
    assert finding.detail == 'did you mean "prod"?'
    assert "targets" in document(loaded(TARGETS))


VALUES = bundle(
    "variables: {a: {default: d}, b: {default: d}, c: {default: d}, e: {default: d}, w: {lookup: {job: x}, description: x}}\n"
)


def test_the_precedence_of_values() -> None:
    result = loaded(
        VALUES,
        variables=(
            ("a", "flag", "flag"),
            ("a", "env", "environment"),
            ("b", "env", "environment"),
            ("other", "1", "environment"),
        ),
        variable_file={"a": "file", "b": "file", "c": "file", "w": "id"},
        override_files=(("default", b'{"a": "o", "b": "o", "c": "o", "e": "over", "w": "no"}'),),
    )
    values = {name: one.get("value") for name, one in document(result)["variables"].items()}
    assert values == {"a": "flag", "b": "env", "c": "file", "e": "over", "w": "id"}
    assert result.bundle is not None
    assert [(one.name, one.value, one.origin) for one in result.bundle.variables] == [
        ("a", "flag", "flag"),
        ("b", "env", "environment"),
        ("c", "file", "file"),
        ("e", "over", "overrides-file"),
        ("w", "id", "file"),
    ]


def test_values_that_cannot_be_given() -> None:
    text = bundle("variables: {c: {type: complex, default: {}}, s: {default: 1}}\n")
    assert codes(loaded(text, variables=(("nope", "1", "flag"),))) == ["BND230"]
    assert codes(loaded(text, variables=(("s", "1", "flag"), ("s", "2", "flag")))) == ["BND233"]
    assert codes(loaded(text, variables=(("c", "1", "environment"),))) == ["BND232"]
    assert codes(loaded(text, variable_file={"s": [1]})) == ["BND235"]
    assert codes(loaded(text, variable_file={"c": 1})) == ["BND235"]
    assert codes(loaded(text, variable_file={"nope": 1})) == ["BND230"]
    assert codes(loaded(text, override_files=(("default", b"{"),))) == ["BND140"]
    assert codes(loaded(text, override_files=(("default", b"[1]"),))) == ["BND140"]
    unknown = loaded(text, override_files=(("default", b'{"t": 1, "s": null}'),))
    assert [(finding.code, finding.severity) for finding in unknown.diagnostics] == [("BND230", Severity.WARNING)]


def test_a_value_of_the_environment_that_does_not_fit_says_where_it_came_from() -> None:
    text = bundle("variables: {n: {default: 1}}\nresources: {jobs: {j: {timeout_seconds: '${var.n}'}}}\n")
    (finding,) = found(loaded(text, variables=(("n", "abc", "environment"),)), "BND209")
    assert finding.summary == '"abc" is not an integer (from BUNDLE_VAR_n)'
    assert str(finding.spans[0]) == "databricks.yml:3:41"
    result = loaded(text, variables=(("n", "5", "environment"),))
    assert job(result, "j")["timeout_seconds"] == 5
    assert document(result)["variables"]["n"]["value"] == "5"


def test_an_unanswered_lookup_leaves_its_references() -> None:
    text = bundle("variables: {w: {lookup: {warehouse: x}}}\nresources: {jobs: {j: {name: '${var.w}'}}}\n")
    result = loaded(text)
    assert job(result, "j")["name"] == "${var.w}"
    assert result.bundle is not None
    assert {finding.severity for finding in found(result, "BND238")} == {Severity.PLAN_ERROR}


USERS = [
    ("Jane.O'Neil@x.com", "jane_o_neil", "jane-o-neil"),
    ("José@x.com", "josé", "jose"),
    ("12345678-1234-1234-1234-123456789abc", "12345678_1234_1234_1234_123456789abc", "12345678-1234-1234-1234-123456789abc"),
]  # fmt: skip


@pytest.mark.parametrize(("user", "short", "friendly"), USERS)
def test_the_names_of_a_user(user: str, short: str, friendly: str) -> None:
    shown = document(loaded(bundle(""), user=user, user_id="7"))["workspace"]["current_user"]
    assert shown == {"userName": user, "short_name": short, "domain_friendly_name": friendly, "id": "7"}


def test_a_service_principal_owns_by_its_own_field() -> None:
    user = USERS[2][0]
    shown = job(loaded(jobs("permissions: [{level: CAN_VIEW, group_name: g}]"), user=user), "j")["permissions"]
    assert shown[-1] == {"level": "IS_OWNER", "service_principal_name": user}


def test_what_git_says() -> None:
    revision = Revision(commit="c" * 40, tree="t", ref="refs/heads/topic", remote="https://host/x.git")
    shown = document(loaded(bundle(""), revision=revision))["bundle"]["git"]
    assert shown == {
        "actual_branch": "topic",
        "branch": "topic",
        "bundle_root_path": ".",
        "commit": "c" * 40,
        "origin_url": "https://host/x.git",
    }
    given = loaded("bundle: {name: b, git: {branch: main}}\n", revision=revision)
    assert document(given)["bundle"]["git"]["branch"] == "main"
    assert given.bundle is not None
    assert given.bundle.git_branch == "main"


TREE: dict[str, Content] = {
    "src/a.py": "1",
    "src/n.py": "# Databricks notebook source\n1\n",
    "src/n2.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}',
    "src/q.sql": "select 1",
    "dbt/dbt_project.yml": "x",
    "req.txt": "x",
    "lib/x.jar": "x",
}
PLACED: list[tuple[str, str, str, str]] = [
    ("notebook", "notebook_task: {notebook_path: ../src/n.py}", "notebook_task.notebook_path", "/src/n"),
    ("jupyter", "notebook_task: {notebook_path: ../src/n2.ipynb}", "notebook_task.notebook_path", "/src/n2"),
    ("file", "spark_python_task: {python_file: ../src/a.py}", "spark_python_task.python_file", "/src/a.py"),
    ("sql", "sql_task: {warehouse_id: w, file: {path: ../src/q.sql}}", "sql_task.file.path", "/src/q.sql"),
    ("folder", "dbt_task: {commands: [dbt run], project_directory: ../dbt}", "dbt_task.project_directory", "/dbt"),
    ("requirements", "spark_python_task: {python_file: ../src/a.py}, libraries: [{requirements: ../req.txt}]", "libraries.0.requirements", "/req.txt"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "task", "path", "placed"), PLACED, ids=[row[0] for row in PLACED])
def test_paths_become_workspace_paths(kind: str, task: str, path: str, placed: str) -> None:
    files = {**TREE, "databricks.yml": bundle("include: ['r/*.yml']\n"), "r/j.yml": f"resources: {{jobs: {{j: {{tasks: [{{task_key: t, {task}}}]}}}}}}\n"}  # fmt: skip
    result = loaded(files)
    assert at(job(result, "j")["tasks"][0], path) == f"{ROOT}/files{placed}"
    assert result.specs["j"].meta.uses_code


def test_inner_tasks_and_environments_are_translated_too() -> None:
    text = (
        "tasks: [{task_key: t, for_each_task: {inputs: '[1]', task: {task_key: u, spark_python_task: {python_file: src/a.py}}}}],"
        " environments: [{environment_key: e, spec: {dependencies: [-r req.txt, dist/*.whl, 'requests==2', ./x.whl, '-e .', 'git+https://h/x']}}]"
    )
    shown = job(loaded({**TREE, "databricks.yml": jobs(text)}), "j")
    assert at(shown, "tasks.0.for_each_task.task.spark_python_task.python_file") == f"{ROOT}/files/src/a.py"
    assert at(shown, "environments.0.spec.dependencies") == [
        f"-r {ROOT}/files/req.txt",
        "./dist/*.whl",
        "requests==2",
        "./x.whl",
        f"-e {ROOT}/files",
        "git+https://h/x",
    ]


def test_a_pure_reference_is_relative_to_the_file_that_uses_it() -> None:
    files = {
        **TREE,
        "databricks.yml": bundle("include: ['r/*.yml']\nvariables: {p: {default: ../src/a.py}}\n"),
        "r/j.yml": "resources: {jobs: {j: {tasks: [{task_key: t, spark_python_task: {python_file: '${var.p}'}}]}}}\n",
    }
    assert at(job(loaded(files), "j"), "tasks.0.spark_python_task.python_file") == f"{ROOT}/files/src/a.py"


def test_libraries_that_are_files_are_named_in_what_is_sent_and_others_wait_for_the_build() -> None:
    text = "tasks: [{task_key: t, spark_jar_task: {main_class_name: M}, libraries: [{jar: ./lib/x.jar}, {whl: dist/*.whl}, {whl: 'dbfs:/w.whl'}]}]"
    result = loaded({**TREE, "databricks.yml": jobs(text)})
    assert at(job(result, "j"), "tasks.0.libraries") == [
        {"jar": "lib/x.jar"},
        {"whl": "dist/*.whl"},
        {"whl": "dbfs:/w.whl"},
    ]
    sent = result.specs["j"].document["tasks"][0]["libraries"]
    assert sent == [{"jar": "lib/x.jar"}, {"whl": "dist/*.whl"}, {"whl": "dbfs:/w.whl"}]  # published at deploy


def test_sync_paths_outside_the_bundle_move_the_sync_root() -> None:
    files = {
        "root/databricks.yml": bundle("sync: {paths: [../src], exclude: ['*.tmp'], include: ['!x/', gen/*]}\n"),
        "src/a.py": "1",
        "src/b.tmp": "1",
        "other/c.py": "1",
    }
    result = loaded(files, start="root")
    assert document(result)["sync"] == {
        "paths": ["src"],
        "exclude": ["root/*.tmp"],
        "include": ["!root/x/", "root/gen/*"],
    }
    assert result.bundle is not None
    assert result.bundle.sync_root == ""
    assert list(result.code_files) == ["src/a.py", "src/b.tmp"]


def test_ignored_files_can_be_brought_back_and_left_out() -> None:
    files = {
        "databricks.yml": bundle('sync: {include: ["ignored/**/*.py"], exclude: ["src/app.*"]}\n'),
        ".gitignore": "ignored/\n",
        "ignored/a.py": "1",
        "ignored/x/b.py": "1",
        "ignored/x/c.txt": "1",
        "src/app.py": "1",
        "src/lib.py": "1",
        ".databricks/x": "1",
    }
    result = loaded(files)
    assert list(result.code_files) == [".gitignore", "ignored/a.py", "ignored/x/b.py", "src/lib.py"]


def test_bundle_files_are_code_only_when_asked_for() -> None:
    files = {"databricks.yml": bundle("include: [r.yml]\n"), "r.yml": "variables: {}\n", "a.py": "1"}
    assert list(loaded(files).code_files) == ["a.py"]
    asked = {**files, "databricks.yml": bundle("include: [r.yml]\nsync: {include: ['*.yml']}\n")}
    assert list(loaded(asked).code_files) == ["a.py", "databricks.yml", "r.yml"]


def test_patterns_without_a_match_are_pointed_out() -> None:
    result = loaded({"databricks.yml": bundle("sync: {exclude: ['no/*'], include: ['*.nope']}\n"), "a.py": "1"})
    assert [finding.path for finding in found(result, "BND289")] == ["sync.exclude[0]", "sync.include[0]"]
    outside = loaded(bundle("sync: {paths: [../../x]}\n"))
    assert codes(outside) == ["BND289"]


def test_a_stage_with_an_error_stops_there_and_shows_what_was_reached() -> None:
    text = bundle("variables: {v: }\nresources: {jobs: {j: {name: '${var.v}'}}}\n")
    shown = document(loaded(text))
    assert shown["resources"]["jobs"]["j"] == {"name": "${var.v}"}
    files = {
        "databricks.yml": bundle("include: [r/j.yml]\n"),
        "r/j.yml": "resources: {jobs: {j: {tasks: [{task_key: t, spark_python_task: {python_file: ../src/a.py}}]}}}\n",
    }
    shown = job(loaded(files), "j")
    assert at(shown, "tasks.0.spark_python_task.python_file") == "src/a.py"
    assert shown["queue"] == {"enabled": True}


BACKENDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("", {}, "local", "snapshot"),
    ("workspace: {host: 'https://x'}\n", {}, "databricks", "snapshot"),
    ("workspace: {profile: p}\n", {}, "databricks", "snapshot"),
    ("", {"host_given": True}, "databricks", "snapshot"),
    ("bundlectl: {backend: local}\n", {"host_given": True}, "local", "snapshot"),
    ("bundlectl: {backend: {kind: airflow, url: 'https://a'}}\n", {}, "airflow", "snapshot"),
    ("workspace: {host: 'https://x'}\ntargets: {d: {mode: development}}\n", {}, "databricks", "in_place"),
    ("targets: {d: {mode: development}}\n", {}, "local", "snapshot"),
]


@pytest.mark.parametrize(("text", "fields", "backend", "code"), BACKENDS)
def test_where_jobs_go_and_how_code_gets_there(text: str, fields: dict[str, Any], backend: str, code: str) -> None:
    result = loaded(bundle(text), **fields)
    assert result.bundle is not None
    assert (result.bundle.target.backend, result.bundle.target.code) == (backend, code)


def test_what_the_target_says_reaches_the_bundle() -> None:
    text = bundle(
        "targets: {p: {mode: production, workspace: {root_path: /Workspace/p}, run_as: {user_name: u},"
        " bundle: {deployment: {fail_on_active_runs: true}}, bundlectl: {state: {remote: up}, retention: 7d, backend: {kind: local, path: x}}}}\n"
        "resources: {jobs: {j: {lifecycle: {prevent_destroy: true}, bundlectl: {renamed_from: old, pause: operator}, tasks: [{task_key: t, shell_task: {command: ls}}]}}, pipelines: {p: {}, q: {}}}\n"
    )
    result = loaded(text)
    assert result.bundle is not None
    target = result.bundle.target
    assert (target.mode, target.protected, target.state_remote, target.retention) == ("production", True, "up", "7d")
    assert target.backend_options == {"path": "x"}
    assert result.bundle.protected_jobs == ("j",)
    assert result.bundle.fail_on_active_runs
    assert result.bundle.unmanaged == {"pipelines": 2}
    meta = result.specs["j"].meta
    assert (meta.renamed_from, meta.pause, meta.uses_code) == ("old", "operator", True)
    assert set(result.specs["j"].document) & {"bundlectl", "lifecycle"} == set()
    assert job(result, "j")["bundlectl"] == {"renamed_from": "old", "pause": "operator"}


def test_the_old_key_of_a_renamed_job_may_not_stay() -> None:
    text = bundle("resources: {jobs: {old: {name: o}, new: {bundlectl: {renamed_from: old}}}}\n")
    assert [finding.path for finding in found(loaded(text), "BND225")] == ["resources.jobs.new.bundlectl.renamed_from"]


def test_the_digest_of_the_configuration_does_not_depend_on_the_commit_or_the_folder() -> None:
    text = bundle("artifacts: {a: {type: whl}}\nresources: {jobs: {j: {name: n}}}\n")
    one = loaded(text, top="/a", revision=Revision(commit="1" * 40, tree="t", ref="refs/heads/a"))
    two = loaded(text, top="/b", revision=Revision(commit="2" * 40, tree="t", ref="refs/heads/b"))
    other = loaded(text.replace("name: n}", "name: m}"))
    assert one.bundle is not None
    assert two.bundle is not None
    assert other.bundle is not None
    assert one.bundle.config_digest == two.bundle.config_digest
    assert one.bundle.config_digest != other.bundle.config_digest


def test_places_of_fields_are_known_by_natural_key() -> None:
    text = "bundle: {name: b}\nresources:\n  jobs:\n    j:\n      tasks:\n        - task_key: load\n          timeout_seconds: 9\n          notebook_task: {notebook_path: /n}\n"
    spans = loaded(text).specs["j"].spans
    assert str(spans["tasks[task_key='load'].timeout_seconds"]) == "databricks.yml:7:28"
    assert "queue" not in spans
