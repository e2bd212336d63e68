"""deploy: plan, ask, apply, verify."""

from pathlib import Path
from typing import Annotated

import typer

from bundlectl.cli.lock_options import DEFAULT, LockTimeoutOption, lock_seconds
from bundlectl.cli.options import ApproveOption, Common, ReasonOption, StreamOption, StreamOutput, application, command
from bundlectl.cli.results import show_plan_to_approve, shown_as_document
from bundlectl.cli.selection_options import ChangedSinceOption, ExcludeOption, SelectOption
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import Refused, UsageError
from bundlectl.model.plan import Plan
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.deploy import DeployRequest
from bundlectl.operations.deploy import deploy as carry_out
from bundlectl.planning.selection import Selection
from bundlectl.render.deploy_text import DeploymentLine, deploy_text, deployment_line
from bundlectl.render.documents import deploy_document
from bundlectl.render.plan_text import summary_text

PARTLY = 3

ConflictOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-conflict", metavar="ADDR.FIELD", help="Let the bundle win where the backend was changed too."
    ),
]
LostStateOption = Annotated[
    bool, typer.Option("--accept-lost-state", help="Take over jobs of this bundle whose recorded state is gone.")
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--allow-policy", metavar="NAME", help="Go on though this policy denies the plan."),
]


def deploy(
    common: Common,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Apply exactly this saved plan, or refuse.")
    ] = None,
    auto_approve: ApproveOption = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="With --auto-approve: also delete and replace jobs.")
    ] = False,
    allow_rewind: Annotated[
        bool, typer.Option("--allow-rewind", help="Deploy a commit that does not contain the deployed one.")
    ] = False,
    allow_branch: Annotated[
        bool, typer.Option("--allow-branch", help="Deploy from another branch than bundle.git.branch.")
    ] = False,
    accept_lost_state: LostStateOption = False,
    allow_conflict: ConflictOption = None,
    allow_policy: PolicyOption = None,
    fail_on_active_runs: Annotated[
        bool, typer.Option("--fail-on-active-runs", help="Refuse while a job that changes is running.")
    ] = False,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    changed_since: ChangedSinceOption = None,
    reason: ReasonOption = None,
    lock_timeout: LockTimeoutOption = DEFAULT,
    output: StreamOption = StreamOutput.TEXT,
) -> int:
    """Plan, ask, apply, verify. A failed job does not stop the others; a rerun does what is left."""
    seconds = lock_seconds(lock_timeout)
    if plan_file is not None and (select or exclude or changed_since):
        raise UsageError(
            '"--plan" and a selection exclude each other',
            code="BND620",
            hint="a saved plan says which jobs it is about",
        )
    session = open_session(common, output, plan_file=plan_file)
    request = DeployRequest(
        plan_file=session.plan_file,
        auto_approve=auto_approve,
        allow_destructive=allow_destructive,
        allow_rewind=allow_rewind,
        allow_branch=allow_branch,
        accept_lost_state=accept_lost_state,
        allow_conflict=tuple(allow_conflict or ()),
        allow_policy=tuple(allow_policy or ()),
        selection=Selection.of(select or (), exclude or ()),
        changed_since=changed_since,
        fail_on_active_runs=fail_on_active_runs,
        reason=reason,
        lock_timeout_s=seconds,
    )
    with session.progress():
        result = carry_out(session.context, request, lambda plan: ask_to_apply(session, plan, "deploy"))
    code = 0 if result.is_complete else PARTLY
    show_deployment(session, result, code)
    return code


def ask_to_apply(session: Session, plan: Plan, verb: str) -> str | None:
    """Shows the plan and asks for a yes. Raises Refused where nobody can be asked."""
    with session.paused():
        show_plan_to_approve(session, plan)
        if not session.console.may_prompt:
            raise Refused(
                "no terminal to confirm on",
                code="BND621",
                detail="The plan is above. Nothing was changed.",
                hint=f"have it reviewed, then: bundlectl {verb} --auto-approve"
                + (" --allow-destructive" if any(change.destructive for change in plan.changes) else ""),
            )
        answer = session.console.ask(f"Apply this plan to target \"{plan.target}\"? Only 'yes' goes on: ")
    return "interactive" if answer.strip() == "yes" else None


def show_deployment(session: Session, result: DeployResult, exit_code: int) -> None:
    """`deploy` and `destroy`: what was done, what was not, and the deployment's number and commit."""
    document = deploy_document(result.manifest, result.outcomes)
    if shown_as_document(session, document, exit_code):
        return
    if result.manifest is None:
        session.console.result(summary_text(result.plan))
        return
    verified = [item for item in result.outcomes if item.outcome == "done"]
    line = DeploymentLine(
        serial=result.manifest["serial"],
        bundle=result.plan.bundle,
        target=result.plan.target,
        commit=result.plan.source.commit,
        unchanged=result.plan.unchanged,
        verified=sum(not item.not_converged for item in verified),
        read_back=len(verified),
    )
    text = deploy_text(result.outcomes, line, style=session.console.style)
    session.console.result(text, summary=deployment_line(result.outcomes, line))


deploy_app = application(main=command(deploy))
