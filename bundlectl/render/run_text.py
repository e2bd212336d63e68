"""Runs as text: start line, task table, end line, list of runs, one run, and a manifest people can read. Pure.

Called by cli for `run` and `runs`. JSON forms are in render.documents.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bundlectl.base.clock import rfc3339
from bundlectl.model.run import GOOD, LifeCycle, Result, Run, TaskRun
from bundlectl.render.escape import Style, plain, shortened, visible
from bundlectl.render.values import (
    commit_text,
    counted,
    duration_text,
    job_name,
    minute_text,
    snapshot_text,
    table,
    value_text,
)

_STATES: Mapping[LifeCycle, str] = {
    LifeCycle.QUEUED: "queued",
    LifeCycle.PENDING: "pending",
    LifeCycle.BLOCKED: "blocked",
    LifeCycle.RUNNING: "running",
    LifeCycle.WAITING_FOR_RETRY: "waiting",
    LifeCycle.TERMINATING: "ending",
    LifeCycle.TERMINATED: "done",
    LifeCycle.SKIPPED: "skipped",
    LifeCycle.INTERNAL_ERROR: "error",
}
_LABEL = 11  # width of the names in a manifest
_MESSAGE = 120  # characters of a message in a table


class RunLine(NamedTuple):
    """One row of `runs list`."""

    run: Run
    key: str | None = None  # of the job in the bundle; None when the record has it no more
    commit: str | None = None
    by: str | None = None


def run_started(key: str, run_id: str, commit: str | None, snapshot: str | None) -> str:
    """`jobs.etl run 77120   c1cfe67  snapshot 5e0f19ab`."""
    code = f"  snapshot {snapshot_text(snapshot)}" if snapshot else ""
    return f"{job_name(key)} run {visible(run_id)}   {commit_text(commit)}{code}\n"


def task_table(run: Run, *, style: Style = plain) -> str:
    """One line per task: state, time taken, and why when it did not go well."""
    totals: dict[str, int] = {}
    for task in run.tasks:
        totals[task.task_key] = totals.get(task.task_key, 0) + 1
    rows = []
    last = dict(sorted(run.latest().items(), key=_when))
    for key, task in last.items():
        note = "   ".join(_task_notes(task, totals[key]))
        rows.append(
            (visible(key), _task_word(task), f"{_took(task.start_ms, task.end_ms)}{f'   {note}' if note else ''}")
        )
    text = table(rows)
    return _painted(text, list(last.values()), style)


def _when(item: tuple[str, TaskRun]) -> tuple[bool, int, str]:
    """Tasks in the order in which they started, those that never did after them."""
    key, task = item
    return task.start_ms == 0, task.start_ms or task.end_ms, key


def run_ended(run: Run, *, style: Style = plain) -> str:
    """`Run FAILED after 15.4s. Logs: bundlectl runs logs 77120 --task transform`."""
    word = run.result.value if run.result else run.state.value
    kind = "good" if run.result in GOOD else "error"
    took = f" after {duration_text(run.end_ms - run.start_ms)}" if run.start_ms and run.end_ms else ""
    text = f"Run {style(kind, word)}{took}."
    bad = next((task for task in run.latest().values() if task.result in (Result.FAILED, Result.TIMEDOUT)), None)
    if bad is not None:
        return f"{text} Logs: bundlectl runs logs {visible(run.run_id)} --task {visible(bad.task_key)}\n"
    if run.result not in GOOD and run.message:
        return f"{text} {visible(run.message)}\n"
    return text + "\n"


def run_going_on(run: Run) -> str:
    """For `--no-wait` and `--timeout`: the run was started and not waited for to the end."""
    ident = visible(run.run_id)
    return f"Run {ident} is {_STATES[run.state]} and goes on. Follow it: bundlectl runs get {ident}\n"


def run_text(run: Run, *, key: str | None, commit: str | None, snapshot: str | None, style: Style = plain) -> str:
    """`runs get`: start line, when and how it was started, tasks, end line."""
    lines = [run_started(key or run.name, run.run_id, commit, snapshot)]
    started = minute_text(_time(run.start_ms or run.queued_ms))
    who = f" by {visible(run.creator)}" if run.creator else ""
    lines.append(f"started {started or 'not yet'}, {visible(run.trigger.lower() or 'manual')}{who}\n")
    if run.parameters:
        given = ", ".join(f"{visible(name)}={value_text(value)}" for name, value in sorted(run.parameters.items()))
        lines.append(f"parameters {given}\n")
    if run.queue_reason and run.state is LifeCycle.QUEUED:
        lines.append(f"waiting: {visible(run.queue_reason)}\n")
    lines.append(task_table(run, style=style))
    lines.append(run_ended(run, style=style) if run.is_terminal else run_going_on(run))
    return "".join(lines)


def runs_text(lines: Iterable[RunLine]) -> str:
    """`runs list`, newest first."""
    rows = [
        (
            visible(line.run.run_id),
            visible(line.key or line.run.name),
            _STATES[line.run.state],
            line.run.result.value if line.run.result else "",
            minute_text(_time(line.run.start_ms or line.run.queued_ms)),
            _took(line.run.start_ms, line.run.end_ms),
            commit_text(line.commit) if line.commit else "",
            visible(line.by or line.run.creator or ""),
        )
        for line in lines
    ]
    if not rows:
        return "No runs yet. Start one: bundlectl run JOB\n"
    return table([("run", "job", "state", "result", "started", "took", "commit", "by"), *rows])


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A run manifest: the commit it belongs to first, then what determined the run, then what came of it."""
    inputs = _map(manifest, "inputs")
    outcome = _map(manifest, "outcome")
    rows = [(f"{name:<{_LABEL}}", text) for name, text in _inputs(manifest, inputs)]
    return table(rows) + (_outcome(outcome) if outcome else "outcome      none yet\n")


def _inputs(manifest: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source, deployment = _map(inputs, "source"), _map(inputs, "deployment")
    dirty = "  dirty: the working tree differed from it" if source.get("dirty") else ""
    yield "commit", f"{visible(source.get('commit') or 'none')}{dirty}"
    yield "tree", visible(source.get("tree") or "none")
    bundle, target = visible(inputs.get("bundle")), visible(inputs.get("target"))
    yield "job", f"{job_name(str(inputs.get('job', '')))} of {bundle}, target {target}"
    if manifest.get("run_id") or _map(manifest, "outcome").get("run_id"):
        yield "run", visible(manifest.get("run_id") or _map(manifest, "outcome").get("run_id"))
    yield "deployment", f"{visible(deployment.get('serial', '?'))}  {visible(deployment.get('id') or '')}".rstrip()
    yield "snapshot", visible(inputs.get("snapshot") or "none")
    yield "spec", visible(_map(inputs, "spec").get("digest") or "none")
    for number, item in enumerate(_maps(inputs, "parameters")):
        name, origin = visible(item.get("name")), visible(item.get("origin"))
        yield "parameters" if number == 0 else "", f"{name} = {value_text(item.get('value'))}  ({origin})"
    for number, item in enumerate(_maps(inputs, "environment")):
        packages = counted(len(item.get("packages") or ()), "package")
        text = f"{visible(item.get('key'))}  python {visible(item.get('python') or '?')}  {packages}"
        yield "environment" if number == 0 else "", text
    engine = _map(inputs, "engine")
    yield "engine", f"{visible(engine.get('kind') or '?')} {visible(engine.get('version') or '')}".rstrip()
    yield "inputs", visible(manifest.get("inputs_digest") or "none")


def _outcome(outcome: Mapping[str, Any]) -> str:
    state = visible(outcome.get("result_state") or outcome.get("life_cycle_state") or "unknown")
    started, ended = outcome.get("started"), outcome.get("ended")
    times = f"  {minute_text(str(started))} to {minute_text(str(ended))}" if started and ended else ""
    rows = [(f"  {visible(task.get('task_key'))}", *_outcome_of(task)) for task in _maps(outcome, "tasks")]
    outputs = [
        f"  {visible(task.get('task_key'))}  {visible(item.get('path'))}  {visible(item.get('digest'))}\n"
        for task in _maps(outcome, "tasks")
        for item in _maps(task, "outputs")
    ]
    text = f"outcome      {state}{times}\n{table(rows)}"
    return text + (f"outputs\n{''.join(outputs)}" if outputs else "")


def _outcome_of(task: Mapping[str, Any]) -> tuple[str, str]:
    attempts = _maps(task, "attempts")
    last = attempts[-1] if attempts else {}
    notes = []
    if len(attempts) > 1:
        notes.append(counted(len(attempts), "attempt"))
    if last.get("exit_code"):
        notes.append(f"exit status {visible(last['exit_code'])}")
    if last.get("signal"):
        notes.append(f"signal {visible(last['signal'])}")
    return visible(task.get("result_state") or "unknown"), "   ".join(notes)


def _task_word(task: TaskRun) -> str:
    word = task.result.value if task.result else task.state.value
    return f"{word} ({visible(task.outcome)})" if task.outcome and task.result is Result.SUCCESS else word


def _task_notes(task: TaskRun, attempts: int) -> Iterator[str]:
    if attempts > 1:
        yield f"attempt {task.attempt + 1} of {attempts}"
    if task.lost:
        yield "lost: its outcome is unknown"
    if task.result in GOOD or task.result is None:
        return
    code, signal = task.extra.get("exit_code"), task.extra.get("signal")
    if isinstance(code, int) and code:
        yield f"exit status {code}"
    elif signal:
        yield f"signal {visible(signal)}"
    elif task.message and task.result in (Result.FAILED, Result.TIMEDOUT):
        yield shortened(visible(task.message), _MESSAGE)


def _painted(text: str, tasks: list[TaskRun], style: Style) -> str:
    """Colours the state words; done after the columns were aligned."""
    lines = text.splitlines()
    for number, task in enumerate(tasks):
        word = task.result.value if task.result else task.state.value
        kind = "good" if task.result in GOOD else "error" if task.result in (Result.FAILED, Result.TIMEDOUT) else "dim"
        name = visible(task.task_key)
        lines[number] = name + lines[number][len(name) :].replace(word, style(kind, word), 1)
    return "".join(f"{line}\n" for line in lines)


def _took(start_ms: int, end_ms: int) -> str:
    return duration_text(end_ms - start_ms) if start_ms and end_ms else ""


def _time(ms: int) -> str | None:
    return rfc3339(ms) if ms else None


def _map(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _maps(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = document.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
