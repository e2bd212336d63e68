"""Where policies are read: from the default branch for what is protected, and never from the change that they judge."""

from pathlib import Path

import pytest

from bundlectl.model.errors import InputError, Refused
from bundlectl.model.plan import Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.state.plan_file import save
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import TARGETS, ContextMaker

YES = DeployRequest(auto_approve=True)
DENY_ALL = "- {name: closed, schema: false, description: not today}\n"
ALLOW = "- {name: open, schema: true}\n"


def _bundle(word: str, policies: str = "policies: [rules.yml]") -> str:
    return (
        f"bundle: {{name: shop}}\nbundlectl: {{backend: local, {policies}}}\n{TARGETS}resources:\n  jobs:\n"
        f"    a:\n      tasks:\n        - task_key: t\n          shell_task: {{command: [echo, {word}]}}\n"
    )


@pytest.fixture
def shared(repository: RepositoryBuilder, tmp_path: Path) -> RepositoryBuilder:
    """A clone whose origin has main, with rules that forbid everything."""
    repository.commit("one", {"databricks.yml": _bundle("one"), "rules.yml": DENY_ALL})
    repository.git("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    repository.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    repository.git("fetch", "--quiet", "origin")
    return repository


def _plan(new_context: ContextMaker, target: str) -> Plan:
    return make_plan(new_context(target=target)).plan


def _said(plan: Plan) -> list[tuple[str, str]]:
    return [(item.name, item.message) for item in plan.policies]


def test_a_change_cannot_loosen_its_own_rules(shared: RepositoryBuilder, new_context: ContextMaker) -> None:
    closed = [("closed", "not today")]
    for change in (
        {"databricks.yml": _bundle("two"), "rules.yml": ALLOW},
        {"databricks.yml": _bundle("three", "retention: 30d")},
        {"databricks.yml": _bundle("four", "policies: [other.yml]"), "other.yml": ALLOW},
        {"databricks.yml": _bundle("five", "policies: [rules.yml], policy_ref: HEAD")},
    ):
        shared.commit("change", change)
        plan = _plan(new_context, "prod")
        assert _said(plan) == closed and [item.override for item in plan.guards] == [None]
        with pytest.raises(Refused, match='policy "closed" denies this plan') as refused:
            deploy(
                new_context(target="prod"),
                DeployRequest(auto_approve=True, allow_policy=("closed",)),
                lambda plan: None,
            )
        assert (refused.value.code, refused.value.exit_code) == ("BND316", 6)


def test_an_unprotected_target_has_the_rules_that_its_bundle_names(
    shared: RepositoryBuilder, new_context: ContextMaker
) -> None:
    shared.commit("change", {"databricks.yml": _bundle("two"), "rules.yml": ALLOW})
    plan = _plan(new_context, "free")  # named by the change, read at origin/main
    assert _said(plan) == [("closed", "not today")] and (plan.policy_source or "").startswith("origin/main @ ")
    assert [item.override for item in plan.guards] == ["--allow-policy closed"]
    shared.commit("change", {"databricks.yml": _bundle("two", "policies: [new.yml]"), "new.yml": DENY_ALL})
    assert _said(_plan(new_context, "free")) == [("closed", "not today")]  # not there yet, so it comes with the change
    shared.commit("change", {"databricks.yml": _bundle("two", "retention: 30d")})
    assert _plan(new_context, "free").policy_source is None


def test_without_a_remote_the_change_itself_says(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": _bundle("one"), "rules.yml": DENY_ALL})
    plan = _plan(new_context, "prod")
    assert (_said(plan), plan.policy_source) == ([("closed", "not today")], "the change itself")


def test_another_ref_may_hold_the_rules(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": _bundle("one"), "rules.yml": DENY_ALL})
    repository.git("branch", "rules")
    repository.commit(
        "two", {"databricks.yml": _bundle("two", "policies: [rules.yml], policy_ref: rules"), "rules.yml": ALLOW}
    )
    assert _said(_plan(new_context, "free")) == [("closed", "not today")]
    repository.commit("three", {"databricks.yml": _bundle("two", "policies: [rules.yml], policy_ref: nowhere")})
    with pytest.raises(Refused, match='policies are read at "nowhere"') as refused:
        _plan(new_context, "free")
    assert refused.value.code == "BND316"


def test_rules_that_are_not_there_are_not_passed_over(shared: RepositoryBuilder, new_context: ContextMaker) -> None:
    shared.git("rm", "--quiet", "rules.yml")
    shared.commit("gone", {})
    shared.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    for target in ("free", "prod"):
        with pytest.raises(Refused, match="is not in origin/main") as refused:
            _plan(new_context, target)
        assert 'policy file "rules.yml"' in refused.value.summary


def test_nothing_is_read_for_a_plan_without_changes(shared: RepositoryBuilder, new_context: ContextMaker) -> None:
    permitted = DeployRequest(auto_approve=True, allow_policy=("closed",), reason="the first one")
    result = deploy(new_context(target="free"), permitted, lambda plan: None)
    assert result.manifest is not None
    approval = result.manifest["approval"]
    assert approval["overrides"] == [{"guard": "policy closed", "reason": "the first one"}]
    assert approval["policies"] == [{"name": "closed", "severity": "deny"}]
    assert approval["policy_source"].startswith("origin/main @ ")
    shared.git("update-ref", "-d", "refs/remotes/origin/main")
    assert _plan(new_context, "free").is_empty


def test_a_saved_plan_that_the_rules_deny_by_now_is_refused(
    shared: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    here = shared.commit("open", {"rules.yml": ALLOW})
    shared.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    plan = _plan(new_context, "prod")
    assert plan.policies == ()
    save(tmp_path / "plan.json", plan_document(plan))
    shared.commit("closed", {"rules.yml": DENY_ALL})
    shared.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    shared.git("reset", "--quiet", "--hard", here)
    with pytest.raises(Refused, match='policy "closed" denies this plan'):
        deploy(
            new_context(target="prod"),
            DeployRequest(plan_file=tmp_path / "plan.json", auto_approve=True),
            lambda plan: None,
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: x\n", "a policy file is a list of policies"),
        ("- x\n", "a policy is a map with a name"),
        ("- {use: retries}\n", "a policy needs a name"),
        ("- {name: a, use: retries, schema: {}}\n", "either a schema or a built-in rule"),
        ("- {name: a}\n", "either a schema or a built-in rule"),
        ("- {name: a, use: retires}\n", '"use" is one of'),
        ("- {name: a, schema: {type: nothing}}\n", "no JSON Schema"),
        ("- {name: a, schema: true}\n- {name: a, schema: true}\n", 'policy "a" is there twice'),
        ("- {name: a, schema: true\n", "not closed"),
        ("- {name: a, schema: {$ref: 'https://127.0.0.1:1/x'}}\n", "which is not in it"),
    ],
)
def test_what_is_no_policy(repository: RepositoryBuilder, new_context: ContextMaker, text: str, told: str) -> None:
    repository.commit("one", {"databricks.yml": _bundle("one"), "rules.yml": text})
    with pytest.raises(InputError) as failed:
        _plan(new_context, "free")
    shown = [failed.value.summary, *(item.summary for item in failed.value.diagnostics)]
    assert any(told in line for line in shown), shown
    assert all(item.spans[0].file == "rules.yml" for item in failed.value.diagnostics)
