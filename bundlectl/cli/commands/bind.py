"""bind: make an existing job belong to a key; unbind: forget one and leave it where it is."""

from collections.abc import Callable
from typing import Annotated

import typer

from bundlectl.cli.commands.deploy import PARTLY
from bundlectl.cli.commands.tombstones import ask_to_do
from bundlectl.cli.lock_options import DEFAULT, LockTimeoutOption, lock_seconds
from bundlectl.cli.options import ApproveOption, Common, Output, OutputOption, ReasonOption, application, command
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.plan import Plan
from bundlectl.operations.bind import BindRequest, Bound
from bundlectl.operations.bind import bind as make_belong
from bundlectl.operations.bind import unbind as forget
from bundlectl.operations.context import OperationContext
from bundlectl.render.bind_text import bind_document, bound_text

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Key of the job in the bundle.")]

_Act = Callable[[OperationContext, BindRequest, Callable[[Plan], str | None]], Bound]


def bind(
    common: Common,
    key: KeyArgument,
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of the job on the backend.")],
    auto_approve: ApproveOption = False,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: OutputOption = Output.TEXT,
) -> int:
    """Make an existing job belong to KEY. Its settings stay; what the bundle says otherwise is shown."""
    seconds = lock_seconds(lock_timeout)
    request = BindRequest(key=key, id=id, auto_approve=auto_approve, reason=reason, lock_timeout_s=seconds)
    return _run(open_session(common, output), request, make_belong, "bind KEY ID")


def unbind(
    common: Common,
    key: KeyArgument,
    auto_approve: ApproveOption = False,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: OutputOption = Output.TEXT,
) -> int:
    """Forget the job of KEY. It stays on the backend as it is, and belongs to nobody."""
    seconds = lock_seconds(lock_timeout)
    request = BindRequest(key=key, auto_approve=auto_approve, reason=reason, lock_timeout_s=seconds)
    return _run(open_session(common, output), request, forget, "unbind KEY")


def _run(session: Session, request: BindRequest, act: _Act, verb: str) -> int:
    with session.progress():
        done = act(session.context, request, lambda plan: ask_to_do(session, plan, verb))
    outcomes = done.result.outcomes if done.result is not None else ()
    if session.output == "json":
        session.console.document(bind_document(done, outcomes))
    else:
        session.console.result(bound_text(done, outcomes, style=session.console.style))
    return 0 if done.is_complete else PARTLY


bind_app = application(main=command(bind))
unbind_app = application(main=command(unbind))
