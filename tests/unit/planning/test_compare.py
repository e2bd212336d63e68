"""Pairs by digest, fields with their places, what counts as nothing, files that jobs name, and causes."""

from typing import Any

import pytest

from bundlectl.base.digest import digest_document
from bundlectl.model.comparison import Cause, FieldDifference, JobDifference, JobStatus
from bundlectl.model.errors import NotFound
from bundlectl.model.job import JobDigest
from bundlectl.model.location import Keyed, SourceSpan, path_text
from bundlectl.model.plan import ABSENT, CodeFile
from bundlectl.planning.compare import (
    WHOLE,
    CompareInputs,
    Comparer,
    JobText,
    Known,
    Pairs,
    Place,
    compare,
    naming,
    pair,
    rewriter,
    with_causes,
    with_places,
)
from bundlectl.planning.field_table import FieldTable
from bundlectl.planning.selection import EVERYTHING, Selection
from tests.unit.planning.worlds import job

Document = dict[str, Any]
TASK = Keyed("task_key", "a")


def digests(documents: dict[str, Document], **renamed_from: str) -> dict[str, JobDigest]:
    return {
        key: JobDigest(digest_document(document), True, renamed_from=renamed_from.get(key))
        for key, document in documents.items()
    }


def compared(
    left: dict[str, Document], right: dict[str, Document], selection: Selection = EVERYTHING, **more: Any
) -> tuple[JobDifference, ...]:
    pairs = pair(digests(left), digests(right), selection)
    sides = [{key: JobText(document, document) for key, document in side.items()} for side in (left, right)]
    inputs: Document = {"comparer": Comparer(FieldTable("local")), **more}
    return compare(CompareInputs(pairs=pairs, left=sides[0], right=sides[1], **inputs))


def fields(found: JobDifference) -> dict[str, tuple[Any, Any]]:
    return {path_text(item.path): (item.left, item.right) for item in found.fields}


def test_jobs_are_paired_by_key_and_digest() -> None:
    left = digests({"same": job("a"), "other": job("a"), "old": job("a"), "gone": job("b")})
    right = digests({"same": job("a"), "other": job("b"), "new": job("a"), "more": job("c")}, new="old")
    assert pair(left, right) == Pairs(
        added=("more",), removed=("gone",), renamed={"new": "old"}, unsure=("other",), same=("same",)
    )


@pytest.mark.parametrize("reversed_", [False, True])
def test_a_rename_is_one_job_in_both_directions(reversed_: bool) -> None:
    left, right = digests({"old": job("a")}), digests({"new": job("a")}, new="old")
    if reversed_:
        assert pair(right, left).renamed == {"old": "new"}
    else:
        assert pair(left, right).renamed == {"new": "old"}


def test_a_rename_that_both_sides_have_is_none() -> None:
    both = digests({"new": job("a")}, new="old")
    assert pair(both, both) == Pairs(same=("new",))


def test_what_is_not_selected_is_counted() -> None:
    left = digests({"a1": job("a"), "a2": job("a"), "b": job("a"), "old": job("a")})
    right = digests({"a1": job("b"), "a2": job("b"), "b": job("b"), "new": job("a")}, new="old")
    assert pair(left, right, Selection(("a*",), ("a2",))) == Pairs(unsure=("a1",), not_selected=4)
    assert pair(left, right, Selection(("old",))).renamed == {"new": "old"}
    assert pair(left, right, Selection((), ("new", "a*"))) == Pairs(unsure=("b",), not_selected=4)
    with pytest.raises(NotFound, match=r'no job "jobs\.c"'):
        pair(left, right, Selection(("c",)))


def test_fields_added_changed_and_removed() -> None:
    left = {"x": job("a", max_concurrent_runs=1, tags={"owner": "ann", "kept": "k"})}
    right = {"x": job("a", "b", max_concurrent_runs=2, tags={"kept": "k"}, timeout_seconds=5)}
    (found,) = compared(left, right)
    assert found.status is JobStatus.CHANGED and found.address == "resources.jobs.x"
    assert fields(found) == {
        "max_concurrent_runs": (1, 2),
        "tags.owner": ("ann", ABSENT),
        "tasks[task_key='b']": (ABSENT, right["x"]["tasks"][1]),
        "timeout_seconds": (ABSENT, 5),
    }


def test_order_without_meaning_and_emptiness_are_nothing() -> None:
    left = {"x": job("a", "b", tags={}, email_notifications={"on_failure": ["p", "q"]})}
    right = {"x": job("b", "a", email_notifications={"on_failure": ["q", "p"]})}
    assert compared(left, right) == ()


def test_what_a_backend_fills_in_or_does_not_tell_is_nothing() -> None:
    sent = job("a", edit_mode="UI_LOCKED", format="MULTI_TASK")
    held = {**job("a"), "timeout_seconds": 0, "email_notifications": {}, "run_as": {"user_name": "ann"}}
    table = FieldTable("local")
    assert Comparer(table, right_observed=True).paths(sent, held) == []
    assert Comparer(table, left_observed=True).paths(held, sent) == []
    assert Comparer(table).paths(sent, held) != []
    changed = {**held, "timeout_seconds": 9}
    assert Comparer(table, right_observed=True).paths(sent, changed) == [("timeout_seconds",)]


def test_values_are_shown_as_they_are_and_compared_as_they_would_be() -> None:
    rewrite = rewriter({"/W/dev/files": "/W/prod/files"})
    left = {"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "/W/dev/files/a.py"}}], "name": "x"}
    right = {"tasks": [{"task_key": "a", "spark_python_task": {"python_file": "/W/prod/files/b.py"}}], "name": "x"}
    comparer = Comparer(FieldTable("local"))
    (found,) = comparer.fields(JobText(rewrite(left), left), JobText(right, right))
    assert (found.left, found.right) == ("/W/dev/files/a.py", "/W/prod/files/b.py")
    right["tasks"][0]["spark_python_task"]["python_file"] = "/W/prod/files/a.py"  # type: ignore[index]
    assert comparer.fields(JobText(rewrite(left), left), JobText(right, right)) == ()


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/W/dev", "/W/prod"),
        ("/W/dev/src/a.py", "/W/prod/src/a.py"),
        ("--out=/W/dev/x,/W/dev", "--out=/W/prod/x,/W/prod"),
        ("/W/develop", "/W/develop"),
        ("/W/dev.old", "/W/dev.old"),
        ("v-c0ffee-x", "v-beef00-x"),
        ("nothing", "nothing"),
    ],
)
def test_words_are_replaced_where_they_are_meant(text: str, rewritten: str) -> None:
    rewrite = rewriter({"/W/dev": "/W/prod", "c0ffee": "beef00", "/": "/other", "same": "same"})
    assert rewrite({"a": [text, 1, None]}) == {"a": [rewritten, 1, None]}


def test_secrets_are_marked() -> None:
    left, right = ({"x": job("a", tags={"db_password": value})} for value in ("one", "two"))
    (found,) = compared(left, right)
    assert found.fields[0].sensitive


CODE = (CodeFile("src/a.py", "modified", "1", "2"), CodeFile("lib/u.py", "added", None, "3"))


def test_changed_files_are_joined_with_the_jobs_that_name_them() -> None:
    documents = {key: job("a") for key in ("changed", "code", "folder", "other")}
    now = {**documents, "changed": job("b")}
    names = {
        "changed": ("src/a",),
        "code": ("src/a.py",),
        "folder": ("lib",),
        "other": ("x.py",),
        "gone": ("lib/u.py",),
    }
    found = compared(documents, now, files=CODE, code_paths=names)
    assert [(item.address.rpartition(".")[2], item.status.value, item.direct) for item in found] == [
        ("changed", "changed", ("src/a.py",)),
        ("code", "code", ("src/a.py",)),
        ("folder", "code", ("lib/u.py",)),
    ]
    assert {item.file.path: item.jobs for item in naming(CODE, names)} == {
        "src/a.py": ("resources.jobs.changed", "resources.jobs.code"),
        "lib/u.py": ("resources.jobs.folder", "resources.jobs.gone"),
    }


def test_places_are_those_of_the_key_that_a_job_has_on_each_side() -> None:
    left, right = SourceSpan("a.yml", 3, 5), SourceSpan("b.yml", 4, 5)
    item = FieldDifference(("name",), "x", "y")
    gone = FieldDifference(("tags",), {}, ABSENT)
    renamed = JobDifference(
        address="resources.jobs.new", status=JobStatus.RENAMED, renamed_from="old", fields=(item, gone)
    )
    places = {"old": Place(left, {"name": left, "tags": left})}, {"new": Place(right, {"name": right, "tags": right})}
    (found,) = with_places([renamed], *places)
    assert (found.left_span, found.right_span) == (left, right)
    assert [(field.left_span, field.right_span) for field in found.fields] == [(left, right), (left, None)]


def _causes(known: Known) -> list[Cause | None]:
    items = tuple(FieldDifference(path, 1, 2) for path in (("name",), ("tasks", TASK, "run_if"), ("timeout_seconds",)))
    changed = JobDifference(address="resources.jobs.x", status=JobStatus.CHANGED, fields=items)
    added = JobDifference(address="resources.jobs.y", status=JobStatus.ADDED)
    one, other = with_causes([changed, added], known)
    return [*(item.cause for item in one.fields), other.cause]


def test_causes() -> None:
    drift, override, version = Cause.DRIFT, Cause.OVERRIDE, Cause.VERSION
    assert _causes(Known()) == [None] * 4
    assert _causes(Known(other_commit=True)) == [version] * 4
    remaining = {"resources.jobs.x": [("name",), ("tasks", TASK)], "resources.jobs.y": WHOLE}
    assert _causes(Known(remaining=remaining, other_commit=True)) == [override, override, version, override]
    # A job that both targets have at one commit is no override, however much they differ inside it.
    assert _causes(Known(remaining={"resources.jobs.y": [("name",)]}, other_commit=True))[-1] is version
    drifted = {"resources.jobs.x": [("name",)]}
    assert _causes(Known(drifted, remaining, True)) == [drift, override, version, override]
    assert _causes(Known({"resources.jobs.x": WHOLE})) == [drift, drift, drift, None]
