"""undelete: bring deleted jobs back; gc: let those go whose time is over."""

from typing import Annotated

import typer

from bundlectl.cli.commands.deploy import PARTLY
from bundlectl.cli.lock_options import DEFAULT, LockTimeoutOption, lock_seconds
from bundlectl.cli.options import ApproveOption, Common, Output, OutputOption, ReasonOption, application, command
from bundlectl.cli.results import show_plan_to_approve
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import Refused, UsageError
from bundlectl.model.plan import Plan
from bundlectl.operations.gc import GcRequest, collect
from bundlectl.operations.undelete import UndeleteRequest, list_kept
from bundlectl.operations.undelete import undelete as bring_back
from bundlectl.render.tombstone_document import gc_document, undelete_document
from bundlectl.render.tombstone_text import collected_summary, collected_text, kept_text, undeleted_text, warning_text


def undelete(
    common: Common,
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY...]", help="Keys of deleted jobs.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the deleted jobs that are kept.")] = False,
    auto_approve: ApproveOption = False,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: OutputOption = Output.TEXT,
) -> int:
    """Bring deleted jobs back, with their ids and runs, as they were deployed last."""
    if bool(keys) == listed:
        raise UsageError(
            '"--list" takes no keys' if keys else "which job?", hint="bundlectl undelete --list shows what is kept"
        )
    seconds = lock_seconds(lock_timeout)
    session = open_session(common, output)
    if listed:
        with session.progress():
            target, kept = list_kept(session.context)
        if session.output == "json":
            session.console.document(undelete_document(target, kept, done=False))
        else:
            session.console.result(kept_text(target, kept))
        return 0
    request = UndeleteRequest(keys=keys or (), auto_approve=auto_approve, reason=reason, lock_timeout_s=seconds)
    with session.progress():
        done = bring_back(session.context, request, lambda plan: ask_to_do(session, plan, "undelete KEY"))
    outcomes = done.result.outcomes
    if session.output == "json":
        session.console.document(undelete_document(done.target, done.jobs, outcomes, done=True))
    else:
        session.console.result(undeleted_text(done.target, outcomes))
    leaving = [job.key for job in done.jobs if not job.in_bundle]
    if leaving:
        session.console.say(warning_text(leaving))
    return 0 if done.result.is_complete else PARTLY


def gc(
    common: Common,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    auto_approve: ApproveOption = False,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: OutputOption = Output.TEXT,
) -> int:
    """Let deleted jobs go for good that were kept for their whole time (bundlectl.retention)."""
    seconds = lock_seconds(lock_timeout)
    session = open_session(common, output)
    looks = dry_run or not (auto_approve or session.console.may_prompt)
    request = GcRequest(dry_run=looks, auto_approve=auto_approve, reason=reason, lock_timeout_s=seconds)
    with session.progress():
        done = collect(session.context, request, lambda plan: ask_to_do(session, plan, "gc"))
    outcomes = done.result.outcomes if done.result is not None else ()
    if session.output == "json":
        session.console.document(gc_document(done.target, done.removed, done.kept, outcomes, dry_run=looks))
    else:
        session.console.result(
            collected_text(done.target, done.removed, done.kept, outcomes, dry_run=looks),
            summary=collected_summary(done.removed, done.kept, dry_run=looks),
        )
    return 0 if done.result is None or done.result.is_complete else PARTLY


def ask_to_do(session: Session, plan: Plan, verb: str) -> str | None:
    """Shows what is about to be done and asks for a yes. Raises Refused where nobody can be asked."""
    with session.paused():
        show_plan_to_approve(session, plan)
        if not session.console.may_prompt:
            raise Refused(
                "no terminal to confirm on",
                code="BND621",
                detail="What would be done is above. Nothing was changed.",
                hint=f"when that is meant: bundlectl {verb} --auto-approve",
            )
        answer = session.console.ask(f"Do that on target \"{plan.target}\"? Only 'yes' goes on: ")
    return "interactive" if answer.strip() == "yes" else None


undelete_app = application(main=command(undelete))
gc_app = application(main=command(gc))
