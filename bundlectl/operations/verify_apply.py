"""Reads back what an apply changed, and says which fields did not become what was sent.

Called by carry_out after apply, with a bulk list. A job is read in full only when its digest is not the one that was
sent.
"""

from collections.abc import Iterable

from bundlectl.backends.base import Backend
from bundlectl.model.backend import ObservedJob
from bundlectl.model.errors import BundlectlError
from bundlectl.model.location import key_of, path_text
from bundlectl.operations.apply import Applied, Outcome, Sent
from bundlectl.planning.diff import differences


def read_back(backend: Backend, applied: Applied, listed: Iterable[ObservedJob]) -> Applied:
    """The same result with `not_converged` filled in. `listed`: what the backend has now."""
    observed = {job.id: job for job in listed}
    outcomes: list[Outcome] = []
    for outcome in applied.outcomes:
        sent = applied.sent.get(key_of(outcome.address))
        if outcome.outcome == "done" and sent is not None and outcome.id is not None:
            found = observed.get(outcome.id)
            if found is None or (found.own, found.digest) != (sent.composed.own, sent.composed.digest):
                outcome = outcome._replace(not_converged=_differing_fields(backend, outcome.id, sent))
        outcomes.append(outcome)
    return applied._replace(outcomes=tuple(outcomes))


def not_read_back(applied: Applied, error: BundlectlError) -> Applied:
    """The result of an apply that could not be verified."""
    return applied._replace(outcomes=tuple(_unread(item, error) for item in applied.outcomes))


def _differing_fields(backend: Backend, identifier: str, sent: Sent) -> tuple[str, ...]:
    try:
        now = backend.read([identifier])[identifier]
    except BundlectlError as error:
        return (f"not read back: {error.summary}",)
    if now is None:
        return ("the job is gone",)
    return tuple(path_text(path) for path in differences(sent.document, now, backend.capabilities.kind))


def _unread(outcome: Outcome, error: BundlectlError) -> Outcome:
    return (
        outcome._replace(not_converged=(f"not read back: {error.summary}",)) if outcome.outcome == "done" else outcome
    )
