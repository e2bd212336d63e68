"""Drift against a real engine and repository: what is asked, accepted where, refused, snoozed; plans of a part."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend
from bundlectl.base.clock import rfc3339
from bundlectl.base.identifiers import time_ordered_id
from bundlectl.model.deployment import Intent
from bundlectl.model.errors import BackendError, InputError, LeaseHeld, NotFound, Refused, UsageError
from bundlectl.model.location import path_text
from bundlectl.operations.context import OperationContext, Source
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.drift import find_drift
from bundlectl.operations.drift_accept import Accepted, accept
from bundlectl.operations.drift_snooze import lift, list_snoozes, snooze
from bundlectl.operations.plan import PlanOptions, Refresh, make_plan
from bundlectl.operations.world import open_world
from bundlectl.planning.selection import Selection
from bundlectl.state.store import Note, begin
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)
Edit = Callable[[dict[str, Any]], None]


def deployed(context: OperationContext) -> None:
    assert deploy(context, YES, lambda plan: None).is_complete


def edit(context: OperationContext, key: str, change: Edit) -> None:
    """Somebody changes a deployed job on the backend."""
    world = open_world(context)
    deployment = world.deployed
    entry = deployment.jobs[key]
    document = world.backend.read([entry.id])[entry.id]
    assert document is not None
    change(document)
    composed = world.backend.compose(
        document, snapshot=entry.snapshot, lineage=deployment.lineage, target=deployment.target, key=key
    )
    world.backend.update(entry.id, composed, deployment.fence)


class OnlyReads:
    """A backend that writes down what it is asked for, and refuses to write: credentials that may only look."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        assert name in ("capabilities", "identity", "observe", "read"), f"{name} is no reading method"
        return getattr(self._backend, name)


def test_drift_only_reads(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="two")})
    deployed(new_context())
    edit(new_context(), "a", lambda job: job.update(max_concurrent_runs=7))
    context = new_context()
    watched: list[OnlyReads] = []

    def open_backend(found: Any) -> Backend:
        watched.append(OnlyReads(context.open_backend(found)))
        return cast(Backend, watched[-1])

    refs = repository.git("for-each-ref")
    found = find_drift(replace(context, open_backend=open_backend)).drift
    assert [path_text(field.path) for field in found.jobs[0].fields] == ["max_concurrent_runs"]
    assert (found.counted, found.drifted, found.looked_at) == (1, 1, 2)
    assert watched[0].asked >= {"observe", "read"}
    assert repository.git("for-each-ref") == refs and repository.git("status", "--short") == ""


def test_a_bundle_that_does_not_load_is_no_obstacle_to_drift(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    with pytest.raises(NotFound, match="nothing is deployed"):
        find_drift(new_context())
    deployed(new_context())
    edit(new_context(), "a", lambda job: job.update(max_concurrent_runs=7))
    repository.write({"databricks.yml": "bundle: [\n"})
    assert find_drift(new_context()).drift.counted == 1
    with pytest.raises(InputError):
        accept(new_context(), ["jobs.a"], dry_run=True)


def test_a_backend_that_is_not_read_is_an_error(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    deployed(new_context())
    context = new_context()
    unread = replace(find_drift(context).observed, read=False, why_not="no answer")

    class Silent(OnlyReads):
        def observe(self, *_: Any) -> Any:
            return unread

    silent = replace(context, open_backend=lambda found: cast(Backend, Silent(context.open_backend(found))))
    with pytest.raises(BackendError, match="no answer"):
        find_drift(silent)


# Accept --------------------------------------------------------------------------------------------------------

HEAD = """\
bundle: {name: shop} # the shop
bundlectl: {backend: local}
include: [more.yml]
variables:
  runs: {default: 1} # how many
  word: {default: one}
  secret: {default: s}
targets:
  free:
    default: true
    resources:
      jobs:
        a:
          timeout_seconds: 60 # free is quick
  dev: {mode: development}
"""
JOBS = """\
resources:
  jobs:
    a: # first
      name: "a"
      max_concurrent_runs: ${var.runs}
      timeout_seconds: 30
      description: 'the ${var.word}'
      tags: &tags {team: core, owner: ann}
      parameters:
        - {name: day, default: "1"} # of the week
        - name: token
          default: ${var.secret}
      tasks:
        - task_key: t
          max_retries: 1
          shell_task: {command: [echo, "${var.word}"]}
        - task_key: u
          depends_on: [{task_key: t}]
          spark_python_task:
            python_file: ./src/run.py
    b:
      name: b
      tags: *tags
      tasks:
        - task_key: t
          shell_task: {command: [echo, b]}
"""


@pytest.fixture
def shop(repository: RepositoryBuilder, new_context: ContextMaker) -> RepositoryBuilder:
    files = {"databricks.yml": HEAD, "more.yml": JOBS, "src/run.py": "1\n", "src/other.py": "2\n"}
    repository.commit("one", files)
    deployed(new_context())
    return repository


def changed_lines(done: Accepted) -> list[str]:
    """Lines that go and come, with their file."""
    return [
        f"{patch.path}: {line}"
        for patch in done.patches
        for line in patch.lines
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]


def task(job: dict[str, Any], key: str) -> dict[str, Any]:
    return next(item for item in job["tasks"] if item["task_key"] == key)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        # where the value comes from: a variable, the target, the job itself
        (
            lambda job: job.update(max_concurrent_runs=4),
            ["databricks.yml: -  runs: {default: 1} # how many", "databricks.yml: +  runs: {default: 4} # how many"],
        ),
        (
            lambda job: job.update(timeout_seconds=90),
            [
                "databricks.yml: -          timeout_seconds: 60 # free is quick",
                "databricks.yml: +          timeout_seconds: 90 # free is quick",
            ],
        ),
        (lambda job: job.update(name="A: 1"), ['more.yml: -      name: "a"', 'more.yml: +      name: "A: 1"']),
        # new: to the target when it says something of the job itself; to the task where only the base has it
        (
            lambda job: job.update(email_notifications={"on_failure": ["ann@acme.example"]}),
            [
                "databricks.yml: +          email_notifications:",
                "databricks.yml: +            on_failure: [ann@acme.example]",
            ],
        ),
        (lambda job: task(job, "t").update(timeout_seconds=5), ["more.yml: +          timeout_seconds: 5"]),
        # gone
        (lambda job: task(job, "t").pop("max_retries"), ["more.yml: -          max_retries: 1"]),
        (
            lambda job: job["parameters"].pop(0),
            ['more.yml: -        - {name: day, default: "1"} # of the week'],
        ),
        # elements of lists with a key
        (
            lambda job: job["parameters"].append({"name": "new", "default": "x"}),
            ["more.yml: +        - name: new", "more.yml: +          default: x"],
        ),
        (
            lambda job: job["parameters"][0].update(default="2"),
            [
                'more.yml: -        - {name: day, default: "1"} # of the week',
                'more.yml: +        - {name: day, default: "2"} # of the week',
            ],
        ),
        (
            lambda job: task(job, "t")["shell_task"].update(command=["echo", "one", "more"]),
            [
                'more.yml: -          shell_task: {command: [echo, "${var.word}"]}',
                'more.yml: +          shell_task: {command: [echo, "${var.word}", more]}',
            ],
        ),
        # a file of the code is named as seen from the file that names it
        (
            lambda job: task(job, "u")["spark_python_task"].update(
                python_file=task(job, "u")["spark_python_task"]["python_file"].replace("run.py", "other.py")
            ),
            [
                "more.yml: -            python_file: ./src/run.py",
                "more.yml: +            python_file: ./src/other.py",
            ],
        ),
    ],
)
def test_a_value_is_written_where_it_comes_from(
    shop: RepositoryBuilder, new_context: ContextMaker, change: Edit, lines: list[str]
) -> None:
    edit(new_context(), "a", change)
    assert find_drift(new_context()).drift.counted
    before = {name: (Path(shop.folder) / name).read_bytes() for name in ("databricks.yml", "more.yml")}
    shown = accept(new_context(), ["jobs.a"], dry_run=True)
    assert not shown.written and changed_lines(shown) == lines
    assert {name: (Path(shop.folder) / name).read_bytes() for name in before} == before
    done = accept(new_context(), ["jobs.a"], dry_run=False)
    assert done.written and done.patches == shown.patches
    assert all(item.span is not None for item in done.fields)
    again = accept(new_context(), ["jobs.a"], dry_run=False)
    assert not again.written and all(item.span is None for item in again.fields)
    # What is in the files is what the backend has: a deploy writes nothing but the record.
    shop.git("commit", "--quiet", "--all", "--message", "as it is")
    plan = make_plan(new_context()).plan
    assert not plan.drift
    assert {field.verdict.value for change in plan.changes for field in change.fields} - {"default", "suppressed"} == {
        "both"
    }


@pytest.mark.parametrize(
    ("change", "options", "why", "place"),
    [
        (lambda job: job["tags"].update(team="x"), {}, "used elsewhere too: jobs.b would change", "more.yml:8"),
        (lambda job: job.update(description="the other"), {}, "only a part of it comes from", "more.yml:7"),
        (lambda job: job.update(max_concurrent_runs=4), {"var": ["runs=1"]}, "given by --var", "more.yml:5"),
        (lambda job: job["parameters"][1].update(default="x"), {}, "may be a secret", None),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(
    shop: RepositoryBuilder,
    new_context: ContextMaker,
    change: Edit,
    options: dict[str, Any],
    why: str,
    place: str | None,
) -> None:
    edit(new_context(), "a", change)
    edit(new_context(), "a", lambda job: job.update(timeout_seconds=90))
    with pytest.raises(InputError, match=why) as caught:
        accept(new_context(**options), ["jobs.a"], dry_run=False)
    spans = [f"{span.file}:{span.line}" for item in caught.value.diagnostics for span in item.spans]
    assert spans[:1] == ([place] if place else [])
    assert shop.git("status", "--short") == ""  # nothing at all, also what could be written


def test_a_value_that_a_preset_makes_is_refused(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    text = bundle(a="one").replace("prod: {mode", "team: {presets: {name_prefix: '[x] '}}\n  prod: {mode")
    repository.commit("one", {"databricks.yml": text.replace("    a:\n", "    a:\n      name: mine\n")})
    deployed(new_context(target="team"))
    edit(new_context(target="team"), "a", lambda job: job.update(name="yours"))
    with pytest.raises(InputError, match="its value is not from there: preset") as caught:
        accept(new_context(target="team"), ["jobs.a.name"], dry_run=False)
    assert caught.value.diagnostics[0].spans


def test_other_targets_that_change_too_are_told(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    edit(new_context(), "a", lambda job: job.update(max_concurrent_runs=4, timeout_seconds=90))
    done = accept(new_context(), ["jobs.a.timeout_seconds"], dry_run=True)
    assert done.elsewhere == ()
    assert accept(new_context(), ["jobs.a"], dry_run=True).elsewhere == ("dev: jobs.a",)


def test_names_that_do_not_hold(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    edit(new_context(), "a", lambda job: task(job, "t").update(timeout_seconds=5))
    assert accept(new_context(), ["jobs.a.tasks[t].timeout_seconds"], dry_run=True).patches
    assert accept(new_context(), ["jobs.a.tasks[task_key='t'].timeout_seconds"], dry_run=True).patches
    assert accept(new_context(), ["resources.jobs.a"], dry_run=True).patches
    for name in ("jobs.b", "jobs.c", "jobs.a.name"):
        with pytest.raises(NotFound, match="no drift at"):
            accept(new_context(), [name], dry_run=True)
    for name in ("a", "variables.runs", "jobs", "jobs..x"):
        with pytest.raises(UsageError, match="no field of a job"):
            accept(new_context(), [name], dry_run=True)
    with pytest.raises(UsageError, match="exclude each other"):
        accept(replace(new_context(), source=Source(ref="HEAD")), ["jobs.a"], dry_run=True)
    with pytest.raises(Refused, match="untrusted"):
        accept(new_context(untrusted=True), ["jobs.a"], dry_run=True)


def test_a_link_is_not_written_through(shop: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path) -> None:
    edit(new_context(), "a", lambda job: job.update(name="x"))
    file = Path(shop.folder) / "more.yml"
    elsewhere = tmp_path / "elsewhere.yml"
    elsewhere.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(elsewhere)
    with pytest.raises(InputError):
        accept(new_context(), ["jobs.a"], dry_run=False)
    assert elsewhere.read_text() == JOBS


# Snooze --------------------------------------------------------------------------------------------------------


def until(context: OperationContext, days: int = 9) -> str:
    return rfc3339(context.clock.now_ms() + days * 86_400_000)


def test_a_snooze_is_recorded_and_lifted(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    edit(new_context(), "a", lambda job: job.update(name="x", timeout_seconds=90))
    context = new_context()
    made = snooze(context, ["jobs.a.name"], until=until(context), reason="month end").snoozes
    assert [(item.key, path_text(item.path), item.reason, item.by) for item in made] == [
        ("a", "name", "month end", "ann@example.com")
    ]
    drift = find_drift(new_context()).drift
    assert drift.counted == 1 and sum(field.snoozed_until is not None for field in drift.jobs[0].fields) == 1
    # Accepting a whole job leaves out what is snoozed; its own name takes it.
    taken = accept(new_context(), ["jobs.a"], dry_run=True).fields
    assert [path_text(item.field.field.path) for item in taken] == ["timeout_seconds"]
    assert len(accept(new_context(), ["jobs.a.name"], dry_run=True).fields) == 1
    assert [item.name for item in list_snoozes(new_context()).snoozes] == ["resources.jobs.a.name"]
    with pytest.raises(NotFound, match="nothing is snoozed"):
        lift(new_context(), ["jobs.a.timeout_seconds"])
    assert lift(new_context(), ["jobs.a.name"]).snoozes == ()
    assert find_drift(new_context()).drift.counted == 2


def test_a_deploy_leaves_what_is_snoozed_and_the_difference_stays_known(
    shop: RepositoryBuilder, new_context: ContextMaker
) -> None:
    edit(new_context(), "a", lambda job: job.update(name="x", timeout_seconds=90))
    context = new_context()
    snooze(context, ["jobs.a.name"], until=until(context), reason="r")
    deployed(new_context())
    world = open_world(new_context())
    held = world.backend.read([world.deployed.jobs["a"].id])[world.deployed.jobs["a"].id]
    assert held is not None and (held["name"], held["timeout_seconds"]) == ("x", 60)
    assert make_plan(new_context()).plan.is_empty
    lift(new_context(), ["jobs.a.name"])
    [change] = make_plan(new_context()).plan.changes
    assert [path_text(field.path) for field in change.fields if field.verdict.value == "drift"] == ["name"]
    deployed(new_context())
    assert find_drift(new_context()).drift.counted == 0


def test_a_snooze_follows_a_rename_and_goes_with_its_job(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="two")})
    deployed(new_context())
    for key in "ab":
        edit(new_context(), key, lambda job: job.update(max_concurrent_runs=7))
    context = new_context()
    snooze(context, ["jobs.a.max_concurrent_runs", "jobs.b.max_concurrent_runs"], until=until(context), reason="r")
    renamed = bundle(c="one").replace("    c:\n", "    c:\n      bundlectl: {renamed_from: a}\n")
    repository.commit("two", {"databricks.yml": renamed})
    deployed(new_context())
    assert [item.name for item in list_snoozes(new_context()).snoozes] == ["resources.jobs.c.max_concurrent_runs"]
    assert find_drift(new_context()).drift.counted == 0


def test_nothing_is_recorded_while_somebody_deploys(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    edit(new_context(), "a", lambda job: job.update(name="x"))
    context = new_context()
    world = open_world(context)
    now = context.clock.now_ms()
    intent = Intent(
        deployment=time_ordered_id(now),
        owner=context.owner,
        commit=None,
        plan="sha256:" + "0" * 64,
        ops=(),
        begun_at=rfc3339(now),
    )
    began = begin(
        world.store,
        world.recorded,
        intent,
        Note("apply-begin", intent.deployment, "x"),
        bundle="shop",
        target="free",
        backend=world.backend.identity(),
        lineage=world.deployed.lineage,
    )
    with pytest.raises(LeaseHeld):
        snooze(context, ["jobs.a.name"], until=until(context), reason="r")
    assert world.store.read().version == began.version


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2001-01-01", "2026-11-23T10:00:00", "9999-01-01"])
def test_a_date_that_does_not_hold(shop: RepositoryBuilder, new_context: ContextMaker, text: str) -> None:
    edit(new_context(), "a", lambda job: job.update(name="x"))
    with pytest.raises(UsageError, match="--until"):
        snooze(new_context(), ["jobs.a.name"], until=text, reason="r")
    with pytest.raises(UsageError, match="whole job"):
        snooze(new_context(), ["jobs.a"], until=until(new_context()), reason="r")


# Plans of a part -----------------------------------------------------------------------------------------------


def test_how_much_is_looked_at(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    edit(new_context(), "b", lambda job: job.update(name="x"))
    shop.commit("two", {"more.yml": JOBS.replace("max_retries: 1", "max_retries: 2")})

    def keys(refresh: Refresh, *, offline: bool = False) -> tuple[list[str], str, bool, int]:
        plan = make_plan(new_context(offline=offline), PlanOptions(refresh=refresh)).plan
        return [item.address[-1] for item in plan.changes], plan.observed, plan.complete, len(plan.drift)

    assert keys(Refresh.ALL) == (["a", "b"], "read", True, 1)
    assert keys(Refresh.CHANGED) == (["a"], "partial", True, 0)
    assert keys(Refresh.NONE) == (["a"], "not_read", False, 0)
    assert keys(Refresh.ALL, offline=True) == keys(Refresh.NONE)
    # A job that is gone is missed by every plan that looks at all.
    world = open_world(new_context())
    world.backend.delete(world.deployed.jobs["b"].id, world.deployed.fence)
    assert keys(Refresh.CHANGED) == (["a", "b"], "partial", True, 1)


def test_changed_since(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    def since(revision: str) -> tuple[str, ...] | None:
        plan = make_plan(new_context(), PlanOptions(changed_since=revision)).plan
        return tuple(plan.selection["only"]) if plan.selection is not None else None

    assert since("HEAD") == ()
    shop.commit("shuffled", {"databricks.yml": "# words\n" + HEAD})
    assert since("HEAD~1") == ()
    shop.commit("variable", {"databricks.yml": HEAD.replace("default: one", "default: two")})
    assert since("HEAD~1") == ("a",)
    shop.commit("anchor", {"more.yml": JOBS.replace("team: core", "team: base")})
    assert since("HEAD~1") == ("a", "b")
    shop.commit("code", {"src/run.py": "3\n"})
    used = {key for key, job in make_plan(new_context()).bundle.jobs.items() if job.uses_code}
    assert since("HEAD~1") == tuple(sorted(used))
    shop.commit("gone", {"databricks.yml": "bundle: {name: shop}\nbundlectl: {backend: local}\n"})
    assert since("HEAD~1") == ("a", "b")


def test_debt_is_kept_until_it_is_deployed(shop: RepositoryBuilder, new_context: ContextMaker) -> None:
    shop.commit("two", {"more.yml": JOBS.replace("team: core", "team: base")})
    part = DeployRequest(auto_approve=True, selection=Selection(("a",)))
    result = deploy(new_context(), part, lambda plan: None)
    assert result.is_complete and result.manifest is not None
    assert result.manifest["debt"] == ["resources.jobs.b"]
    assert open_world(new_context()).deployed.debt == ("b",)
    assert make_plan(new_context()).plan.debt == ("resources.jobs.b",)
    # Nothing that is selected differs, so nothing is recorded, and the debt stays.
    assert deploy(new_context(), part, lambda plan: None).manifest is None
    assert make_plan(new_context()).plan.debt == ("resources.jobs.b",)
    deployed(new_context())
    assert make_plan(new_context()).plan.debt == () and open_world(new_context()).deployed.debt == ()
