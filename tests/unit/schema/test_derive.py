"""The field tables that the models give: complete, consistent, and in step with the tables of model.job."""

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.config import limits
from bundlectl.model.job import EXTENSION_FIELDS, NATURAL_KEYS, PRINCIPAL_FIELDS, TASK_TYPES
from bundlectl.schema.derive import tables
from bundlectl.schema.job import Job
from bundlectl.schema.kinds import UNMANAGED_KINDS
from bundlectl.schema.table import Entry, Kind, Limits, Table
from bundlectl.schema.table_file import PATH, read_tables, tables_text

TABLES = tables()


def every_table() -> list[Table]:
    seen: dict[int, Table] = {}
    waiting = [TABLES.file]
    while waiting:
        table = waiting.pop()
        if id(table) not in seen:
            seen[id(table)] = table
            waiting.extend(inner for entry in table.fields.values() for inner in below(entry))
    return list(seen.values())


def below(entry: Entry) -> Iterator[Table]:
    if entry.table is not None:
        yield entry.table
    for part in (entry.item, *entry.options):
        if part is not None:
            yield from below(part)


ALL = every_table()


def test_the_file_gives_the_same_tables() -> None:
    assert tables_text(read_tables()) == tables_text(TABLES) == PATH.read_text("ascii")
    there = [entry for table in ALL for entry in table.fields.values()]
    assert any(entry.limits is not None and entry.limits.least == 0 for entry in there)  # a zero is a limit too


def test_a_job_is_the_same_wherever_it_stands() -> None:
    for holder in (TABLES.file, entry_of(TABLES.file, "targets").table):
        assert holder is not None
        resources = holder.fields["resources"].table
        assert resources is not None
        assert entry_of(resources, "jobs").table is TABLES.job


def entry_of(table: Table, name: str) -> Entry:
    item = table.fields[name].item
    assert item is not None
    return item


def test_a_task_holds_a_task() -> None:
    task = entry_of(TABLES.job, "tasks").table
    assert task is not None
    loop = task.fields["for_each_task"].table
    assert loop is not None and loop.fields["task"].table is task


def test_natural_keys_are_those_that_plans_compare_by() -> None:
    found: dict[tuple[str, ...], str] = {}
    waiting: list[tuple[Table, tuple[str, ...]]] = [(TABLES.job, ())]
    while waiting:
        table, path = waiting.pop()
        for name, entry in table.fields.items():
            if entry.key is not None:
                found[(*path, name)] = entry.key
            if entry.item is not None and entry.item.table is not None and "for_each_task" not in path:
                waiting.append((entry.item.table, (*path, name, "*")))
    assert found == dict(NATURAL_KEYS)


def test_task_types_and_extensions_are_fields_of_a_task() -> None:
    task = entry_of(TABLES.job, "tasks").table
    assert task is not None
    assert {name for name in task.fields if name.endswith("_task")} == set(TASK_TYPES)
    assert set(EXTENSION_FIELDS) <= task.fields.keys()
    permission = entry_of(TABLES.job, "permissions").table
    assert permission is not None and set(PRINCIPAL_FIELDS) == set(permission.one_of)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_a_table_is_consistent(table: Table) -> None:
    assert table.what or table is TABLES.file
    assert all(entry.description for entry in table.fields.values())
    assert set(table.required) <= set(table.must_have) <= table.fields.keys()
    assert set(table.one_of) <= table.fields.keys()
    assert set(table.known_as.values()) <= table.fields.keys()
    assert not table.known_as.keys() & table.fields.keys()
    for entry in table.fields.values():
        assert entry.key is None or entry.item is not None
        choices = entry.limits.choices if entry.limits else ()
        assert list(choices) == sorted(choices)


def test_names_of_tables_are_unique() -> None:
    names = [table.name for table in ALL]
    assert len(names) == len(set(names)) and len(names) > 100


def test_unknown_fields_are_errors_exactly_inside_jobs_and_our_own_block() -> None:
    by_name = {table.name: table for table in ALL}
    assert {name for name in ("BundleFile", "Target", "Workspace", "Sync", "Artifact") if by_name[name].strict} == set()
    for name in ("Job", "Task", "NewCluster", "Permission", "Block", "Backend", "Promotion", "JobBlock"):
        assert by_name[name].strict
    assert (
        by_name["Task"].keeps_unknown and not by_name["JobBlock"].keeps_unknown and not by_name["Block"].keeps_unknown
    )


def test_other_kinds_of_resources_are_never_typed() -> None:
    resources = TABLES.file.fields["resources"].table
    assert resources is not None
    assert set(resources.fields) == {"jobs", *UNMANAGED_KINDS}
    assert all(resources.fields[kind].kind is Kind.ANY for kind in UNMANAGED_KINDS)


GOOD_JOB: dict[str, Any] = {
    "name": "etl",
    "tasks": [
        {"task_key": "a", "sql_task": {"warehouse_id": "w", "file": {"path": "a.sql"}}},
        {
            "task_key": "b",
            "depends_on": [{"task_key": "a"}],
            "for_each_task": {"inputs": "[1]", "task": {"task_key": "i", "shell_task": {"command": ["ls"]}}},
        },
    ],
    "bundlectl": {"renamed_from": "old"},
}


def test_the_models_validate_by_themselves() -> None:
    job = Job.model_validate(GOOD_JOB)
    assert job.tasks is not None and job.tasks[1].for_each_task is not None
    assert job.tasks[1].for_each_task.task.task_key == "i"
    bad: list[dict[str, Any]] = [
        {"nme": "x"},
        {"max_concurrent_runs": -1},
        {"tasks": [{}]},
        {"queue": {"enabled": "?"}},
    ]
    for document in bad:
        with pytest.raises(pydantic.ValidationError):
            Job.model_validate(document)


VALUES = st.text(max_size=8) | st.sampled_from(["PAUSED", "30d", "a b", "a", "gitHub"]) | st.integers(-9, 9)


@given(
    value=VALUES,
    chosen=st.sampled_from(
        [
            Limits(choices=("PAUSED", "UNPAUSED")),
            Limits(least=0),
            Limits(least=-1, most=5),
            Limits(pattern=r"^[\w-]+$", max_length=3),
            Limits(min_length=1),
            Limits(max_bytes=3),
            Limits(form="duration"),
        ]
    ),
)
def test_the_quick_test_of_a_limit_lets_nothing_bad_pass(value: str | int, chosen: Limits) -> None:
    quick = chosen.quick()
    takes_text = chosen.least is None
    if quick is not None and isinstance(value, str) is takes_text and quick(value):
        assert limits.check(value, chosen, "field") is None
