"""A saved plan is read whole or not at all, and compared part by part."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundlectl.model.errors import BundlectlError, InputError, StalePlan
from bundlectl.model.plan_document import MEMBERS, changes_digest, document_digest
from bundlectl.state.plan_file import compare, load, save

NOW = 1_795_428_000_000  # 2026-11-23T10:00:00Z


def plan(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        **dict.fromkeys(MEMBERS),
        "format": "bundlectl.plan/v1",
        "tool_version": "0.1.0",
        "created": "2026-11-23T09:00:00Z",
        "expires": "2026-11-24T09:00:00Z",
        "bundle": "sales",
        "target": "prod",
        "source": {"commit": "c" * 40, "tree": "7" * 40},
        "snapshot": "sha256:" + "5" * 64,
        "config_digest": "sha256:" + "6" * 64,
        "artifacts": [],
        "variables": [{"name": "env", "origin": "default", "digest": "sha256:" + "2" * 64}],
        **{name: [] for name in ("hooks", "changes", "drift", "policy", "guards", "debt", "left_out", "holds")},
        "diagnostics": [],
        "code": {"changed": [], "recorded_only": False},
        "summary": {"create": 0, "drift": 0},
        "observed": "read",
        "complete": True,
        "base": {"state_tip": "7" * 40, "lineage": "l1", "serial": 41},
        "backend": {"kind": "local", "host": None, "workspace_id": "w1"},
    }
    for name, value in changes.items():
        if isinstance(document.get(name), dict) and isinstance(value, dict):
            value = {**document[name], **value}
        document[name] = value
    return sealed(document)


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the digests that its content has."""
    document["changes_digest"] = changes_digest(document)
    document["digest"] = document_digest(document)
    return document


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save(path, plan())
    assert load(path) == plan()
    assert path.stat().st_mode & 0o777 == 0o600
    compare(load(path), plan(created="2026-11-23T09:59:00Z"), now_ms=NOW, used_as=None)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


Damage = Callable[[dict[str, Any]], bytes]


@pytest.mark.parametrize(
    ("damage", "code", "exit_code", "message"),
    [
        (lambda p: json.dumps(p).encode()[:-30], "BND301", 1, "is incomplete"),
        (lambda p: b"", "BND301", 1, "is incomplete"),
        (lambda p: b"{}", "BND301", 1, "is no plan file"),
        (lambda p: b"[1, }", "BND301", 1, "is no plan file"),
        (lambda p: json.dumps({**p, "target": "dev"}).encode(), "BND302", 5, "digest does not match"),
        (lambda p: json.dumps({**p, "digest": None}).encode(), "BND302", 5, "digest does not match"),
        (lambda p: json.dumps({**p, "format": "bundlectl.plan/v2", "tool_version": "9.1"}).encode(), "BND306", 5,
         'plan format "bundlectl.plan/v2" needs bundlectl >= 9.1'),
        (lambda p: json.dumps(plan(extra=1)).encode(), "BND306", 5, 'unknown member "extra"'),
    ],
)  # fmt: skip
def test_a_damaged_file(tmp_path: Path, damage: Damage, code: str, exit_code: int, message: str) -> None:
    with pytest.raises(BundlectlError, match=message) as caught:
        load(write(tmp_path / "plan.json", damage(plan())))
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert caught.value.hint or caught.value.detail


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        load(tmp_path / "nope")
    assert caught.value.code == "BND301"
    with pytest.raises(InputError, match="cannot write") as caught:
        save(tmp_path / "no" / "folder.json", plan())
    assert caught.value.code == "BND623"


@pytest.mark.parametrize(
    ("changes", "code", "message", "line"),
    [
        ({"target": "dev"}, "BND303", "plan is for sales/prod, not sales/dev",
         "bundle and target: plan sales/prod, now"),
        ({"backend": {"workspace_id": "w2"}}, "BND309", "plan is for local w1, this is local w2",
         "backend: plan local w1"),
        ({"source": {"commit": "d" * 40}}, "BND304", "plan is for commit cccccccccccc, the tree is dddddd",
         "commit:"),
        ({"source": {"tree": "d" * 40}}, "BND304", "plan is for tree", "tree: plan 777777777777, now dddddddddddd"),
        ({"snapshot": "sha256:" + "d" * 64}, "BND304", "plan is for snapshot", "snapshot: plan sha256:555555555555"),
        ({"config_digest": "sha256:" + "d" * 64}, "BND304", "plan is for configuration", "configuration:"),
        ({"artifacts": [{"path": "x"}]}, "BND304", "other artifacts", 'artifacts: "x" is new'),
        ({"base": {"lineage": "l2"}}, "BND305", "another deployment history", "lineage: plan l1, now l2"),
        ({"base": {"serial": 42, "state_tip": "9" * 40}}, "BND305", "something was deployed since: serial 41 -> 42",
         "serial: plan 41, now 42"),
        ({"base": {"state_tip": "9" * 40}}, "BND305", "plan is for state", "state:"),
        ({"changes": [{"address": "resources.jobs.etl"}]}, "BND305", "proposes other changes", "changes:"),
        ({"variables": [{"name": "env", "digest": "sha256:0"}]}, "BND304", 'other values of variables: "env"',
         'variables: "env"'),
        ({"hooks": ["predeploy"]}, "BND305", 'shows other contents than the same plan made now: "hooks"',
         'contents: "hooks"'),
        ({"summary": {"create": 1}}, "BND305", 'other contents than the same plan made now: "summary"',
         'contents: "summary"'),
    ],
)  # fmt: skip
def test_each_part_is_named(changes: dict[str, Any], code: str, message: str, line: str) -> None:
    with pytest.raises(StalePlan) as caught:
        compare(plan(), plan(**changes), now_ms=NOW, used_as=None)
    error = caught.value
    assert (error.code, error.exit_code) == (code, 5)
    assert message in error.summary
    detail = error.detail or ""
    assert f"differs {line}" in detail
    assert "matches " in detail
    assert "nothing was changed" in detail
    assert error.hint


def test_drift_that_came_since_is_no_other_content() -> None:
    compare(plan(), plan(summary={"drift": 1}), now_ms=NOW, used_as=None)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("source", None, "source"),
        ("source", {"commit": ["c"], "tree": None}, "source.commit"),
        ("base", {"lineage": None, "serial": 1}, "base.state_tip"),
        ("artifacts", [1], "artifacts[0]"),
        ("artifacts", [{"path": "a", "name": ["x"]}], "artifacts[0]"),
        ("variables", [{"name": "x"}], "variables[0]"),
        ("changes", {}, "changes"),
        ("complete", "yes", "complete"),
        ("expires", "tomorrow", "expires"),
        ("created", "2026-11-23T09:00:00", "created"),
    ],
)
def test_a_member_of_another_form_is_refused_whatever_its_digest(
    tmp_path: Path, name: str, value: Any, shown: str
) -> None:
    document = {**plan(), name: value}
    document["digest"] = document_digest(document)
    with pytest.raises(StalePlan, match="another form") as caught:
        load(write(tmp_path / "plan.json", json.dumps(document).encode()))
    assert f'"{shown}"' in caught.value.summary
    assert (caught.value.code, caught.value.exit_code) == ("BND306", 5)


def test_changes_that_are_not_those_of_their_digest_are_refused(tmp_path: Path) -> None:
    document = {**plan(), "changes": [{"address": "resources.jobs.harmless"}]}
    document["digest"] = document_digest(document)
    with pytest.raises(StalePlan, match="do not match their digest") as caught:
        load(write(tmp_path / "plan.json", json.dumps(document).encode()))
    assert caught.value.code == "BND302"


def test_a_value_that_has_no_digest_is_refused(tmp_path: Path) -> None:
    data = json.dumps({**plan(), "bundle": "\ud800"}).encode()
    with pytest.raises(StalePlan, match="digest does not match"):
        load(write(tmp_path / "plan.json", data))


def test_nothing_deployed_yet_is_an_assertion() -> None:
    first = plan(base={"state_tip": None, "lineage": None, "serial": 0})
    compare(first, plan(base={"state_tip": None, "lineage": None, "serial": 0}), now_ms=NOW, used_as=None)
    with pytest.raises(StalePlan, match="something was deployed since: the plan is for a first deployment"):
        compare(first, plan(), now_ms=NOW, used_as=None)


def test_used_and_expired_plans() -> None:
    with pytest.raises(StalePlan, match="plan was already applied as d-42") as caught:
        compare(plan(), plan(base={"serial": 42}), now_ms=NOW, used_as="d-42")
    assert caught.value.code == "BND308"
    assert "serial: plan 41, now 42" in (caught.value.detail or "")
    with pytest.raises(StalePlan, match="plan expired at 2026-11-24T09:00:00Z") as caught:
        compare(plan(), plan(), now_ms=NOW + 86_400_000, used_as=None)
    assert caught.value.code == "BND308"
