"""Looking after the recorded state: list, show, pull, unlock, accept a rewritten history."""

import json
import os
from collections.abc import Callable
from dataclasses import replace

import jsonschema
import pytest

from bundlectl.base.resources import resource_folder
from bundlectl.model.deployment import Owner
from bundlectl.model.errors import NotFound, Refused, UsageError
from bundlectl.operations import state as operation
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.render.documents import dumps, result_document
from bundlectl.render.state_text import state_text, states_text
from bundlectl.state.store import Note, begin
from tests.builders import RepositoryBuilder
from tests.contract.state_suite import BACKEND, deployment_id, intent
from tests.git_server import bare_repository
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)


@pytest.fixture(params=["here", "remote"])
def deployed(
    request: pytest.FixtureRequest, repository: RepositoryBuilder, new_context: ContextMaker
) -> Callable[[], OperationContext]:
    """Contexts of a repository with two deployments, whose state is in it or on a remote."""
    where = "."
    if request.param == "remote":
        far = bare_repository(repository.folder.parent / "far.git", repository.environment)
        repository.git("remote", "add", "origin", str(far))
        where = "origin"

    def text(word: str) -> str:
        return bundle(a=word).replace("{backend: local}", f"{{backend: local, state: {{remote: {where}}}}}")

    for word in ("one", "two"):
        repository.commit(word, {"databricks.yml": text(word)})
        assert deploy(new_context(), YES, lambda plan: None).is_complete
    return lambda: new_context()


def hold(context: OperationContext, owner: Owner) -> str:
    """An apply that somebody has begun; its id."""
    planned = make_plan(context)
    opened = replace(intent(deployment_id(7), by=owner), begun_at="2026-11-23T10:00:00Z")
    note = Note("apply-begin", opened.deployment, "x")
    assert planned.recorded.deployment is not None
    begin(
        planned.store,
        planned.recorded,
        opened,
        note,
        bundle="shop",
        target="free",
        backend=planned.recorded.deployment.backend or BACKEND,
        lineage=planned.recorded.deployment.lineage,
        clock=context.clock,
    )
    return opened.deployment


def valid(kind: str, document: object) -> None:
    schema = json.loads((resource_folder("schemas") / kind / "v1.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(json.loads(dumps(document)))


def test_every_target_is_listed(deployed: Callable[[], OperationContext]) -> None:
    found = operation.list_states(deployed())
    serials = {one.target: one.deployment.serial if one.deployment else None for one in found}
    assert serials == {"free": 2, "dev": None, "prod": None}
    documents = [one.document() for one in found]
    valid("state", result_document("state", targets=documents))
    text = states_text(documents)
    assert text.splitlines()[0].split()[:3] == ["target", "deployment", "commit"]
    assert len(text.splitlines()) == 4


def test_a_state_is_shown_as_it_was(deployed: Callable[[], OperationContext]) -> None:
    now, first = operation.show_state(deployed(), None), operation.show_state(deployed(), 1)
    assert now.deployment is not None and first.deployment is not None
    assert (now.deployment.serial, first.deployment.serial) == (2, 1)
    assert now.tip != first.tip and now.commit != first.commit
    with pytest.raises(NotFound, match="there is no deployment 9"):
        operation.show_state(deployed(), 9)


def test_the_whole_state_is_pulled(deployed: Callable[[], OperationContext]) -> None:
    pulled = operation.pull_state(deployed(), None)
    assert pulled["meta"]["serial"] == 2 and pulled["apply"] is None
    assert pulled["jobs"]["a"]["document"]["tasks"][0]["shell_task"]["command"] == ["echo", "two"]
    assert operation.pull_state(deployed(), 1)["jobs"]["a"]["document"]["tasks"][0]["shell_task"]["command"][1] == "one"
    valid("state-document", result_document("state-document", **pulled))


def test_only_the_named_apply_is_unlocked_and_only_when_its_holder_is_gone(
    deployed: Callable[[], OperationContext],
) -> None:
    with pytest.raises(Refused, match="nobody holds target"):
        operation.unlock(deployed(), "d-1", holder_is_dead=False, reason="x")
    living = replace(deployed().owner, actor="bob", pid=os.getppid(), pid_start=None)
    held = hold(deployed(), living)
    shown = operation.show_state(deployed(), None)
    assert shown.open_apply is not None and shown.open_apply.alive
    valid("state", result_document("state", targets=[shown.document()]))
    assert "held by       bob on" in state_text(shown.document(), now_ms=1, begun_ms=0)
    with pytest.raises(Refused, match=f"has id {held}, not d-1") as caught:
        operation.unlock(deployed(), "d-1", holder_is_dead=True, reason="x")
    assert (caught.value.code, caught.value.exit_code) == ("BND403", 6)
    with pytest.raises(Refused, match="its lease lives until") as caught:
        operation.unlock(deployed(), held, holder_is_dead=False, reason="x")
    assert caught.value.exit_code == 6 and "--holder-is-dead" in str(caught.value.hint)
    done = operation.unlock(deployed(), held, holder_is_dead=True, reason="the runner was turned off")
    assert done.open_apply is not None and not done.open_apply.alive
    store = make_plan(deployed()).store
    entry = next(iter(store.history()))
    assert (entry.verb, entry.summary) == ("unlock", "ann@example.com: the runner was turned off")
    assert deploy(deployed(), YES, lambda plan: None).is_complete  # it recovers what was left
    after = operation.show_state(deployed(), None)
    assert after.open_apply is None and after.deployment is not None and after.deployment.serial == 3


def test_a_rewritten_history_is_accepted_by_its_name_only(deployed: Callable[[], OperationContext]) -> None:
    context = deployed()
    tip = str(operation.show_state(context, None).tip)
    assert operation.accept_rewrite(deployed(), tip, reason="x") is None  # nothing to accept
    older = str(operation.show_state(deployed(), 1).tip)
    planned = make_plan(deployed())
    place = planned.loading.home if planned.store.place == "." else None
    folder = str(place.git_dir) if place is not None else planned.store.place
    planned.loading.home.git.run(["--git-dir", folder, "update-ref", planned.store.ref, older])
    with pytest.raises(Refused, match="rewritten") as caught:
        make_plan(deployed())
    assert caught.value.exit_code == 6
    for wrong in (tip, older[:4], operation.ABSENT):
        with pytest.raises(Refused) as caught:
            operation.accept_rewrite(deployed(), wrong, reason="x")
        assert caught.value.code == "BND413"
    done = operation.accept_rewrite(deployed(), older, reason="the last deploy was a mistake")
    assert done is not None and done.deployment is not None and done.deployment.serial == 1
    entry = next(iter(make_plan(deployed()).store.history()))
    assert (entry.verb, entry.summary) == ("accept-rewrite", "ann@example.com: the last deploy was a mistake")


def test_a_state_that_is_gone_is_accepted_by_name(deployed: Callable[[], OperationContext]) -> None:
    planned = make_plan(deployed())
    folder = str(planned.loading.home.git_dir) if planned.store.place == "." else planned.store.place
    planned.loading.home.git.run(["--git-dir", folder, "update-ref", "-d", planned.store.ref])
    with pytest.raises(Refused, match="rewritten"):
        make_plan(deployed())
    with pytest.raises(Refused, match="is gone"):
        operation.accept_rewrite(deployed(), "1" * 40, reason="x")
    done = operation.accept_rewrite(deployed(), operation.ABSENT, reason="x")
    assert done is not None and done.tip is None
    assert make_plan(deployed()).recorded.version is None


@pytest.mark.parametrize("given", [None, "", "  "])
def test_a_reason_is_needed(given: str | None) -> None:
    with pytest.raises(UsageError, match="a reason is recorded"):
        operation.checked_reason(given)
