"""Notebooks as real processes: cells, magics, widgets, exit, errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.attempt import prepare
from bundlectl.engine.tasks.base import FEATURE_DISABLED, INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed
from bundlectl.engine.taskside.cells import Cell, NotNotebook, find_notebook, read_cells
from tests.unit.engine.attempts import NOTEBOOK, context, notebook, run, snapshot, wheel


def test_cells_share_one_namespace_and_the_last_expression_is_shown(tmp_path: Path) -> None:
    done = notebook(tmp_path, "x = 20", "def f():\n    return x + 1", "f()", "f();", "None", "print('p')")
    assert (done.code, done.output) == (0, "21\np\n")
    assert done.left.result is None


def test_a_notebook_is_main_as_a_script_is(tmp_path: Path) -> None:
    text = "import pickle, sys, os\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A, __name__)"
    done = notebook(
        tmp_path, text, "print(os.getcwd() == sys.path[0] == os.path.dirname(__file__), sys.argv == [__file__])"
    )
    assert done.output == "True __main__\nTrue True\n"


def test_parameters_are_widgets_and_win_over_defaults(tmp_path: Path) -> None:
    declared = 'dbutils.widgets.text("a", "default")\ndbutils.widgets.dropdown("b", "x", ["x", "y"])'
    shown = 'print(dbutils.widgets.get("a"), dbutils.widgets.get("b"), dbutils.widgets.getAll(), getArgument("c", "z"))'
    done = notebook(tmp_path, declared, shown, parameters={"a": "given"})
    assert done.output == "given x {'a': 'given', 'b': 'x'} z\n"


def test_an_unknown_widget_fails_with_its_name(tmp_path: Path) -> None:
    done = notebook(tmp_path, 'dbutils.widgets.get("day")')
    assert done.code == 1
    assert done.output.splitlines()[-1].startswith('ValueError: No widget "day"')


def test_exit_ends_with_success_and_a_result(tmp_path: Path) -> None:
    done = notebook(
        tmp_path, "try:\n    dbutils.notebook.exit({'rows': 1})\nexcept Exception:\n    pass", "print('never')"
    )
    assert (done.code, done.output) == (0, "")
    assert done.left.result == {"notebook_output": {"result": "{'rows': 1}", "truncated": False}}


def test_a_long_result_is_cut(tmp_path: Path) -> None:
    done = notebook(tmp_path, "dbutils.notebook.exit('x' * (5 * 1024 * 1024 + 1))")
    assert done.left.result is not None
    output = done.left.result["notebook_output"]
    assert (len(output["result"]), output["truncated"]) == (5 * 1024 * 1024, True)


@pytest.mark.parametrize(("call", "code"), [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("sys.exit()", 0)])
def test_exit_status(tmp_path: Path, call: str, code: int) -> None:
    assert notebook(tmp_path, f"import sys\n{call}").code == code


def test_an_error_points_at_the_line_of_the_notebook(tmp_path: Path) -> None:
    done = notebook(
        tmp_path, "def f(x):\n    return 1 / x", "# MAGIC %md\n# MAGIC text", "a = 1\nf(0)\n", "print('never')"
    )
    assert done.code == 1
    assert "never" not in done.output and "taskside" not in done.output
    lines = done.output.splitlines()
    source = (tmp_path / "snapshot" / "nb.py").read_text().splitlines()
    at = source.index("f(0)") + 1
    assert f'nb.py", line {at}, in <module>' in done.output
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_syntax_error_points_at_the_line_of_the_notebook(tmp_path: Path) -> None:
    done = notebook(tmp_path, "a = 1", "b = = 2")
    source = (tmp_path / "snapshot" / "nb.py").read_text().splitlines()
    assert f"line {source.index('b = = 2') + 1}" in done.output
    assert done.output.splitlines()[-1].startswith("SyntaxError")


def test_awaiting_at_the_top_level(tmp_path: Path) -> None:
    done = notebook(tmp_path, "import asyncio\nasync def f():\n    return 7", "x = await f()", "await f() + x")
    assert done.output == "14\n"


def test_run_is_inline_and_relative_to_the_notebook(tmp_path: Path) -> None:
    snapshot(
        tmp_path,
        {
            "lib/one.py": NOTEBOOK + "# MAGIC %run ./two\n\n# COMMAND ----------\none = two + 1",
            "lib/two.py": NOTEBOOK + 'two = int(dbutils.widgets.get("n"))',
        },
    )
    done = notebook(tmp_path, '# MAGIC %run ./lib/one $n="41"', "one")
    assert (done.code, done.output) == (0, "42\n")


def test_notebooks_that_run_each_other_in_a_circle(tmp_path: Path) -> None:
    snapshot(tmp_path, {"other.py": NOTEBOOK + "# MAGIC %run ./nb"})
    done = notebook(tmp_path, "# MAGIC %run ./other")
    assert done.output.splitlines()[-1].startswith("RecursionError: notebooks run each other in a circle")


def test_a_notebook_that_is_not_there(tmp_path: Path) -> None:
    done = notebook(tmp_path, "# MAGIC %run ./absent")
    assert done.output.splitlines()[-1].startswith('FileNotFoundError: There is no notebook "./absent"')


def test_shell_cells(tmp_path: Path) -> None:
    done = notebook(tmp_path, "# MAGIC %sh\n# MAGIC echo $BUNDLECTL_TASK_KEY\n# MAGIC exit 4", "# MAGIC %sh echo two")
    assert (done.code, done.output) == (
        0,
        "me\n(the shell cell ended with exit status 4; %sh -e makes this an error)\ntwo\n",
    )
    done = notebook(tmp_path, "# MAGIC %sh -e\n# MAGIC false\n# MAGIC echo never")
    assert done.code == 1 and "never" not in done.output


def test_sql_cells_use_the_engine_s_database_and_bind_widgets(tmp_path: Path) -> None:
    done = notebook(
        tmp_path,
        "# MAGIC %sql\n# MAGIC create table t as select 1 as a, :who as b;\n# MAGIC select * from t",
        "print(_sqldf)",
        parameters={"who": "o'neil"},
    )
    assert done.code == 0
    assert done.output.splitlines()[-1] == "[{'a': 1, 'b': \"o'neil\"}]"


def test_a_sql_notebook(tmp_path: Path) -> None:
    text = """-- Databricks notebook source
select 1 as one
-- COMMAND ----------
-- MAGIC %python
-- MAGIC print(_sqldf)
-- COMMAND ----------
-- MAGIC %md text
"""
    snapshot(tmp_path, {"q.sql": text})
    done = run(context(tmp_path, {"notebook_task": {"notebook_path": "q", "warehouse_id": "abc"}}))
    assert done.code == 0
    assert done.output.splitlines()[-1] == "[{'one': 1}]"


def jupyter(folder: Path, *cells: str) -> Any:
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    made.insert(0, {"cell_type": "markdown", "source": ["# title"]})
    snapshot(folder, {"j.ipynb": json.dumps({"cells": made, "metadata": {}, "nbformat": 4})})
    return run(context(folder, {"notebook_task": {"notebook_path": "j"}}))


def test_a_jupyter_notebook(tmp_path: Path) -> None:
    done = jupyter(
        tmp_path, "x = 1\nx", "%%sh\necho s", "%matplotlib inline\n!echo bang\nx + 1", "%sql\nselect 3 as c", "_sqldf"
    )
    assert done.code == 0
    assert done.output.splitlines()[:3] == ["1", "s", "bang"]
    assert done.output.splitlines()[-1] == "[{'c': 3}]"


def test_an_error_in_a_jupyter_notebook_shows_the_line_of_the_cell(tmp_path: Path) -> None:
    done = jupyter(tmp_path, "x = 1", "\ny = 2\nx / 0")
    assert "j.ipynb:cell 3" in done.output and "line 3" in done.output and "x / 0" in done.output
    assert done.output.splitlines()[-1] == "ZeroDivisionError: division by zero"


def executed(folder: Path) -> Any:
    return json.loads((folder / "runs/2/3-1/outputs/j.ipynb").read_text(encoding="utf-8"))


def test_a_jupyter_notebook_leaves_a_copy_with_its_outputs(tmp_path: Path) -> None:
    done = jupyter(
        tmp_path,
        "print('a')\nimport sys\nprint('b', file=sys.stderr)\n7",
        "x = 1",
        "raise ValueError('\\ud800 \u00fc')",
        "print(2)",
    )
    assert done.code == 1
    assert "taskside" not in done.output
    assert [entry["path"] for entry in done.left.outputs] == ["j.ipynb"]
    title, first, silent, failing, unreached = executed(tmp_path)["cells"]
    assert "outputs" not in title
    assert first["execution_count"] == 1
    assert first["outputs"] == [
        {"output_type": "stream", "name": "stdout", "text": ["a\n"]},
        {"output_type": "stream", "name": "stderr", "text": ["b\n"]},
        {"output_type": "stream", "name": "stdout", "text": ["7\n"]},
    ]
    assert (silent["outputs"], silent["execution_count"]) == ([], 2)
    assert failing["outputs"][-1]["evalue"] == "\ud800 \u00fc"
    assert (unreached["outputs"], unreached["execution_count"]) == ([], None)


def test_the_copy_holds_the_error_of_a_cell_and_the_beginning_of_a_long_output(tmp_path: Path) -> None:
    done = jupyter(tmp_path, "for _ in range(7): print('x' * 999_999)", "1 / 0")
    assert done.output.count("x") == 7 * 999_999, "the log has all"
    _, long, failing = executed(tmp_path)["cells"]
    text = "".join(long["outputs"][0]["text"])
    assert len(text) < 5.1 * 1024 * 1024
    assert text.endswith("\n[more is in the log]\n")
    assert failing["outputs"] == [
        {
            "output_type": "error",
            "ename": "ZeroDivisionError",
            "evalue": "division by zero",
            "traceback": ["ZeroDivisionError: division by zero"],
        }
    ]


def test_a_notebook_that_exits_leaves_its_copy_without_an_error(tmp_path: Path) -> None:
    done = jupyter(tmp_path, "print(1)\ndbutils.notebook.exit('v')")
    assert done.left.result == {"notebook_output": {"result": "v", "truncated": False}}
    assert [output["output_type"] for output in executed(tmp_path)["cells"][1]["outputs"]] == ["stream"]


@pytest.mark.parametrize("cell", ["# MAGIC %scala\n# MAGIC val x = 1", "# MAGIC %r\n# MAGIC x <- 1"])
def test_other_languages_are_refused(tmp_path: Path, cell: str) -> None:
    done = notebook(tmp_path, cell)
    assert done.code == 1
    assert "cells do not run on the embedded engine (nb.py, line 2)" in done.output.splitlines()[-1]


def test_notebook_run_is_a_process_of_its_own(tmp_path: Path) -> None:
    text = (
        'x = 5\nif dbutils.widgets.get("a") == "bad":\n    raise ValueError("child")\n'
        'dbutils.notebook.exit("got " + dbutils.widgets.get("a"))'
    )
    snapshot(tmp_path, {"child.py": NOTEBOOK + text, "quiet.py": NOTEBOOK + "1;"})
    done = notebook(
        tmp_path,
        'print(dbutils.notebook.run("child", 60, {"a": 1}), repr(dbutils.notebook.run("./quiet")))',
        "print('x' in globals())",
        'dbutils.notebook.exit("parent")',
    )
    assert (done.code, done.output) == (0, "got 1 ''\nFalse\n")
    assert done.left.result == {"notebook_output": {"result": "parent", "truncated": False}}
    done = notebook(tmp_path, 'dbutils.notebook.run("child", 60, {"a": "bad"})')
    assert done.code == 1
    assert done.output.splitlines()[-1].startswith('RuntimeError: The notebook "child" ended with exit status 1')


def test_pip_installs_for_this_run_only(tmp_path: Path) -> None:
    wheel(snapshot(tmp_path, {"x": ""}), name="tiny", code="V = 3\n")
    install = "# MAGIC %pip install --no-index --no-deps tiny-1.0-py3-none-any.whl"
    done = notebook(tmp_path, install, "dbutils.library.restartPython()", "import tiny\ntiny.V, tiny.__file__")
    assert done.code == 0
    assert done.output.splitlines()[-1].startswith(f"(3, '{tmp_path}/runs/")
    done = notebook(tmp_path, "# MAGIC %pip uninstall tiny")
    assert done.output.splitlines()[-1] == (
        "RuntimeError: %pip uninstall is not supported; a run installs libraries, and no more"
    )


def test_without_spark_the_hint_comes_before_the_error(tmp_path: Path) -> None:
    done = notebook(tmp_path, 'spark.sql("select 1")')
    assert "hint: Spark is not installed" in done.output
    assert done.output.splitlines()[-1] == "AttributeError: 'NoneType' object has no attribute 'sql'"


@pytest.mark.parametrize(
    ("files", "path", "code", "part"),
    [
        ({"a.py": "x = 1"}, "a", INVALID_RUN_CONFIGURATION, '"a.py" is a file, not a notebook'),
        ({"a.sql": "select 1"}, "a.sql", INVALID_RUN_CONFIGURATION, "-- Databricks notebook source"),
        ({"a.scala": "// Databricks notebook source"}, "a.scala", FEATURE_DISABLED, r"\.py, \.sql and \.ipynb"),
        ({}, "none", RESOURCE_NOT_FOUND, '"none" is not in the deployed code'),
        ({}, "", RESOURCE_NOT_FOUND, "notebook_path"),
    ],
)
def test_what_is_no_notebook(tmp_path: Path, files: dict[str, str], path: str, code: str, part: str) -> None:
    snapshot(tmp_path, {"x": "", **files})
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, {"notebook_task": {"notebook_path": path}}))
    assert caught.value.code == code


def test_how_source_is_cut_into_cells(tmp_path: Path) -> None:
    text = (
        "# Databricks notebook source\n# DBTITLE 1,Title\n# MAGIC %sql\n# MAGIC select 1\n\n"
        "# COMMAND ----------\n\n# COMMAND ----------\n# note\n# MAGIC %pip install x y\n"
        "# COMMAND ----------\nx = 1\n# MAGIC %sh is text here\n"
    )
    path = tmp_path / "n.py"
    path.write_text(text)
    assert read_cells(str(path)) == [
        Cell("sql", "\n\nselect 1\n", "", 2, str(path)),
        Cell("python", "# note\n%pip install x y", "", 9, str(path)),
        Cell("python", "x = 1\n%sh is text here", "", 12, str(path)),
    ]


@pytest.mark.parametrize(("name", "text"), [("a.py", ""), ("a.ipynb", "{}"), ("a.ipynb", "["), ("a.txt", "")])
def test_reading_what_is_no_notebook(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(NotNotebook):
        read_cells(str(tmp_path / name))


def test_finding_a_notebook(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("")
    (tmp_path / "b.py").write_text("")
    assert find_notebook("./a", str(tmp_path)).endswith("a.ipynb")
    assert find_notebook("b.py", str(tmp_path)).endswith("b.py")
    assert find_notebook(str(tmp_path / "b"), "/").endswith("b.py")
    with pytest.raises(FileNotFoundError, match='"c"'):
        find_notebook("c", str(tmp_path))
