"""Writes the published JSON Schemas and the table file: `python -m bundlectl.schema.export [--check]`.

Run by `make schemas`; a test runs the check. The bundle and job schemas come from the models, those of documents from
the shapes beside them; a schema is schemas/<kind>/v1.json.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bundlectl.base.files import write_atomic
from bundlectl.base.resources import resource_folder
from bundlectl.schema import diff_document, drift_document, manifests, plan_document, results, upkeep_documents
from bundlectl.schema.bundle_schema import bundle_schema, job_schema
from bundlectl.schema.derive import tables
from bundlectl.schema.shapes import Schema
from bundlectl.schema.table_file import PATH, tables_text

KINDS: Mapping[str, Callable[[], Schema]] = {
    "bundle": lambda: bundle_schema(tables()),
    "job": lambda: job_schema(tables()),
    "plan": plan_document.plan,
    "diff": diff_document.diff,
    "drift": drift_document.drift,
    "drift-accept": drift_document.drift_accept,
    "drift-snoozes": drift_document.drift_snoozes,
    "deployment": manifests.deployment,
    "run-manifest": manifests.run_manifest,
    "events": results.events,
    "diagnostics": results.diagnostics,
    "error": results.error,
    "deploy": results.deploy,
    "run": results.run,
    "runs": results.runs,
    "script": results.script,
    "history": results.history,
    "summary": results.summary,
    "state": results.state,
    "state-document": results.state_document,
    "undelete": upkeep_documents.undelete,
    "gc": upkeep_documents.gc,
    "bind": upkeep_documents.bind,
    "import": upkeep_documents.import_,
    "doctor": upkeep_documents.doctor,
    "init": results.init,
    "explain": results.explain,
}


def rendered() -> dict[str, str]:
    """Every schema as the text of its file, by path below the folder of schemas."""
    return {f"{kind}/v1.json": json.dumps(make(), indent=1, ensure_ascii=True) + "\n" for kind, make in KINDS.items()}


def stale(folder: Path) -> list[str]:
    """Paths below `folder` that are missing, differ, or belong to no kind."""
    wanted = rendered()
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json")}
    differing = [name for name, text in wanted.items() if name not in there or there[name].read_text("utf-8") != text]
    return sorted({*differing, *(there.keys() - wanted.keys())})


def write(folder: Path) -> None:
    """Writes every schema. Raises OSError."""
    for name, text in rendered().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode("ascii"), mode=0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when the files are written, or with --check when they are fresh; else 1."""
    parser = argparse.ArgumentParser(prog="python -m bundlectl.schema.export", description="Writes the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not fresh")
    parser.add_argument("--folder", type=Path, default=None, help="folder of the schemas")
    options = parser.parse_args(arguments)
    folder = options.folder or resource_folder("schemas")
    text = tables_text(tables())
    if not options.check:
        write(folder)
        if options.folder is None:
            write_atomic(PATH, text.encode("ascii"), mode=0o644)
        return 0
    return 1 if stale(folder) or not PATH.is_file() or PATH.read_text("ascii") != text else 0


if __name__ == "__main__":
    raise SystemExit(main())
