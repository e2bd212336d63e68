"""bind, unbind and import: jobs of the backend that become, or stop being, the bundle's."""

from pathlib import Path
from typing import Any

import pytest

from bundlectl.model.errors import InputError, NotFound, Refused, UsageError
from bundlectl.model.plan import Action, Plan
from bundlectl.operations.bind import BindRequest, Bound, bind, unbind
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.import_job import Imported, ImportRequest, import_jobs
from bundlectl.operations.plan import make_plan
from bundlectl.operations.run import RunRequest, run
from bundlectl.operations.world import World, open_world
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle


def yes(plan: Plan) -> str | None:
    return "interactive"


def no(plan: Plan) -> str | None:
    return None


def deployed(context: OperationContext) -> None:
    deploy(context, DeployRequest(auto_approve=True, allow_destructive=True), yes)


def bound(context: OperationContext, key: str, id: str) -> Bound:
    return bind(context, BindRequest(key=key, id=id, auto_approve=True), yes)


def unbound(context: OperationContext, key: str) -> Bound:
    return unbind(context, BindRequest(key=key, auto_approve=True), yes)


def imported(context: OperationContext, *ids: str, **more: Any) -> tuple[Imported, ...]:
    return import_jobs(context, ImportRequest(ids=ids, **more))


def world_of(new_context: ContextMaker, **options: Any) -> World:
    return open_world(new_context(**options))


def id_of(new_context: ContextMaker, key: str) -> str:
    return world_of(new_context).deployed.jobs[key].id


@pytest.fixture
def one(repository: RepositoryBuilder, new_context: ContextMaker) -> ContextMaker:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="two")})
    deployed(new_context())
    return new_context


def test_a_job_that_is_forgotten_belongs_to_nobody_and_can_be_bound_again(one: ContextMaker) -> None:
    id = id_of(one, "a")
    run(one(), RunRequest(job="a"))
    done = unbound(one(), "jobs.a")
    assert (done.key, done.id, done.action, done.in_bundle) == ("a", id, "unbind", True)
    assert done.result is not None and done.result.manifest is not None
    assert done.result.manifest["kind"] == "unbind"
    world = world_of(one)
    assert list(world.deployed.jobs) == ["b"]
    assert world.backend.holding(id).owner is None
    assert world.backend.read([id])[id] is not None
    (change,) = make_plan(one()).plan.changes
    assert (change.address, change.action) == ("resources.jobs.a", Action.CREATE)
    done = bound(one(), "a", id)
    assert (done.fields, done.is_complete) == ((), True)
    assert world_of(one).deployed.jobs["a"].id == id
    plan = make_plan(one()).plan
    assert plan.is_empty and not plan.drift
    assert len(world_of(one).backend.runs(id, 5)) == 1
    assert bound(one(), "a", id).result is None


def test_bind_shows_what_the_bundle_says_otherwise_and_leaves_the_job(
    repository: RepositoryBuilder, one: ContextMaker
) -> None:
    id = id_of(one, "a")
    unbound(one(), "a")
    repository.commit("two", {"databricks.yml": bundle(a="other", b="two")})
    before = world_of(one).backend.read([id])[id]
    done = bound(one(), "a", id)
    (field,) = done.fields
    assert "command" in str(field.path) and (field.observed, field.desired) == (["echo", "one"], ["echo", "other"])
    assert world_of(one).backend.read([id])[id] == before
    (change,) = make_plan(one()).plan.changes
    assert [item.path for item in change.fields if item.reason is None] == [field.path]
    assert not make_plan(one()).plan.drift
    deployed(one())
    assert make_plan(one()).plan.is_empty
    assert id_of(one, "a") == id


def test_a_job_can_be_bound_before_anything_was_deployed(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    deployed(new_context())
    id = id_of(new_context, "a")
    unbound(new_context(), "a")
    done = bound(new_context(target="dev"), "a", id)
    assert done.target == "dev" and done.fields  # development names its jobs otherwise
    assert make_plan(new_context(target="dev")).plan.changes[0].id == id
    deployed(new_context(target="dev"))
    assert make_plan(new_context(target="dev")).plan.is_empty
    assert unbound(new_context(target="dev"), "a").id == id


def test_a_job_of_somebody_else_is_refused(one: ContextMaker) -> None:
    id = id_of(one, "a")
    deployed(one(target="dev"))
    for key in ("a", "b"):
        unbound(one(target="dev"), key)
    with pytest.raises(Refused) as caught:
        bound(one(target="dev"), "a", id)
    assert (caught.value.code, caught.value.exit_code) == ("BND414", 6)
    assert "another history of deployments" in caught.value.summary
    assert world_of(one).deployed.jobs["a"].id == id


def test_what_is_left_over_with_our_mark_can_be_bound(one: ContextMaker) -> None:
    world = world_of(one)
    unbound(one(), "a")
    lineage, fence = world.deployed.lineage, world_of(one).deployed.fence
    composed = world.backend.compose({"name": "x"}, snapshot=None, lineage=lineage, target="free", key="lost")
    id = world.backend.create(composed, fence)
    assert bound(one(), "a", id).is_complete
    assert world_of(one).deployed.jobs["a"].id == id
    deployed(one())
    plan = make_plan(one()).plan
    assert plan.is_empty and not plan.diagnostics


def test_what_cannot_be_bound_is_said(one: ContextMaker) -> None:
    a, b = id_of(one, "a"), id_of(one, "b")
    before = world_of(one).recorded.version
    for key, id, error, words in [
        ("c", a, NotFound, 'the bundle has no job "jobs.c"'),
        ("a", b, InputError, f'"jobs.a" is job {a}'),
        ("a", "99999", InputError, f'"jobs.a" is job {a}'),
    ]:
        with pytest.raises(error) as caught:
            bound(one(), key, id)
        assert words in caught.value.summary
    with pytest.raises(NotFound, match=r'"jobs\.c" is not recorded'):
        unbound(one(), "c")
    assert world_of(one).recorded.version == before
    unbound(one(), "a")
    before = world_of(one).recorded.version
    for id, words in [("99999", 'no job "99999"'), ("../x", 'no job "../x"'), (b, f'job {b} is recorded as "jobs.b"')]:
        with pytest.raises(InputError) as caught:
            bound(one(), "a", id)
        assert words in caught.value.summary
    with pytest.raises(Refused):
        bind(one(), BindRequest(key="a", id=a), no)
    assert world_of(one).recorded.version == before


CODE = {
    "name": "Etl: daily",
    "tasks": [
        {"task_key": "t", "spark_python_task": {"python_file": "./src/t.py", "parameters": ["a b", "yes"]}},
        {"task_key": "u", "depends_on": [{"task_key": "t"}], "shell_task": {"command": ["sh", "-c", "a\nb\n"]}},
    ],
}


def test_import_and_bind_come_full_circle(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    head = "bundle: {name: shop}\nbundlectl: {backend: local}\ninclude: ['resources/*.yml']\n"
    job = (
        "resources:\n  jobs:\n    etl:\n      name: 'Etl: daily'\n      max_concurrent_runs: 3\n"
        "      tags: {on: 'no', n: '012'}\n      description: |\n        two\n        lines\n"
        "      tasks:\n        - task_key: t\n          spark_python_task:\n            python_file: src/t.py\n"
        "            parameters: ['a b', 'yes']\n"
        "        - task_key: u\n          depends_on: [{task_key: t}]\n          max_retries: 1\n"
        '          shell_task: {command: [sh, -c, "a\\nb\\n"]}\n'
    )
    repository.commit("one", {"databricks.yml": head + job, "src/t.py": "print(1)\n", "resources/none.yml": "{}\n"})
    deployed(new_context())
    id = id_of(new_context, "etl")
    unbound(new_context(), "etl")
    repository.git("rm", "-q", "src/t.py")
    repository.commit("two", {"databricks.yml": head})
    shown = imported(new_context(), id, write=False)
    assert shown[0].file is None and shown[0].text is not None
    assert repository.git("status", "--short") == ""
    (done,) = imported(new_context(), id)
    assert (done.key, done.file, done.files, done.notes, done.error) == (
        *("etl_daily", "resources/etl_daily.yml", ("src/t.py",)),
        *((), None),
    )
    assert Path(repository.folder, "src/t.py").read_text() == "print(1)\n"
    assert "python_file: ../src/t.py" in Path(repository.folder, "resources/etl_daily.yml").read_text()
    repository.git("add", "--all")
    repository.git("commit", "-qm", "three")
    bound(new_context(), "etl_daily", id)
    plan = make_plan(new_context()).plan
    assert plan.is_empty, plan.changes
    assert not plan.drift


def test_import_tells_what_stands_in_the_way(repository: RepositoryBuilder, one: ContextMaker) -> None:
    id = id_of(one, "a")
    first, missing = imported(one(), id, "99999")
    assert (missing.error, missing.file) == ('no job "99999" on the backend', None)
    assert first.notes == ('the bundle does not read "resources/untitled.yml"; add it to include:',)
    (again,) = imported(one(), id)
    assert again.error == '"resources/untitled.yml" is there already'
    (forced,) = imported(one(), id, force=True)
    assert forced.error is None
    (taken,) = imported(one(), id, key="a", force=True)
    assert taken.error == 'the bundle has a job "jobs.a" already'
    with pytest.raises(UsageError):
        imported(one(), id, "2", key="x")
    with pytest.raises(UsageError):
        imported(one(ref="HEAD"), id)


def test_two_jobs_of_one_name_get_two_keys(one: ContextMaker) -> None:
    done = imported(one(), id_of(one, "a"), id_of(one, "b"), write=False)
    assert [item.key for item in done] == ["untitled", "untitled_2"]
