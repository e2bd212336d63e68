"""Each guard of a deploy: it refuses with its code and a way out, its own override lifts it and no other does, and
the override is in the manifest with its reason."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import Refused
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import PlanOptions, Refresh, make_plan
from bundlectl.state.plan_file import save
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

PLAIN = DeployRequest(auto_approve=True, reason="asked for")
EVERY = ("allow_destructive", "allow_rewind", "allow_branch")
Scene = Callable[[RepositoryBuilder, ContextMaker], OperationContext]


def _deployed(repository: RepositoryBuilder, new_context: ContextMaker, text: str) -> str:
    commit = repository.commit("one", {"databricks.yml": text})
    assert deploy(new_context(), PLAIN, lambda plan: None).is_complete
    return commit


def _rewound(repository: RepositoryBuilder, new_context: ContextMaker) -> OperationContext:
    first = repository.commit("zero", {"databricks.yml": bundle(a="zero")})
    _deployed(repository, new_context, bundle(a="one"))
    return new_context(ref=first)


def _elsewhere(repository: RepositoryBuilder, new_context: ContextMaker) -> OperationContext:
    text = bundle(a="one").replace("{name: shop}", "{name: shop, git: {branch: release}}")
    repository.commit("one", {"databricks.yml": text})
    return new_context()


def _removed(repository: RepositoryBuilder, new_context: ContextMaker) -> OperationContext:
    _deployed(repository, new_context, bundle(a="one", b="one"))
    repository.commit("two", {"databricks.yml": bundle(a="one")})
    return new_context()


def _moved(repository: RepositoryBuilder, new_context: ContextMaker) -> OperationContext:
    _deployed(repository, new_context, bundle(a="one", old="a long word that stays"))
    repository.commit("two", {"databricks.yml": bundle(a="one", new="a long word that stays")})
    return new_context()


@pytest.mark.parametrize(
    ("scene", "code", "flag", "recorded"),
    [
        (_rewound, "BND314", "allow_rewind", {"rewind"}),
        (_elsewhere, "BND315", "allow_branch", {"branch"}),
        (_removed, "BND312", "allow_destructive", {"destructive"}),
        (_moved, "BND312", "allow_destructive", {"destructive", "probable_rename"}),
    ],
)
def test_a_guard_and_its_one_override(
    repository: RepositoryBuilder,
    new_context: ContextMaker,
    scene: Scene,
    code: str,
    flag: str,
    recorded: set[str],
) -> None:
    context = scene(repository, new_context)
    before = make_plan(context)
    mine: Mapping[str, Any] = {flag: True}
    others: Mapping[str, Any] = {name: True for name in EVERY if name != flag}
    for request in (PLAIN, replace(PLAIN, **others)):
        with pytest.raises(Refused) as refused:
            deploy(context, request, lambda plan: pytest.fail("asked"))
        assert (refused.value.code, refused.value.exit_code) == (code, 6)
        assert refused.value.hint
        assert "Nothing was changed." in (refused.value.detail or "")
    after = make_plan(context)
    assert (after.recorded.version, after.observed) == (before.recorded.version, before.observed)
    result = deploy(context, replace(PLAIN, **mine), lambda plan: None)
    assert result.is_complete and result.manifest is not None
    overrides = result.manifest["approval"]["overrides"]
    assert {item["guard"] for item in overrides} == recorded
    assert {item["reason"] for item in overrides} == {"asked for"}


def test_what_has_not_to_be_overridden_is_not_recorded(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    request = DeployRequest(auto_approve=True, allow_destructive=True, allow_rewind=True, allow_branch=True)
    result = deploy(new_context(), request, lambda plan: None)
    assert result.manifest is not None and result.manifest["approval"]["overrides"] == []


class Busy:
    """A backend on which every job is running twice; everything else is the real one."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def active_runs(self, ids: list[str]) -> Mapping[str, int]:
        return dict.fromkeys(ids, 2)


def test_active_runs_are_in_the_way_when_asked_for(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    _deployed(repository, new_context, bundle(a="one", b="one"))
    repository.commit("two", {"databricks.yml": bundle(a="two", b="one")})
    plain = new_context()

    def open_backend(found: Bundle) -> Backend:
        return cast(Backend, Busy(plain.open_backend(found)))

    context = replace(plain, open_backend=open_backend)
    assert [change.active_runs for change in make_plan(context).plan.changes] == [2]
    everything: Mapping[str, Any] = dict.fromkeys(EVERY, True)
    with pytest.raises(Refused, match=r"runs are active: jobs\.a") as refused:
        deploy(context, replace(PLAIN, fail_on_active_runs=True, **everything), lambda plan: None)
    assert (refused.value.code, refused.value.exit_code) == ("BND621", 6)
    assert "--fail-on-active-runs" in (refused.value.hint or "")
    assert deploy(context, PLAIN, lambda plan: None).is_complete


def test_protection_of_a_target_is_not_lifted_by_taking_its_mark_out(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    marked = bundle(a="one").replace("{default: true}", "{default: true, bundlectl: {protect: true}}")
    _deployed(repository, new_context, marked)
    repository.commit("two", {"databricks.yml": bundle(a="two")})
    everything: Mapping[str, Any] = dict.fromkeys(EVERY, True)
    with pytest.raises(Refused) as refused:
        deploy(new_context(worktree=True), replace(PLAIN, **everything), lambda plan: None)
    assert (refused.value.code, refused.value.exit_code) == ("BND313", 6)
    assert "--ref HEAD" in (refused.value.hint or "")
    assert deploy(new_context(ref="HEAD"), PLAIN, lambda plan: None).is_complete


def test_an_incomplete_plan_is_never_applied(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one")})
    file = tmp_path / "plan.json"
    made = make_plan(new_context(), PlanOptions(refresh=Refresh.NONE)).plan
    save(file, plan_document(made))
    with pytest.raises(Refused, match="saved plan is incomplete") as refused:
        deploy(new_context(), replace(PLAIN, plan_file=file), lambda plan: None)
    assert (refused.value.code, refused.value.exit_code) == ("BND310", 6)
    assert "not read" in (refused.value.detail or "")
    assert make_plan(new_context()).recorded.version is None
