"""What becomes of an apply that did not end in the record: its end kept in a file, and a dead apply taken over.

Called by carry_out when the closing commit cannot be written, and by whoever finds an open intent whose holder is dead.
A dead holder may have made any part of its operations: what is there is found by ownership id in the next plan, never
by name.
"""

from bundlectl.backends.base import Backend
from bundlectl.model.codec import DocumentError
from bundlectl.model.deployment import Intent
from bundlectl.model.errors import BundlectlError, LeaseHeld
from bundlectl.model.events import Notice
from bundlectl.operations.context import OperationContext
from bundlectl.state.recovery_file import Ending, find, forget, keep, recovery_file
from bundlectl.state.store import Note, Recorded, StateStore, end, recover

FOLDER = "recovery"


def close(context: OperationContext, store: StateStore, begun: Recorded, ending: Ending) -> None:
    """Writes the closing commit of an apply, or keeps what it would have said for the next command.

    Raises LeaseHeld when somebody has taken the target over, and what the store raises, with what was kept.
    """
    try:
        end(store, begun, ending.new, ending.note, ending.documents, ending.manifest, clock=context.clock)
    except LeaseHeld:
        raise  # whoever took over has made a plan of what is there
    except BundlectlError as failure:
        raise _kept(context, ending, failure) from failure


def take_over(context: OperationContext, store: StateStore, recorded: Recorded, backend: Backend) -> bool:
    """Ends the open apply of a dead holder if its end was kept on this machine, else makes the apply ours.

    Gives whether the apply is still open, so that something has to be applied. Raises LeaseHeld when somebody was
    faster.
    """
    deployment = recorded.deployment
    assert deployment is not None and deployment.intent is not None
    intent = deployment.intent
    if _ended(context, store, recorded):
        return False
    context.emit(Notice(f"deployment {intent.deployment} by {intent.owner.actor} was cut off; taking it over"))
    note = Note("recover", intent.deployment, f"{intent.owner.actor} was cut off", actor=context.actor.name)
    recover(store, recorded, context.owner, note, now_ms=context.clock.now_ms())
    forget(context.memory / FOLDER, intent.deployment)
    if not backend.capabilities.fencing:
        _quarantine(context, intent)
    return True


def _ended(context: OperationContext, store: StateStore, recorded: Recorded) -> bool:
    """Whether the end of the open apply was found on this machine, and is written now."""
    deployment = recorded.deployment
    assert deployment is not None and deployment.intent is not None
    id = deployment.intent.deployment
    folder = context.memory / FOLDER
    try:
        ending = find(folder, id)
    except (OSError, DocumentError) as error:
        context.emit(
            Notice(f'"{recovery_file(folder, id)}" is unreadable ({error}); comparing with the backend instead')
        )
        return False
    # Another fence: somebody has taken over since, and what is there now is theirs.
    if ending is None or (ending.fence, ending.new.lineage) != (deployment.fence, deployment.lineage):
        return False
    close(context, store, recorded, ending)
    forget(folder, id)
    context.emit(Notice(f"deployment {id} had ended and could not be recorded; it is recorded now"))
    return True


def _kept(context: OperationContext, ending: Ending, failure: BundlectlError) -> BundlectlError:
    """The error for an end that could not be written, with where it is kept."""
    jobs = [job for job in ending.manifest.get("jobs", ()) if job.get("outcome") == "done"]
    made = "1 change is live" if len(jobs) == 1 else f"{len(jobs)} changes are live"
    mended = f"{failure.hint}; then" if failure.hint else "once it can be written,"
    compares = "compares with the backend and records what it finds"
    try:
        path = keep(context.memory / FOLDER, ending)
    except OSError as error:
        where = f"What was done could not be kept on this machine either: {error.strerror or error}."
        hint = f"{mended} bundlectl deploy {compares}"
    else:
        where = f'What was done is kept in "{path}".'
        hint = f"{mended} bundlectl deploy on this machine records that; on any other one it {compares}"
    detail = "\n".join(part for part in (failure.detail, f"{made}, and nothing is lost. {where}") if part)
    kind = type(failure)
    return kind(f"the deploy could not be recorded: {failure.summary}", code=failure.code, detail=detail, hint=hint)


def _quarantine(context: OperationContext, intent: Intent) -> None:
    # A request that the dead holder sent may still land; counted from now, on our own clock (safety 2.4).
    context.emit(Notice(f"waiting {intent.max_request_s} s for requests that may still be under way"))
    context.clock.sleep(intent.max_request_s)
