"""plan: what a deploy would do, shown and optionally saved."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bundlectl.base.suggest import nearest
from bundlectl.cli.options import Common, StreamOption, StreamOutput, application, command
from bundlectl.cli.results import show_findings, show_plan
from bundlectl.cli.selection_options import ChangedSinceOption, ExcludeOption, SelectOption
from bundlectl.cli.wiring import open_session
from bundlectl.model.errors import UsageError
from bundlectl.model.plan import Plan, kinds
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.plan import PlanOptions, Refresh, make_plan
from bundlectl.planning.selection import Selection
from bundlectl.render.escape import visible
from bundlectl.state.plan_file import save

CHANGES, REFUSED = 2, 6
KINDS = (
    "create", "update", "replace", "delete", "rename", "drift", "conflict", "code", "destructive", "policy-warning",
    "changes",
)  # fmt: skip


class Show(StrEnum):
    """How much of a plan is shown."""

    CHANGED = "changed"
    SUPPRESSED = "suppressed"
    ALL = "all"


def plan(
    common: Common,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Save the plan for deploy --plan.")] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes or drift.")
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="KIND", help=f"Exit 6 when the plan has any of: {', '.join(KINDS)}."),
    ] = None,
    refresh: Annotated[
        Refresh,
        typer.Option(
            "--refresh", help="What is compared with the backend: every job, those that the bundle changes, nothing."
        ),
    ] = Refresh.ALL,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    changed_since: ChangedSinceOption = None,
    show: Annotated[
        Show, typer.Option("--show", help="suppressed: also what does not count; all: also folded jobs.")
    ] = Show.CHANGED,
    output: StreamOption = StreamOutput.TEXT,
) -> int:
    """Show what a deploy would do. Takes no lock and changes nothing; works offline and without credentials."""
    failing = _kinds(fail_on or ())
    session = open_session(common, output, plan_file=out)
    options = PlanOptions(
        selection=Selection.of(select or (), exclude or ()),
        changed_since=changed_since,
        refresh=refresh,
    )
    planned = make_plan(session.context, options)
    show_findings(session, planned.loading)
    document = plan_document(planned.plan)
    if session.plan_file is not None:
        save(session.plan_file, document)
    hit = [kind for kind in failing if kind in kinds(planned.plan)]
    code = REFUSED if hit else CHANGES if detailed_exitcode and _differs(planned.plan) else 0
    show_plan(session, planned.plan, document, show=show.value, exit_code=code)
    if hit:
        session.console.report(
            f"The plan has {', '.join(hit)}, and --fail-on names {'it' if len(hit) == 1 else 'them'}.\n"
        )
    if out is not None:
        session.console.say(f"Saved to {visible(out)}. To apply exactly this: bundlectl deploy --plan {visible(out)}")
    return code


def _kinds(given: Iterable[str]) -> tuple[str, ...]:
    """The words of --fail-on. Raises UsageError for another one."""
    words = [word.strip() for text in given for word in text.split(",") if word.strip()]
    for word in words:
        if word not in KINDS:
            near = nearest(word, KINDS)
            raise UsageError(
                f'--fail-on knows no "{word}"' + (f'; did you mean "{near}"?' if near else ""),
                hint=f"one or more of: {', '.join(KINDS)}",
            )
    return tuple(dict.fromkeys(words))


def _differs(plan: Plan) -> bool:
    return not plan.is_empty or any(job.counted for job in plan.drift)


plan_app = application(main=command(plan))
