"""destroy: remove every job of a target."""

from typing import Annotated

import typer

from bundlectl.cli.commands.deploy import PARTLY, ask_to_apply, show_deployment
from bundlectl.cli.lock_options import DEFAULT, LockTimeoutOption, lock_seconds
from bundlectl.cli.options import ApproveOption, Common, ReasonOption, StreamOption, StreamOutput, application, command
from bundlectl.cli.selection_options import ExcludeOption, SelectOption
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import Refused
from bundlectl.model.plan import Plan
from bundlectl.operations.destroy import DestroyRequest
from bundlectl.operations.destroy import destroy as carry_out
from bundlectl.planning.selection import Selection


def destroy(
    common: Common,
    auto_approve: ApproveOption = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="With --auto-approve: really delete the jobs.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="For good: keep nothing that undelete could bring back.")] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="With --now: the target's name, to confirm it.")
    ] = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: StreamOption = StreamOutput.TEXT,
) -> int:
    """Remove the jobs of a target. They are kept as tombstones for a while, unless --now is given."""
    seconds = lock_seconds(lock_timeout)
    session = open_session(common, output)
    request = DestroyRequest(
        auto_approve=auto_approve,
        allow_destructive=allow_destructive,
        now=now,
        selection=Selection.of(select or (), exclude or ()),
        reason=reason,
        lock_timeout_s=seconds,
    )

    def approve(plan: Plan) -> str | None:
        how = "auto" if auto_approve else ask_to_apply(session, plan, "destroy")
        if how is not None and now:
            _confirm(session, plan, confirm)
        return how

    with session.progress():
        result = carry_out(session.context, request, approve)
    code = 0 if result.is_complete else PARTLY
    show_deployment(session, result, code)
    return code


def _confirm(session: Session, plan: Plan, given: str | None) -> None:
    """The target's name, once more by hand: what goes now cannot come back. Raises Refused."""
    if given is None and session.console.may_prompt:
        with session.paused():
            given = session.console.ask(f'The jobs go for good. Type the name of the target, "{plan.target}": ').strip()
    if given != plan.target:
        raise Refused(
            f'"--confirm {given}" is not the name of the target' if given else "the jobs would go for good",
            code="BND621",
            detail="Nothing was changed.",
            hint=f"when that is meant: --confirm {plan.target}; without --now they can be brought back for a while",
        )


destroy_app = application(main=command(destroy))
