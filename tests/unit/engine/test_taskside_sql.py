"""SQL text to statements, and statements on DuckDB in the process of the tests."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.engine.taskside.sql import MAX_BYTES, MAX_ROWS, ResultSet, SqlFailed, run_text
from bundlectl.engine.taskside.sql_text import split


def execute(folder: Path, text: str, **parameters: str) -> tuple[ResultSet, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        result = run_text(text, str(folder / "d.duckdb"), parameters, "/x/f.sql", 1)
    return result, output.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ;; -- only ; comments\n /* ; /* ; */ */ ;", []),
        ("select 1", ["select 1"]),
        ("a;b ; c;", ["a", "b", "c"]),
        ("select ';', \";\", 'it''s;' ; x", ["select ';', \";\", 'it''s;'", "x"]),
        (r"select E'\';', e'a;' ; x", [r"select E'\';', e'a;'", "x"]),
        ("select -- a;b\n 1; x", ["select -- a;b\n 1", "x"]),
        ("select /* ; /* ; */ ; */ 1; x", ["select /* ; /* ; */ ; */ 1", "x"]),
        ("select $$;$$, $t$ ; $$ ; $t$; x", ["select $$;$$, $t$ ; $$ ; $t$", "x"]),
        ('select `a;b`, `q``"`; x', ['select "a;b", "q`"""', "x"]),
        ("select date '2020-01-01'; )", ["select date '2020-01-01'", ")"]),
        ("select 'never closed ; x", ["select 'never closed", "x"]),
        ("/* never closed ; x", []),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert [statement.text for statement in split(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected", "names"),
    [
        ("select :a, :b, :a", "select $bundlectl_1, $bundlectl_2, $bundlectl_1", ("a", "b")),
        ("select {{ day }}, {{a.b-c}}", "select $bundlectl_1, $bundlectl_2", ("day", "a.b-c")),
        ("select 1::int, x::date, ':a', \":b\"", "select 1::int, x::date, ':a', \":b\"", ()),
        ("select -- :a\n /* :b */ $$:c$$, :d", "select -- :a\n /* :b */ $$:c$$, $bundlectl_1", ("d",)),
        ("select l[1:n], {'k':v}, f(x):y", "select l[1:n], {'k':v}, f(x):y", ()),
        ("select (:a)::int, x=:b", "select ($bundlectl_1)::int, x=$bundlectl_2", ("a", "b")),
        ("select ':a' || :a", "select ':a' || $bundlectl_1", ("a",)),
    ],
)
def test_markers(text: str, expected: str, names: tuple[str, ...]) -> None:
    (statement,) = split(text)
    assert (statement.text, statement.names) == (expected, names)


def test_lines_of_statements() -> None:
    assert [statement.line for statement in split("\n-- c\n\nselect\n1;\n\n/* x\n */ b; c")] == [4, 8, 8]


@given(
    st.lists(st.sampled_from(["'", '"', "`", "--", "\n", "/*", "*/", "$$", "$a$", ";", ":x", "::", "a", " ", "{{x}}"]))
)
def test_what_was_split_is_not_split_again(parts: list[str]) -> None:
    for statement in split("".join(parts)):
        (again,) = split(statement.text)
        assert (again.text, again.names) == (statement.text, ())


@given(st.lists(st.text(alphabet="ab'\";:\n$-/*", max_size=12), max_size=5))
def test_quoted_values_are_never_split(values: list[str]) -> None:
    quoted = ["'" + value.replace("'", "''") + "'" for value in values]
    statements = split(";".join(f"select {text}" for text in quoted))
    assert [statement.text for statement in statements] == [f"select {text}" for text in quoted]
    assert not any(statement.names for statement in statements)


def test_long_hostile_text_is_split_quickly() -> None:
    for text in ("a:" * 50_000, "/*" * 50_000, ";" * 100_000, "::" * 50_000, "{{" * 50_000, " " * 100_000):
        split(text)


def test_statements_run_in_order_and_the_last_result_set_is_kept(tmp_path: Path) -> None:
    result, output = execute(
        tmp_path,
        "create table t(a int, b text); insert into t values (1, :who), (2, null); select * from t order by a;"
        "select count(*) as n from t; update t set b = 'z'; set threads = 1",
        who="'); drop table t; --",
    )
    assert result == ResultSet(("n",), [{"n": 2}], False)
    assert "'); drop table t; --" in output and "(2 rows)" in output
    assert execute(tmp_path, "from t where b is not null")[0].rows == [{"a": 1, "b": "z"}, {"a": 2, "b": "z"}]


def test_rows_of_a_returning_statement_are_a_result_set(tmp_path: Path) -> None:
    result, _ = execute(tmp_path, "create table t(a int); insert into t values (5) returning a + 1 as b")
    assert result.rows == [{"b": 6}]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("1", 1),
        ("1.5::double", 1.5),
        ("'nan'::double", "nan"),
        ("1.50::decimal(9,2)", "1.50"),
        ("date '2020-02-01'", "2020-02-01"),
        ("timestamp '2020-02-01 10:00:00'", "2020-02-01T10:00:00"),
        ("true", True),
        ("null", None),
        ("[1, null]", [1, None]),
        ("{'a': date '2020-02-01'}", {"a": "2020-02-01"}),
        ("'\\xFF'::blob", "/w=="),
        ("'é'", "é"),
        ("123456789012345678901234567890::hugeint", 123456789012345678901234567890),
        ("interval 1 day", "1 day, 0:00:00"),
    ],
)
def test_values_as_json(tmp_path: Path, sql: str, expected: Any) -> None:
    result, _ = execute(tmp_path, f"select {sql} as v")
    assert result.rows == [{"v": expected}]
    json.dumps(result.rows, allow_nan=False)


def test_repeated_column_names_are_told_apart(tmp_path: Path) -> None:
    assert execute(tmp_path, "select 1 as a, 2 as a, 3 as a_1")[0].rows == [{"a": 1, "a_1": 2, "a_1_1": 3}]


def test_a_long_result_is_cut_by_rows_and_by_size(tmp_path: Path) -> None:
    result, output = execute(tmp_path, "select * from range(1001)")
    assert (len(result.rows), result.truncated) == (MAX_ROWS, True)
    assert "(1000 or more rows, 980 not shown)" in output
    result, _ = execute(tmp_path, "select repeat('x', 1000) as v from range(100)")
    assert result.truncated
    assert len(json.dumps(result.rows, separators=(",", ":"))) <= MAX_BYTES
    assert len(execute(tmp_path, "select * from range(1000)")[0].rows) == MAX_ROWS
    assert not execute(tmp_path, "select * from range(1000)")[0].truncated


def test_the_first_error_stops_and_names_statement_and_line(tmp_path: Path) -> None:
    with pytest.raises(SqlFailed, match=r"^statement 2 of 3 \(f\.sql:3\): Catalog Error.*none") as caught:
        execute(tmp_path, "create table t(a int);\n\nselect * from none;\ncreate table u(a int);")
    assert "\n" not in str(caught.value)
    with pytest.raises(SqlFailed, match="u"):
        execute(tmp_path, "select * from u")
    execute(tmp_path, "select * from t")


def test_a_marker_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(SqlFailed, match=r'statement 1 of 1 \(f\.sql:1\): no value for the parameter ":day"'):
        execute(tmp_path, "select :day")


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "d.duckdb").write_text("no database, but long enough to be looked at " * 100)
    with pytest.raises(SqlFailed, match="The database cannot be opened"):
        execute(tmp_path, "select 1")
