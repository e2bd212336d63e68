"""What a deploy leaves in the record beside the jobs: protection, debt, snoozes; and how its commits are called. Pure.

Called by operations.deploy when an apply begins and ends.
"""

from collections.abc import Mapping
from typing import Any

from bundlectl.base.clock import rfc3339
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.location import key_of
from bundlectl.model.plan import Plan
from bundlectl.operations.apply import Applied
from bundlectl.operations.context import OperationContext
from bundlectl.planning.snoozes import renamed_snoozes
from bundlectl.state.store import Note


def protection_after(context: OperationContext, before: Deployment, bundle: Bundle) -> Mapping[str, Mapping[str, str]]:
    """Protection is kept in state: what is marked now is added, nothing is dropped by leaving the mark out."""
    mark = {"since": rfc3339(context.clock.now_ms()), "by": context.actor.name}
    marked = [*(["target"] if bundle.target.protected else []), *bundle.protected_jobs]
    return {**dict.fromkeys(marked, mark), **before.protection}


def debt_after(before: Deployment, applied: Applied, plan: Plan) -> tuple[str, ...]:
    """Keys of what the selection left out, and of what was left out before and has not come through now."""
    failed = {key_of(item.address) for item in applied.outcomes if item.outcome != "done"}
    return tuple(sorted({*map(key_of, plan.left_out), *failed.intersection(before.debt)}))


def snoozes_after(before: Deployment, applied: Applied, plan: Plan) -> Mapping[str, Any]:
    """Snoozed drift follows its job to another key, and goes with it, also when that is kept as a tombstone."""
    moved = {change.renamed_from: key_of(change.address) for change in plan.changes if change.renamed_from}
    done = {old: new for old, new in moved.items() if new in applied.jobs}
    live = [key for key, entry in applied.jobs.items() if entry.tombstone is None] if before.snoozes else []
    return renamed_snoozes(before.snoozes, done, live) if before.snoozes else {}


def note_of(context: OperationContext, verb: str, deployment: str, plan: Plan) -> Note:
    """What a state commit of this deployment says about itself."""
    done = ", ".join(f"{change.action.value} {key_of(change.address)}" for change in plan.changes[:3])
    more = f" and {len(plan.changes) - 3} more" if len(plan.changes) > 3 else ""
    return Note(
        verb=verb,
        deployment=deployment,
        summary=f"{plan.bundle} -> {plan.target}: {done or 'code'}{more}",
        commit=plan.source.commit,
        actor=context.actor.name,
        run_url=context.actor.run_url,
    )
