"""history and summary: what was deployed, and what is deployed now."""

from typing import Annotated

import typer

from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.wiring import Session, open_session
from bundlectl.operations import history as operation
from bundlectl.operations.history import History, Summary
from bundlectl.render.deploy_text import JobLine, history_text, summary_of_target
from bundlectl.render.documents import history_document, summary_document


def history(
    common: Common,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many deployments.")] = 20,
    job: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Deployments that changed this job.")] = None,
    output: OutputOption = Output.TEXT,
) -> int:
    """List the deployments of a target, newest first, each with its commit."""
    session = open_session(common, output)
    _show_history(session, operation.history(session.context, limit=limit, job=job))
    return 0


def summary(common: Common, output: OutputOption = Output.TEXT) -> int:
    """Show what is deployed to a target: commit, jobs, last runs, and where everything is kept."""
    session = open_session(common, output)
    _show_summary(session, operation.summary(session.context, session.places))
    return 0


def _show_history(session: Session, history: History) -> None:
    """`history`."""
    if session.output == "json":
        document = history_document(history.target, history.deployments)
        session.console.document(document)
    else:
        session.console.result(history_text(history.deployments), paged=True)


def _show_summary(session: Session, summary: Summary) -> None:
    """`summary`."""
    if session.output == "json":
        document = summary_document(
            bundle=summary.bundle,
            target=summary.target,
            deployment=summary.manifest,
            jobs=[job.document() for job in summary.jobs],
            places=summary.places,
            debt=summary.debt,
        )
        session.console.document(document)
        return
    head = summary.deployed
    text = summary_of_target(
        bundle=summary.bundle,
        target=summary.target,
        backend=summary.backend,
        serial=summary.serial if head is not None else None,
        commit=head.commit if head is not None else None,
        at=summary.at,
        by=summary.by,
        dirty=head.dirty if head is not None else False,
        jobs=[JobLine(job.key, job.id, job.schedule, job.last_run) for job in summary.jobs],
        places=summary.places,
        debt=summary.debt,
    )
    session.console.result(text)


history_app = application(main=command(history))
summary_app = application(main=command(summary))
