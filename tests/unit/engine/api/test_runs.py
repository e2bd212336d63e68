"""What runs wrote and left, read back through the API, with real tasks."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.clock import SystemClock
from bundlectl.base.digest import digest_bytes, digest_document
from bundlectl.engine.api.runs import _whole
from bundlectl.engine.logs import HEAD, LIMIT
from bundlectl.engine.service import Engine

_PATIENCE_S = 60.0


class Place:
    """A running engine."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(folder, SystemClock(), environment={"PATH": os.environ["PATH"]}, grace_s=0.5, workers=2)
        self.engine.start()

    def ask(self, method: str, path: str, document: Any = None, /, **query: Any) -> Any:
        texts = {name: str(value) for name, value in query.items()}
        status, answer = self.engine.handle(method, path, texts, document)
        assert status == 200, answer
        return answer

    def run(self, *tasks: dict[str, Any], **settings: Any) -> Any:
        """Runs tasks to their end: the run's document."""
        job = self.ask("POST", "/api/2.2/jobs/create", {"name": "j", "tasks": list(tasks), **settings})["job_id"]
        run = self.ask("POST", "/api/2.2/jobs/run-now", {"job_id": job})["run_id"]
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            document = self.ask("GET", "/api/2.2/jobs/runs/get", run_id=run, include_resolved_values="true")
            if document["end_time"]:
                return document
            assert time.monotonic() < give_up, document
            time.sleep(0.01)

    def output(self, task: dict[str, Any]) -> Any:
        return self.ask("GET", "/api/2.2/jobs/runs/get-output", run_id=task["run_id"])

    def log(self, task: dict[str, Any], **query: Any) -> Any:
        return self.ask("GET", f"/api/bundlectl/1/runs/{task['run_id']}/log", **query)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "engine")
    yield place
    place.engine.stop()


def shell(key: str, command: str | list[str], **more: Any) -> dict[str, Any]:
    return {"task_key": key, "shell_task": {"command": command}, **more}


@pytest.mark.parametrize(
    ("command", "logs", "error"),
    [
        ("printf 'one\\ntwo\\n\\n\\n'; exit 1", "one\ntwo\n", "two"),
        ("exit 7", "", "exit status 7"),
        ("kill -9 $$", "", "ended by signal 9"),
        ("echo nonsense >> $BUNDLECTL_TASK_VALUES_OUT", "", None),
    ],
)
def test_why_a_task_failed(place: Place, command: str, logs: str, error: str | None) -> None:
    (task,) = place.run(shell("a", command))["tasks"]
    output = place.output(task)
    assert (output["logs"], output["logs_truncated"]) == (logs, False)
    assert output["error_trace"] == logs
    assert output["error"] == error if error else "Line 1" in output["error"]
    assert output["metadata"]["run_id"] == task["run_id"]
    assert output["metadata"]["state"]["result_state"] == "FAILED"


def test_a_success_has_no_error(place: Place) -> None:
    (task,) = place.run(shell("a", "printf text"))["tasks"]
    output = place.output(task)
    assert output["logs"] == "text\n", "one line end, however many were written"
    assert "error" not in output and "error_trace" not in output
    assert task["bundlectl"] == {"exit_code": 0, "signal": None, "log": {"bytes": 4}}


def test_output_is_read_from_any_byte_on(place: Place) -> None:
    (task,) = place.run(shell("a", ["printf", "a\u00e9\u20ac\U0001f600z"]))["tasks"]
    assert place.log(task) == {"text": "a\u00e9\u20ac\U0001f600z", "offset": 11, "size": 11}
    assert place.log(task, offset=3)["text"] == "\u20ac\U0001f600z"
    assert place.log(task, limit=5) == {"text": "a\u00e9", "offset": 3, "size": 11}
    assert place.log(task, offset=11) == {"text": "", "offset": 11, "size": 11}
    assert place.log(task, offset=999) == {"text": "", "offset": 11, "size": 11}
    offset, text = 0, ""
    while offset < 11:
        chunk = place.log(task, offset=offset, limit=4)
        text, offset = text + chunk["text"], chunk["offset"]
    assert text == "a\u00e9\u20ac\U0001f600z"


@pytest.mark.parametrize("text", ["", "abc", "\u00e9", "a\u20ac", "x\U0001f600"])
def test_a_cut_never_splits_a_character(text: str) -> None:
    data = text.encode()
    for cut in range(len(data) + 1):
        part = data[:cut]
        kept = part[: _whole(part)]
        assert text.startswith(kept.decode())
        assert len(part) - len(kept) < 4


def test_bytes_that_are_no_text_do_not_stop_a_reader(place: Place) -> None:
    (task,) = place.run(shell("a", "printf '\\377\\377\\377\\377\\377'"))["tasks"]
    assert place.log(task) == {"text": "\ufffd" * 5, "offset": 5, "size": 5}


def test_values_conditions_and_references(place: Place) -> None:
    value = """echo '{"key": "n", "value": {"deep": [1]}}' >> $BUNDLECTL_TASK_VALUES_OUT"""
    document = place.run(
        shell("a", f"{value}; mkdir -p $BUNDLECTL_RUN_DIR/outputs; printf x > $BUNDLECTL_RUN_DIR/outputs/f"),
        {
            "task_key": "q",
            "depends_on": [{"task_key": "a"}],
            "condition_task": {"op": "EQUAL_TO", "left": "{{tasks.a.result_state}}", "right": "success"},
        },
        shell("b", ["echo", "{{tasks.a.values.n.deep}}"], depends_on=[{"task_key": "q", "outcome": "true"}]),
    )
    assert document["state"]["result_state"] == "SUCCESS"
    tasks = {task["task_key"]: task for task in document["tasks"]}
    assert tasks["q"]["condition_task"]["outcome"] == "true"
    assert tasks["q"]["resolved_values"]["condition_task"]["left"] == "success"
    assert place.output(tasks["q"])["logs"] == ""
    assert place.log(tasks["b"])["text"] == "[1]\n"
    assert tasks["b"]["resolved_values"] == {"shell_task": {"command": ["echo", "[1]"]}}
    outcome = place.ask("GET", f"/api/bundlectl/1/runs/{document['run_id']}/manifest")["outcome"]
    (a, q, b) = outcome["tasks"]
    deep = {"deep": [1]}
    assert a["values"] == [{"key": "n", "digest": digest_document(deep), "value": deep}]
    assert a["outputs"] == [{"path": "f", "digest": digest_bytes(b"x"), "bytes": 1}]
    assert q["attempts"][0]["log"] is None
    assert b["attempts"][0]["log"] == {"digest": digest_bytes(b"[1]\n"), "bytes": 4, "truncated": 0}
    assert (outcome["life_cycle_state"], outcome["result_state"], outcome["unknown"]) == ("TERMINATED", "SUCCESS", [])
    assert outcome["started"] <= outcome["ended"]


def test_retries_are_listed_one_by_one(place: Place) -> None:
    document = place.run(shell("a", "exit 1", max_retries=2))
    assert [(task["attempt_number"], task["state"]["result_state"]) for task in document["tasks"]] == [
        (0, "FAILED"),
        (1, "FAILED"),
        (2, "FAILED"),
    ]
    assert len({task["run_id"] for task in document["tasks"]}) == 3
    assert {task["original_attempt_run_id"] for task in document["tasks"]} == {document["tasks"][0]["run_id"]}


def test_a_time_out_is_said(place: Place) -> None:
    (task,) = place.run(shell("a", [sys.executable, "-c", "import time; time.sleep(60)"], timeout_seconds=1))["tasks"]
    assert task["state"]["result_state"] == "TIMEDOUT"
    assert task["state"]["user_cancelled_or_timedout"] is True
    assert task["status"]["termination_details"]["code"] == "CANCELED"
    assert place.output(task)["error"] == "Timed out after 1 s."


def test_the_engine_says_what_it_would_run_on(place: Place) -> None:
    place.run(shell("a", "true"))
    (entry,) = place.ask("GET", "/api/bundlectl/1/environment", job_id=1)["environment"]
    assert entry["key"] == "default"
    assert entry["lock"].startswith("sha256:")
    assert entry["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_log_past_the_limit_is_read_on_and_on_and_says_what_was_dropped(place: Place) -> None:
    """80 MiB of invalid UTF-8: the beginning, one line about the rest, the end; a reader always gets on."""
    write = "import os; block = bytes([0xE2, 0x82]) * (1 << 19)\nfor _ in range(80): os.write(1, block)\n"
    script = write + "os.write(1, b'!end')"
    document = place.run(shell("a", [sys.executable, "-I", "-S", "-c", script]))
    (task,) = document["tasks"]
    offset, said, steps = 0, "", 0
    while True:
        answer = place.log(task, offset=offset, limit=5_000_000)
        if answer["offset"] == offset:
            break
        offset, steps = answer["offset"], steps + 1
        said = "\n".join([said, *(line for line in answer["text"].splitlines() if "dropped" in line)])
        last = answer["text"]
    assert offset == answer["size"] == (80 << 20) + 4
    assert last.endswith("!end")
    assert steps < 20
    dropped = int(said.strip().removeprefix("[").partition(" ")[0])
    assert (80 << 20) - LIMIT <= dropped <= (80 << 20) - HEAD
    assert place.output(task)["logs_truncated"] is True
    manifest = place.ask("GET", f"/api/bundlectl/1/runs/{document['run_id']}/manifest")
    assert f"'truncated': {dropped}" in str(manifest)
