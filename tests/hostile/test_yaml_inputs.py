"""Bad inputs 1 to 122: each ends in its code, its words and its place, or is accepted as the table says."""
# ruff: noqa: E501  (one row, one line)

import os
import subprocess
import sys
import time

import pytest

from bundlectl.config.loader import load
from bundlectl.config.request import Limits, LoadRequest
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Severity
from tests.unit.config.bundles import Content, MemoryTree, bundle, codes, found, job_yaml, loaded

E, P, W, R = Severity.ERROR, Severity.PLAN_ERROR, Severity.WARNING, Severity.NOTE
TASK = "{task_key: t, notebook_task: {notebook_path: /n}}"
NAME = "bundle: {name: b}\n"

# row, content of databricks.yml, code (without BND), class, words in the summary, hint or detail, line:column
SYNTAX: list[tuple[str, Content, str, Severity, str, str, str]] = [
    ("1", "", "103", E, "the bundle is empty", "", "1:1"),
    ("2", "# nothing\n\n", "103", E, "the bundle is empty", "", "1:1"),
    ("3", "hello", "104", E, "expected a mapping, found text", "", "1:1"),
    ("4", "- a", "104", E, "expected a mapping, found a list", "", "1:1"),
    ("5", NAME + "---\nb: 2\n", "105", E, "more than one YAML document", "", "2:1"),
    ("5 after ...", NAME + "...\nb: 2\n", "105", E, "more than one YAML document", "", "3:1"),
    ("6", "bundle:\n\tname: b\n", "109", E, "tab in indentation", "spaces", "2:1"),
    ("6 in a value", "bundle:\n  name: b\n\tx: 1\n", "109", E, "tab in indentation", "spaces", "3:1"),
    ("7", b"bundle: {name: b}\nvariables: {x: {default: 'a\0b'}}\n", "107", E, "character U+0000 is not allowed", "", "2:28"),
    ("7 escape", NAME + "x: \x1b[31m\n", "107", E, "character U+001B is not allowed", "", "2:4"),
    ("7 C1", NAME + "x: a\x9bb\n", "107", E, "character U+009B is not allowed", "", "2:5"),
    ("8 BOM", "a: 1".encode("utf-16"), "106", E, "file is UTF-16, expected UTF-8", "", "1:1"),
    ("8", "a: 1".encode("utf-16-le"), "106", E, "file is UTF-16, expected UTF-8", "", "1:1"),
    ("8 wide", "a: 1".encode("utf-32"), "106", E, "file is UTF-32, expected UTF-8", "", "1:1"),
    ("9", NAME.encode() + b"x: caf\xe9 au lait\n", "106", E, "not UTF-8 (byte 0xE9 at offset 24)", "", "2:7"),
    ("11", NAME + 'x: "\\ud800"\n', "128", E, "escape \\ud800 is half of a pair", "", "2:5"),
    ("11 unknown", NAME + 'x: "C:\\dir"\n', "128", E, "escape \\d means nothing", "backslash", "2:7"),
    ("12", NAME + 'x: "abc\ny: 1\n', "108", E, "text is not closed", "", "2:4"),
    ("13", NAME + "x: {b: 1\nc: 2\n", "108", E, '"{" is not closed', "", "2:4"),
    ("13 list", NAME + "x: [1, 2\nb: 1\n", "108", E, '"[" is not closed', "", "2:4"),
    ("13 comma", NAME + "x: {a: 1 b: 2}\n", "108", E, 'expected "," or "}"', "", "2:11"),
    ("13 too many", NAME + "x: [a]]\n", "108", E, '"]" closes nothing', "", "2:7"),
    ("14", NAME + "a: b: c\n", "108", E, "mapping not allowed here", "quote the value", "2:5"),
    ("14 list", NAME + "a: - b\n", "108", E, "list not allowed here", "", "2:4"),
    ("15", "bundle: {name: b}\nbundle: {name: c}\n", "111", E, 'duplicate key "bundle" (first at 1:1)', "", "2:1"),
    ("16", "x: &a {n: 1}\ny:\n  <<: *a\n  <<: *a\n" + NAME, "112", E, 'duplicate "<<"', "<<: [*a, *b]", "4:3"),
    ("17", NAME + "x: */5 * * * *\n", "127", E, '"*" starts an alias here', 'quote the cron expression: "*/5 * * * *"', "2:4"),
    ("18", NAME + "x: @daily\n", "127", E, '"@" cannot start a plain value', "quote", "2:4"),
    ("18 tick", NAME + "x: `date`\n", "127", E, '"`" cannot start a plain value', "quote", "2:4"),
    ("19", NAME + "x: {{job.id}}\n", "127", E, '"{{" starts a map here', 'quote it: "{{job.id}}"', "2:4"),
    ("19 more", NAME + "x: {{job.id}} and\n", "127", E, '"{{" starts a map here', "quote it", "2:4"),
    ("20", NAME + "x: *nope\n", "118", E, 'anchor "nope" is not defined', "", "2:4"),
    ("20 near", NAME + "y: &node 1\nx: *nose\n", "118", E, 'anchor "nose" is not defined', 'did you mean "node"?', "3:4"),
    ("21", NAME + "a: &x {b: *x}\n", "119", E, 'anchor "x" contains itself', "", "2:11"),
    ("23", NAME + "x: " + "[" * 64 + "]" * 64, "123", E, "nesting deeper than 64", "", "2:67"),
    ("26 int", NAME + "1: a\n", "114", E, "key must be text, found an integer", 'quote it: "1"', "2:1"),
    ("26 float", NAME + "1.5: a\n", "114", E, "key must be text, found a number", "quote", "2:1"),
    ("26 bool", NAME + "true: a\n", "114", E, "key must be text, found a boolean", "quote", "2:1"),
    ("26 list", NAME + "? [a]\n: 1\n", "114", E, "key must be text, found a list", "quote", "2:3"),
    ("27", NAME + "x: !!python/object/apply:os.system [ls]\n", "117", E, 'tag "!!python/object/apply:os.system" is not allowed', "", "2:4"),
    ("27 own", NAME + "x: !foo a\n", "117", E, 'tag "!foo" is not allowed', "", "2:4"),
    ("27 binary", NAME + "x: !!binary aGk=\n", "117", E, 'tag "!!binary" is not allowed', "", "2:4"),
    ("27 set", NAME + "x: !!set {a}\n", "117", E, 'tag "!!set" is not allowed', "", "2:4"),
    ("27 str", NAME + "x: !!str 1\n", "117", E, 'tag "!!str" is not allowed', 'write the value in quotes: "1"', "2:4"),
    ("27 bare", NAME + "x: ! a\n", "117", E, 'tag "!" is not allowed', "", "2:4"),
    ("28", NAME + "<<<<<<< HEAD\nx: 1\n=======\nx: 2\n>>>>>>> other\n", "110", E, "unresolved merge conflict", "", "2:1"),
    ("36", job_yaml("max_retries: .nan"), "116", E, "not a finite number", "", "5:20"),
    ("36 inf", job_yaml("timeout_seconds: -.inf"), "116", E, "not a finite number", "", "5:24"),
    ("37", job_yaml("timeout_seconds: 9223372036854775808"), "115", E, "integer does not fit in 64 bits", "", "5:24"),
    ("38", job_yaml("timeout_seconds: " + "7" * 5000), "115", E, "7" * 32 + "...", "", "5:24"),
    ("merge value", NAME + "<<: {a: 1}\n", "113", E, '"<<" needs a map or a list of maps', "", "2:5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "text", "code", "severity", "words", "advice", "place"), SYNTAX, ids=[row[0] for row in SYNTAX]
)
def test_what_is_no_yaml_of_ours_is_refused_where_it_is(
    row: str, text: Content, code: str, severity: Severity, words: str, advice: str, place: str
) -> None:
    result = loaded({"databricks.yml": text})
    (finding,) = found(result, f"BND{code}")
    assert result.bundle is None
    assert finding.severity is severity
    assert words in finding.summary
    assert advice in f"{finding.hint} {finding.detail}"
    assert str(finding.spans[0]) == f"databricks.yml:{place}"
    assert all(sign.isprintable() for sign in finding.summary)


def test_a_duplicate_key_shows_both_places() -> None:
    (finding,) = found(loaded(NAME + "bundle: {name: c}\n"), "BND111")
    assert [str(span) for span in finding.spans] == ["databricks.yml:2:1", "databricks.yml:1:1"]


def test_a_byte_order_mark_is_dropped_and_not_counted() -> None:
    result = loaded({"databricks.yml": b"\xef\xbb\xbfbundle: {nam: b}\n"})
    assert [str(finding.spans[0]) for finding in found(result, "BND201")] == ["databricks.yml:1:10"]


ACCEPTED = [
    ("16 explicit wins", NAME + "x: &a {name: m}\nresources: {jobs: {j: {<<: *a, name: n}}}\n"),
    ("26 null is text", NAME + "resources: {jobs: {j: {tags: {null: x}, tasks: [" + TASK + "]}}}\n"),
    ("30", job_yaml("tags: {country: NO}\ntasks: [" + TASK + "]")),
    ("31", job_yaml("timeout_seconds: 012\ntasks: [" + TASK + "]")),
    ("32", job_yaml("timeout_seconds: 0x1F\ntasks: [" + TASK + "]")),
    ("34", job_yaml("description: 12:30:45\ntasks: [" + TASK + "]")),
    ("35", job_yaml("description: 2024-01-01\ntasks: [" + TASK + "]")),
    ("39", job_yaml("timeout_seconds: 1e5\ntasks: [" + TASK + "]")),
    ("40", job_yaml('timeout_seconds: "5"\ntasks: [' + TASK + "]")),
    ("CRLF", "bundle: {name: b}\r\nvariables: {v: {default: 1}}\r\n"),
    ("start and end", "---\nbundle: {name: b}\n...\n"),
]


@pytest.mark.parametrize("text", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_what_must_be_accepted_is(text: str) -> None:
    result = loaded(text)
    assert result.bundle is not None, list(result.diagnostics)
    assert not [
        finding for finding in result.diagnostics if finding.severity is E or finding.code in ("BND205", "BND206")
    ]


# row, databricks.yml, code, class, words, place of the first span
MEANING: list[tuple[str, str, str, Severity, str, str]] = [
    ("29", job_yaml("queue: {enabled: yes}"), "208", R, "write true", "5:24"),
    ("33", job_yaml("timeout_seconds: 1_000"), "209", E, '"1_000" is not an integer', "5:24"),
    ("39", job_yaml("timeout_seconds: 1.5"), "203", E, "expected an integer, found 1.5", "5:24"),
    ("40", job_yaml('timeout_seconds: "5x"'), "209", E, '"5x" is not an integer', "5:24"),
    ("41", job_yaml("tasks: [{task_key: null, notebook_task: {notebook_path: /n}}]"), "205", P, 'required field "task_key" is not set', "5:16"),
    ("41 name", job_yaml("name: null"), "202", W, "expected text, found null", "5:7"),
    ("42", job_yaml('name: ""'), "211", P, "name is blank", "5:13"),
    ("43", job_yaml('name: "a "'), "211", P, "name ends with white space", "5:13"),
    ("44", job_yaml("name: " + "n" * 4097), "210", P, "name is longer than 4096 bytes", "5:13"),
    ("45", NAME + "resorces: {}\n", "201", W, "unknown field \"resorces\"", "2:1"),
    ("46", job_yaml("tasks: [{task_key: t, max_retry: 2}]"), "204", E, 'unknown field "max_retry" in a task', "5:29"),
    ("51", "bundle: {}\n", "212", E, "bundle.name is required", "1:1"),
    ("51 none", "variables: {}\n", "212", E, "bundle.name is required", "1:1"),
    ("52", 'bundle: {name: "a/b"}\n', "213", E, 'bundle name may not contain "/"', "1:16"),
    ("52 newline", 'bundle: {name: "a\\nb"}\n', "213", E, 'bundle name may not contain "U+000A"', "1:16"),
    ("53", "bundle: {name: " + "n" * 256 + "}\n", "213", E, "bundle name is longer than 255 bytes", "1:16"),
    ("54", NAME + 'targets: {"-x": {}}\n', "213", E, 'target name may not start with "-"', "2:11"),
    ("56", NAME + "targets: {a: {default: true}, b: {default: true}}\n", "222", E, "several default targets: a, b", "2:15"),
    ("57", job_yaml("tasks: []"), "250", P, 'job "j" has no tasks', "4:5"),
    ("58", job_yaml("tasks: [" + TASK + ", " + TASK + "]"), "228", E, 'task "t" is defined twice', "5:77"),
    ("69 slash", NAME + 'resources: {jobs: {"a/b": {tasks: [' + TASK + "]}}}\n", "226", E, "resource key may not contain '/'", "2:20"),
    ("69 dot", NAME + "resources: {jobs: {a.b: {tasks: [" + TASK + "]}}}\n", "227", W, "cannot be referenced", "2:20"),
    ("69 emoji", NAME + "resources: {jobs: {🙂: {tasks: [" + TASK + "]}}}\n", "227", W, "cannot be referenced", "2:20"),
    ("69 reference", NAME + 'resources: {jobs: {"${var.x}": {tasks: [' + TASK + "]}}}\n", "247", E, "not resolved in a resource key", "2:20"),
    ("70", NAME + 'bundlectl: {requires: ">=99"}\n', "216", E, "this bundle needs bundlectl >=99, this is", "2:23"),
    ("83", job_yaml("name: 'a ${var.nope}'"), "240", E, "reference does not exist: ${var.nope}", "5:16"),
    ("84", NAME + "variables: {x: {default: 1}}\ntargets: {a: {default: true}, z: {workspace: {root_path: '/${var.y}'}}}\n", "246", W, '${var.y} is not defined (target "z")', "3:58"),
    ("85", NAME + "variables:\n  a: {default: '${var.b}'}\n  b: {default: '${var.a}'}\n", "241", E, "cycle: variables.a.default -> var.b -> var.a -> var.b", "4:16"),
    ("86", NAME + "variables: {a: {default: '${var.a}'}}\n", "241", E, "cycle: variables.a.default -> var.a -> var.a", "2:26"),
    ("87", job_yaml("name: '${${x}}'"), "245", W, '"${" starts no reference', "5:14"),
    ("88", job_yaml("name: '${var.x'"), "245", W, '"${" starts no reference', "5:14"),
    ("89", job_yaml("name: 'n ${}'"), "245", W, '"${" starts no reference', "5:16"),
    ("90", job_yaml("name: '${a..b}'"), "245", W, '"${" starts no reference', "5:14"),
    ("91", NAME + "variables: {l: {default: [1, 2, 3]}}\nresources: {jobs: {j: {name: '${var.l[9]}'}}}\n", "244", E, "index 9 is out of range (3 elements)", "3:31"),
    ("92", NAME + "variables: {m: {default: {a: 1}}}\nresources: {jobs: {j: {name: 'x ${var.m}'}}}\n", "243", E, "cannot put a map into text", "3:33"),
    ("93", job_yaml("name: '${resources.jobs.nope.id}'"), "248", E, 'no job "nope"', "5:14"),
    ("94", job_yaml("name: '${targets.prod.mode}'"), "246", W, '"targets" is not resolved; stays as text', "5:14"),
    ("99", NAME + "include: [nope.yml]\n", "130", E, '"nope.yml" does not exist', "2:11"),
    ("100", NAME + "include: ['no/*.yml']\n", "131", W, '"no/*.yml" matches no file', "2:11"),
    ("103", NAME + "include: [../x.yml]\n", "134", E, '"../x.yml" is outside the repository', "2:11"),
    ("104", NAME + "include: [/etc/passwd]\n", "133", E, "includes are relative to the bundle root", "2:11"),
    ("run_as empty", NAME + "run_as: {}\n", "270", E, "user_name, service_principal_name", "2:9"),
    ("artifact null", NAME + "artifacts: {a: }\n", "290", E, 'artifact "a" is empty', "2:13"),
    ("artifact without anything", NAME + "artifacts: {a: {path: .}}\n", "290", E, "give 'build' or 'files'", "2:16"),
    ("artifact pattern", NAME + "artifacts: {a: {files: [{source: 'a*.txt'}]}}\n", "291", E, "a*.txt: no matching files", "2:34"),
    ("python", NAME + "python: {resources: ['m:f']}\n", "295", W, "python resources are not loaded", "2:1"),
    ("hook", NAME + "experimental: {scripts: {preinit: x}}\n", "299", W, "hook preinit is not run", "2:26"),
    ("script", NAME + "scripts: {s: {content: ''}}\n", "298", E, 'script "s" has no content', "2:11"),
    ("lookup", NAME + "variables: {w: {lookup: {warehouse: x}}}\n", "238", P, "not answered offline", "2:25"),
    ("two lookups", NAME + "variables: {w: {lookup: {warehouse: x, job: y}}}\n", "236", E, "exactly one of", "2:25"),
    ("no value", NAME + "variables: {w: }\n", "253", E, 'no value for required variable "w"', "2:13"),
    ("base and target", NAME + "variables: {t: {default: 1}}\nresources: {jobs: {j: {tasks: '${var.t}'}}}\ntargets: {d: {resources: {jobs: {j: {tasks: [" + TASK + "]}}}}}\n", "224", E, "cannot merge text with a list", "4:45"),
    ("target sets", NAME + "targets: {d: {variables: {c: 1}}}\n", "230", E, 'variable "c" is not defined', "2:30"),
    ("production", NAME + "targets: {p: {mode: production}}\n", "276", E, "set targets.p.workspace.root_path", "2:14"),
    ("development", NAME + "targets: {d: {mode: development, presets: {name_prefix: x_}}}\n", "275", E, "name_prefix must contain the user name", "2:57"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "text", "code", "severity", "words", "place"), MEANING, ids=[row[0] for row in MEANING]
)
def test_what_means_nothing_good_is_said_where_it_is(
    row: str, text: str, code: str, severity: Severity, words: str, place: str
) -> None:
    result = loaded({"databricks.yml": text})
    matching = [finding for finding in found(result, f"BND{code}") if words in finding.summary]
    assert matching, [(finding.code, finding.summary) for finding in result.diagnostics]
    assert matching[0].severity is severity
    assert str(matching[0].spans[0]) == f"databricks.yml:{place}"
    assert (result.bundle is None) == any(finding.severity is E for finding in result.diagnostics)


JOB_AT = "resources: {jobs: {j: {tasks: [{task_key: t, spark_python_task: {python_file: '%s'}}]}}}\n"


@pytest.mark.parametrize(
    ("row", "path", "code", "words"),
    [
        ("105", "C:\\\\x.py", "284", "Windows path"),
        ("105 share", "\\\\\\\\srv\\\\x.py", "284", "Windows path"),
        ("106", "a/../../x.py", "282", '"../x.py" is not contained in the sync root'),
        ("107", "a/./../..//x.py", "282", '"../x.py" is not contained in the sync root'),
        ("108", "%2e%2e/x.py", "280", 'file "%2e%2e/x.py" not found'),
        ("109", "a\\0b.py", "284", "character U+0000 is not allowed in a path"),
        ("110", "out.py", "288", '"out.py" is a symlink to "../../etc/passwd", outside the source tree'),
        ("111", "loop.py", "288", '"loop.py" is a symlink loop'),
        ("112", "src", "288", '"src" is a directory'),
        ("113", "sub/x.py", "288", '"sub/x.py" is in submodule "sub", which is not read'),
        ("114", "big.py", "288", '"big.py" is a Git LFS pointer'),
        ("115", "new.py", "285", '"new.py" exists in the working tree but not in commit 1a2b3c4'),
        ("117", "src/Main.py", "287", 'the file is named "src/main.py"'),
        ("118", "src/cafe\\u0301.py", "287", 'the file is named "src/café.py"'),
        ("120", "aux.py", "284", '"aux.py" is a Windows device name'),
        ("a notebook", "nb.py", "281", '"nb.py" is a notebook, not a file'),
    ],
)
def test_a_path_that_names_no_file_of_the_bundle(row: str, path: str, code: str, words: str) -> None:
    tree = {
        "databricks.yml": bundle(JOB_AT.replace("'", '"') % path),
        "src/main.py": "1",
        "src/café.py": "1",
        "big.py": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "nb.py": "# Databricks notebook source\n1\n",
        "x.py": "1",
    }
    links = {"out.py": "../../etc/passwd", "loop.py": "pool.py", "pool.py": "loop.py"}
    result = loaded(tree, links=links, submodules=["sub"], on_disk=["new.py"])
    (finding,) = found(result, f"BND{code}")
    assert words in finding.summary
    assert finding.severity is E
    assert finding.path == "resources.jobs.j.tasks[0].spark_python_task.python_file"
    assert str(finding.spans[0]).startswith("databricks.yml:2:")


def test_a_file_that_is_ignored_is_a_finding_with_the_line_that_ignores_it() -> None:
    files = {"databricks.yml": bundle(JOB_AT % "src/a.py"), "src/a.py": "1", ".gitignore": "\n*.py\n"}
    (finding,) = found(loaded(files), "BND286")
    assert finding.severity is P
    assert '"src/a.py" is not synced: ignored by .gitignore:2' in finding.summary
    assert "sync: {include: [src/a.py]}" in str(finding.hint)


def test_a_notebook_task_wants_a_notebook() -> None:
    text = "resources: {jobs: {j: {tasks: [{task_key: t, notebook_task: {notebook_path: %s}}]}}}\n"
    files = {"src/n.py": "print(1)\n"}
    (finding,) = found(loaded({**files, "databricks.yml": bundle(text % "src/n.py")}), "BND281")
    assert '"src/n.py" is a file, not a notebook' in finding.summary
    assert "first line" in str(finding.hint)
    (finding,) = found(loaded({**files, "databricks.yml": bundle(text % "src/n")}), "BND280")
    assert 'notebook "src/n" not found' in finding.summary
    assert finding.detail == 'did you mean "src/n.py"?'


def test_a_path_relative_to_another_file_is_pointed_out() -> None:
    files = {
        "databricks.yml": bundle("include: ['a/job.yml']\ntargets: {d: {resources: {jobs: {j: {tasks: [{task_key: t,"
        " spark_python_task: {python_file: main.py}}]}}}}}\n"),
        "a/job.yml": "resources: {jobs: {j: {name: n}}}\n",
        "a/main.py": "1",
    }  # fmt: skip
    (finding,) = found(loaded(files), "BND283")
    assert '"main.py" is relative to ./, not to the file that defines the job' in finding.summary
    assert finding.hint == 'write "a/main.py"'


def test_doubling_variables_are_stopped_by_size() -> None:
    lines = ["variables:", "  v0: {default: xxxxxxxxxx}"]
    lines += [f"  v{n}: {{default: '${{var.v{n - 1}}}${{var.v{n - 1}}}'}}" for n in range(1, 31)]
    started = time.monotonic()
    (finding,) = found(loaded(bundle("\n".join(lines) + "\n")), "BND242")
    assert "the resolved bundle is too large" in finding.summary
    assert time.monotonic() - started < 30


def test_maps_that_hold_each_other_are_stopped_by_rounds_or_depth() -> None:
    text = "variables: {a: {default: {x: '${var.b}'}}, b: {default: {x: '${var.a}'}}}\n"
    (finding,) = found(loaded(bundle(text)), "BND242")
    assert "references too deep after 11 rounds" in finding.summary or "too large" in finding.summary


ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + level, 98 + level, b",".join([b"*%c" % (97 + level)] * 10)) for level in range(9)
)
BOMBS = {
    "22 aliases": (ALIASES, "BND126"),
    "22 merge keys": (b"a: &a {" + b",".join(b"k%d: v" % n for n in range(3000)) + b"}\n" + b"".join(
        b"m%d: {<<: *a}\n" % n for n in range(200)), "BND126"),
    "23 brackets": (b"[" * 1_000_000, "BND123"),
    "23 braces": (b"{a: " * 300_000, "BND123"),
    "23 dashes": (b"- " * 100_000, "BND123"),
    "24 values": (b"[" + b"0," * 1_000_001 + b"]", "BND124"),
    "25 size": (b"# " + b"x" * (8 << 20), "BND120"),
    "26 alias uses": (b"a: &a 1\nc: [" + b"1," * 2000 + b"]\nb: [" + b"*a," * 10_001 + b"]\n", "BND125"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_a_child_process_before_it_grows(name: str) -> None:
    data, code = BOMBS[name]
    program = (
        "import sys, resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from bundlectl.config.yaml_reader import Limits, read_yaml\n"
        "read = read_yaml(sys.stdin.buffer.read(), 'f.yml', Limits())\n"
        "print(','.join(item.code for item in read.findings), read.findings[0].spans[0])\n"
    )
    started = time.monotonic()
    child = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert child.returncode == 0, child.stderr.decode()
    assert child.stdout.decode().split()[0] == code
    assert time.monotonic() - started < 20


def test_the_depth_is_reported_at_the_first_opening_that_is_too_deep() -> None:
    for text, column in (("[" * 1_000_000, 65), ("[" * 66, 65)):
        (finding,) = read_yaml(text.encode(), "f.yml", Limits()).findings
        assert (finding.spans[0].line, finding.spans[0].column) == (1, column)


def test_small_files_may_use_many_aliases() -> None:
    text = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: [" + "*a," * 200 + "]\n"
    assert read_yaml(text.encode(), "f.yml", Limits()).findings == []


def test_bundle_limits_count_over_all_files() -> None:
    files = {"databricks.yml": bundle("include: ['r/*.yml']\n"), **{f"r/{n}.yml": "variables: {}\n" for n in range(5)}}
    small = Limits(files=5)
    assert "BND122" in codes(load(MemoryTree(files), LoadRequest(limits=small)))
    assert "BND122" not in codes(load(MemoryTree(files), LoadRequest(limits=Limits(files=6))))
    assert "BND121" in codes(load(MemoryTree(files), LoadRequest(limits=Limits(bundle_bytes=60))))


def test_every_expression_is_linear_in_its_input() -> None:
    long = 100_000
    texts = [
        "${" + "a_" * long,
        "${" + "a" * long,
        "${a" + "[0]" * long,
        "${" * long,
        "a" * long + " ==1",
        "-r " + " " * long,
        "a[" * long,
    ]
    for text in texts:
        started = time.monotonic()
        loaded(
            job_yaml(
                f'description: "{text}"\nenvironments: [{{environment_key: e, spec: {{dependencies: ["{text}"]}}}}]'
            )
        )
        assert time.monotonic() - started < 30
