"""Inputs that end in a clear finding, or must be accepted: rows 1 to 122 of the corpus, and those without a number.

Data for test_bad_inputs.py. A row is named by its number in the corpus; a word after it tells rows with one number apart.
"""
# ruff: noqa: E501  (one row, one line)

from typing import Any

from bundlectl.model.diagnostic import Severity
from tests.conformance.rows import ABSENT, Good, Row
from tests.unit.config.bundles import Content, bundle, job_yaml

E, P, W, R = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING, Severity.NOTE
NAME = "bundle: {name: b}\n"
NOTEBOOK = "notebook_task: {notebook_path: /n}"
TASK = "{task_key: t, " + NOTEBOOK + "}"
TASKS = "tasks: [" + TASK + "]\n"


def task(body: str) -> str:
    """A bundle with one job of one task of such fields."""
    return job_yaml(f"tasks: [{{task_key: t, {body}}}]")


def job(body: str) -> str:
    """A bundle with one job of one good task and such fields."""
    return job_yaml(f"{body}\n{TASKS}")


def variables(defined: str, name: str = "plain") -> str:
    """A bundle with variables and one job of such a name."""
    return bundle(f"variables: {defined}\nresources: {{jobs: {{j: {{name: {name}, {TASKS.strip()}}}}}}}\n")


def schedule(expression: str, zone: str = "UTC") -> str:
    """A bundle with one job of such a schedule."""
    return job(f"schedule: {{quartz_cron_expression: {expression}, timezone_id: {zone}}}")


def several(count: int, form: str) -> str:
    """Tasks of a number of keys, each after the one before it."""
    return job_yaml("tasks:\n" + "\n".join("  - " + form.format(n=n, next=(n + 1) % count) for n in range(count)))


SYNTAX = [
    Row("1", "@1@", "103", E, "the bundle is empty"),
    Row("2", "@1@# nothing\n\n", "103", E, "the bundle is empty"),
    Row("3", "@1@hello", "104", E, "expected a mapping, found text"),
    Row("4", "@1@- a", "104", E, "expected a mapping, found a list"),
    Row("5", NAME + "@1@---\nb: 2\n", "105", E, "more than one YAML document"),
    Row("5 after an end", NAME + "...\n@1@b: 2\n", "105", E, "more than one YAML document"),
    Row("6", "bundle:\n@1@\tname: b\n", "109", E, "tab in indentation", "spaces"),
    Row("6 in a value", "bundle:\n  name: b\n@1@\tx: 1\n", "109", E, "tab in indentation", "spaces"),
    Row("7", b"bundle: {name: b}\nvariables: {x: {default: 'a@1@\0b'}}\n", "107", E, "character U+0000 is not allowed"),
    Row("7 escape", NAME + "x: @1@\x1b[31m\n", "107", E, "character U+001B is not allowed"),
    Row("7 C1", NAME + "x: a@1@\x9bb\n", "107", E, "character U+009B is not allowed"),
    Row("7 delete", NAME + "x: a@1@\x7fb\n", "107", E, "character U+007F is not allowed"),
    Row("8 BOM", "a: 1".encode("utf-16"), "106", E, "file is UTF-16, expected UTF-8", at="1:1"),
    Row("8", "a: 1".encode("utf-16-le"), "106", E, "file is UTF-16, expected UTF-8", at="1:1"),
    Row("8 wide", "a: 1".encode("utf-32"), "106", E, "file is UTF-32, expected UTF-8", at="1:1"),
    Row("9", NAME.encode() + b"x: caf@1@\xe9 au lait\n", "106", E, "not UTF-8 (byte 0xE9 at offset 24)"),
    Row("11", NAME + 'x: "@1@\\ud800"\n', "128", E, "escape \\ud800 is half of a pair"),
    Row("11 unknown", NAME + 'x: "C:@1@\\dir"\n', "128", E, "escape \\d means nothing", "backslash"),
    Row("12", NAME + 'x: @1@"abc\ny: 1\n', "108", E, "text is not closed"),
    Row("12 single", NAME + "x: @1@'abc\ny: 1\n", "108", E, "text is not closed"),
    Row("13", NAME + "x: @1@{b: 1\nc: 2\n", "108", E, '"{" is not closed'),
    Row("13 list", NAME + "x: @1@[1, 2\nb: 1\n", "108", E, '"[" is not closed'),
    Row("13 comma", NAME + "x: {a: 1 b@1@: 2}\n", "108", E, 'expected "," or "}"'),
    Row("13 too many", NAME + "x: [a]@1@]\n", "108", E, '"]" closes nothing'),
    Row("14", NAME + "a: b@1@: c\n", "108", E, "mapping not allowed here", "quote the value"),
    Row("14 list", NAME + "a: @1@- b\n", "108", E, "list not allowed here"),
    Row("15", "@2@bundle: {name: b}\n@1@bundle: {name: c}\n", "111", E, 'duplicate key "bundle" (first at 1:1)'),
    Row("16 twice", "x: &a {n: 1}\ny:\n  <<: *a\n  @1@<<: *a\n" + NAME, "112", E, 'duplicate "<<"', "<<: [*a, *b]"),
    Row("17", job("schedule:\n  timezone_id: UTC\n  quartz_cron_expression: @1@*/5 * * * *"), "127", E, '"*" starts an alias here', 'quote the cron expression: "*/5 * * * *"'),
    Row("17 in braces", job("schedule: {timezone_id: UTC, quartz_cron_expression: @1@*/5 * * * *}"), "127", E, '"*" starts an alias here', 'quote the cron expression: "*/5 * * * *"'),
    Row("17 before another", job("schedule: {quartz_cron_expression: @1@*/5 * * * *, timezone_id: UTC}"), "127", E, '"*" starts an alias here', 'quote the cron expression: "*/5 * * * *"'),
    Row("18", NAME + "x: @1@@daily\n", "127", E, '"@" cannot start a plain value', 'quote it: "@daily"'),
    Row("18 in braces", NAME + "x: {a: @1@@daily}\n", "127", E, '"@" cannot start a plain value', 'quote it: "@daily"'),
    Row("18 tick", NAME + "x: @1@`date`\n", "127", E, '"`" cannot start a plain value', "quote"),
    Row("19", NAME + "x: @1@{{job.id}}\n", "127", E, '"{{" starts a map here', 'quote it: "{{job.id}}"'),
    Row("19 in braces", NAME + "x: {a: @1@{{job.id}}}\n", "127", E, '"{{" starts a map here', 'quote it: "{{job.id}}"'),
    Row("19 in a list", NAME + "x: [@1@{{job.id}}, b]\n", "127", E, '"{{" starts a map here', 'quote it: "{{job.id}}"'),
    Row("19 more", NAME + "x: @1@{{job.id}} and\n", "127", E, '"{{" starts a map here', 'quote it: "{{job.id}} and"'),
    Row("20", NAME + "x: @1@*nope\n", "118", E, 'anchor "nope" is not defined'),
    Row("20 near", NAME + "y: &node 1\nx: @1@*nose\n", "118", E, 'anchor "nose" is not defined', 'did you mean "node"?'),
    Row("21", NAME + "a: &x {b: @1@*x}\n", "119", E, 'anchor "x" contains itself'),
    Row("23", NAME + "x: " + "[" * 63 + "@1@[" + "]" * 64, "123", E, "nesting deeper than 64"),
    Row("26 int", NAME + "@1@1: a\n", "114", E, "key must be text, found an integer", 'quote it: "1"'),
    Row("26 float", NAME + "@1@1.5: a\n", "114", E, "key must be text, found a number", 'quote it: "1.5"'),
    Row("26 bool", NAME + "@1@true: a\n", "114", E, "key must be text, found a boolean", 'quote it: "true"'),
    Row("26 list", NAME + "? @1@[a]\n: 1\n", "114", E, "key must be text, found a list", "quote"),
    Row("26 map", NAME + "? @1@{a: 1}\n: 1\n", "114", E, "key must be text, found a map", "quote"),
    Row("27", NAME + "x: @1@!!python/object/apply:os.system [ls]\n", "117", E, 'tag "!!python/object/apply:os.system" is not allowed'),
    Row("27 own", NAME + "x: @1@!foo a\n", "117", E, 'tag "!foo" is not allowed'),
    Row("27 binary", NAME + "x: @1@!!binary aGk=\n", "117", E, 'tag "!!binary" is not allowed'),
    Row("27 set", NAME + "x: @1@!!set {a}\n", "117", E, 'tag "!!set" is not allowed'),
    Row("27 str", NAME + "x: @1@!!str 1\n", "117", E, 'tag "!!str" is not allowed', 'write the value in quotes: "1"'),
    Row("27 of a map", NAME + "x: @1@!!str {a: 1}\n", "117", E, 'tag "!!str" is not allowed', "remove the tag"),
    Row("27 of a list", NAME + "x: @1@!!seq [a]\n", "117", E, 'tag "!!seq" is not allowed', "remove the tag"),
    Row("27 bare", NAME + "x: @1@! a\n", "117", E, 'tag "!" is not allowed'),
    Row("28", NAME + "@1@<<<<<<< HEAD\nx: 1\n=======\nx: 2\n>>>>>>> other\n", "110", E, "unresolved merge conflict"),
    Row("28 end only", NAME + "x: 2\n@1@>>>>>>> other\n", "110", E, "unresolved merge conflict"),
    Row("merge value", NAME + "<<: @1@{a: 1}\n", "113", E, '"<<" needs a map or a list of maps'),
    Row("merge text", NAME + "x: {<<: @1@a}\n", "113", E, '"<<" needs a map or a list of maps'),
    Row("merge null", NAME + "x:\n  <<:@1@\n  y: 1\n", "113", E, '"<<" needs a map or a list of maps'),
]  # fmt: skip

SCALARS = [
    Row("29 yes", job("queue: {enabled: @1@yes}"), "208", R, "write true"),
    Row("29 on", job("queue: {enabled: @1@on}"), "208", R, "write true"),
    Row("29 off", job("queue: {enabled: @1@off}"), "208", R, "write false"),
    Row("33", job("timeout_seconds: @1@1_000"), "209", E, '"1_000" is not an integer', "write 1000"),
    Row("36", job("max_concurrent_runs: @1@.nan"), "116", E, "not a finite number"),
    Row("36 inf", job("timeout_seconds: @1@-.inf"), "116", E, "not a finite number"),
    Row("37", job("timeout_seconds: @1@9223372036854775808"), "115", E, "integer does not fit in 64 bits"),
    Row("37 below", job("timeout_seconds: @1@-9223372036854775809"), "115", E, "integer does not fit in 64 bits"),
    Row("38", job("timeout_seconds: @1@" + "7" * 5000), "115", E, "7" * 32 + "..."),
    Row("39 fraction", job("timeout_seconds: @1@1.5"), "203", E, "expected an integer, found 1.5"),
    Row("40 no digits", job('timeout_seconds: @1@"5x"'), "209", E, '"5x" is not an integer'),
    Row("41", job_yaml("tasks: [{@1@task_key: null, " + NOTEBOOK + "}]"), "205", P, 'required field "task_key" is not set'),
    Row("41 name", job("@1@name: null"), "202", W, "expected text, found null"),
    Row("42", job('name: @1@""'), "211", P, "name is blank"),
    Row("42 spaces", job('name: @1@"  "'), "211", P, "name is blank"),
    Row("43", job('name: @1@"a "'), "211", P, "name ends with white space"),
    Row("43 newline", job('name: @1@"a\\n"'), "211", P, "name ends with white space"),
    Row("44", job("name: @1@" + "n" * 4097), "210", P, "name is longer than 4096 bytes"),
]  # fmt: skip

SCHEMA = [
    Row("45", NAME + "@1@resorces: {}\n", "201", W, 'unknown field "resorces"', 'did you mean "resources"?'),
    Row("46", task("@1@max_retry: 2, " + NOTEBOOK), "204", E, 'unknown field "max_retry" in a task', 'did you mean "max_retries"? --allow-unknown-fields'),
    Row("47", task("@1@bash_task: {}"), "204", E, 'unknown field "bash_task" in a task', 'did you mean "shell_task"?'),
    Row("48", task("@1@" + NOTEBOOK + ", @2@sql_task: {warehouse_id: w, query: {query_id: q}}"), "252", P, "a task has one type, found notebook_task and sql_task"),
    Row("49", job_yaml("tasks: [@1@{task_key: t}]"), "251", P, 'task "t" does nothing: no task type'),
    Row("51", "@1@bundle: {}\n", "212", E, "bundle.name is required"),
    Row("51 empty", '@1@bundle: {name: ""}\n', "212", E, "bundle.name is required"),
    Row("51 none", "@1@variables: {}\n", "212", E, "bundle.name is required"),
    Row("52", 'bundle: {name: @1@"a/b"}\n', "213", E, 'bundle name may not contain "/"'),
    Row("52 NUL", 'bundle: {name: @1@"a\\0b"}\n', "213", E, 'bundle name may not contain "U+0000"'),
    Row("52 newline", 'bundle: {name: @1@"a\\nb"}\n', "213", E, 'bundle name may not contain "U+000A"'),
    Row("52 dots", 'bundle: {name: @1@".."}\n', "213", E, 'bundle name may not be ".."'),
    Row("53", "bundle: {name: @1@" + "n" * 256 + "}\n", "213", E, "bundle name is longer than 255 bytes"),
    Row("54", NAME + 'targets: {@1@"-x": {}}\n', "213", E, 'target name may not start with "-"'),
    Row("56", NAME + "targets: {a: {@1@default: true}, b: {@2@default: true}}\n", "222", E, "several default targets: a, b"),
    Row("57", job_yaml("tasks: []").replace("    j:", "    @1@j:"), "250", P, 'job "j" has no tasks'),
    Row("57 null", job_yaml("tasks:").replace("    j:", "    @1@j:"), "250", P, 'job "j" has no tasks'),
    Row("57 none", job_yaml("name: n").replace("    j:", "    @1@j:"), "250", P, 'job "j" has no tasks'),
    Row("58", job_yaml("tasks: [{task_key: @2@t, " + NOTEBOOK + "}, {task_key: @1@t, " + NOTEBOOK + "}]"), "228", E, 'task "t" is defined twice'),
    Row("59", job_yaml("tasks: [{task_key: @2@Load, " + NOTEBOOK + "}, {task_key: @1@load, " + NOTEBOOK + "}]"), "263", W, "task keys differ only by case"),
    Row("60", job_yaml("tasks: [{task_key: load, " + NOTEBOOK + "}, {task_key: u, depends_on: [{task_key: @1@lod}], " + NOTEBOOK + "}]"), "231", E, 'no task "lod" in job "j"', 'did you mean "load"?'),
    Row("61", task("depends_on: [{task_key: @1@t}], " + NOTEBOOK), "254", E, 'task "t" depends on itself'),
    Row("62", several(2, "{{task_key: t{n}, depends_on: [{{task_key: @{n}1@t{next}}}], " + NOTEBOOK.replace("{", "{{").replace("}", "}}") + "}}").replace("@01@", "@1@").replace("@11@", "@2@"), "254", E, "cycle: t0 -> t1 -> t0"),
    Row("62 of 50", several(50, "{{task_key: t{n}, depends_on: [{{task_key: t{next}}}], " + NOTEBOOK.replace("{", "{{").replace("}", "}}") + "}}"), "254", E, "... 39 more ...", at="6:50"),
    Row("63", job_yaml("tasks: [{task_key: a, " + NOTEBOOK + "}, {task_key: u, depends_on: [{task_key: @2@a}, {task_key: @1@a}], " + NOTEBOOK + "}]"), "255", W, '"a" is listed twice'),
    Row("64", several(1001, "{{task_key: t{n:04}, " + NOTEBOOK.replace("{", "{{").replace("}", "}}") + "}}").replace("{task_key: t1000,", "@1@{task_key: t1000,"), "261", P, "1001 tasks, at most 1000"),
    Row("65", task("max_retries: @1@-2, " + NOTEBOOK), "210", P, "max_retries must be -1 .. 5000"),
    Row("65 many", task("max_retries: @1@1e9, " + NOTEBOOK), "210", P, "max_retries must be -1 .. 5000"),
    Row("66", task("timeout_seconds: @1@-1, " + NOTEBOOK), "210", P, "timeout_seconds must be >= 0"),
    Row("66 unit", task('timeout_seconds: @1@"5m", ' + NOTEBOOK), "209", E, '"5m" is not an integer', "give seconds: 300"),
    Row("67 skips", job("max_concurrent_runs: @1@0"), "210", R, "every run is skipped"),
    Row("67", job("max_concurrent_runs: @1@1001"), "210", P, "max_concurrent_runs must be 0 .. 1000"),
    Row("68", {"databricks.yml": NAME + "include: [a.yml, b.yml]\n", "a.yml": "resources: {jobs: {@1@x: {name: n}}}\n", "b.yml": "resources: {jobs: {@2@x: {name: n}}}\n"}, "225", E, '"x" is defined more than once'),
    Row("69", NAME + "resources: {jobs: {@1@a.b: {" + TASKS.strip() + "}}}\n", "227", W, "cannot be referenced"),
    Row("69 slash", NAME + 'resources: {jobs: {@1@"a/b": {' + TASKS.strip() + "}}}\n", "226", E, "resource key may not contain '/'"),
    Row("69 emoji", NAME + "resources: {jobs: {@1@\U0001f642: {" + TASKS.strip() + "}}}\n", "227", W, "cannot be referenced"),
    Row("69 digit", NAME + "resources: {jobs: {@1@1st: {" + TASKS.strip() + "}}}\n", "227", W, "cannot be referenced"),
    Row("69 empty", NAME + 'resources: {jobs: {@1@"": {' + TASKS.strip() + "}}}\n", "226", E, "resource key may not be empty"),
    Row("69 reference", NAME + 'resources: {jobs: {@1@"${var.x}": {' + TASKS.strip() + "}}}\n", "247", E, "not resolved in a resource key"),
    Row("70", NAME + 'bundlectl: {requires: @1@">=99"}\n', "216", E, "this bundle needs bundlectl >=99, this is"),
]  # fmt: skip

SCHEDULES = [
    Row("71", schedule('@1@"0 6 * *"'), "265", E, "expected 6 or 7 fields (seconds first), found 4"),
    Row("72", schedule('@1@"*/5 * * * *"'), "265", E, "this is Unix cron", 'write "0 */5 * * * ?"'),
    Row("73", schedule('"0 @1@61 * * * ?"'), "265", E, "minutes must be 0-59, found 61"),
    Row("74", schedule('"0 */@1@0 * * * ?"'), "265", E, "step must be at least 1"),
    Row("75", schedule('@1@"0 30 2 30 2 ?"'), "266", W, "this schedule never fires"),
    Row("75 years", schedule('@1@"0 30 2 29 2 ? 2027"'), "266", W, "this schedule never fires"),
    Row("77", schedule("0 0 6 * * ?", "@1@Mars/Phobos"), "267", E, 'unknown time zone "Mars/Phobos"'),
    Row("77 near", schedule("0 0 6 * * ?", "@1@Europe/Madird"), "267", E, 'unknown time zone "Europe/Madird"', 'did you mean "Europe/Madrid"?'),
    Row("78", schedule("0 0 6 * * ?", "@1@EST5EDT"), "268", W, "prefer a region name, e.g. America/New_York"),
    Row("78 offset", schedule("0 0 6 * * ?", "@1@GMT+3"), "268", W, "prefer a region name, e.g. America/New_York"),
    Row("79", job("@1@schedule: {quartz_cron_expression: 0 0 6 * * ?, timezone_id: UTC}\n@2@continuous: {}"), "269", P, "a job has one of schedule, trigger, continuous, triggers"),
    Row("80", NAME + "bundlectl: {retention: @1@0s}\n", "203", E, '"0s" is not a duration (30m, 12h, 7d)'),
    Row("80 negative", NAME + "bundlectl: {retention: @1@-5m}\n", "203", E, '"-5m" is not a duration (30m, 12h, 7d)'),
    Row("80 two", NAME + "bundlectl: {retention: @1@1y1}\n", "203", E, '"1y1" is not a duration (30m, 12h, 7d)'),
    Row("80 interval", job("trigger: {periodic: {interval: @1@0, unit: DAYS}}"), "269", P, "interval must be >= 1"),
    Row("81", job("continuous: {maintenance_window: {start_hour: @1@25, day_of_week: MONDAY, timezone_id: UTC}}"), "269", P, "start_hour must be 0-23"),
    Row("82", schedule('@1@"* * * * * ?"'), "266", W, "fires every second"),
]  # fmt: skip

VARIABLES = [
    Row("83", variables("{x: {default: 1}}", "'a @1@${var.nope}'"), "240", E, "reference does not exist: ${var.nope}"),
    Row("83 near", variables("{host: {default: 1}}", "'@1@${var.hst}'"), "240", E, "reference does not exist: ${var.hst}", "did you mean ${var.host}?"),
    Row("84", NAME + "variables: {x: {default: 1}}\ntargets: {a: {default: true}, z: {workspace: {root_path: @1@'/${var.y}'}}}\n", "246", W, '${var.y} is not defined (target "z")'),
    Row("85", NAME + "variables:\n  a: {default: @2@'${var.b}'}\n  b: {default: @1@'${var.a}'}\n", "241", E, "cycle: variables.a.default -> var.b -> var.a -> var.b"),
    Row("86", NAME + "variables: {a: {default: @1@'${var.a}'}}\n", "241", E, "cycle: variables.a.default -> var.a -> var.a"),
    Row("87", job("description: '@1@${${x}}'"), "245", W, '"${" starts no reference'),
    Row("88", job("description: 'a @1@${var.x'"), "245", W, '"${" starts no reference'),
    Row("89", job("description: 'n @1@${}'"), "245", W, '"${" starts no reference'),
    Row("90", job("description: '@1@${a..b}'"), "245", W, '"${" starts no reference', "one dot"),
    Row("91", variables("{l: {default: [1, 2, 3]}}", "'x @1@${var.l[9]}'"), "244", E, "index 9 is out of range (3 elements)"),
    Row("91 map", variables("{m: {default: {a: 1}}}", "'@1@${var.m[0]}'"), "244", E, "an index needs a list"),
    Row("92", variables("{m: {default: {a: 1}}}", "'x @1@${var.m}'"), "243", E, "cannot put a map into text"),
    Row("92 list", variables("{l: {default: [1]}}", "'x @1@${var.l}'"), "243", E, "cannot put a list into text"),
    Row("92 null", variables("{m: {default: {a: null}}}", "'x @1@${var.m.a}'"), "249", E, "cannot put null into text"),
    Row("93 unknown", job("description: '@1@${resources.jobs.nope.id}'"), "248", E, 'no job "nope"'),
    Row("94", job("description: 'a @1@${targets.prod.mode}'"), "246", W, '"targets" is not resolved; stays as text'),
    Row("94 near", job("description: 'a @1@${vars.x}'"), "246", W, '"vars" is not resolved; stays as text', 'did you mean "var"?'),
    Row("95", variables("{node: {default: 1}}"), "230", E, 'variable "nope" is not defined', 'did you mean "node"?', "-", {"variables": (("nope", "1", "flag"),)}),
    Row("96 twice", variables("{a: {default: 1}}"), "233", E, '--var "a" given twice', at="-", more={"variables": (("a", "1", "flag"), ("a", "2", "flag"))}),
    Row("97", bundle("variables: {n: {default: 1}}\nresources: {jobs: {j: {timeout_seconds: @1@'${var.n}', " + TASKS.strip() + "}}}\n"), "209", E, '"abc" is not an integer (from BUNDLE_VAR_n)', more={"variables": (("n", "abc", "environment"),)}),
    Row("98 maps", bundle("variables: {a: {default: {x: @1@'${var.b}'}}, b: {default: {x: '${var.a}'}}}\n"), "242", E, "references too deep after 8 rounds: ${var.a}"),
]  # fmt: skip

TREE: dict[str, Content] = {
    "src/main.py": "1",
    "src/caf\u00e9.py": "1",
    "big.py": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "nb.py": "# Databricks notebook source\n1\n",
    "x.py": "1",
}
ON_DISK: dict[str, Any] = {
    "links": {"out.py": "../../etc/passwd", "loop.py": "pool.py", "pool.py": "loop.py"},
    "submodules": ["sub"],
    "on_disk": ["new.py"],
}


def path(name: str, written: str, code: str, summary: str, advice: str = "") -> Row:
    """A task that names such a file in TREE."""
    text = task(f'spark_python_task: {{python_file: @1@"{written}"}}')
    return Row(name, {**TREE, "databricks.yml": text}, code, E, summary, advice, more=ON_DISK)


def notebook(name: str, written: str, code: str, summary: str, advice: str = "") -> Row:
    """A task that names such a notebook in TREE."""
    text = task(f'notebook_task: {{notebook_path: @1@"{written}"}}')
    return Row(name, {**TREE, "databricks.yml": text}, code, E, summary, advice, more=ON_DISK)


PATHS = [
    Row("99", {"databricks.yml": NAME + "include: [@1@nope.yml]\n", "node.yml": "variables: {}\n"}, "130", E, '"nope.yml" does not exist', 'did you mean "node.yml"?'),
    Row("100", NAME + "include: [@1@'no/*.yml']\n", "131", W, '"no/*.yml" matches no file'),
    Row("101", {"databricks.yml": NAME + "include: [a.yml]\n", "a.yml": "@1@include: [a.yml]\n"}, "135", W, "include works only in the root file"),
    Row("103 outside", NAME + "include: [@1@../x.yml]\n", "134", E, '"../x.yml" is outside the repository'),
    Row("104", NAME + "include: [@1@/etc/passwd]\n", "133", E, "includes are relative to the bundle root"),
    Row("include a script", {"databricks.yml": NAME + "include: [@1@'*.py']\n", "a.py": "1"}, "132", E, '"a.py" is no .yml, .yaml or .json file'),
    path("105", "C:\\\\x.py", "284", "Windows path", "with /"),
    path("105 share", "\\\\\\\\srv\\\\x.py", "284", "Windows path", "with /"),
    path("106", "a/../../x.py", "282", '"../x.py" is not contained in the sync root', "sync.paths"),
    path("107", "a/./../..//x.py", "282", '"../x.py" is not contained in the sync root', "sync.paths"),
    path("108", "%2e%2e/x.py", "280", 'file "%2e%2e/x.py" not found'),
    path("109", "a\\0b.py", "284", "character U+0000 is not allowed in a path"),
    path("110", "out.py", "288", '"out.py" is a symlink to "../../etc/passwd", outside the source tree'),
    path("111", "loop.py", "288", '"loop.py" is a symlink loop'),
    path("112", "src", "288", '"src" is a directory'),
    path("113", "sub/x.py", "288", '"sub/x.py" is in submodule "sub", which is not read'),
    path("114", "big.py", "288", '"big.py" is a Git LFS pointer', "not fetched"),
    path("115", "new.py", "285", '"new.py" exists in the working tree but not in commit 1a2b3c4'),
    Row("116", {"databricks.yml": task("spark_python_task: {python_file: @1@src/a.py}"), "src/a.py": "1", ".gitignore": "\n*.py\n"}, "286", P, '"src/a.py" is not synced: ignored by .gitignore:2', "sync: {include: [src/a.py]}"),
    path("117", "src/Main.py", "287", 'the file is named "src/main.py"'),
    path("118", "src/cafe\\u0301.py", "287", "another Unicode form", 'the file is named "src/caf\u00e9.py"'),
    Row("119", {"databricks.yml": NAME, "a\x1bb.py": "1"}, "289", W, "file name 'a\\x1bb.py' contains a control character", at="-"),
    Row("119 newline", {"databricks.yml": NAME, "a\nb.py": "1"}, "289", W, "file name 'a\\nb.py' contains a control character", at="-"),
    path("120", "aux.py", "284", '"aux.py" is a Windows device name'),
    Row("120 synced", {"databricks.yml": NAME, "src/aux.py": "1"}, "289", W, '"src/aux.py" is a Windows device name', at="-"),
    path("a notebook", "nb.py", "281", '"nb.py" is a notebook, not a file'),
    notebook("a file", "x.py", "281", '"x.py" is a file, not a notebook', "first line"),
    notebook("without extension", "nb", "280", 'notebook "nb" not found', 'did you mean "nb.py"?'),
    Row("relative to another file", {"databricks.yml": bundle("include: ['a/job.yml']\ntargets: {d: {resources: {jobs: {j: {tasks: [{task_key: t, spark_python_task: {python_file: @1@main.py}}]}}}}}\n"), "a/job.yml": "resources: {jobs: {j: {name: n}}}\n", "a/main.py": "1"}, "283", E, '"main.py" is relative to ./, not to the file that defines the job', 'write "a/main.py"'),
    Row("only on disk", {"databricks.yml": NAME + "sync: {include: [@1@'dist/*.whl']}\n", "a.py": "1"}, "285", W, '"dist/*.whl" matches only files that are not part of the commit 1a2b3c4: "dist/a.whl"', "commit them", more={"on_disk": ["dist/a.whl"]}),
    Row("matches nothing", {"databricks.yml": NAME + "sync: {exclude: [@1@'no/*']}\n", "a.py": "1"}, "289", W, '"no/*" matches no file'),
    Row("snapshot limit", NAME + "bundlectl: {snapshot_limit: @1@0}\n", "210", P, "snapshot_limit must be >= 1"),
]  # fmt: skip

OTHERS = [
    Row("python", NAME + "@1@python: {resources: ['m:f']}\n", "295", W, "python resources are not loaded", "--allow python"),
    Row("base and target", NAME + "variables: {t: {default: 1}}\nresources: {jobs: {j: {tasks: @2@'${var.t}'}}}\ntargets: {d: {resources: {jobs: {j: {tasks: @1@[" + TASK + "]}}}}}\n", "224", E, "cannot merge text with a list"),
    Row("target sets", NAME + "targets: {d: {variables: {@1@c: 1}}}\n", "230", E, 'variable "c" is not defined'),
    Row("production", NAME + "targets: {@1@p: {mode: production}}\n", "276", E, "set targets.p.workspace.root_path, so that only one copy is deployed"),
    Row("development", NAME + "targets: {d: {mode: development, presets: {name_prefix: @1@x_}}}\n", "275", E, "name_prefix must contain the user name"),
    Row("run_as empty", NAME + "run_as: @1@{}\n", "270", E, "run_as needs exactly one of user_name, service_principal_name"),
    Row("run_as both", NAME + "run_as: @1@{user_name: a, service_principal_name: b}\n", "270", E, "run_as needs exactly one of user_name, service_principal_name"),
    Row("pipeline", task("pipeline_task: {pipeline_id: '@1@${resources.pipelines.p.id}'}") + "  pipelines: {p: {name: p}}\n", "250", P, "no value for ${resources.pipelines.p.id}: pipelines are not managed", "bundlectl.externals"),
    Row("jobs in a circle", NAME + "resources:\n  jobs:\n    foo: {tasks: [{task_key: t, run_job_task: {job_id: '@2@${resources.jobs.bar.id}'}}]}\n    bar: {tasks: [{task_key: t, run_job_task: {job_id: '@1@${resources.jobs.foo.id}'}}]}\n", "248", E, "cycle: jobs.bar -> jobs.foo -> jobs.bar"),
    Row("artifact null", NAME + "artifacts: {@1@a: }\n", "290", E, 'artifact "a" is empty'),
    Row("artifact without anything", NAME + "artifacts: {a: @1@{path: .}}\n", "290", E, "give 'build' or 'files'"),
    Row("artifact pattern", NAME + "artifacts: {a: {files: [{source: @1@'a*.txt'}]}}\n", "291", E, "a*.txt: no matching files"),
    Row("hook", NAME + "experimental: {scripts: {@1@preinit: x}}\n", "299", W, "hook preinit is never run: reading a bundle runs nothing"),
    Row("hook of a deploy", NAME + "experimental: {scripts: {@1@predeploy: x}}\n", "299", W, "hook predeploy is not run", "--allow scripts"),
    Row("script", NAME + "scripts: {@1@s: {content: ''}}\n", "298", E, 'script "s" has no content'),
    Row("two lookups", NAME + "variables: {w: {lookup: @1@{warehouse: x, job: y}}}\n", "236", E, "exactly one of"),
    Row("no value", NAME + "variables: {@1@w: }\n", "253", E, 'no value for required variable "w"', "--var w="),
    Row("null job", NAME + "resources: {jobs: {@1@x: }}\n", "219", E, 'job "x" is not defined'),
    Row("reserved", job("deployment: {@1@deployment_id: x}"), "218", E, "deployment_id is set by bundlectl"),
    Row("read-only", "bundle: {name: b, @1@target: x}\n", "218", W, "target is set by bundlectl"),
    Row("host reference", NAME + "variables: {h: {default: x}}\nworkspace: {host: @1@'${var.h}'}\n", "215", E, "workspace.host may not hold a reference", "DATABRICKS_HOST"),
    Row("profile reference", NAME + "variables: {h: {default: x}}\nworkspace: {profile: @1@'${var.h}'}\n", "215", W, "a reference in workspace.profile is not resolved", "DATABRICKS_"),
    Row("187 path", NAME + "workspace: {host: @1@https://h/path}\n", "712", E, "host has a path"),
    Row("187 space", NAME + "workspace: {host: @1@'https://h x'}\n", "712", E, "host contains a space"),
    Row("volumes", NAME + "workspace: {root_path: @1@/Volumes/a/b}\n", "278", E, "only artifact_path may be"),
]  # fmt: skip

ROWS: list[Row] = [*SYNTAX, *SCALARS, *SCHEMA, *SCHEDULES, *VARIABLES, *PATHS, *OTHERS]

ACCEPTED = [
    Good("10", b"\xef\xbb\xbfbundle: {name: b}\n"),
    Good("16", NAME + "x: &a {name: m}\nresources: {jobs: {j: {<<: *a, name: n, " + TASKS.strip() + "}}}\n", "resources.jobs.j.name", "n", ("201",)),
    Good("26 null", job("tags: {null: x}"), "resources.jobs.j.tags", {"null": "x"}),
    Good("29", job("queue: {enabled: yes}"), "resources.jobs.j.queue", {"enabled": True}, ("208",)),
    Good("30", job("tags: {country: NO}"), "resources.jobs.j.tags.country", "NO"),
    Good("31", job("timeout_seconds: 012"), "resources.jobs.j.timeout_seconds", 12),
    Good("32", job("timeout_seconds: 0x1F"), "resources.jobs.j.timeout_seconds", 31),
    Good("34", job("description: 12:30:45"), "resources.jobs.j.description", "12:30:45"),
    Good("35", job("description: 2024-01-01"), "resources.jobs.j.description", "2024-01-01"),
    Good("39", job("timeout_seconds: 1e5"), "resources.jobs.j.timeout_seconds", 100000),
    Good("40", job('timeout_seconds: "5"'), "resources.jobs.j.timeout_seconds", 5),
    Good("52 spaces", "bundle: {name: a b}\n", value="a b"),
    Good("53", "bundle: {name: " + "n" * 65 + "}\n", value="n" * 65),
    Good("53 longest", "bundle: {name: " + "n" * 255 + "}\n", value="n" * 255),
    Good("54 all", NAME + "targets: {all: {}}\n", "bundle.target", "all"),
    Good("54 con", NAME + "targets: {con: {}}\n", "bundle.target", "con"),
    Good("55", NAME, "bundle.target", "default"),
    Good("66", task("timeout_seconds: 0, " + NOTEBOOK), "resources.jobs.j.tasks.0.timeout_seconds", 0),
    Good("67", job("max_concurrent_runs: 0"), "resources.jobs.j.max_concurrent_runs", 0, ("210",)),
    Good("72 year", schedule('"0 0 6 * * ? 2030"'), "resources.jobs.j.schedule.quartz_cron_expression", "0 0 6 * * ? 2030"),
    *(Good(f"76 {sign}", schedule(f'"{text}"'), "resources.jobs.j.schedule.quartz_cron_expression", text) for sign, text in (("L", "0 0 6 L * ?"), ("W", "0 0 6 15W * ?"), ("#", "0 0 6 ? * 6#3"), ("LW", "0 0 6 L-3W * ?"))),
    Good("87 rounds", variables("{x: {default: var.y}, y: {default: found}}", "'${${var.x}}'"), "resources.jobs.j.name", "found"),
    Good("93", bundle("resources: {jobs: {j: {tasks: [{task_key: t, run_job_task: {job_id: '${resources.jobs.k.id}'}}]}, k: {" + TASKS.strip() + "}}}\n"), "resources.jobs.j.tasks.0.run_job_task.job_id", "${resources.jobs.k.id}"),
    Good("102", NAME + "include: [databricks.yml, '*.yml']\n", "include", ABSENT, ("131",)),
    Good("103", {"etl/databricks.yml": NAME + "include: [../x.yml]\n", "x.yml": "variables: {v: {default: 1}}\n"}, "include", ["../x.yml"], more={"start": "etl"}),
    Good("pipeline given", task("pipeline_task: {pipeline_id: '${resources.pipelines.p.id}'}") + "  pipelines: {p: {name: p}}\nbundlectl: {externals: {resources.pipelines.p.id: '1-2'}}\n", "resources.jobs.j.tasks.0.pipeline_task.pipeline_id", "${resources.pipelines.p.id}", ("229",)),
]  # fmt: skip
