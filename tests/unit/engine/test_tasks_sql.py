"""SQL tasks as real processes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.attempt import collect, prepare
from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    RESOURCE_NOT_FOUND,
    SetupFailed,
)
from tests.unit.engine.attempts import context, run, snapshot


def sql_task(path: str = "q.sql", **members: Any) -> dict[str, Any]:
    return {"sql_task": {"file": {"path": path}, "warehouse_id": "w1", **members}}


def test_a_file_leaves_its_last_result_set(tmp_path: Path) -> None:
    text = "create table t as select :n::int as n;\nselect n + 1 as m from t;\n"
    snapshot(tmp_path, {"sql/q.sql": text})
    done = run(context(tmp_path, sql_task("sql/q.sql", parameters={"n": "4"})))
    assert done.code == 0
    assert done.left.result == {
        "sql_output": {"file_output": {"query_text": text, "warehouse_id": "w1"}},
        "columns": ["m"],
        "rows": [{"m": 5}],
        "truncated": False,
    }
    assert (tmp_path / "engine/sql/main.duckdb").is_file()


def test_an_error_is_one_line_at_the_end(tmp_path: Path) -> None:
    snapshot(tmp_path, {"q.sql": "select 1;\nselect *\nfrom none;"})
    done = run(context(tmp_path, sql_task()))
    assert done.code == 1
    assert done.output.splitlines()[-1].startswith("statement 2 of 2 (q.sql:2): Catalog Error:")
    assert "Traceback" not in done.output
    assert done.left.result is None


def test_tasks_on_one_database_run_one_after_the_other(tmp_path: Path) -> None:
    snapshot(
        tmp_path,
        {
            "start.sql": "create table t(a int)",
            "q.sql": "insert into t select count(*) from t; select sum(hash(range)) from range(3000000);",
        },
    )
    assert run(context(tmp_path, sql_task("start.sql"))).code == 0
    specs = [prepare(context(tmp_path, sql_task(), run_dir=tmp_path / "r" / str(n))) for n in range(4)]
    running = [
        subprocess.Popen(spec.argv, env=dict(spec.environment), cwd=spec.folder, stdout=subprocess.DEVNULL)
        for spec in specs
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0, 0]
    snapshot(tmp_path, {"end.sql": "select a from t order by a"})
    made = context(tmp_path, sql_task("end.sql"), run_dir=tmp_path / "end")
    run(made)
    result = collect(made.run_dir).result
    assert result is not None and result["rows"] == [{"a": n} for n in range(4)]


@pytest.mark.parametrize(
    ("task", "changes", "code", "part"),
    [
        (sql_task("none.sql"), {}, RESOURCE_NOT_FOUND, r'file\.path "none\.sql" is not in the deployed code'),
        ({"sql_task": {"warehouse_id": "w"}}, {}, INVALID_RUN_CONFIGURATION, r'"file\.path" is empty'),
        ({"sql_task": {"query": {"query_id": "1"}}}, {}, FEATURE_DISABLED, r"sql_task\.query is not supported"),
        ({"sql_task": {"alert": {"alert_id": "1"}}}, {}, FEATURE_DISABLED, r"sql_task\.alert is not supported"),
        (sql_task(), {"strict_warehouses": True}, RESOURCE_NOT_FOUND, 'no warehouse "w1"'),
    ],
)
def test_what_cannot_start(tmp_path: Path, task: dict[str, Any], changes: dict[str, Any], code: str, part: str) -> None:
    snapshot(tmp_path, {"q.sql": "select 1"})
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, task, **changes))
    assert caught.value.code == code


def test_without_duckdb_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot(tmp_path, {"q.sql": "select 1"})
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(SetupFailed, match=r"install bundlectl\[sql\]") as caught:
        prepare(context(tmp_path, sql_task()))
    assert caught.value.code == LIBRARY_INSTALLATION_ERROR


def test_an_interpreter_without_duckdb_says_so_in_its_last_line(tmp_path: Path) -> None:
    snapshot(tmp_path, {"q.sql": "select 1", "duckdb.py": "raise ImportError('not here')"})
    done = run(context(tmp_path, sql_task()))
    assert done.code == 1
    assert "DuckDB is not installed in this environment" in done.output.splitlines()[-1]
