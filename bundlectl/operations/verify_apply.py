"""Reads back what an apply changed, and says which fields did not become what was sent.

Called by carry_out after apply, with a bulk list. A job is read in full only when its digest is not the one that was
sent.
"""

from collections.abc import Iterable, Mapping

from bundlectl.backends.base import Backend
from bundlectl.model.backend import ObservedJob
from bundlectl.model.deployment import DeployedJob
from bundlectl.model.errors import BundlectlError
from bundlectl.model.location import key_of, path_text
from bundlectl.model.plan import Action
from bundlectl.operations.apply import Applied, Outcome, Sent
from bundlectl.planning.diff import differences


def read_back(
    backend: Backend, applied: Applied, listed: Iterable[ObservedJob], before: Mapping[str, DeployedJob]
) -> Applied:
    """The same result with `not_converged` filled in. `listed`: what the backend has now; `before`: what was recorded.

    A deleted job that is still there stays recorded, so that the next deploy deletes it.
    """
    observed = {job.id: job for job in listed}
    outcomes: list[Outcome] = []
    jobs = dict(applied.jobs)
    for outcome in applied.outcomes:
        key = key_of(outcome.address)
        sent = applied.sent.get(key)
        if outcome.outcome == "done" and outcome.action is Action.DELETE and key not in jobs and key in before:
            if outcome.id is not None and outcome.id in observed and _is_there(backend, outcome.id):
                jobs[key] = before[key]
                outcome = outcome._replace(not_converged=("the job is still there",))
        elif outcome.outcome == "done" and sent is not None and outcome.id is not None:
            found = observed.get(outcome.id)
            if found is None or (found.own, found.digest) != (sent.composed.own, sent.composed.digest):
                outcome = outcome._replace(not_converged=_differing_fields(backend, outcome.id, sent))
        outcomes.append(outcome)
    return applied._replace(jobs=jobs, outcomes=tuple(outcomes))


def not_read_back(applied: Applied, error: BundlectlError, before: Mapping[str, DeployedJob]) -> Applied:
    """The result of an apply that could not be verified: nobody has seen that a deleted job is gone."""
    deleted = [key_of(item.address) for item in applied.outcomes if item.action is Action.DELETE]
    unseen = {key: before[key] for key in deleted if key in before}
    outcomes = tuple(_unread(item, error) for item in applied.outcomes)
    return applied._replace(jobs={**unseen, **applied.jobs}, outcomes=outcomes)


def _is_there(backend: Backend, identifier: str) -> bool:
    """Asks for the job itself: a listing may be a little behind. Without an answer the listing counts."""
    try:
        return backend.read([identifier])[identifier] is not None
    except BundlectlError:
        return True


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
