"""runs list, get, logs, manifest, cancel."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.wiring import Session, open_session
from bundlectl.operations import runs
from bundlectl.operations.runs import FoundRun, ListedRun
from bundlectl.render.documents import run_document, run_entry, runs_document
from bundlectl.render.run_text import RunLine, manifest_text, run_text, runs_text

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, latest, or latest:JOB.")]


def list_runs(
    common: Common,
    job: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Runs of this job only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 20,
    output: OutputOption = Output.TEXT,
) -> int:
    """List runs of the jobs that are deployed to the target, newest first."""
    session = open_session(common, output)
    _show_list(session, runs.list_runs(session.context, job=job, limit=limit))
    return 0


def get(common: Common, run: RunArgument = "latest", output: OutputOption = Output.TEXT) -> int:
    """Show one run with every attempt of its tasks."""
    session = open_session(common, output)
    _show_run(session, runs.get_run(session.context, run))
    return 0


def logs(
    common: Common,
    run: RunArgument = "latest",
    task: Annotated[str | None, typer.Option("--task", metavar="KEY", help="Output of this task only.")] = None,
    attempt: Annotated[int | None, typer.Option("--attempt", min=0, help="Of this attempt; default: the last.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="As the task wrote it, control characters included.")] = False,
) -> int:
    """Print the output of a run's tasks."""
    session = open_session(common, Output.TEXT)
    for item in runs.read_logs(session.context, run, task=task, attempt=attempt):
        session.console.log(item.heading, item.text, raw=raw)
    return 0


def manifest(
    common: Common,
    run: RunArgument = "latest",
    output: OutputOption = Output.TEXT,
) -> int:
    """Show the manifest of a run: what went in, with its commit, and what came out."""
    session = open_session(common, output)
    _show_manifest(session, runs.run_manifest(session.context, run))
    return 0


def cancel(common: Common, run: RunArgument, output: OutputOption = Output.TEXT) -> int:
    """Cancel a run; one that has ended is left as it is."""
    session = open_session(common, output)
    with session.progress():
        ended = runs.cancel_run(session.context, run)
    _show_run(session, ended)
    return 0


def _show_list(session: Session, listed: list[ListedRun]) -> None:
    """`runs list`."""
    if session.output == "json":
        entries = [
            run_entry(item.run, address=item.address, commit=item.commit, snapshot=item.snapshot) for item in listed
        ]
        session.console.document(runs_document(entries))
    else:
        rows = [RunLine(item.run, item.key, item.commit, item.by) for item in listed]
        session.console.result(runs_text(rows))


def _show_run(session: Session, found: FoundRun) -> None:
    """`runs get`."""
    if session.output == "json":
        document = run_document(found.run, found.manifest, address=found.address)
        session.console.document(document)
    else:
        text = run_text(
            found.run,
            key=found.key,
            commit=found.commit,
            snapshot=found.snapshot,
            style=session.console.style,
        )
        session.console.result(text)


def _show_manifest(session: Session, manifest: Mapping[str, Any]) -> None:
    """`runs manifest`: the document itself, or what it says in words."""
    if session.output == "json":
        session.console.document(manifest)
    else:
        session.console.result(manifest_text(manifest))


runs_app = application(
    list=command(list_runs), get=command(get), logs=command(logs), manifest=command(manifest), cancel=command(cancel)
)
