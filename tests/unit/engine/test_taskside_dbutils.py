"""dbutils, alone and through the unmodified SDK in a real task."""

import json
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.taskside.dbutils import DbUtils, NotebookExit
from tests.unit.engine.attempts import context, run, snapshot


def job(folder: Path, upstream: Any = None) -> DbUtils:
    (folder / "in.json").write_text(json.dumps(upstream or {}))
    return DbUtils(
        {
            "BUNDLECTL_TASK_KEY": "me",
            "BUNDLECTL_TASK_VALUES_IN": str(folder / "in.json"),
            "BUNDLECTL_TASK_VALUES_OUT": str(folder / "out.jsonl"),
        }
    )


def test_values_of_tasks_upstream(tmp_path: Path) -> None:
    values = job(tmp_path, {"up": {"n": 0, "none": None, "l": [1, {"a": "é"}]}}).jobs.taskValues
    assert values.get("up", "n", default=5) == 0
    assert values.get(taskKey="up", key="l", debugValue=9) == [1, {"a": "é"}]
    assert values.get("up", "none", default=3) is None
    assert values.get("up", "absent", default=False) is False
    assert values.get("other", "n", default="d") == "d"
    with pytest.raises(ValueError, match='"up" has left no value "absent"'):
        values.get("up", "absent", debugValue=3)


def test_own_values_are_read_back_and_the_last_one_counts(tmp_path: Path) -> None:
    values = job(tmp_path).jobs.taskValues
    values.set("k", 1)
    values.set(key="k", value={"é": [None, True, 1.5]})
    with (tmp_path / "out.jsonl").open("a") as file:
        file.write('\n{"key": "shell", "value": 2}\n')
    assert values.get("me", "k") == {"é": [None, True, 1.5]}
    assert values.get("me", "shell") == 2
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4


def test_outside_a_job() -> None:
    values = DbUtils({}).jobs.taskValues
    values.set("k", 1)
    assert values.get("t", "k", default=1, debugValue=7) == 7
    with pytest.raises(TypeError) as caught:
        values.get("t", "k", default=1)
    assert str(caught.value) == (
        "Must pass debugValue when calling get outside of a job context. debugValue cannot be None."
    )


@pytest.mark.parametrize(
    ("key", "value", "error", "part"),
    [
        ("k", {1, 2}, TypeError, '"k" cannot be written as JSON'),
        ("k", float("nan"), TypeError, "cannot be written as JSON"),
        ("k", "x" * 49_152, ValueError, "has 49154 bytes as JSON"),
        ("", 1, ValueError, "key of a task value is empty"),
    ],
)
def test_values_that_cannot_be_set(tmp_path: Path, key: str, value: Any, error: type[Exception], part: str) -> None:
    with pytest.raises(error, match=part):
        job(tmp_path).jobs.taskValues.set(key, value)
    assert not (tmp_path / "out.jsonl").exists()


def test_widgets() -> None:
    widgets = DbUtils({}).widgets
    widgets.text("a", "1", "label")
    widgets.combobox("b", "2", ["2"])
    widgets.given({"a": "given", "c": "3"})
    widgets.text("a", "later")
    assert widgets.getAll() == {"a": "given", "b": "2", "c": "3"}
    assert widgets.getArgument("none", "d") == "d"
    widgets.remove("a")
    with pytest.raises(ValueError, match='No widget "a"'):
        widgets.get("a")
    widgets.removeAll()
    assert widgets.getAll() == {}


def test_exit_is_no_ordinary_exception() -> None:
    with pytest.raises(NotebookExit) as caught:
        DbUtils({}).notebook.exit(3)
    assert caught.value.value == "3"
    assert not isinstance(caught.value, Exception)
    assert caught.value.code == 0


def test_secrets_are_refused_by_name() -> None:
    secrets = DbUtils({}).secrets
    with pytest.raises(RuntimeError, match='"scope/key": the embedded engine has no secret store'):
        secrets.get("scope", "key")
    with pytest.raises(RuntimeError, match="no secret store"):
        secrets.getBytes("scope", "key")
    with pytest.raises(RuntimeError, match='"scope"'):
        secrets.list("scope")
    assert secrets.listScopes() == []


def test_files(tmp_path: Path) -> None:
    fs = DbUtils({}).fs
    base = str(tmp_path / "d")
    assert fs.mkdirs(f"{base}/sub")
    assert fs.put(f"file:{base}/a.txt", "text é")
    with pytest.raises(FileExistsError):
        fs.put(f"{base}/a.txt", "other")
    assert fs.put(f"{base}/a.txt", "longer", True)
    assert fs.head(f"{base}/a.txt", 4) == "long"
    assert [entry.name for entry in fs.ls(base)] == ["a.txt", "sub/"]
    assert fs.ls(f"{base}/a.txt")[0][:3] == (f"{base}/a.txt", "a.txt", 6)
    fs.cp(f"{base}/a.txt", f"{base}/sub/b.txt")
    with pytest.raises(IsADirectoryError, match="recurse"):
        fs.cp(base, f"{base}2")
    fs.cp(base, f"{base}2", recurse=True)
    fs.mv(f"{base}2/sub/b.txt", f"{base}2/c.txt")
    with pytest.raises(IsADirectoryError):
        fs.mv(base, f"{base}3")
    assert fs.rm(f"{base}2/c.txt") and not fs.rm(f"{base}2/c.txt")
    with pytest.raises(OSError, match="not empty"):
        fs.rm(base)
    assert fs.rm(base, recurse=True)
    for path in ("dbfs:/x", "s3://b/x", "abfss://c@a/x"):
        with pytest.raises(ValueError, match="not on this machine"):
            fs.ls(path)


SDK = """
from databricks.sdk.runtime import dbutils, display, spark
import databricks.sdk.runtime as runtime
print(runtime.is_local_implementation, spark)
display([1, 2])
dbutils.jobs.taskValues.set("rows", 18)
print(dbutils.jobs.taskValues.get("up", "k"), dbutils.jobs.taskValues.get("me", "rows"))
dbutils.notebook.exit("x")
"""


def test_the_unmodified_import_of_the_sdk_works_in_a_task(tmp_path: Path) -> None:
    snapshot(tmp_path, {"a.py": SDK})
    task = {"spark_python_task": {"python_file": "a.py"}}
    done = run(context(tmp_path, task, values_in={"up": {"k": "v"}}))
    assert (done.code, done.output) == (0, "False None\n[1, 2]\nv 18\n")
    assert done.left.values == {"rows": 18}


def test_it_also_works_in_a_process_that_a_shell_starts_and_in_a_notebook(tmp_path: Path) -> None:
    line = "from databricks.sdk.runtime import dbutils; dbutils.jobs.taskValues.set('k', 1)"
    done = run(context(tmp_path, {"shell_task": {"command": ["python", "-c", line]}}))
    assert (done.code, done.left.values) == (0, {"k": 1})
    text = (
        "# Databricks notebook source\nimport databricks.sdk.runtime as r\n"
        "print(r.dbutils is dbutils, r.dbutils.widgets.get('p'))"
    )
    snapshot(tmp_path, {"n.py": text})
    task = {"notebook_task": {"notebook_path": "n", "base_parameters": {"p": "1"}}}
    assert run(context(tmp_path, task)).output == "True 1\n"


def test_the_shim_leaves_the_search_path_alone_and_has_no_credentials(tmp_path: Path) -> None:
    line = (
        "import sys; before = list(sys.path); import dbruntime; print(sys.path == before)\n"
        "try:\n    import dbruntime.sdk_credential_provider\nexcept ImportError:\n    print('none')"
    )
    done = run(context(tmp_path, {"shell_task": {"command": ["python", "-c", line]}}))
    assert done.output == "True\nnone\n"
