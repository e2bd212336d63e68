"""JSON forms of results."""

import json
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bundlectl import __version__
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.errors import StalePlan
from bundlectl.model.location import SourceSpan
from bundlectl.model.run import LifeCycle, Result, Run, TaskRun
from bundlectl.render import documents

FINDING = Diagnostic(
    code="BND204", severity=Severity.ERROR, summary="s", path="p", spans=(SourceSpan("f.yml", 31, 11, 31, 21),)
)


class Outcome(NamedTuple):
    address: str
    action: str
    outcome: str
    id: str | None = None
    error: str | None = None
    elapsed_ms: int = 0
    not_converged: tuple[str, ...] = ()
    until: str | None = None
    restored: bool = False


RUN = Run(
    run_id="77120",
    job_id="1",
    name="etl",
    state=LifeCycle.TERMINATED,
    result=Result.FAILED,
    message="m",
    queued_ms=1,
    start_ms=1_795_000_000_000,
    end_ms=1_795_000_015_400,
    trigger="MANUAL",
    creator="ann",
    tasks=(
        TaskRun(
            run_id="1",
            task_key="t",
            attempt=0,
            state=LifeCycle.TERMINATED,
            result=Result.FAILED,
            message="",
            start_ms=1_795_000_000_000,
            end_ms=1_795_000_001_000,
        ),
    ),
)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_every_document_reads_back_and_shows_no_control_character(value: object) -> None:
    text = documents.dumps(value)
    assert text.endswith("\n")
    body = text[:-1]
    assert all(ord(c) >= 0x20 and not 0x7F <= ord(c) <= 0x9F for c in body)
    assert json.loads(text) == value


def test_half_a_pair_is_written_as_its_escape() -> None:
    assert json.loads(documents.dumps({"a": "\ud800"})) == {"a": "\\ud800"}
    documents.dumps("\ud800").encode("utf-8")


def test_an_error() -> None:
    document = documents.error_document(StalePlan("stale", detail="d", hint="h"), [FINDING])
    assert document["format"] == "bundlectl.error/v1"
    assert document["tool_version"] == __version__
    assert document["error"] == {"code": "BND305", "exit_code": 5, "summary": "stale", "detail": "d", "hint": "h"}
    assert document["diagnostics"][0]["spans"] == [
        {"file": "f.yml", "start": {"line": 31, "column": 11}, "end": {"line": 31, "column": 21}}
    ]


def test_diagnostics() -> None:
    document = documents.diagnostics_document([FINDING], bundle="b", target="t")
    assert document["counts"] == {"error": 1, "warning": 0, "note": 0}


def test_deploy() -> None:
    document = documents.deploy_document({"serial": 1}, [Outcome("resources.jobs.a", "create", "done", "9")])
    assert document["manifest"] == {"serial": 1}
    [result] = document["results"]
    assert (result["address"], result["outcome"], result["not_converged"]) == ("resources.jobs.a", "done", [])


def test_run() -> None:
    document = documents.run_document(RUN, {"m": 1}, address="resources.jobs.etl", output_of=lambda key: f"out {key}")
    assert document["run"]["duration_ms"] == 15_400
    assert document["run"]["started"] == "2026-11-18T11:06:40.000Z"
    assert document["task_outputs"] == [{"TaskKey": "t", "Output": "out t", "EndTime": 1_795_000_001_000}]
    assert documents.runs_document([documents.run_entry(RUN)])["next"] is None


def test_other_kinds_have_their_names() -> None:
    kinds = [
        documents.history_document("prod", []),
        documents.summary_document(bundle="b", target="t", deployment=None, jobs=[]),
        documents.init_document("minimal", "d", ["f"]),
    ]
    assert [kind["format"] for kind in kinds] == ["bundlectl.history/v1", "bundlectl.summary/v1", "bundlectl.init/v1"]
