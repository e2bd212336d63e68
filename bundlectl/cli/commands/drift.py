"""drift: what was changed on the backend since the last deploy; accept it into the bundle, or snooze it."""

from enum import StrEnum
from typing import Annotated

import typer

from bundlectl.cli.options import Common, Output, OutputOption, ReasonOption, application, command
from bundlectl.cli.selection_options import ExcludeOption, SelectOption
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import UsageError
from bundlectl.operations.drift import Drift, find_drift
from bundlectl.operations.drift_accept import accept as carry_over
from bundlectl.operations.drift_snooze import Snoozes, lift, list_snoozes
from bundlectl.operations.drift_snooze import snooze as put_off
from bundlectl.operations.state import checked_reason
from bundlectl.planning.selection import Selection
from bundlectl.render.drift_document import accepted_document, drift_document, snoozes_document
from bundlectl.render.drift_text import accepted_text, drift_summary, drift_text, snoozes_text

DRIFTED, REFUSED = 2, 6


class FailOn(StrEnum):
    """What `drift` may fail on."""

    DRIFT = "drift"


FieldsArgument = Annotated[
    list[str],
    typer.Argument(metavar="ADDR[.FIELD]...", help="jobs.etl for all of it, or jobs.etl.max_concurrent_runs."),
]


def drift(
    common: Common,
    invoked: typer.Context,
    detailed_exitcode: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit 2 when there is drift.")] = False,
    fail_on: Annotated[FailOn | None, typer.Option("--fail-on", help="Exit 6 when there is drift.")] = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    output: OutputOption = Output.TEXT,
) -> int:
    """Show what was changed on the backend since the last deploy. Reads only.

    accept writes it into the bundle, snooze puts it off, a deploy sets it back.
    """
    if invoked.invoked_subcommand is not None:
        if common != Common() or detailed_exitcode or fail_on or select or exclude or output is not Output.TEXT:
            word = invoked.invoked_subcommand
            raise UsageError(f'options of "drift {word}" follow it', hint=f"bundlectl drift {word} ... -t TARGET")
        return 0
    session = open_session(common, output)
    with session.progress():
        found = find_drift(session.context, Selection.of(select or (), exclude or ())).drift
    _show(session, found)
    if not found.counted:
        return 0
    return REFUSED if fail_on is not None else DRIFTED if detailed_exitcode else 0


def _show(session: Session, found: Drift) -> None:
    """`drift`: text or the document."""
    if session.output == "json":
        summary = {
            "jobs": found.looked_at,
            "drifted": found.drifted,
            "fields": found.counted,
            "snoozed": sum(field.snoozed_until is not None for job in found.jobs for field in job.fields),
        }
        session.console.document(
            drift_document(found.target, found.deployment.serial, found.jobs, found.strays, summary)
        )
        return
    text = drift_text(
        found.target,
        found.jobs,
        found.strays,
        found.snoozes,
        drifted=found.drifted,
        looked_at=found.looked_at,
        style=session.console.style,
    )
    session.console.result(text, summary=drift_summary(found.target, found.drifted, found.looked_at))


def accept(
    common: Common,
    fields: FieldsArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes of files, and write none.")] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Write what the backend has into the YAML, where the value comes from. Comments and references stay."""
    session = open_session(common, output)
    with session.progress():
        done = carry_over(session.context, fields, dry_run=dry_run)
    if session.output == "json":
        document = accepted_document(done.target, done.fields, done.patches, done.elsewhere, written=done.written)
        session.console.document(document)
    else:
        text = accepted_text(
            done.fields, done.patches, done.elsewhere, written=done.written, style=session.console.style
        )
        session.console.result(text)
    return 0


def snooze(
    common: Common,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[ADDR.FIELD...]", help="For example jobs.etl.max_concurrent_runs.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The drift counts again from this day on (UTC).")
    ] = None,
    reason: ReasonOption = None,
    listed: Annotated[bool, typer.Option("--list", help="List what is snoozed.")] = False,
    lifted: Annotated[bool, typer.Option("--lift", help="Let the drift of these fields count again.")] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Leave a field as the backend has it until a date. A deploy leaves it too."""
    names = fields or []
    _check(names, until, listed=listed, lifted=lifted)
    session = open_session(common, output)
    if not listed and not lifted and reason is None and session.console.may_prompt:
        reason = session.console.ask("Why? It is recorded in the state: ")
    with session.progress():
        if listed:
            done = list_snoozes(session.context)
        elif lifted:
            done = lift(session.context, names)
        else:
            done = put_off(session.context, names, until=until or "", reason=checked_reason(reason))
    _show_snoozes(session, done)
    return 0


def _check(names: list[str], until: str | None, *, listed: bool, lifted: bool) -> None:
    """Raises UsageError for options that do not go together."""
    if listed and lifted:
        raise UsageError('"--list" and "--lift" exclude each other', code="BND620")
    if listed and names:
        raise UsageError('"--list" takes no fields', hint="all that is snoozed is listed")
    if not listed and not names:
        raise UsageError("which field?", hint="for example jobs.etl.max_concurrent_runs; bundlectl drift shows them")
    if not listed and not lifted and until is None:
        raise UsageError("until when?", hint="--until 2026-12-24")


def _show_snoozes(session: Session, done: Snoozes) -> None:
    if session.output == "json":
        session.console.document(snoozes_document(done.target, done.snoozes, done.now_ms))
    else:
        session.console.result(snoozes_text(done.target, done.snoozes, done.now_ms))


drift_app = application(accept=command(accept), snooze=command(snooze))
drift_app.callback(invoke_without_command=True)(command(drift))
