"""References between resources: they exist, are managed, and make no circle. Config language 8.6."""

import pytest

from bundlectl.config.node import from_plain
from bundlectl.config.rules import check
from tests.unit.config.ruling import checked, jobs_of, only
from tests.unit.config.shaping import E, P, at


def two_jobs(first: str, second: str) -> str:
    def one(key: str, value: str) -> str:
        return f"    {key}:\n      tasks: [{{task_key: t, run_job_task: {{job_id: '{value}'}}}}]\n"

    return f"resources:\n  jobs:\n{one('foo', first)}{one('bar', second)}"


REFERENCES = [
    ("${resources.jobs.bar.id}", None, None),
    ("${resources.jobs.bar.tasks[0].task_key}", None, None),
    ("${resources.jobs.baz.id}", 'no job "baz": ${resources.jobs.baz.id}', 'did you mean "bar"?'),
    ("${resources.jobs.bar.tsks}", 'job "bar" has no "tsks": ${resources.jobs.bar.tsks}', 'did you mean "tasks"?'),
    ("${resources.jobs.bar.tasks[7].task_key}", 'job "bar" has no [7]: ${resources.jobs.bar.tasks[7].task_key}', None),
    (
        "${resources.pipelins.p.id}",
        'no kind of resource "pipelins": ${resources.pipelins.p.id}',
        'did you mean "pipelines"?',
    ),
]


@pytest.mark.parametrize(("reference", "summary", "detail"), REFERENCES)
def test_references_between_jobs(reference: str, summary: str | None, detail: str | None) -> None:
    findings = checked(two_jobs(reference, "12"))
    if summary is None:
        assert findings == []
    else:
        item = only(findings)
        assert (item.code, item.severity, item.summary, item.detail) == ("BND248", E, summary, detail)
        assert item.path == "resources.jobs.foo.tasks[0].run_job_task.job_id"


def test_jobs_that_need_each_other() -> None:
    item = only(checked(two_jobs("${resources.jobs.bar.id}", "${resources.jobs.foo.id}")))
    assert (item.code, item.severity, item.summary) == ("BND248", E, "cycle: jobs.bar -> jobs.foo -> jobs.bar")
    assert at(item) == "6:53 4:53"
    own = only(checked(two_jobs("${resources.jobs.foo.id}", "1")))
    assert own.summary == "cycle: jobs.foo -> jobs.foo"


def test_some_jobs_are_checked_against_all_the_others() -> None:
    jobs, _ = jobs_of(two_jobs("${resources.jobs.other.id}", "1"))
    some = {"foo": jobs["foo"]}
    keys = {"foo", "bar", "other"}
    assert check(some, backend="local", all_keys=keys, other_edges={}) == []
    findings = check(some, backend="local", all_keys=keys, other_edges={"other": ["bar"], "bar": ["foo"]})
    assert only(findings).summary == "cycle: jobs.bar -> jobs.foo -> jobs.other -> jobs.bar"
    outside = {"other": ["bar"], "bar": ["other"]}
    assert check(some, backend="local", all_keys=keys, other_edges=outside) == []
    stale = {"foo": ["bar"], "bar": ["foo"]}  # what the cache knew of foo no longer counts
    assert check(some, backend="local", all_keys=keys, other_edges=stale) == []


def test_resources_that_are_not_managed() -> None:
    text = two_jobs("${resources.pipelines.p.id}", "1")
    item = only(checked(text))
    assert (item.code, item.severity) == ("BND250", P)
    assert item.summary == "no value for ${resources.pipelines.p.id}: pipelines are not managed"
    assert item.hint is not None and "bundlectl.externals" in item.hint
    assert checked(text, externals=["resources.pipelines.p.id"]) == []
    there = from_plain({"pipelines": {"p": {"name": "n"}}})
    assert only(checked(text, resources=there)).code == "BND250"
    assert checked(two_jobs("${resources.pipelines.p.name}", "1"), resources=there) == []
    unknown = only(checked(text, resources=from_plain({"pipelines": {"q": {}}})))
    assert (unknown.code, unknown.severity) == ("BND248", E)
    assert unknown.summary == 'no resource "pipelines.p": ${resources.pipelines.p.id}'


def test_a_reference_inside_a_text_is_shown_where_it_stands() -> None:
    item = only(checked(two_jobs("x-${resources.jobs.baz.id}-y", "1")))
    assert at(item) == "4:55" and item.spans[0].end_column == 55 + len("${resources.jobs.baz.id}")
