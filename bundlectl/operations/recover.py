"""Ends a dead apply: takes it over by name, so that its holder can write no more, and leaves the rest to a new plan.

Called by deploy when it finds an open intent. A dead holder may have made any part of its operations: what is there is
found by ownership id in the next plan, never by name.
"""

from bundlectl.backends.base import Backend
from bundlectl.model.deployment import Intent
from bundlectl.model.events import Notice
from bundlectl.operations.context import OperationContext
from bundlectl.state.store import Note, Recorded, StateStore, recover


def take_over(context: OperationContext, store: StateStore, recorded: Recorded, backend: Backend) -> None:
    """Makes the open apply ours; the caller has found its holder dead. Raises LeaseHeld when somebody was faster."""
    deployment = recorded.deployment
    assert deployment is not None and deployment.intent is not None
    intent = deployment.intent
    context.emit(Notice(f"deployment {intent.deployment} by {intent.owner.actor} was cut off; taking it over"))
    note = Note("recover", intent.deployment, f"{intent.owner.actor} was cut off", actor=context.actor.name)
    recover(store, recorded, context.owner, note, now_ms=context.clock.now_ms())
    if not backend.capabilities.fencing:
        _quarantine(context, intent)


def _quarantine(context: OperationContext, intent: Intent) -> None:
    # A request that the dead holder sent may still land; counted from now, on our own clock (safety 2.4).
    context.emit(Notice(f"waiting {intent.max_request_s} s for requests that may still be under way"))
    context.clock.sleep(intent.max_request_s)
