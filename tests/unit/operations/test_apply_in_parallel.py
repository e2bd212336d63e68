"""Applies against a backend that takes several changes at once: as many as it takes, in order where there is one."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest

from bundlectl.backends.base import Backend, Composed
from bundlectl.model.backend import Capabilities
from bundlectl.model.bundle import Bundle
from bundlectl.model.errors import BackendError, Interrupted, NotAuthenticated, OutcomeUnknown
from bundlectl.model.events import ApplyFinished, ApplyStarted, Event
from bundlectl.operations.carry_out import DeployResult
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

YES = DeployRequest(auto_approve=True, allow_destructive=True)
WIDTH = 4
PATIENCE_S = 60.0


class Wide:
    """The real backend behind WIDTH lanes. `acts`: what happens before the call of a job."""

    def __init__(self, inner: Backend, calls: list[tuple[str, str]], acts: dict[str, Callable[[], None]]) -> None:
        self._inner = inner
        self._calls = calls
        self._acts = acts
        self._engine = threading.Lock()
        self._counting = threading.Lock()
        self._inside = 0
        self.most = 0

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._inner.capabilities, parallel=WIDTH)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create(self, composed: Composed, fence: int) -> str:
        return str(self._call("create", composed.key, lambda: self._inner.create(composed, fence)))

    def update(self, id: str, composed: Composed, fence: int) -> None:
        self._call("update", composed.key, lambda: self._inner.update(id, composed, fence))

    def delete(self, id: str, fence: int) -> None:
        self._call("delete", id, lambda: self._inner.delete(id, fence))

    def _call(self, verb: str, key: str, call: Callable[[], Any]) -> Any:
        with self._counting:
            self._calls.append((verb, key))
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            self._acts.get(key, lambda: None)()
            with self._engine:
                return call()
        finally:
            with self._counting:
                self._inside -= 1


class Lanes:
    """Contexts whose backend is one Wide, and what was called on it."""

    def __init__(self, context: OperationContext) -> None:
        self.calls: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.acts: dict[str, Callable[[], None]] = {}
        self._context = context
        self._backend: Wide | None = None

    @property
    def most(self) -> int:
        assert self._backend is not None
        return self._backend.most

    def deploy(self) -> DeployResult:
        return deploy(replace(self._context, open_backend=self._open, emit=self.events.append), YES, lambda plan: None)

    def _open(self, bundle: Bundle) -> Backend:
        self._backend = Wide(self._context.open_backend(bundle), self.calls, self.acts)
        return cast(Backend, self._backend)


def _jobs(count: int) -> dict[str, str]:
    return {f"j{number:02}": "one" for number in range(count)}


def test_independent_changes_are_made_at_once_and_told_in_the_order_of_the_plan(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(**_jobs(12))})
    lanes = Lanes(new_context())
    meeting = threading.Barrier(WIDTH)  # nobody goes on until so many are there

    def meet() -> None:
        meeting.wait(PATIENCE_S)

    lanes.acts = dict.fromkeys(_jobs(12), meet)
    result = lanes.deploy()
    assert result.is_complete and lanes.most == WIDTH
    assert [item.address[-3:] for item in result.outcomes] == sorted(_jobs(12))
    started = [event.address for event in lanes.events if isinstance(event, ApplyStarted)]
    ended = [event.address for event in lanes.events if isinstance(event, ApplyFinished)]
    assert sorted(started) == sorted(ended) and started == sorted(started)
    assert make_plan(new_context()).plan.is_empty


def _chain(*keys: str) -> str:
    """Jobs that each start the one before."""
    text = bundle(**{keys[0]: "one"})
    for before, key in pairwise(keys):
        text += (
            f"    {key}:\n      tasks:\n        - task_key: t\n"
            f"          run_job_task: {{job_id: '${{resources.jobs.{before}.id}}'}}\n"
        )
    return text


def test_what_needs_the_id_of_another_waits_for_it(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("one", {"databricks.yml": _chain("c", "b", "a")})
    lanes = Lanes(new_context())
    assert lanes.deploy().is_complete
    assert lanes.calls == [("create", "c"), ("create", "b"), ("create", "a")] and lanes.most == 1
    # Removals come last, and whoever refers to a job goes before it.
    repository.commit("none", {"databricks.yml": bundle(d="one")})
    lanes.calls.clear()
    assert lanes.deploy().is_complete
    assert lanes.calls == [("create", "d"), ("update", "a"), ("update", "b"), ("update", "c")]
    assert make_plan(new_context()).plan.is_empty


def _raise(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize("error", [BackendError("the server failed"), OutcomeUnknown("no answer")])
def test_a_failure_stops_only_what_needs_it(
    repository: RepositoryBuilder, new_context: ContextMaker, error: Exception
) -> None:
    others = bundle(**_jobs(6)).partition("  jobs:\n")[2]
    repository.commit("one", {"databricks.yml": _chain("c", "b", "a") + others})
    lanes = Lanes(new_context())
    lanes.acts = {"c": _raise(error)}
    result = lanes.deploy()
    outcomes = {item.address.rpartition(".")[2]: item.outcome for item in result.outcomes}
    ended = "unknown" if isinstance(error, OutcomeUnknown) else "failed"
    assert outcomes == {"c": ended, "b": "skipped", "a": "skipped", **dict.fromkeys(_jobs(6), "done")}
    again = Lanes(new_context())
    assert again.deploy().is_complete and len(again.calls) == 3
    assert make_plan(new_context()).plan.is_empty


def test_what_was_not_started_when_the_apply_had_to_stop_is_said(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(**_jobs(30))})
    lanes = Lanes(new_context())
    lanes.acts = {"j05": _raise(NotAuthenticated("the token expired"))}
    result = lanes.deploy()
    words = [item.outcome for item in result.outcomes]
    assert words[5] == "failed" and words[-1] == "not_started"
    # Calls that were under way when the reason came up end by themselves, and count.
    assert 5 <= words.count("done") == len(lanes.calls) - 1 < 29
    assert Lanes(new_context()).deploy().is_complete
    assert make_plan(new_context()).plan.is_empty


def test_an_interrupt_starts_nothing_more_and_keeps_what_was_under_way(
    repository: RepositoryBuilder, new_context: ContextMaker
) -> None:
    repository.commit("one", {"databricks.yml": bundle(**_jobs(30))})
    lanes = Lanes(new_context())
    lanes.acts = {"j05": lambda: os.kill(os.getpid(), signal.SIGINT)}
    with pytest.raises(Interrupted, match="run the same command to continue"):
        lanes.deploy()
    made = len(lanes.calls)
    assert 6 <= made < 30
    again = Lanes(new_context())
    assert again.deploy().is_complete and len(again.calls) == 30 - made
    assert make_plan(new_context()).plan.is_empty
