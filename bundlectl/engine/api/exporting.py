"""jobs/runs/export: the notebook of a task run as a page, with what it printed.

Reached from routes. Everything that comes from a user is escaped; the page has no script.
"""

import html
from pathlib import Path
from typing import Any

from bundlectl.engine.api.attempts import Attempts
from bundlectl.engine.api.errors import invalid
from bundlectl.engine.api.request import Request
from bundlectl.engine.api.runs import find_run, output_of
from bundlectl.engine.files import BadSnapshot, folder_of
from bundlectl.model.job import task_type
from bundlectl.model.source import split_snapshot_path

_VIEWS = ("CODE", "DASHBOARDS", "ALL")
_ENDINGS = ("", ".py", ".ipynb", ".sql")
_LARGEST = 10 << 20


def export(request: Request) -> dict[str, Any]:
    id = request.query_id("run_id")
    view = request.query.get("views_to_export", "CODE")
    if view not in _VIEWS:
        raise invalid(f'"views_to_export" must be one of {", ".join(_VIEWS)}, not "{view[:80]}".')
    with request.services.store.read() as connection:
        run, attempt = find_run(connection, id)
        task = {} if attempt is None else Attempts(connection, run).task(attempt)
    if attempt is None or task_type(task) != "notebook_task":
        raise invalid(f"Run {id} is not a run of a notebook task; only those can be exported.")
    if view == "DASHBOARDS":
        return {"views": []}
    path = str(task["notebook_task"].get("notebook_path") or "")
    name = path.rpartition("/")[2] or str(task["task_key"])
    page = _page(name, _source(request.services.folder, path), output_of(request, run, attempt))
    return {"views": [{"name": name, "type": "NOTEBOOK", "content": page}]}


def _source(engine: Path, path: str) -> str:
    """The text of a notebook of deployed code; empty when it is not there any more."""
    parts = split_snapshot_path(path)
    try:
        root = None if parts is None else folder_of(engine, parts.digest)
    except BadSnapshot:
        root = None
    if root is None or parts is None:
        return ""
    for ending in _ENDINGS:
        file = Path(f"{root / parts.rest}{ending}")
        if file.is_file() and file.resolve().is_relative_to(root.resolve()):
            with file.open("rb") as source:
                return source.read(_LARGEST).decode("utf-8", "replace")
    return ""


def _page(name: str, source: str, output: str) -> str:
    title, code, printed = (html.escape(text) for text in (name, source, output))
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f"<h1>{title}</h1><h2>Code</h2><pre>{code}</pre><h2>Output</h2><pre>{printed}</pre></body></html>"
    )
