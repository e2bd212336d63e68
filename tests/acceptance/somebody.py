"""Somebody who changes jobs on the engine and not in git: `somebody.py JOB FIELD=JSON...`, `JOB gone`, `JOB copy`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from bundlectl.base.clock import SystemClock
from bundlectl.engine.service import Engine


class Page:
    """The jobs page of a workspace, as far as somebody needs it."""

    def __init__(self, folder: str) -> None:
        self._engine = Engine(Path(folder), SystemClock(), user="ann@acme.example")

    def ask(self, method: str, call: str, document: Any = None, **query: str) -> Any:
        status, answer = self._engine.handle(method, f"/api/2.2/jobs/{call}", query, document)
        assert status == 200, answer
        return answer

    def job(self, name: str) -> Any:
        jobs = self.ask("GET", "list", expand_tasks="true", limit="100")["jobs"]
        return next(job for job in jobs if job["settings"]["name"].endswith(name))


def edited(settings: Any, edit: str) -> None:
    """Sets `a.b.c=JSON`, or takes it away when there is nothing after the sign; tasks are named by their keys."""
    path, _, value = edit.partition("=")
    *steps, last = path.split(".")
    holder = settings
    for step in steps:
        if isinstance(holder, list):
            holder = next(item for item in holder if step in (item.get("task_key"), item.get("name")))
        else:
            holder = holder.setdefault(step, {})
    if value:
        holder[last] = json.loads(value)
    else:
        del holder[last]


def main(name: str, *edits: str) -> None:
    page = Page(os.environ["BUNDLECTL_ENGINE_DIR"])
    job = page.job(name)
    settings = job["settings"]
    if edits == ("gone",):
        page.ask("POST", "delete", {"job_id": job["job_id"]})
    elif edits == ("copy",):
        own = settings["bundlectl"]["own"]
        settings["bundlectl"]["own"] = own[:-1] + ("1" if own.endswith("0") else "0")
        page.ask("POST", "create", settings)
    else:
        for edit in edits:
            edited(settings, edit)
        page.ask("POST", "reset", {"job_id": job["job_id"], "new_settings": settings})


if __name__ == "__main__":
    main(*sys.argv[1:])
