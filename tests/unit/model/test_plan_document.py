"""The plan's document: its members, what it hides, and what its digests cover."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bundlectl.model.location import Keyed
from bundlectl.model.plan import Plan, PlanSource, is_sensitive
from bundlectl.model.plan_document import HIDDEN, MEMBERS, changes_digest, document_digest, plan_document, sealed
from bundlectl.render.documents import dumps
from tests.unit.planning.worlds import NEW_CODE, OLD_CODE, deployed, job, spec


@pytest.fixture
def plan() -> Plan:
    world = deployed(spec("a", job("t")), spec("b", job("t")))
    specs = [spec("a", job("t", max_concurrent_runs=2)), spec("c", job("t", "u"))]
    return world.plan(specs, snapshot=NEW_CODE, active_runs={"101": 1})


def test_the_members_are_those_of_the_format(plan: Plan) -> None:
    document = plan_document(plan)
    assert document.keys() == MEMBERS
    assert document["format"] == "bundlectl.plan/v1"
    assert document["base"]["expect"] == "recorded"
    assert document["base"]["deployment"] == document["base"]["serial"] == 1
    update = document["changes"][0]
    assert update["action"] == "update"
    assert update["fields"][0] == {
        "path": "max_concurrent_runs",
        "verdict": "change",
        "recorded": 1,
        "desired": 2,
        "observed": 1,
    }
    assert document["summary"]["create"] == 1


def test_it_is_valid_under_the_published_schema(plan: Plan) -> None:
    schema = json.loads((Path(__file__).parents[3] / "schemas" / "plan" / "v1.json").read_text(encoding="utf-8"))
    first = replace(plan, base=replace(plan.base, state_tip=None))
    for subject in (plan, sealed(first)):
        jsonschema.validate(json.loads(dumps(plan_document(subject))), schema)


def test_digests_are_over_what_they_say(plan: Plan) -> None:
    document = plan_document(plan)
    assert document["digest"] == document_digest(document)
    assert document["changes_digest"] == changes_digest(document)


@pytest.mark.parametrize(
    "other",
    [
        {"tool_version": "9"},
        {"created": "2030-01-01T00:00:00Z"},
        {"source": PlanSource(commit="9" * 40, tree="8a41d20" + "0" * 33, ref="refs/heads/other")},
    ],
)
def test_commit_time_and_tool_are_not_what_is_approved(plan: Plan, other: dict[str, Any]) -> None:
    changed = sealed(replace(plan, **other))
    assert changed.changes_digest == plan.changes_digest
    assert changed.digest != plan.digest


@pytest.mark.parametrize(
    "other",
    [
        {"target": "dev"},
        {"bundle": "x"},
        {"snapshot": OLD_CODE},
        {"config_digest": "sha256:0"},
        {"changes": ()},
        {"artifacts": ({"path": "x", "digest": "y"},)},
        {"source": PlanSource(commit="c1cfe67" + "0" * 33, tree="9" * 40, ref="refs/heads/main")},
    ],
)
def test_everything_else_is(plan: Plan, other: dict[str, Any]) -> None:
    assert sealed(replace(plan, **other)).changes_digest != plan.changes_digest


def test_runs_that_come_and_go_are_not(plan: Plan) -> None:
    changes = tuple(replace(change, active_runs=7) for change in plan.changes)
    assert sealed(replace(plan, changes=changes)).changes_digest == plan.changes_digest


def test_no_secret_is_in_the_document() -> None:
    env = {"DB_PASSWORD": "hunter2", "PLAIN": "x", "TOKEN": "{{secrets/a/b}}"}
    document = job("t", parameters=[{"name": "api_token", "default": "hunter2"}], env=env)
    world = deployed(spec("a", job("t")))
    text = str(plan_document(world.plan([spec("a", document), spec("n", document)])))
    assert "hunter2" not in text
    assert str(HIDDEN) in text
    assert "{{secrets/a/b}}" in text


@pytest.mark.parametrize(
    ("path", "value", "hidden"),
    [
        (("docker_image", "basic_auth", "password"), "x", True),
        (("env", "DB_PASSWORDS"), "x", True),
        (("parameters", Keyed("name", "client_secret"), "default"), "x", True),
        (("tasks", Keyed("task_key", "token"), "run_if"), "x", False),
        (("password",), "{{secrets/s/k}}", False),
        (("password",), "${var.x}", False),
        (("max_token_count",), 3, False),
        (("name",), "password", False),
    ],
)
def test_what_is_secret(path: Any, value: Any, hidden: bool) -> None:
    assert is_sensitive(path, value) is hidden
