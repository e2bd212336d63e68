"""Which task types run, and how the others are refused."""

from pathlib import Path

import pytest

from bundlectl.engine.attempt import prepare
from bundlectl.engine.tasks.base import FEATURE_DISABLED, INVALID_RUN_CONFIGURATION, SetupFailed
from bundlectl.engine.tasks.registry import PROCESS_TYPES, task_type
from tests.unit.engine.attempts import context


@pytest.mark.parametrize(
    "kind", ["pipeline_task", "dashboard_task", "dbt_platform_task", "dbt_task", "unheard_of_task"]
)
def test_other_types_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SetupFailed) as caught:
        prepare(context(tmp_path, {"task_key": "t", kind: {}}))
    assert caught.value.code == FEATURE_DISABLED
    assert caught.value.message == f"Task type {kind} is not supported by the embedded engine"


def test_a_task_without_a_type(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match='"me" has no task type') as caught:
        prepare(context(tmp_path, {"task_key": "t"}))
    assert caught.value.code == INVALID_RUN_CONFIGURATION


@pytest.mark.parametrize("kind", PROCESS_TYPES)
def test_every_listed_type_has_a_preparer(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SetupFailed) as caught:
        prepare(context(tmp_path, {kind: {}}))
    assert caught.value.code != FEATURE_DISABLED
    assert task_type({"task_key": "x", "max_retries": 1, kind: {}}) == kind
