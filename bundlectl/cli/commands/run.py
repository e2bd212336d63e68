"""run: a deployed job, followed to its end; or a script of the bundle, when it is allowed."""

from typing import Annotated

import typer

from bundlectl.cli.options import Common, StreamOption, StreamOutput, application, command
from bundlectl.cli.results import shown_as_document
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import UsageError
from bundlectl.model.run import GOOD
from bundlectl.operations.load import Loading
from bundlectl.operations.run import RunRequest, RunResult
from bundlectl.operations.run import run as start
from bundlectl.operations.scripts import find_script, run_script
from bundlectl.render.documents import run_document, script_document
from bundlectl.render.escape import visible
from bundlectl.render.run_text import run_ended, run_going_on, task_table
from bundlectl.render.values import duration_text

FAILED = 3


def run(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Key of the job, or name of the script.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]...", help="Arguments of the script.", show_default=False)
    ] = None,
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
    """Run a deployed job and follow it, or a script of the bundle. An interrupt cancels the run and records that."""
    if logs not in ("none", "failed", "all"):
        raise UsageError(f'"--logs" takes none, failed or all, got "{logs}"')
    session = open_session(common, output)
    loading = find_script(session.context, name)
    if loading is not None:
        return _run_script(session, loading, name, tuple(arguments or ()))
    if arguments:
        raise UsageError(
            f'"{name}" is no script, and only scripts take arguments', hint="a job takes --param NAME=VALUE"
        )
    request = RunRequest(
        job=name,
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


def _run_script(session: Session, loading: Loading, name: str, arguments: tuple[str, ...]) -> int:
    """A script has the terminal to itself; its output is the result, unless a document was asked for."""
    done = run_script(session.context, loading, name, arguments, keep_stdout=session.output != "text")
    if not shown_as_document(session, script_document(done), 0):
        session.console.say(f'script "{visible(name)}" ended well after {duration_text(done.elapsed_ms)}')
    return 0


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
