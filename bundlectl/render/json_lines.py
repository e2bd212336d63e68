"""Event sink for programs: one JSON object a line on stdout, the version first, the result last (`-o jsonl`).

Made by cli and handed to operations as `emit`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from bundlectl.base.clock import Clock, rfc3339
from bundlectl.model.events import (
    ApplyFinished,
    ApplyStarted,
    Event,
    LockWaiting,
    RunProgress,
    StageStarted,
    TaskOutput,
)
from bundlectl.render.console import Console
from bundlectl.render.documents import dumps
from bundlectl.render.event_text import PAST, RunWatch, StateChange
from bundlectl.render.values import job_name

EVENTS_FORMAT = "bundlectl.events/v1"


class JsonLines:
    """One JSON object per event and line, the version first; `result` ends the stream."""

    def __init__(self, console: Console, clock: Clock, tool_version: str) -> None:
        self._console = console
        self._clock = clock
        self._watch = RunWatch()
        self._seq = 0
        self._stage: str | None = None
        self._send("version", f"bundlectl {tool_version}", tool_version=tool_version, format=EVENTS_FORMAT)

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The same as of the other sinks; a stream of events has nothing to pause."""
        yield

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            self._end_stage()
            self._stage = event.stage
            self._send("stage_start", event.text, stage=event.stage)
        elif isinstance(event, ApplyStarted):
            text = f"{job_name(event.address)}: {event.action}"
            self._send("apply_start", text, address=event.address, action=event.action)
        elif isinstance(event, ApplyFinished):
            self._applied(event)
        elif isinstance(event, LockWaiting):
            text = f"waiting for {event.holder}"
            self._send(
                "lock_wait",
                text,
                holder=event.holder,
                age_ms=event.age_ms,
                host=event.host,
                commit=event.commit,
                run_url=event.run_url,
            )
        elif isinstance(event, RunProgress):
            for change in self._watch.changes(event.run):
                self._state(event.address, change)
        elif isinstance(event, TaskOutput):
            lines = event.text.splitlines()
            text = f"{event.task_key}: {len(lines)} lines"
            self._send("task_log", text, task_key=event.task_key, attempt=event.attempt, lines=lines)
        else:
            self._send("notice", event.text)

    def diagnostic(self, document: Mapping[str, Any]) -> None:
        """A finding, in its JSON form."""
        level = {"error": "error", "warning": "warn"}.get(str(document.get("severity")), "info")
        self._send("diagnostic", str(document.get("summary")), level=level, diagnostic=document)

    def entry(self, kind: str, document: Mapping[str, Any]) -> None:
        """planned_change, resource_drift or not_converged: an entry of a plan or result."""
        self._send(kind, f"{job_name(str(document.get('address')))}: {document.get('action', kind)}", **document)

    def summary(self, totals: Mapping[str, int]) -> None:
        """The totals of a plan."""
        self._send("change_summary", ", ".join(f"{n} {name}" for name, n in totals.items() if n), summary=totals)

    def result(self, exit_code: int, document: Mapping[str, Any]) -> None:
        """The last line: the exit code and the document of `-o json`."""
        self._end_stage()
        self._send("result", f"exit code {exit_code}", exit_code=exit_code, result=document)

    def _end_stage(self) -> None:
        if self._stage is not None:
            self._send("stage_end", self._stage, stage=self._stage)
            self._stage = None

    def _applied(self, event: ApplyFinished) -> None:
        kind = {"done": "apply_complete", "skipped": "apply_skipped", "not_started": "apply_skipped"}
        said = PAST.get(event.action, event.action) if event.outcome == "done" else event.outcome
        self._send(
            kind.get(event.outcome, "apply_errored"),
            f"{job_name(event.address)}: {said}",
            level="info" if event.outcome == "done" else "error",
            address=event.address,
            action=event.action,
            outcome=event.outcome,
            elapsed_ms=event.elapsed_ms,
            id=event.id,
            error=event.error,
        )

    def _state(self, address: str, change: StateChange) -> None:
        common: dict[str, Any] = {
            "address": address,
            "run_id": change.run_id,
            "state": change.state,
            "result_state": change.result,
        }
        word = change.result or change.state
        if change.task_key is None:
            self._send("run_state", f"run {change.run_id}: {word}", **common)
        else:
            common.update(task_key=change.task_key, attempt=change.attempt)
            self._send("task_state", f"{change.task_key}: {word}", **common)

    def _send(self, kind: str, message: str, *, level: str = "info", **members: Any) -> None:
        self._seq += 1
        head = {
            "seq": self._seq,
            "@timestamp": rfc3339(self._clock.now_ms()),
            "@level": level,
            "@message": message,
            "type": kind,
        }
        self._console.document(dumps({**members, **head}))
