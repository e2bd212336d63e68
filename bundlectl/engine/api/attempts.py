"""Attempts of one run as documents: each with its task as it was then, loops with their statistics and iterations.

Used by api.runs while a connection is open. Reads; what a document looks like is in documents.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from bundlectl.engine.api.documents import states, task_document, tasks_by_key
from bundlectl.model.run import TERMINAL, LifeCycle, Result

_MESSAGES: Final = 3  # most common messages of failed iterations
# Rows of the iterations that count for an attempt of a for_each task.
_COUNTED: Final = "parent IN (SELECT id FROM attempts WHERE first_id = ? AND id BETWEEN ? AND ?)"
_Task = Mapping[str, Any]


class Attempts:
    """The attempts of `run`, a row of runs with the body of its document."""

    def __init__(self, connection: Any, run: Any) -> None:
        self._connection = connection
        settings = json.loads(run["body"])
        self._source = "GIT" if settings.get("git_source") else "WORKSPACE"
        self._phases: dict[int, dict[str, _Task]] = {run["repair"]: tasks_by_key(settings)}
        self._parents: dict[int, Any] = {}
        if run["repair"]:
            earlier = connection.execute(
                "SELECT repairs.id, body FROM repairs JOIN documents ON documents.digest = repairs.document"
                " WHERE run_id = ? AND repairs.id <> ?",
                (run["id"], run["repair"]),
            )
            for id, body in earlier:
                self._phases[0 if id == run["id"] else id] = tasks_by_key(json.loads(body))

    def task(self, row: Any) -> _Task:
        """The definition of an attempt's task at that time; the nested one of an iteration."""
        if row["parent"] is None:
            return self._phases[row["repair"]][row["task_key"]]
        nested: _Task = self.task(self._parent(row))["for_each_task"]["task"]
        return nested

    def _parent(self, row: Any) -> Any:
        id = row["parent"]
        if id not in self._parents:
            self._parents[id] = self._connection.execute("SELECT * FROM attempts WHERE id = ?", (id,)).fetchone()
        return self._parents[id]

    def document(self, row: Any, *, resolved: bool = False) -> dict[str, Any]:
        """One attempt."""
        document = task_document(row, self.task(row), self._source, resolved=resolved)
        if row["inputs"] is not None:
            document["for_each_task"] = {**document["for_each_task"], "stats": self._stats(row)}
            if resolved:
                values = document.setdefault("resolved_values", {})
                values["for_each_task"] = {"inputs": row["inputs"]}
        if row["child"] is not None:
            document["bundlectl"]["child_run_id"] = row["child"]
        if row["parent"] is not None:
            parent = self._parent(row)
            inputs = json.loads(parent["inputs"]) if parent["inputs"] else []
            document["bundlectl"]["iteration"] = row["iteration"]
            document["bundlectl"]["input"] = inputs[row["iteration"]]
        return document

    def iterations(self, row: Any, after: int, limit: int) -> list[Any]:
        """Rows of every attempt of the iterations of a for_each task, by id, from behind an id on."""
        sql = f"SELECT * FROM attempts WHERE {_COUNTED} AND id > ? ORDER BY id LIMIT ?"  # noqa: S608  # ours
        return list(self._connection.execute(sql, (*_generation(row), after, limit)))

    def _stats(self, row: Any) -> dict[str, Any]:
        """Only the latest attempt of each iteration counts."""
        sql = f"SELECT * FROM attempts WHERE {_COUNTED} ORDER BY number, id"  # noqa: S608  # ours
        latest = {each["iteration"]: each for each in self._connection.execute(sql, _generation(row))}
        ended = [each for each in latest.values() if LifeCycle(each["state"]) in TERMINAL]
        waiting = sum(each["state"] == LifeCycle.BLOCKED for each in latest.values())
        failed = [each for each in ended if each["result"] != Result.SUCCESS]
        messages = Counter((each["error"] or each["message"], each["code"]) for each in failed)
        stats = {
            "total_iterations": len(latest),
            "scheduled_iterations": waiting,
            "active_iterations": len(latest) - waiting - len(ended),
            "completed_iterations": len(ended),
            "succeeded_iterations": len(ended) - len(failed),
            "failed_iterations": len(failed),
        }
        if not failed:
            return {"task_run_stats": stats}
        common = [
            {"count": count, "error_message": message, "termination_category": code}
            for (message, code), count in messages.most_common(_MESSAGES)
        ]
        return {"task_run_stats": stats, "error_message_stats": common}


def _generation(row: Any) -> tuple[int, int, int]:
    """The attempts of a for_each task whose iterations count for this one."""
    return row["first_id"], row["since"] if row["since"] is not None else row["id"], row["id"]


def repair_history(connection: Any, run: Any) -> list[dict[str, Any]]:
    """The phases of a run that was repaired; the original one alone when it was not."""
    phases = connection.execute("SELECT * FROM repairs WHERE run_id = ? ORDER BY id", (run["id"],)).fetchall()
    rows = connection.execute(
        "SELECT id, repair FROM attempts WHERE run_id = ? AND parent IS NULL ORDER BY id", (run["id"],)
    ).fetchall()
    history = []
    for phase in phases or [None]:
        repair = 0 if phase is None or phase["id"] == run["id"] else phase["id"]
        is_latest = repair == run["repair"]
        shown = run if is_latest or phase is None else phase
        history.append(
            {
                "type": "REPAIR" if repair else "ORIGINAL",
                **({"id": repair} if repair else {}),
                "start_time": (run["resumed"] or (0 if repair else run["started"])) if is_latest else phase["started"],
                "end_time": shown["ended"],
                **states(shown),
                "task_run_ids": [row["id"] for row in rows if row["repair"] == repair],
            }
        )
    return history
