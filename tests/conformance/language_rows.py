"""Rules of the bundle language beyond test_language.py: what is written, and what it resolves to or is told.

Data for test_language_rules.py; the names of rows begin with the section of the language that they hold.
"""
# ruff: noqa: E501, SIM905  (one row, one line)

from typing import Any

from bundlectl.model.source import Revision
from tests.conformance.bad_inputs import NAME, NOTEBOOK, TASKS, E, P, R, W, job, task, variables
from tests.conformance.rows import ABSENT, Good, Row
from tests.unit.config.bundles import ROOT, Content, bundle, job_yaml

J = "resources.jobs.j"
T = f"{J}.tasks.0"
BASE = "resources: {jobs: {j: {" + TASKS.strip() + "}}}\n"
OWNER = {"level": "IS_OWNER", "user_name": "tester@x.com"}


def targeted(base: str, target: str, more: str = "") -> str:
    """A job of such fields, and what the one target says about it."""
    return bundle(
        f"resources: {{jobs: {{j: {{{base}}}}}}}\ntargets: {{d: {{{more}resources: {{jobs: {{j: {{{target}}}}}}}}}}}\n"
    )


def development(text: str = "", body: str = TASKS.strip()) -> str:
    """One job in a development target with such settings."""
    return bundle(
        f"targets: {{d: {{mode: development{', ' if text else ''}{text}}}}}\nresources: {{jobs: {{j: {{name: n, {body}}}}}}}\n"
    )


def cluster(fields: str) -> str:
    """A job with one job cluster."""
    return job_yaml(
        f"job_clusters: [{{job_cluster_key: k, new_cluster: {{{fields}}}}}]\ntasks: [{{task_key: t, job_cluster_key: k, {NOTEBOOK}}}]"
    )


READING: list[Row | Good] = [
    Good("2.1 windows lines", "bundle: {name: b}\r\nvariables: {v: {default: 1}}\r\n", "variables.v.value", 1),
    Good("2.1 start and end", "---\nbundle: {name: b}\n...\n"),
    Good("2.1 next line sign", 'bundle: {name: b}\nvariables: {v: {default: "x\x85y"}}\n', "variables.v.value", "x y"),
    Row("2.1 no character", 'bundle: {name: b}\nx: "a@1@\ufffe"\n', "107", E, "character U+FFFE is not allowed"),
    Good("2.1 json", {"databricks.yml": NAME + "include: [a.json]\n", "a.json": '{"variables": {"v": {"default": [1, "a", null]}}}'}, "variables.v.value", [1, "a", None]),
    Good("2.2 null forms", variables("{v: {type: complex, default: [null, Null, NULL, ~, '~', nULL]}}"), "variables.v.value", [None, None, None, None, "~", "nULL"]),
    Good("2.2 booleans", variables("{v: {default: [true, True, TRUE, false, False, FALSE, tRUE, 'true']}}"), "variables.v.value", [True, True, True, False, False, False, "tRUE", "true"]),
    Good("2.2 integers", variables("{v: {default: [9223372036854775807, -9223372036854775808, 0x1F, 0o14, 0b11, 0o8, 1_000]}}"), "variables.v.value", [2**63 - 1, -(2**63), 31, 12, "0b11", "0o8", "1_000"]),
    Good("2.2 floats", variables("{v: {default: [1e5, 1., .5, -.5E-2, 1.5e+3, e5, ., 1e]}}"), "variables.v.value", [1e5, 1.0, 0.5, -0.005, 1500.0, "e5", ".", "1e"]),
    Row("2.2 too large", NAME + "variables: {v: {default: @1@1e999}}\n", "116", E, "not a finite number"),
    Row("2.2 infinite", NAME + "variables: {v: {default: [@1@.inf]}}\n", "116", E, "not a finite number", ""),
    Good("2.2 block text", bundle("variables:\n  v:\n    default: |\n      12\n"), "variables.v.value", "12\n"),
    Row("2.5 alias keeps its place", NAME + "resources: {jobs: {a: &a {tasks: [{task_key: t, notebook_task: @1@7}]}, b: *a}}\n", "203", E, "expected a map, found an integer"),
    Good("2.5 a list of merges", bundle("variables:\n  a: {default: &a {n: 1, s: x}}\n  b: {default: &b {s: y}}\n  c: {default: {n: 3, <<: [*a, *b]}}\n"), "variables.c.value", {"n": 3, "s": "y"}),
]  # fmt: skip

SCHEMA: list[Row | Good] = [
    Row("3.1 environments", NAME + "@1@environments: {e: {}}\n", "217", W, "environments is the old name of targets"),
    Row("3.1 both", NAME + "@1@targets: {e: {}}\n@2@environments: {e: {}}\n", "217", E, "targets and environments are the same"),
    Row("3.2 reference in the name", "variables: {x: {default: y}}\nbundle: {name: @1@'b-${var.x}'}\n", "214", W, "bundle.name holds a reference"),
    Good("3.2 uuid and engine", "bundle: {name: b, uuid: u, engine: direct, databricks_cli_version: '>= 0.229.0, < 2.0.0'}\n", "bundle.engine", "direct"),
    Row("3.2 engine", "bundle: {name: b, engine: @1@other}\n", "206", P, '"other" is not one of direct, terraform'),
    Row("3.2 version of the other tool", "bundle: {name: b, databricks_cli_version: @1@'newest'}\n", "216", E, '"newest" is no version constraint'),
    Row("3.2 old name", "bundle: {name: b, @1@compute_id: c}\n", "201", W, "compute_id is the old name of cluster_id"),
    Good("3.2 old name is read", "bundle: {name: b, compute_id: c}\n", "bundle.cluster_id", "c", ("201",)),
    Good("3.2 lock", "bundle: {name: b, deployment: {lock: {enabled: false, force: true}, fail_on_active_runs: true}}\n", "bundle.deployment", {"lock": {"enabled": False, "force": True}, "fail_on_active_runs": True}),
    *(Row(f"3.2 read-only {name}", f"bundle: {{name: b, @1@{name}: {value}}}\n", "218", W, "is set by bundlectl") for name, value in (("target", "x"), ("environment", "x"), ("mode", "development"), ("force", "true"))),
    *(Row(f"3.2 read-only git.{name}", f"bundle: {{name: b, git: {{@1@{name}: x}}}}\n", "218", W, "is set by bundlectl") for name in ("commit", "actual_branch", "bundle_root_path")),
    Good("3.2 read-only is overwritten", "bundle: {name: b, target: x}\n", "bundle.target", "default", ("218",)),
    Good("3.3 connection", NAME + "workspace: {profile: p, azure_use_msi: true, account_id: a, experimental_is_unified_host: false}\n", "workspace.azure_use_msi", True),
    Good("3.3 a reference stays", NAME + "variables: {h: {default: x}}\nworkspace: {profile: '${var.h}'}\n", "workspace.profile", "${var.h}", ("215",)),
    Good("3.4 text from a number", task("existing_cluster_id: 500, " + NOTEBOOK), f"{T}.existing_cluster_id", "500"),
    Good("3.4 spelling", cluster("spark_version: 15.40, num_workers: 1"), f"{J}.job_clusters.0.new_cluster.spark_version", "15.4", ("207",)),
    Row("3.4 spelling is told", cluster("spark_version: @1@15.40, num_workers: 1"), "207", W, 'this number becomes the text "15.4"', "quote the value"),
    *(Good(f"3.4 {word}", job(f"queue: {{enabled: {word}}}"), f"{J}.queue.enabled", word.lower() in ("y", "yes", "on"), ("208",)) for word in ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF")),
    Good("3.4 null preset", NAME + "presets: {name_prefix: }\n", "presets", ABSENT, ("202",)),
    Good("3.4 null list", job_yaml("tasks:"), f"{J}.tasks", None, ("250",)),
    Good("3.4 a reference for any type", bundle("variables: {n: {default: 3}}\nresources: {jobs: {j: {max_concurrent_runs: '${var.n}', " + TASKS.strip() + "}}}\n"), f"{J}.max_concurrent_runs", 3),
    Row("3.5 nearly known", NAME + "@1@varaibles: {}\n", "201", W, 'unknown field "varaibles"', 'did you mean "variables"?'),
    Row("3.5 in a target", NAME + "targets: {d: {resources: {jobs: {j: {@1@max_retry: 1}}}}}\n", "204", E, 'unknown field "max_retry" in a job'),
    Good("3.5 passed through", job("newer_field: {a: [1]}"), f"{J}.newer_field", {"a": [1]}, more={"allow_unknown_fields": True}),
    Good("3.5 anchors", NAME + "defs: {c: &c {default: 1}, l: [&a 1, &b {x: 2}]}\nvariables: {v: *c}\n", "variables.v.value", 1),
    Row("3.5 not only anchors", NAME + "@1@defs: [&a {n: 1}, {n: 2}]\n", "201", W, 'unknown field "defs"'),
    Row("3.5 required", task("@1@python_wheel_task: {package_name: p}"), "205", P, 'required field "entry_point" is not set'),
    Row("3.5 required of the bundle", NAME + "permissions: [@1@{user_name: u}]\n", "205", P, 'required field "level" is not set'),
    Row("3.5 required of an artifact", NAME + "artifacts: {a: {build: make, files: [@1@{}]}}\n", "205", P, 'required field "source" is not set'),
    Row("3.5 enum", task("run_if: @1@ALL_GOOD, " + NOTEBOOK), "206", P, '"ALL_GOOD" is not one of ALL_DONE, ALL_FAILED'),
    Row("3.5 reserved", job("deployment: {@1@version_id: x}"), "218", E, "version_id is set by bundlectl"),
    Row("3.6 another kind", NAME + "resources: {pipelines: {@1@p: {name: n, newest: true}}}\n", "229", R, "pipelines.p is not managed by bundlectl"),
    Good("3.6 is printed", NAME + "variables: {x: {default: y}}\nresources: {pipelines: {p: {name: 'n-${var.x}', newest: true}}}\n", "resources.pipelines.p", {"name": "n-y", "newest": True}, ("229",)),
    Row("3.6 an unknown kind", NAME + "resources: {@1@pipelins: {p: {}}}\n", "201", W, 'unknown field "pipelins"', "pipelines"),
    *(Good(f"3.6 {kind}", NAME + f"resources: {{{kind}: {{x: {{}}}}}}\n", f"resources.{kind}", {"x": {}}, ("229",)) for kind in (
        "alerts apps catalogs clusters dashboards database_catalogs database_instances experiments external_locations genie_spaces instance_pools "
        "job_runs model_serving_endpoints models pipelines postgres_branches postgres_catalogs postgres_databases postgres_endpoints postgres_projects "
        "postgres_roles postgres_synced_tables quality_monitors registered_models schemas secret_scopes secrets sql_warehouses synced_database_tables "
        "vector_search_endpoints vector_search_indexes volumes"
    ).split()),
    *(Row(f"3.7 {name}", NAME + f"experimental: {{@1@{name}: true}}\n", "299", R, f"experimental.{name} has no effect") for name in (
        "python_wheel_wrapper", "use_legacy_run_as", "skip_artifact_cleanup", "skip_name_prefix_for_schema", "record_deployment_history")),
    Row("3.7 pydabs", NAME + "experimental: {@1@pydabs: {enabled: true}}\n", "294", E, "pydabs is not read: use python at the top"),
    Good("3.7 immutable folder", {"databricks.yml": task("spark_python_task: {python_file: src/a.py}") + "experimental: {immutable_folder: true}\n", "src/a.py": "1"}, f"{T}.spark_python_task.python_file", "${workspace.snapshot_path}/files/src/a.py"),
    Row("3.7 immutable folder and a path", NAME + "experimental: {immutable_folder: true}\nworkspace: {file_path: @1@/x}\n", "278", E, "workspace.file_path cannot be set with experimental.immutable_folder"),
    Row("3.8 over all kinds", NAME + "resources: {jobs: {@1@x: {" + TASKS.strip() + "}}, pipelines: {@2@x: {}}}\n", "225", E, '"x" is defined more than once'),
    Row("3.8 and scripts", NAME + "resources: {jobs: {@1@x: {" + TASKS.strip() + "}}}\nscripts: {@2@x: {content: ls}}\n", "225", E, '"x" is defined more than once'),
    Good("3.8 a target may say more", targeted(TASKS.strip(), "name: n"), f"{J}.name", "n"),
    *(Row(f"3.8 key with {sign}", NAME + f"resources: {{jobs: {{@1@\"a{sign}b\": {{{TASKS.strip()}}}}}}}\n", "226", E, "resource key may not contain") for sign in ("/", "\\\\", "'", "[", "]", "{", "}", "$", "\\n")),
]  # fmt: skip

FILES = {
    "r/a.yml": "variables: {a: {default: 1}}\n",
    "r/b.yml": "variables: {b: {default: 1}}\n",
    "r/d/c.yml": "variables: {c: {default: 1}}\n",
}
INCLUDES: list[Row | Good] = [
    *(Good(f"4 {pattern}", {**FILES, "databricks.yml": NAME + f"include: ['{pattern}']\n"}, "include", files) for pattern, files in (
        ("r/*.yml", ["r/a.yml", "r/b.yml"]), ("r/?.yml", ["r/a.yml", "r/b.yml"]), ("r/[b-z].yml", ["r/b.yml"]), ("r/[^a].yml", ["r/b.yml"]),
        ("r/**/*.yml", ["r/d/c.yml"]), ("*/*.yml", ["r/a.yml", "r/b.yml"]), ("./r/a.yml", ["r/a.yml"]))),
    Good("4 order and once", {**FILES, "databricks.yml": NAME + "include: [r/b.yml, 'r/*.yml']\n"}, "include", ["r/b.yml", "r/a.yml"]),
    Row("4 a folder", {**FILES, "databricks.yml": NAME + "include: [@1@r]\n"}, "288", E, '"r" is a directory'),
    Row("4 one resource for a name", {"databricks.yml": NAME + "include: [x.job.yml]\n", "x.job.yml": "@1@resources: {jobs: {x: {" + TASKS.strip() + "}, y: {" + TASKS.strip() + "}}}\n"}, "137", R, "x.job.yml"),
    Row("4 symlink", {"databricks.yml": NAME + "include: [@1@l.yml]\n"}, "288", E, '"l.yml" is a symlink', more={"links": {"l.yml": "/etc/x.yml"}}),
    Row("4 submodule", {"databricks.yml": NAME + "include: [@1@sub/x.yml]\n"}, "288", E, 'is in submodule "sub"', more={"submodules": ["sub"]}),
    Row("4 pointer", {"databricks.yml": NAME + "include: [p.yml]\n", "p.yml": "@1@version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, "288", E, '"p.yml" is a Git LFS pointer'),
    Row("4 empty", {"databricks.yml": NAME + "include: [e.yml]\n", "e.yml": "@1@# nothing\n"}, "103", W, "the file is empty"),
]  # fmt: skip

MERGING: list[Row | Good] = [
    Good("5 null and a value", targeted("tasks: ", TASKS.strip()), f"{T}.task_key", "t"),
    Good("5 a value and null", targeted(TASKS.strip(), "tasks: "), f"{T}.task_key", "t"),
    Good("5 scalars", targeted("name: a, " + TASKS.strip(), "name: b"), f"{J}.name", "b"),
    Good("5 maps", targeted("tags: {a: '1'}, " + TASKS.strip(), "tags: {b: '2'}"), f"{J}.tags", {"a": "1", "b": "2"}),
    Good("5 lists", targeted("tasks: [{task_key: t, libraries: [{egg: 'dbfs:/a'}], " + NOTEBOOK + "}]", "tasks: [{task_key: t, libraries: [{egg: 'dbfs:/a'}, {egg: 'dbfs:/b'}]}]"), f"{T}.libraries", [{"egg": "dbfs:/a"}, {"egg": "dbfs:/a"}, {"egg": "dbfs:/b"}]),
    Good("5 clusters by key", targeted("job_clusters: [{job_cluster_key: z, new_cluster: {num_workers: 1}}, {job_cluster_key: a, new_cluster: {num_workers: 1}}], " + TASKS.strip(), "job_clusters: [{job_cluster_key: z, new_cluster: {num_workers: 3}}]"), f"{J}.job_clusters", [{"job_cluster_key": "z", "new_cluster": {"num_workers": 3}}, {"job_cluster_key": "a", "new_cluster": {"num_workers": 1}}]),
    Row("5 environments are not keyed", targeted("environments: [{environment_key: e}], " + TASKS.strip(), "environments: [{environment_key: e}]"), "228", P, 'environment "e" is defined twice'),
    Row("5 another kind", targeted("@2@name: [a]".replace("@2@", "") + ", " + TASKS.strip(), "name: b"), "203", E, "expected text, found a list"),
    Row("5 kinds", NAME + "variables: {t: {default: []}}\nresources: {jobs: {j: {tags: @2@'${var.t}', " + TASKS.strip() + "}}}\ntargets: {d: {resources: {jobs: {j: {tags: @1@{a: b}}}}}}\n", "224", E, "cannot merge text with a map"),
    Row("5 a missing key", job_yaml("tasks: [@1@{" + NOTEBOOK + "}]"), "205", P, 'required field "task_key" is not set'),
    Good("5 from two files", {"databricks.yml": NAME + "include: [a.yml, b.yml]\npermissions: [{level: CAN_VIEW, group_name: r}]\n", "a.yml": "permissions: [{level: CAN_VIEW, group_name: a}]\n", "b.yml": "permissions: [{level: CAN_VIEW, group_name: b}]\n"}, "permissions", [{"level": "CAN_VIEW", "group_name": name} for name in "rab"], ("273",)),
]  # fmt: skip

TARGETS: list[Row | Good] = [
    Row("6 mode", NAME + "targets: {d: {mode: @1@prod}}\n", "223", E, "prod"),
    Good("6 run_as null is no change", NAME + "run_as: {user_name: a}\ntargets: {d: {run_as: }}\n", "run_as", {"user_name": "a"}),
    Good("6 cluster_id", NAME + "targets: {d: {cluster_id: c}}\n", "bundle.cluster_id", "c"),
    Good("6 compute_id", NAME + "targets: {d: {compute_id: c}}\n", "bundle.cluster_id", "c", ("201",)),
    Good("6 git", NAME + "targets: {d: {git: {branch: x, origin_url: 'https://u'}}}\n", "bundle.git.origin_url", "https://u"),
    Good("6 sync", {"databricks.yml": NAME + "sync: {exclude: [a.py]}\ntargets: {d: {sync: {exclude: [b.py]}}}\n", "a.py": "", "b.py": "", "c.py": ""}, "sync.exclude", ["a.py", "b.py"]),
    Good("6 presets", NAME + "presets: {tags: {a: b}}\ntargets: {d: {presets: {tags: {c: d}}}}\n", "presets.tags", {"a": "b", "c": "d"}),
    Good("6 bundlectl", NAME + "bundlectl: {code: snapshot}\ntargets: {d: {bundlectl: {protect: true}}}\n", "bundlectl", {"code": "snapshot", "protect": True}),
    Good("6 artifacts", NAME + "artifacts: {a: {build: make, files: [{source: x}]}}\ntargets: {d: {artifacts: {a: {build: make d}}}}\n", "artifacts.a.build", "make d"),
    Row("6 unknown key", NAME + "targets: {d: {@1@host: x}}\n", "201", W, 'unknown field "host"'),
    Row("6 name", NAME + "targets: {@1@'a/b': {}}\n", "213", E, 'target name may not contain "/"'),
    Good("6 empty targets", NAME + "targets: {}\n", "bundle.target", "default"),
    Good("6 null target", NAME + "targets: {only: }\n", "bundle.target", "only"),
]  # fmt: skip

VARIABLES: list[Row | Good] = [
    Row("7.1 type", NAME + "variables: {v: {type: @1@text, default: a}}\n", "239", W, "can only be complex"),
    Good("7.1 a map without a type", variables("{v: {default: {a: 1}}}"), "variables.v.value", {"a": 1}),
    Row("7.1 null default", NAME + "variables: {@1@v: {default: }}\n", "253", E, 'no value for required variable "v"'),
    Good("7.2 lookup dropped", NAME + "variables: {w: {lookup: {warehouse: x}}}\ntargets: {d: {variables: {w: id-1}}}\n", "variables.w", {"default": "id-1", "value": "id-1"}),
    Good("7.2 lookup in full", NAME + "variables: {w: {default: a}}\ntargets: {d: {variables: {w: {lookup: {warehouse: x}, description: y}}}}\n", "variables.w", {"lookup": {"warehouse": "x"}, "description": "y"}, ("238",)),
    Good("7.2 another map is a value", NAME + "variables: {w: {default: {}}}\ntargets: {d: {variables: {w: {default: 1, more: 2}}}}\n", "variables.w.value", {"default": 1, "more": 2}),
    Good("7.2 type and default", NAME + "variables: {w: {default: {}}}\ntargets: {d: {variables: {w: {type: complex, default: [1]}}}}\n", "variables.w", {"type": "complex", "default": [1], "value": [1]}),
    Good("7.3 text from a flag", bundle("variables: {n: {default: 1}}\nresources: {jobs: {j: {max_concurrent_runs: '${var.n}', " + TASKS.strip() + "}}}\n"), f"{J}.max_concurrent_runs", 2, more={"variables": (("n", "2", "flag"),)}),
    Good("7.3 prints text", variables("{n: {default: 1}}"), "variables.n.value", "2", more={"variables": (("n", "2", "flag"),)}),
    Row("7.3 complex", NAME + "variables: {c: {type: complex, default: {}}}\n", "232", E, '"c" is complex', at="-", more={"variables": (("c", "1", "flag"),)}),
    Row("7.4 none", NAME + "variables: {w: {lookup: @1@{}}}\n", "236", E, "a lookup needs exactly one of"),
    Good("7.4 references", NAME + "variables: {n: {default: x}, w: {lookup: {warehouse: '${var.n}-${bundle.target}'}}}\n", "variables.w.lookup", {"warehouse": "x-default"}, ("238",)),
    Row("7.4 lookup of a lookup", NAME + "variables: {a: {lookup: {job: x}}, b: {lookup: {warehouse: @1@'${var.a}'}}}\n", "237", E, "lookup"),
    *(Good(f"7.4 {kind}", NAME + f"variables: {{w: {{lookup: {{{kind}: x}}}}}}\n", "variables.w", {"lookup": {kind: "x"}}, ("238",)) for kind in (
        "alert cluster cluster_policy dashboard instance_pool job metastore notification_destination pipeline query service_principal warehouse").split()),
]  # fmt: skip

V = "variables: {x: {default: one}, n: {default: 2}, big: {default: 1.5e6}, small: {default: 0.00001}, f: {default: 100000.0}}\n"
INTERPOLATION: list[Row | Good] = [
    Row("8.1 loose", job("description: 'a @1@${ var.x }'"), "245", W, '"${" starts no reference'),
    Row("8.2 float in text", bundle(V + "resources: {jobs: {j: {name: 'v @1@${var.big}', " + TASKS.strip() + "}}}\n"), "207", W, 'this number becomes the text "1.5e+06"'),
    *(Good(f"8.2 {name} in text", bundle(V + f"resources: {{jobs: {{j: {{name: 'v ${{var.{name}}}', {TASKS.strip()}}}}}}}\n"), f"{J}.name", f"v {text}", codes) for name, text, codes in (("big", "1.5e+06", ("207",)), ("small", "1e-05", ("207",)), ("f", "100000", ()), ("n", "2", ()))),
    Good("8.2 outside git", variables("{x: {default: 'b${bundle.git.branch}'}}"), "variables.x.value", "b", more={"revision": Revision(commit=None, tree=None, working_tree=True)}),
    Good("8.2 workspace", job("name: '${workspace.current_user.short_name}'"), f"{J}.name", "tester"),
    Row("8.2 a key of a list", variables("{l: {default: [a]}}", "'@1@${var.l.jar}'"), "244", E, 'a list has no "jar"'),
    Row("8.2 unknown fixed field", job("name: '@1@${bundle.nme}'"), "240", E, "reference does not exist: ${bundle.nme}", "${bundle.name}"),
    Good("8.3 eleven rounds hold", bundle("variables:\n" + "".join(f"  v{n}_x: {{default: {'x' if n == 0 else repr(f'${{var.v{n - 1}_${{var.t}}}}')}}}\n" for n in range(10)) + "  t: {default: x}\n"), "variables.v9_x.value", "x"),
    Good("8.4 environment of a script", NAME + "scripts: {s: {content: ls, env: {T: '${bundle.target}'}}}\n", "scripts.s.env.T", "default"),
    Row("8.4 content of a script", NAME + "scripts: {s: {content: @1@'echo ${bundle.target}'}}\n", "247", E, "not resolved in the content", "env:"),
    Row("8.4 resources in a script", NAME + "scripts: {s: {content: ls, env: {T: @1@'${resources.jobs.j.id}'}}}\n", "247", E, "is not allowed here"),
    Good("8.5 presets use variables", NAME + V + "presets: {name_prefix: '${var.x}-'}\n" + BASE.replace("{tasks", "{name: n, tasks"), f"{J}.name", "one-n"),
    Row("8.5 jobs do not use presets", NAME + "presets: {name_prefix: p}\nresources: {jobs: {j: {description: 'a @1@${presets.name_prefix}', " + TASKS.strip() + "}}}\n", "246", W, '"presets" is not resolved'),
    Row("8.6 field of a job", job("description: '@1@${resources.jobs.j.tsks}'"), "248", E, 'job "j" has no "tsks"', "tasks"),
    Row("8.6 kind", job("description: '@1@${resources.jbs.j.id}'"), "248", E, 'no kind of resource "jbs"', "jobs"),
    Row("8.6 itself", task("run_job_task: {job_id: '@1@${resources.jobs.j.id}'}"), "248", E, "cycle: jobs.j -> jobs.j"),
]  # fmt: skip

# Text -> the references in it, and whether the whole text is one.
REFERENCES: list[tuple[str, list[str], bool]] = [
    ("${var.foo}", ["var.foo"], True),
    ("${a.b} suffix", ["a.b"], False),
    (" ${a.b}", ["a.b"], False),
    ("${foo.bar.baz[0][1].qux}", ["foo.bar.baz[0][1].qux"], True),
    ("${hello-world.a__b}", ["hello-world.a__b"], True),
    ("${a--__b.c}", ["a--__b.c"], True),
    ("${a1.b2-3}", ["a1.b2-3"], True),
    ("${a}", ["a"], True),
    ("${a.b}${c.d}", ["a.b", "c.d"], False),
    ("$${a.b}", ["a.b"], False),
    ("${${a.b}}", ["a.b"], False),
    ("${gr\u00f6\u00dfe.\u4e2d\u6587}", ["gr\u00f6\u00dfe.\u4e2d\u6587"], True),
    ("${a.b\u0663}", ["a.b\u0663"], True),
    ("${a.b\u2163}", ["a.b\u2163"], True),
    ("${helloworld.9world}", [], False),
    ("${0a.b}", [], False),
    ("${a.\u0663}", [], False),
    ("${a.\u2163}", [], False),
    ("${a..b}", [], False),
    ("${.a}", [], False),
    ("${a.}", [], False),
    ("${a-.b}", [], False),
    ("${a.b-}", [], False),
    ("${_a.b}", [], False),
    ("${a._b}", [], False),
    ("${}", [], False),
    ("${ a.b }", [], False),
    ("${a .b}", [], False),
    ("${a.b", [], False),
    ("$ {a.b}", [], False),
    ("{{a.b}}", [], False),
    ("${a[0]}", ["a[0]"], True),
    ("${a[0]b}", [], False),
    ("${a[]}", [], False),
    ("${a[-1]}", [], False),
    ("${a[x]}", [], False),
    ("${[0]}", [], False),
    ("${a.\U0001f30d}", [], False),
    ("${a.e\u0301}", [], False),
    ("${a.b\n}", [], False),
]  # fmt: skip

WORKSPACE: list[Row | Good] = [
    Good("9.2 prefix", NAME + "workspace: {artifact_path: /Volumes/a/b/c}\n", "workspace.artifact_path", "/Volumes/a/b/c"),
    Good("9.2 a reference first", NAME + "workspace: {file_path: '${workspace.root_path}/x'}\n", "workspace.file_path", f"{ROOT}/x"),
    Good("9.2 kept", NAME + "workspace: {root_path: /Workspace/x}\n", "workspace.resource_path", "/Workspace/x/resources"),
    Row("9.2 doubled", NAME + "workspace: {file_path: @1@'/Workspace/${workspace.root_path}/x'}\n", "278", W, "/Workspace is part of the path already"),
    Good("9.2 doubled in a job", job("description: '/Workspace${workspace.root_path}/x'"), f"{J}.description", f"{ROOT}/x", ("278",)),
]  # fmt: skip

PRESETS: list[Row | Good] = [
    Row("10.1 source linked", NAME + "presets: {source_linked_deployment: @1@true}\n", "277", W, "source_linked_deployment"),
    Good("10.1 source linked is false", NAME + "presets: {source_linked_deployment: true}\n", "presets.source_linked_deployment", False, ("277",)),
    Row("10.1 status", NAME + "presets: {trigger_pause_status: @1@OFF}\n", "277", E, '"OFF" is not one of PAUSED, UNPAUSED'),
    Good("10.1 no tags", NAME + "presets: {tags: {}}\n" + BASE, f"{J}.tags", ABSENT),
    Good("10.1 empty tag", NAME + "presets: {tags: {a: b}}\nresources: {jobs: {j: {tags: {a: ''}, " + TASKS.strip() + "}}}\n", f"{J}.tags", {"a": "b"}),
    *(Good(f"10.1 pauses {name}", NAME + f"presets: {{trigger_pause_status: PAUSED}}\nresources: {{jobs: {{j: {{{name}: {{{body}}}, {TASKS.strip()}}}}}}}\n", f"{J}.{name}.pause_status", "PAUSED") for name, body in (
        ("schedule", "quartz_cron_expression: 0 0 6 * * ?, timezone_id: UTC"), ("continuous", ""), ("trigger", "periodic: {interval: 1, unit: DAYS}"))),
    Good("10.1 own status", NAME + "presets: {trigger_pause_status: PAUSED}\nresources: {jobs: {j: {continuous: {pause_status: UNPAUSED}, " + TASKS.strip() + "}}}\n", f"{J}.continuous.pause_status", "UNPAUSED"),
    Good("10.2 lock", development(), "bundle.deployment.lock.enabled", False),
    Good("10.2 lock as given", development("bundle: {deployment: {lock: {enabled: true}}}"), "bundle.deployment.lock.enabled", True),
    Good("10.2 fills", development(), "presets", {"name_prefix": "[dev tester] ", "tags": {"dev": "tester"}, "jobs_max_concurrent_runs": 4, "trigger_pause_status": "PAUSED", "pipelines_development": True}),
    Good("10.2 empty prefix", development("presets: {name_prefix: ''}"), f"{J}.name", "[dev tester] n"),
    Good("10.2 own prefix", development("presets: {name_prefix: 'tester_'}"), f"{J}.name", "tester_n"),
    Good("10.2 own values", development("presets: {jobs_max_concurrent_runs: 9, pipelines_development: false}"), f"{J}.max_concurrent_runs", 9),
    Good("10.2 the example", development(body="schedule: {quartz_cron_expression: 0 0 * * * ?, timezone_id: UTC}, " + TASKS.strip()), f"{J}.schedule.pause_status", "PAUSED"),
    Good("10.2 a job unpauses itself", development(body="continuous: {pause_status: UNPAUSED}, " + TASKS.strip()), f"{J}.continuous.pause_status", "UNPAUSED"),
    Row("10.2 unpaused", NAME + "targets: {d: {mode: development, presets: {trigger_pause_status: @1@UNPAUSED}}}\n", "275", E, "may not unpause every trigger"),
    Row("10.2 path", NAME + "targets: {d: {mode: development, workspace: {root_path: @1@/Workspace/shared}}}\n", "275", E, "workspace.root_path must contain the user name"),
    Good("10.2 path of the user", NAME + "targets: {d: {mode: development, workspace: {root_path: /Workspace/x/tester}}}\n", "workspace.root_path", "/Workspace/x/tester"),
    Good("10.2 production", NAME + "targets: {p: {mode: production, workspace: {root_path: /Workspace/p}}}\n", "bundle.mode", "production"),
    Row("10.2 root path of the bundle", NAME + "workspace: {root_path: /Workspace/p}\ntargets: {@1@p: {mode: production}}\n", "276", E, "set targets.p.workspace.root_path"),
    Row("10.2 with run_as", NAME + "run_as: {user_name: a}\ntargets: {@1@p: {mode: production}}\n" + BASE, "276", R, "set targets.p.workspace.root_path"),
    Row("10.2 by a service principal", NAME + "targets: {@1@p: {mode: production}}\n", "276", R, "set targets.p.workspace.root_path", more={"user": "12345678-1234-1234-1234-123456789abc"}),
    Row("10.2 pipeline", NAME + "targets: {p: {mode: production, workspace: {root_path: /Workspace/p}}}\nresources: {pipelines: {x: {development: @1@true}}}\n", "276", E, 'pipeline "x" has development: true'),
    Good("10.3 override", bundle("bundle: {}\n").replace("bundle: {name: b}\nbundle: {}", "bundle: {name: b, cluster_id: c1}") + "resources: {jobs: {j: {job_clusters: [{job_cluster_key: k, new_cluster: {num_workers: 1}}], tasks: [{task_key: t, job_cluster_key: k, " + NOTEBOOK + "}]}}}\n", T, {"task_key": "t", "existing_cluster_id": "c1", "notebook_task": {"notebook_path": "/n"}}),
    Good("10.3 without compute", "bundle: {name: b, cluster_id: c1}\n" + BASE, f"{T}.existing_cluster_id", ABSENT),
    Good("10.3 inner task", "bundle: {name: b, cluster_id: c1}\nresources: {jobs: {j: {environments: [{environment_key: e}], tasks: [{task_key: t, for_each_task: {inputs: '[1]', task: {task_key: u, environment_key: e, " + NOTEBOOK + "}}}]}}}\n", f"{T}.for_each_task.task.existing_cluster_id", "c1"),
    Good("10.3 by flag", "bundle: {name: b, cluster_id: c1}\n" + BASE.replace("{task_key: t,", "{task_key: t, existing_cluster_id: x,"), f"{T}.existing_cluster_id", "c2", more={"cluster_id": "c2"}),
    Good("10.3 by environment", development(body="tasks: [{task_key: t, existing_cluster_id: x, " + NOTEBOOK + "}]"), f"{T}.existing_cluster_id", "c3", more={"cluster_id_environment": "c3"}),
    Row("10.3 by environment elsewhere", NAME + BASE, "279", W, "DATABRICKS_CLUSTER_ID is ignored", at="-", more={"cluster_id_environment": "c3"}),
    Row("10.3 production", NAME + "targets: {p: {mode: production, cluster_id: @1@c, workspace: {root_path: /Workspace/p}}}\n", "279", W, "cluster_id replaces the compute"),
    Good("10.4 copied", NAME + "run_as: {user_name: a}\n" + BASE, f"{J}.run_as", {"user_name": "a"}),
    Good("10.4 own", NAME + "run_as: {user_name: a}\nresources: {jobs: {j: {run_as: {service_principal_name: s}, " + TASKS.strip() + "}}}\n", f"{J}.run_as", {"service_principal_name": "s"}),
    Good("10.4 null section", NAME + "run_as:\n" + BASE, f"{J}.run_as", ABSENT),
    Row("10.4 empty", NAME + "run_as: @1@{user_name: ''}\n", "270", E, "run_as needs exactly one of"),
    Row("10.5 level", NAME + "permissions: [{level: @1@CAN_FLY, user_name: u}]\n", "271", E, '"CAN_FLY" is not one of'),
    Row("10.5 overlap", NAME + "permissions: [@1@{level: CAN_VIEW, user_name: o}]\nresources: {jobs: {j: {permissions: [{level: CAN_VIEW, user_name: o}], " + TASKS.strip() + "}}}\n", "272", W, "jobs.j already has permissions for user"),
    Row("10.5 deployer", NAME + "@1@permissions: [{level: CAN_VIEW, group_name: g}]\n", "273", R, "tester@x.com"),
    Good("10.5 deployer is listed", NAME + "permissions: [{level: CAN_MANAGE, user_name: tester@x.com}]\n" + BASE, f"{J}.permissions", [OWNER]),
    Good("10.5 keys", job("permissions: [{level: CAN_VIEW, group_name: g}, {level: CAN_MANAGE_RUN, group_name: g}]"), f"{J}.permissions", [{"level": "CAN_MANAGE_RUN", "group_name": "g"}, OWNER]),
]  # fmt: skip

DEFAULTS: list[Row | Good] = [
    Good("11 schedule", job("schedule: {quartz_cron_expression: 0 0 6 * * ?, timezone_id: UTC}"), f"{J}.schedule.pause_status", "UNPAUSED"),
    Good("11 trigger", job("trigger: {periodic: {interval: 1, unit: DAYS}}"), f"{J}.trigger.pause_status", "UNPAUSED"),
    Good("11 triggers keep", job("triggers: [{periodic: {interval: 1, unit: DAYS}}]"), f"{J}.triggers", [{"periodic": {"interval": 1, "unit": "DAYS"}}]),
    Good("11 unsized cluster is printed as it is", cluster("spark_version: x"), f"{J}.job_clusters.0.new_cluster", {"spark_version": "x"}),
    Good("11 pool in a task", task("new_cluster: {instance_pool_id: p, node_type_id: n, driver_node_type_id: d, enable_elastic_disk: true, num_workers: 1, gcp_attributes: {google_service_account: s, zone_id: z}}, " + NOTEBOOK), f"{T}.new_cluster", {"instance_pool_id": "p", "num_workers": 1, "gcp_attributes": {"google_service_account": "s"}}),
    Good("11 nothing in tasks", task("dbt_task: {commands: [dbt run], schema: ''}"), T, {"task_key": "t", "dbt_task": {"commands": ["dbt run"]}}),
    Good("11 empty list elements stay", task("spark_python_task: {python_file: 'dbfs:/x.py', parameters: ['', a]}"), f"{T}.spark_python_task.parameters", ["", "a"]),
    Row("17 single node", cluster("num_workers: @1@0, spark_version: x"), "264", W, "num_workers is 0"),
    Good("17 single node by rule", cluster("num_workers: 0, spark_conf: {spark.databricks.cluster.profile: singleNode, spark.master: 'local[*]'}, custom_tags: {ResourceClass: SingleNode}"), f"{J}.job_clusters.0.new_cluster.num_workers", 0),
]  # fmt: skip

SOURCES: dict[str, Content] = {
    "src/a.py": "1", "src/n.py": "# Databricks notebook source\n1\n", "src/N2.PY": "# Databricks notebook source\n", "src/d.designer.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}',
    "src/j.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4}', "src/s.scala": "// Databricks notebook source\n", "src/q.sql": "-- Databricks notebook source\nselect 1\n", "src/r.r": "# Databricks notebook source\n",
    "src/old.ipynb": '{"cells": [], "metadata": {}, "nbformat": 3}', "src/no.ipynb": "[]", "src/near.py": " # Databricks notebook source\n", "src/plain.sql": "select 1",
    "src/50%.py": "1", "dbt/dbt_project.yml": "x", "req.txt": "x", "dist/a.whl": "x",
}  # fmt: skip


def sourced(name: str, body: str, path: str, value: Any, codes: tuple[str, ...] = ()) -> Good:
    """A task of such fields in SOURCES."""
    return Good(name, {**SOURCES, "databricks.yml": task(body)}, f"{T}.{path}", value, codes)


def faulty(name: str, body: str, code: str, summary: str, advice: str = "") -> Row:
    """A task of such fields in SOURCES, with an error."""
    return Row(name, {**SOURCES, "databricks.yml": task(body)}, code, E, summary, advice)


PATHS: list[Row | Good] = [
    *(sourced(f"12.2 notebook {path}", f"notebook_task: {{notebook_path: {path}}}", "notebook_task.notebook_path", f"{ROOT}/files/{placed}") for path, placed in (
        ("src/n.py", "src/n"), ("src/N2.PY", "src/N2"), ("src/d.designer.ipynb", "src/d.designer.ipynb"), ("src/j.ipynb", "src/j"), ("src/s.scala", "src/s"), ("src/q.sql", "src/q"), ("src/r.r", "src/r"))),
    *(faulty(f"12.2 no notebook {path}", f"notebook_task: {{notebook_path: @1@{path}}}", "281", f'"{path}" is a file, not a notebook') for path in ("src/old.ipynb", "src/no.ipynb", "src/near.py", "src/plain.sql")),
    sourced("12.2 percent", "spark_python_task: {python_file: src/50%.py}", "spark_python_task.python_file", f"{ROOT}/files/src/50%.py"),
    sourced("12.2 alert", "alert_task: {workspace_path: src/a.py}", "alert_task.workspace_path", f"{ROOT}/files/src/a.py"),
    sourced("12.2 sql", "sql_task: {warehouse_id: w, file: {path: src/plain.sql}}", "sql_task.file.path", f"{ROOT}/files/src/plain.sql"),
    sourced("12.2 dbt", "dbt_task: {commands: [dbt run], project_directory: dbt}", "dbt_task.project_directory", f"{ROOT}/files/dbt"),
    sourced("12.2 runtime", "ai_runtime_task: {experiment: e, deployments: [{compute: {accelerator_type: GPU_1xA10, accelerator_count: 1}, command_path: src/a.py}]}", "ai_runtime_task.deployments.0.command_path", f"{ROOT}/files/src/a.py"),
    sourced("12.2 requirements", "spark_python_task: {python_file: src/a.py}, libraries: [{requirements: req.txt}]", "libraries.0.requirements", f"{ROOT}/files/req.txt"),
    sourced("12.2 egg stays", "spark_python_task: {python_file: src/a.py}, libraries: [{egg: 'dbfs:/x.egg'}]", "libraries.0.egg", "dbfs:/x.egg"),
    *(sourced(f"12.2 {text} stays", f"spark_python_task: {{python_file: '{text}'}}", "spark_python_task.python_file", text) for text in ("/Workspace/x.py", "dbfs:/x.py", "s3://b/k.py", "abfss://c@a/x.py")),
    sourced("12.2 from git", "spark_python_task: {python_file: any/x.py, source: GIT}", "spark_python_task.python_file", "any/x.py"),
    faulty("12.2 missing folder", "dbt_task: {commands: [dbt run], project_directory: @1@nope}", "280", 'directory "nope" not found'),
    faulty("12.2 file for a folder", "dbt_task: {commands: [dbt run], project_directory: @1@req.txt}", "288", '"req.txt" is a file, not a directory'),
    faulty("12.2 backslash", "spark_python_task: {python_file: @1@'src\\a.py'}", "284", "has a backslash", "/"),
    *(Good(f"12.3 {text}", {**SOURCES, "databricks.yml": job(f"environments: [{{environment_key: e, spec: {{dependencies: [\"{text}\"]}}}}]")}, f"{J}.environments.0.spec.dependencies", [placed]) for text, placed in (
        ("requests", "requests"), ("pandas==2.1", "pandas==2.1"), ("foo[bar]>=1,<2", "foo[bar]>=1,<2"), ("name @ https://u/x.whl", "name @ https://u/x.whl"), ("/Volumes/a/x.whl", "/Volumes/a/x.whl"),
        ("dbfs:/x.whl", "dbfs:/x.whl"), ("https://h/x.whl", "https://h/x.whl"), ("--index-url u", "--index-url u"), ("-r req.txt", f"-r {ROOT}/files/req.txt"), ("dist/a.whl", "./dist/a.whl"), ("./dist/a.whl[x]", "./dist/a.whl[x]"))),
]  # fmt: skip

SETTINGS: list[Row | Good] = [
    Row("18 unknown", NAME + "bundlectl: {@1@retenton: 1d}\n", "204", E, 'unknown field "retenton"', "retention"),
    Row("18 unknown of a job", job("bundlectl: {@1@rename_from: x}"), "204", E, 'unknown field "rename_from"', "renamed_from"),
    *(Row(f"18 duration {text or 'empty'}", NAME + f"bundlectl: {{promotion: {{min_age: @1@'{text}'}}}}\n", "203", E, "is not a duration (30m, 12h, 7d)") for text in ("0s", "-5m", "1y", "1h30m", "1 h", "01h", "h")),
    *(Good(f"18 duration {text}", NAME + f"bundlectl: {{retention: {text}}}\n", "bundlectl.retention", text) for text in ("1s", "30m", "12h", "7d", "52w")),
    Good("18 backend as a map", NAME + "bundlectl: {backend: {kind: airflow, url: 'https://a', dag_bundle: d, dag_remote: r, dag_branch: b, auth: {kind: basic}, queues: {k: q}}}\n", "bundlectl.backend.queues", {"k": "q"}),
    Good("18 job", job("bundlectl: {code: in_place, pause: operator, renamed_from: old}"), f"{J}.bundlectl", {"code": "in_place", "pause": "operator", "renamed_from": "old"}),
    Row("18 requires", NAME + "bundlectl: {requires: @1@'at least 1'}\n", "216", E, "is no version specifier"),
    Row("18 old key stays", NAME + "resources: {jobs: {old: {" + TASKS.strip() + "}, new: {bundlectl: {renamed_from: @1@old}, " + TASKS.strip() + "}}}\n", "225", E, '"old" is the old key of "new" and is still defined'),
    Row("18 code", NAME + "bundlectl: {code: @1@zip}\n", "206", P, '"zip" is not one of'),
    Good("13 a jar with files", {"databricks.yml": NAME + "artifacts: {a: {type: jar, build: make, files: [{source: x.jar}]}}\n"}, "artifacts.a", {"type": "jar", "path": ".", "build": "make", "files": [{"source": "x.jar"}]}),
    Row("13 missing folder", NAME + "artifacts: {a: {type: whl, path: @1@nope}}\n", "280", E, '"nope" not found'),
    Good("13 files are found", {"databricks.yml": NAME + "artifacts: {a: {files: [{source: 'b*.txt'}, {source: a.txt}]}}\n", "a.txt": "", "b2.txt": "", "b1.txt": ""}, "artifacts.a.files", [{"source": "b1.txt"}, {"source": "b2.txt"}, {"source": "a.txt"}]),
    Good("13 relative to its file", {"databricks.yml": NAME + "include: [r/a.yml]\n", "r/a.yml": "artifacts: {a: {type: whl, path: ../lib}}\n", "lib/pyproject.toml": ""}, "artifacts.a", {"type": "whl", "path": "lib", "build": "python -m build --wheel", "files": [{"source": "lib/dist/*.whl"}]}),
    Good("16 a branch of its own", "bundle: {name: b, git: {branch: main, origin_url: 'https://o'}}\n", "bundle.git", {"actual_branch": "topic", "branch": "main", "bundle_root_path": ".", "commit": "c" * 40, "origin_url": "https://o"}, more={"revision": Revision(commit="c" * 40, tree="t", ref="refs/heads/topic", remote="https://r")}),
    Good("16 detached", NAME, "bundle.git", {"bundle_root_path": ".", "commit": "c" * 40}, more={"revision": Revision(commit="c" * 40, tree="t")}),
    Good("16 outside git", NAME, "bundle.git", {"bundle_root_path": "."}, more={"revision": Revision(commit=None, tree=None, working_tree=True)}),
]  # fmt: skip

ROWS: list[Row | Good] = [
    *READING,
    *SCHEMA,
    *INCLUDES,
    *MERGING,
    *TARGETS,
    *VARIABLES,
    *INTERPOLATION,
    *WORKSPACE,
    *PRESETS,
    *DEFAULTS,
    *PATHS,
    *SETTINGS,
]
