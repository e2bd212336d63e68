"""Hidden jobs: nothing starts them, and they come back exactly as they were."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.backends.jobs_api.documents import Hiding, Owner, Places, compose, disowned, holding_of, neutral
from bundlectl.backends.jobs_api.hiding import MARK, hidden, shown

ROOT = "/Workspace/Users/ann@example.com/.bundle/sales/dev"
PLACES = Places(ROOT, f"{ROOT}/files")
OWNER = Owner.derived("lineage-1", "dev", "etl", None)
SNAPSHOT = "sha256:" + "5e0f" * 16

PAUSE = st.fixed_dictionaries(
    {}, optional={"pause_status": st.sampled_from(["PAUSED", "UNPAUSED"]), "x": st.integers()}
)
JOB = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=8),
        "schedule": PAUSE,
        "trigger": PAUSE,
        "continuous": PAUSE,
        "triggers": st.lists(PAUSE, max_size=2),
        "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    },
)


@given(document=JOB, in_name=st.booleans())
def test_what_is_hidden_comes_back(document: dict[str, Any], in_name: bool) -> None:
    kept, undo = hidden(document, in_name=in_name)
    assert shown(kept, undo) == document
    for name in ("schedule", "trigger", "continuous"):
        assert name not in kept or kept[name]["pause_status"] == "PAUSED"
    assert all(item["pause_status"] == "PAUSED" for item in kept.get("triggers", ()))
    assert str(kept.get("name", "")).startswith(MARK) == (in_name or document.get("name", "").startswith(MARK))


@given(document=JOB, in_name=st.booleans(), snapshot=st.sampled_from([None, SNAPSHOT]))
def test_a_hidden_document_reads_as_what_it_was(document: dict[str, Any], in_name: bool, snapshot: str | None) -> None:
    first = compose(document, PLACES, OWNER, snapshot, Hiding(True, in_name=in_name))
    assert neutral(first.document, PLACES) == document
    assert compose(neutral(first.document, PLACES), PLACES, OWNER, snapshot, Hiding(True, in_name=in_name)) == first
    assert compose(document, PLACES, OWNER, snapshot).digest != first.digest


@pytest.mark.parametrize("undo", [None, 5, "x", [], {}, {"was": 1, "added": 2}, {"was": [], "added": "name"}])
def test_a_mark_that_somebody_damaged_takes_nothing_away(undo: Any) -> None:
    assert shown({"name": "x", "n": 1}, undo) == {"name": "x", "n": 1}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("snapshot", [None, SNAPSHOT])
def test_a_job_of_nobody_keeps_its_settings_and_its_code(kept: bool, snapshot: str | None) -> None:
    document = {
        "name": "etl",
        "schedule": {"pause_status": "UNPAUSED"},
        "deployment": {"kind": "BUNDLE", "metadata_file_path": "/Workspace/x"},
        "tasks": [{"spark_python_task": {"python_file": f"{ROOT}/files/a.py"}}],
    }
    sent = compose(document, PLACES, OWNER, snapshot, Hiding(kept)).document
    free = disowned(sent, PLACES)
    assert holding_of(sent, PLACES).owner is not None
    assert holding_of(free, PLACES) == (None, snapshot)
    assert neutral(free, PLACES) == document
