"""run: a deployed job, followed to its end."""

from typing import Annotated

import typer

from bundlectl.cli.options import Common, StreamOption, StreamOutput, application, command
from bundlectl.cli.results import shown_as_document
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import UsageError
from bundlectl.model.run import GOOD
from bundlectl.operations.run import RunRequest, RunResult
from bundlectl.operations.run import run as start
from bundlectl.render.documents import run_document
from bundlectl.render.run_text import run_ended, run_going_on, task_table

FAILED = 3


def run(
    common: Common,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Key of the job, as in the bundle.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Job parameter; may be repeated.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TASK", help="Run these tasks only: t, +t, t+; may be repeated."),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave once the run is accepted.")] = False,
    idempotency_token: Annotated[
        str | None, typer.Option("--idempotency-token", help="A repeated token gives the same run.")
    ] = None,
    logs: Annotated[str, typer.Option("--logs", metavar="none|failed|all", help="Whose output to show.")] = "failed",
    output: StreamOption = StreamOutput.TEXT,
) -> int:
    """Run a deployed job and follow it. An interrupt cancels the run and records that."""
    if logs not in ("none", "failed", "all"):
        raise UsageError(f'"--logs" takes none, failed or all, got "{logs}"')
    session = open_session(common, output)
    request = RunRequest(
        job=job,
        parameters=_parameters(param or []),
        only=tuple(name for item in only or [] for name in item.split(",")),
        wait=not no_wait,
        token=idempotency_token,
        logs=logs,
    )
    with session.progress():
        result = start(session.context, request)
    code = 0 if no_wait or result.run.result in GOOD else FAILED
    _show(session, result, code)
    return code


def _show(session: Session, result: RunResult, exit_code: int) -> None:
    """`run`: the tasks and how it ended, or that it goes on."""
    document = run_document(result.run, result.manifest, address=result.address)
    if shown_as_document(session, document, exit_code):
        return
    if not result.run.is_terminal:
        session.console.result(run_going_on(result.run))
        return
    style = session.console.style
    ended = run_ended(result.run, style=style)
    session.console.result(task_table(result.run, style=style) + ended, summary=ended)


def _parameters(given: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f'"--param" needs NAME=VALUE, got "{item}"', code="BND503")
        if name in values:
            raise UsageError(f'"--param {name}" is given twice', code="BND503")
        values[name] = value
    return values


run_app = application(main=command(run))
