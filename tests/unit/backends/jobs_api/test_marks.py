"""Whose a job is, on a workspace that drops what it does not know: the mark survives in the deployment path."""

from typing import Any

import pytest

from bundlectl.backends.jobs_api import documents, marks
from bundlectl.backends.jobs_api.documents import Hiding, Owner, Places
from bundlectl.base.digest import digest_document

PLACES = Places("/Workspace/Users/ann/.bundle/shop/prod", "/Workspace/Users/ann/.bundle/shop/prod/files")
SNAPSHOT = "sha256:" + "ab" * 32
_ACCESS = [{"user_name": "bob", "level": "CAN_VIEW"}]


def _spec(**more: Any) -> dict[str, Any]:
    file = f"{PLACES.file_path}/src/a.py"
    return {"name": "etl", "tasks": [{"task_key": "a", "spark_python_task": {"python_file": file}}], **more}


def _kept(settings: dict[str, Any]) -> dict[str, Any]:
    """What a workspace gives back: known members, filled in."""
    tasks = [
        {
            "run_if": "ALL_SUCCESS",
            "timeout_seconds": 0,
            "email_notifications": {},
            **task,
            "spark_python_task": {"source": "WORKSPACE", **task["spark_python_task"]},
        }
        for task in settings["tasks"]
    ]
    filled = {"format": "MULTI_TASK", "email_notifications": {}, "webhook_notifications": {}, "timeout_seconds": 0}
    return {**filled, "max_concurrent_runs": 1, **settings, "tasks": tasks}


@pytest.mark.parametrize(
    ("more", "own", "hidden"),
    [
        ({}, None, False),
        ({}, "b1-" + "0" * 40, False),
        ({"schedule": {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "UTC"}}, None, True),
        ({"deployment": {"kind": "BUNDLE", "metadata_file_path": "/x/metadata.json"}}, None, False),
        ({"permissions": _ACCESS}, None, False),
        ({"permissions": [*_ACCESS, {"user_name": "ann", "level": "IS_OWNER"}]}, None, False),
    ],
    ids=["plain", "renamed", "hidden", "deployment", "shared", "owned"],
)
def test_what_a_workspace_keeps_is_read_back_as_it_was(more: dict[str, Any], own: str | None, hidden: bool) -> None:
    owner = Owner.derived("lineage", "prod", "etl", own)
    spec = _spec(**more)
    composed = marks.with_digest(documents.compose(spec, PLACES, owner, SNAPSHOT, Hiding(hidden, in_name=True)))
    sent = marks.unmarked(composed.document, PLACES)
    assert "bundlectl" not in sent.settings and "access_control_list" not in sent.settings
    listed = sent.permissions or []
    if not any(entry["permission_level"] == "IS_OWNER" for entry in listed):
        listed = [*listed, {"user_name": "deployer", "permission_level": "IS_OWNER"}]
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True}
    answer = {
        "access_control_list": [
            {"user_name": entry["user_name"], "all_permissions": [{"permission_level": entry["permission_level"]}]}
            for entry in listed
        ]
        + [{"group_name": "admins", "all_permissions": [inherited]}]
    }
    assert marks.has_permissions(sent.settings, PLACES) == ("permissions" in more)
    entries = marks.direct_entries(answer) if "permissions" in more else None
    found = marks.marked(_kept(sent.settings), PLACES, entries)
    assert marks.digest_of(found) == composed.digest
    assert documents.holding_of(found, PLACES).owner == (owner.own, "lineage", "prod", "etl")
    back = documents.neutral(found, PLACES)
    assert {name: back[name] for name in spec if name != "tasks"} == {
        name: value for name, value in spec.items() if name != "tasks"
    }
    assert back["tasks"][0]["spark_python_task"]["python_file"] == f"{PLACES.file_path}/src/a.py"


@pytest.mark.parametrize(
    "path",
    [
        None,
        "/elsewhere/.bundlectl/l/prod/etl.json",
        f"{PLACES.root_path}/.bundlectl/etl.json",
        f"{PLACES.root_path}/.bundlectl/l/prod/etl/!!!.json",
        f"{PLACES.root_path}/.bundlectl/l/prod/etl/WzFd.json",
        f"{PLACES.root_path}/.bundlectl/l/prod/etl/a/b.json",
        f"{PLACES.root_path}/.bundlectl/l/prod/{'x' * 20_000}.json",
    ],
)
def test_jobs_of_others_have_no_mark(path: str | None) -> None:
    settings = {"name": "a", **({} if path is None else {"deployment": {"metadata_file_path": path}})}
    assert marks.mark_of(settings, PLACES) is None
    assert marks.marked(settings, PLACES, None) == settings


def test_a_change_by_somebody_else_shows_in_the_digest() -> None:
    owner = Owner.derived("lineage", "prod", "etl", None)
    composed = marks.with_digest(documents.compose(_spec(), PLACES, owner, SNAPSHOT))
    kept = _kept(marks.unmarked(composed.document, PLACES).settings)
    assert marks.digest_of(marks.marked(kept, PLACES, None)) == composed.digest
    for changed in (
        {"timeout_seconds": 7},
        {"name": "x"},
        {"tasks": kept["tasks"] * 2},
        {"email_notifications": {"a": 1}},
    ):
        assert marks.digest_of(marks.marked({**kept, **changed}, PLACES, None)) != composed.digest
    assert composed.digest != digest_document({})
