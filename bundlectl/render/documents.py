"""The versioned JSON form of every result: `bundlectl.<kind>/v1`. Pure.

Called by cli for `-o json`. Takes model types and plain values; the plan's own document is model.plan_document.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from bundlectl import __version__
from bundlectl.base.clock import rfc3339_ms
from bundlectl.base.digest import canonical_bytes
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.errors import BundlectlError
from bundlectl.model.location import address
from bundlectl.model.plan_document import diagnostic_document
from bundlectl.model.run import Run, TaskRun

# What JSON allows inside a text and a terminal would act on or hide.
_UNSEEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


class AppliedChange(Protocol):
    """How one change of a deploy ended."""

    @property
    def address(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def elapsed_ms(self) -> int: ...
    @property
    def not_converged(self) -> tuple[str, ...]: ...
    @property
    def until(self) -> str | None: ...
    @property
    def restored(self) -> bool: ...


class EndedScript(Protocol):
    """A script of a bundle that ended."""

    @property
    def name(self) -> str: ...
    @property
    def exit_code(self) -> int: ...
    @property
    def elapsed_ms(self) -> int: ...


def dumps(document: Any) -> str:
    """Canonical JSON and a line end; control, bidi and invisible characters as `\\uXXXX`. Digests are over the
    canonical bytes, which differ from this text in those characters only.
    """
    text = _canonical(document)
    return (_UNSEEN.sub(_escape, text) if _UNSEEN.search(text) else text) + "\n"


def _canonical(document: Any) -> str:
    try:
        return canonical_bytes(document).decode("utf-8")
    except UnicodeEncodeError:
        return canonical_bytes(_without_halves(document)).decode("utf-8")


def _without_halves(value: Any) -> Any:
    """Lone surrogates, which UTF-8 cannot carry, as the text of their escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_without_halves(name): _without_halves(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_halves(item) for item in value]
    return value


def _escape(match: re.Match[str]) -> str:
    # Two units where UTF-16 needs two: the only form that JSON has.
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def result_document(kind: str, diagnostics: Iterable[Diagnostic] = (), **members: Any) -> dict[str, Any]:
    """The frame of every result: format, tool version, findings, and the members of its kind."""
    return {
        "format": f"bundlectl.{kind}/v1",
        "tool_version": __version__,
        "diagnostics": [diagnostic_document(item) for item in diagnostics],
        **members,
    }


def error_document(error: BundlectlError, diagnostics: Iterable[Diagnostic] = ()) -> dict[str, Any]:
    """What a command prints that failed before it had a result."""
    return result_document(
        "error",
        [*diagnostics, *error.diagnostics],
        error={
            "code": error.code,
            "exit_code": error.exit_code,
            "summary": error.summary,
            "detail": error.detail,
            "hint": error.hint,
        },
    )


def diagnostics_document(
    diagnostics: Iterable[Diagnostic],
    *,
    bundle: str | None,
    target: str | None,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`validate -o diagnostics`."""
    found = list(diagnostics)
    names = [item.severity.value for item in found]
    counts = {name: names.count(name) for name in ("error", "warning", "note")}
    return result_document("diagnostics", found, bundle=bundle, target=target, source=source, counts=counts)


def deploy_document(manifest: Mapping[str, Any] | None, outcomes: Iterable[AppliedChange]) -> dict[str, Any]:
    """`deploy -o json`. `manifest` is None when there was nothing to deploy."""
    results = [
        {
            "address": item.address,
            "action": str(item.action),
            "outcome": item.outcome,
            "id": item.id,
            "error": item.error,
            "elapsed_ms": item.elapsed_ms,
            "not_converged": list(item.not_converged),
            "until": item.until,
            "restored": item.restored,
        }
        for item in outcomes
    ]
    return result_document("deploy", manifest=manifest, results=results)


def script_document(done: EndedScript) -> dict[str, Any]:
    """`run -o json` of a script."""
    return result_document("script", script=done.name, exit_code=done.exit_code, elapsed_ms=done.elapsed_ms)


def run_document(
    run: Run,
    manifest: Mapping[str, Any] | None,
    *,
    address: str | None = None,
    output_of: Callable[[str], str | None] | None = None,
) -> dict[str, Any]:
    """`run -o json` and `runs get -o json`. `output_of`: task key -> what it returned, for `task_outputs`."""
    outputs = [
        {
            "TaskKey": key,
            "Output": output_of(key) if output_of is not None else None,
            "EndTime": task.end_ms or None,
        }
        for key, task in run.latest().items()
        if task.end_ms
    ]
    shown = run_entry(run, address=address)
    return result_document("run", manifest=manifest, run=shown, task_outputs=outputs)


def runs_document(runs: Iterable[Mapping[str, Any]], next_page: str | None = None) -> dict[str, Any]:
    """`runs list -o json`; each entry as run_entry makes it."""
    return result_document("runs", runs=list(runs), next=next_page)


def run_entry(
    run: Run, *, address: str | None = None, commit: str | None = None, snapshot: str | None = None
) -> dict[str, Any]:
    """One run: states as in the Jobs API, times in RFC 3339, durations in milliseconds."""
    return {
        "run_id": run.run_id,
        "job_id": run.job_id,
        "address": address,
        "name": run.name,
        "life_cycle_state": run.state.value,
        "result_state": run.result.value if run.result else None,
        "message": run.message,
        "queued": _time(run.queued_ms),
        "started": _time(run.start_ms),
        "ended": _time(run.end_ms),
        "duration_ms": _duration(run.start_ms, run.end_ms),
        "trigger": run.trigger,
        "creator": run.creator,
        "parameters": dict(run.parameters),
        "commit": commit,
        "snapshot": snapshot,
        "tasks": [task_entry(task) for task in run.tasks],
    }


def task_entry(task: TaskRun) -> dict[str, Any]:
    """One attempt of a task."""
    return {
        "run_id": task.run_id,
        "task_key": task.task_key,
        "attempt": task.attempt,
        "life_cycle_state": task.state.value,
        "result_state": task.result.value if task.result else None,
        "message": task.message,
        "started": _time(task.start_ms),
        "ended": _time(task.end_ms),
        "duration_ms": _duration(task.start_ms, task.end_ms),
        "depends_on": list(task.depends_on),
        "type": task.kind,
        "outcome": task.outcome,
        "lost": task.lost,
    }


def history_document(target: str, deployments: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`history -o json`: manifests, newest first."""
    return result_document("history", target=target, deployments=list(deployments))


def summary_document(
    *,
    bundle: str,
    target: str,
    deployment: Mapping[str, Any] | None,
    jobs: Iterable[Mapping[str, Any]],
    places: Mapping[str, str] | None = None,
    debt: Iterable[str] = (),
) -> dict[str, Any]:
    """`summary -o json`. `places`: where state, runs, code and engine are kept. `debt`: keys that were left out."""
    return result_document(
        "summary",
        bundle=bundle,
        target=target,
        deployment=deployment,
        jobs=list(jobs),
        places=dict(places or {}),
        debt=[address(key) for key in debt],
    )


def init_document(template: str, directory: str, files: Iterable[str]) -> dict[str, Any]:
    """`init -o json`."""
    return result_document("init", template=template, directory=directory, files=list(files))


def _time(ms: int) -> str | None:
    return rfc3339_ms(ms) if ms else None


def _duration(start_ms: int, end_ms: int) -> int | None:
    return max(0, end_ms - start_ms) if start_ms and end_ms else None
