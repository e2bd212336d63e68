"""plan: what a deploy would do, shown and optionally saved."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bundlectl.cli.options import Common, StreamOption, StreamOutput, application, command
from bundlectl.cli.results import show_findings, show_plan
from bundlectl.cli.wiring import open_session
from bundlectl.model.plan import Plan
from bundlectl.model.plan_document import plan_document
from bundlectl.operations.plan import make_plan
from bundlectl.render.escape import visible
from bundlectl.state.plan_file import save

CHANGES = 2


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
    show: Annotated[
        Show, typer.Option("--show", help="suppressed: also what does not count; all: also folded jobs.")
    ] = Show.CHANGED,
    output: StreamOption = StreamOutput.TEXT,
) -> int:
    """Show what a deploy would do. Takes no lock and changes nothing; works offline and without credentials."""
    session = open_session(common, output, plan_file=out)
    planned = make_plan(session.context)
    show_findings(session, planned.loading)
    document = plan_document(planned.plan)
    if session.plan_file is not None:
        save(session.plan_file, document)
    code = CHANGES if detailed_exitcode and _differs(planned.plan) else 0
    show_plan(session, planned.plan, document, show=show.value, exit_code=code)
    if out is not None:
        session.console.say(f"Saved to {visible(out)}. To apply exactly this: bundlectl deploy --plan {visible(out)}")
    return code


def _differs(plan: Plan) -> bool:
    return not plan.is_empty or bool(plan.drift)


plan_app = application(main=command(plan))
