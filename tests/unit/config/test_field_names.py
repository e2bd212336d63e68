"""Names of fields as people write them, and what is said of names that cannot be."""
# ruff: noqa: E501  (one row, one line)

import pytest

from bundlectl.config.field_names import find_field, job_of, read_name
from bundlectl.model.errors import UsageError
from bundlectl.model.location import path_text
from bundlectl.schema.table import Kind
from tests.unit.config.bundles import USER, bundle
from tests.unit.config.explaining import watched

TEXT = bundle("""\
variables: {timeout: {default: 600}, m: {type: complex, default: {k: [1]}}}
resources:
  jobs:
    etl:
      permissions: [{level: CAN_VIEW, group_name: g}]
      tags: {team: x, 'a b': y}
      tasks:
        - {task_key: load, depends_on: [{task_key: get}]}
        - {task_key: get, libraries: [{pypi: {package: p}}]}
  pipelines: {p: {name: n}}
""")
SEEN = watched(TEXT)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("jobs.etl.tasks[load].max_retries", "resources.jobs.etl.tasks[task_key='load'].max_retries"),
        ("resources.jobs.etl.tasks[task_key='load']", "resources.jobs.etl.tasks[task_key='load']"),
        ('jobs.etl.tasks[task_key="load"]', "resources.jobs.etl.tasks[task_key='load']"),
        ("jobs.etl.tasks[0].task_key", "resources.jobs.etl.tasks[task_key='get'].task_key"),
        ("jobs.etl.tasks[load].depends_on[get]", "resources.jobs.etl.tasks[task_key='load'].depends_on[task_key='get']"),
        ("jobs.etl.tasks[get].libraries[0].pypi", "resources.jobs.etl.tasks[task_key='get'].libraries[0].pypi"),
        ("jobs.etl.permissions[g]", "resources.jobs.etl.permissions[group_name='g']"),
        (f"jobs.etl.permissions[{USER}].level", f"resources.jobs.etl.permissions[user_name='{USER}'].level"),
        ("jobs.etl.tags['a b']", "resources.jobs.etl.tags['a b']"),
        ("var.timeout", "variables.timeout.value"),
        ("variables.timeout", "variables.timeout.value"),
        ("variables.timeout.default", "variables.timeout.default"),
        ("var.m.k[0]", "variables.m.value.k[0]"),
        ("resources.pipelines.p.name", "resources.pipelines.p.name"),
        ("presets.name_prefix", "presets.name_prefix"),
        ("bundle.git.branch", "bundle.git.branch"),
        ("workspace.current_user.userName", "workspace.current_user.userName"),
        ("jobs.etl.schedule.quartz_cron_expression", "resources.jobs.etl.schedule.quartz_cron_expression"),
    ],
)  # fmt: skip
def test_a_name_and_its_path(name: str, path: str) -> None:
    assert SEEN is not None
    assert path_text(find_field(SEEN.node, read_name(name)).path) == path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jobs.etl.tasks[load].max_retrys", 'no field "max_retrys" in "resources.jobs.etl.tasks[load]"; did you mean "max_retries"?'),
        ("jobs.etl.tasks[laod]", 'no element "laod" in "resources.jobs.etl.tasks"; did you mean "load"?'),
        ("jobs.etl.tasks[7]", '"resources.jobs.etl.tasks" has 2 elements, counted from 0'),
        ("jobs.elt", 'no job "elt" in "resources.jobs"; did you mean "etl"?'),
        ("var.tiemout", 'no variable "tiemout" in "variables"; did you mean "timeout"?'),
        ("bundle.nmae", 'no field "nmae" in "bundle"; did you mean "name"?'),
        ("bundel.name", 'no field "bundel"; did you mean "bundle"?'),
        ("jobs.etl.tags.teem", 'no field "teem" in "resources.jobs.etl.tags"; did you mean "team"?'),
        ("jobs.etl.name.x", '"resources.jobs.etl.name" has no fields'),
        ("jobs.etl.trigger[0]", 'no field "0" in "resources.jobs.etl.trigger"'),
        ("", '"" is no field name'),
        ("[0]", '"[0]" is no field name'),
        ("jobs..x", '"jobs..x" is no field name'),
        ("a[", '"a[" is no field name'),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be(name: str, said: str) -> None:
    assert SEEN is not None
    with pytest.raises(UsageError) as caught:
        find_field(SEEN.node, read_name(name))
    assert caught.value.summary == said and caught.value.exit_code == 1


def test_what_the_language_says_of_a_field_is_found_whether_it_is_set_or_not() -> None:
    assert SEEN is not None
    for name, kind in (("max_retries", Kind.INT), ("task_key", Kind.TEXT), ("new_cluster", Kind.OBJECT)):
        entry = find_field(SEEN.node, read_name(f"jobs.etl.tasks[load].{name}")).entry
        assert entry is not None and entry.kind is kind


def test_the_job_of_a_field() -> None:
    assert job_of(read_name("jobs.etl.name")) == "etl"
    assert job_of(read_name("jobs")) is None and job_of(read_name("bundle.name")) is None
