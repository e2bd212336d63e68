"""The outcome of a run for its manifest (provenance.md 3), from the rows and the log files.

Called by api.runs. Inputs and sealing are the client's; nothing here is stored.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bundlectl.base.clock import rfc3339_ms
from bundlectl.base.digest import digest_document, sha256_stream
from bundlectl.engine.files import log_path
from bundlectl.engine.logs import dropped

_CHUNK = 1 << 20
_TRIGGERS = {"ONE_TIME": "manual", "PERIODIC": "schedule", "RUN_JOB_TASK": "run_job"}


def outcome(
    folder: Path,
    run: Any,
    attempts: list[Any],
    run_if: dict[str, str],
    *,
    history: list[dict[str, Any]],
    iterations: Mapping[int, list[Any]],
) -> dict[str, Any]:
    """The `outcome` member as it stands: final once the run has ended.

    `history`: the phases of a run that was repaired; `iterations`: rows, by the attempt of their for_each task.
    """
    unknown: list[dict[str, str]] = []
    tasks: dict[str, dict[str, Any]] = {}
    for row in attempts:
        key = row["task_key"]
        task = tasks.setdefault(
            key, {"task_key": key, "run_if": run_if.get(key, "ALL_SUCCESS"), "result_state": None, "attempts": []}
        )
        task["result_state"] = row["result"]
        task["attempts"].append(_attempt(folder, run["id"], row, unknown))
        values = {value["key"]: value for value in (*task.get("values", ()), *_values(row["vals"]))}
        task["values"] = [values[name] for name in sorted(values)]
        task["outputs"] = json.loads(row["files"]) if row["files"] else task.get("outputs", [])
        if row["id"] in iterations:
            task["iterations"] = _iterations(folder, run["id"], iterations[row["id"]], unknown)
        if row["child"] is not None:
            task["child_run"] = str(row["child"])
    return {
        "run_id": str(run["id"]),
        "number_in_job": run["id"],
        "trigger": {"type": _TRIGGERS.get(run["trigger"], "manual"), "by": run["creator"], "ci_run_url": None},
        "repairs": [_repair(phase) for phase in history if phase["type"] == "REPAIR"],
        "replay_of": None,
        "backfill": None,
        "parent_run": None if run["parent"] is None else str(run["parent"]),
        "queued": _time(run["requested"]),
        "started": _time(run["started"]),
        "ended": _time(run["ended"]),
        "life_cycle_state": run["state"],
        "result_state": run["result"],
        "tasks": list(tasks.values()),
        "messages": [run["message"]] if run["message"] else [],
        "unknown": unknown,
    }


def _iterations(folder: Path, run_id: int, rows: list[Any], unknown: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The iterations that count for an attempt of a for_each task, with all their attempts."""
    found: dict[int, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["iteration"], row["number"])):
        entry = found.setdefault(row["iteration"], {"index": row["iteration"], "attempts": []})
        entry["result_state"] = row["result"]
        entry["attempts"].append(_attempt(folder, run_id, row, unknown))
        entry["outputs"] = json.loads(row["files"]) if row["files"] else entry.get("outputs", [])
    return list(found.values())


def _repair(phase: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(phase["id"]),
        "started": _time(phase["start_time"]),
        "ended": _time(phase["end_time"]),
        "life_cycle_state": phase["state"]["life_cycle_state"],
        "result_state": phase["state"].get("result_state"),
    }


def _attempt(folder: Path, run_id: int, row: Any, unknown: list[dict[str, str]]) -> dict[str, Any]:
    state = "LOST" if row["lost"] else row["result"]
    if row["lost"]:
        field = f"tasks[{row['task_key']}].attempts[{row['number']}]"
        unknown.append({"field": field, "reason": "the supervisor of the attempt ended without a record"})
    return {
        "n": row["number"],
        "run_id": str(row["id"]),
        "started": _time(row["started"]),
        "ended": _time(row["ended"]),
        "exit_code": row["exit_code"],
        "signal": row["signal"],
        "host": None,
        "state": state,
        "log": _log(Path(log_path(folder, run_id, row["id"], row["launch"]))),
    }


def _log(path: Path) -> dict[str, Any] | None:
    """Digest and size of an output; None for an attempt that had no process."""
    try:
        with path.open("rb") as file:
            digest = sha256_stream(_chunks(file))
            return {"digest": f"sha256:{digest}", "bytes": os.fstat(file.fileno()).st_size, "truncated": dropped(file)}
    except FileNotFoundError:
        return None


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _values(text: str | None) -> list[dict[str, Any]]:
    values: dict[str, Any] = json.loads(text) if text else {}
    return [{"key": key, "digest": digest_document(value), "value": value} for key, value in values.items()]


def _time(ms: int) -> str | None:
    return rfc3339_ms(ms) if ms else None
