"""import: write YAML for jobs that are on the backend."""

from typing import Annotated

import typer

from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.wiring import open_session
from bundlectl.model.errors import UsageError
from bundlectl.operations.import_job import ImportRequest, import_jobs
from bundlectl.render.import_text import import_document, imported_text

PARTLY = 3


def import_job(
    common: Common,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs on the backend.")],
    key: Annotated[str | None, typer.Option("--key", metavar="NAME", help="Key of the job; else made of its name.")] = (
        None
    ),
    folder: Annotated[str, typer.Option("--dir", metavar="DIR", help="Folder of the files, below the bundle.")] = (
        "resources"
    ),
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the YAML, and write no file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Write a job that is on the backend as YAML, with the files that it names. bind makes it belong to the bundle."""
    parts = folder.split("/")
    if folder.startswith("/") or ".." in parts or "\\" in folder or not folder:
        raise UsageError(f'"--dir {folder[:80]}" is not a folder below the bundle', hint="--dir resources")
    if key is not None and not key.replace("-", "_").isidentifier():
        raise UsageError(f'"--key {key[:80]}" cannot be a key', hint="letters, digits, - and _")
    session = open_session(common, output)
    request = ImportRequest(ids=ids, key=key, folder=folder, force=force, write=not stdout)
    with session.progress():
        done = import_jobs(session.context, request)
    if session.output == "json":
        session.console.document(import_document(done))
    else:
        session.console.result(imported_text(done, stdout=stdout))
    for item in done:
        for note in (*item.notes, *((item.error,) if item.error else ())):
            session.console.say(f"{'job ' + item.id if item.key is None else 'jobs.' + item.key}: {note}")
    return PARTLY if any(item.error for item in done) else 0


import_app = application(main=command(import_job))
