"""Processes that write state on a remote and are killed: started by test_remote_kills.

    python -m tests.crash.remote_process bomb STEP URL FOLDER      one update, killed at its n-th step
    python -m tests.crash.remote_process update URL FOLDER         one update
    python -m tests.crash.remote_process pipeline NAME N URL FOLDER  N deploys, as runners make them; says each

A step is one side, before or after, of a git process. Exits 0 when the update ended before the n-th step came.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bundlectl.base.clock import SystemClock
from bundlectl.base.host import this_process
from bundlectl.base.identifiers import random_id, time_ordered_id
from bundlectl.git.command import Git
from bundlectl.model.deployment import Deployed, Owner
from bundlectl.model.errors import LeaseHeld, RepositoryError, StalePlan, StateError
from bundlectl.state import store as steps
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.intents import DEAD, state
from bundlectl.state.store import Note, Recorded, host_facts
from tests.contract import state_suite as suite
from tests.crash.deploy_process import Bomb
from tests.remotes import Client

CLOCK = SystemClock()


def update(store: GitStateStore, name: str) -> None:
    """Counts the state's counter up once, however often others are faster."""
    while True:
        try:
            suite.count_up(store, name, 1)
            return
        except (LeaseHeld, StalePlan):
            CLOCK.sleep(0.02)


def bomb(step: int, url: str, folder: Path) -> None:
    """One update in which every git process is a step."""
    ticking = Bomb(step)
    client = Client(folder, url, os.environ, form="ref")
    store = client.store()
    attempt = Git.attempt

    def mined(self: Git, *arguments: Any, **named: Any) -> Any:
        ticking.tick()
        done = attempt(self, *arguments, **named)
        ticking.tick()
        return done

    setattr(Git, "attempt", mined)  # noqa: B010  # this process is a test
    update(store, "bomb")


def pipeline(name: str, deploys: int, url: str, folder: Path) -> None:
    """Deploys as a runner does: wait for the holder, recover a dead one, begin, end. What ended is said."""
    ended = len(list(folder.glob("ended-*")))
    while ended < deploys:
        # A new runner for each deploy: nothing is left of the one before but what the remote has.
        client = Client(folder / random_id(), url, os.environ, form="ref", clock=CLOCK)
        deployment = deploy(client.store(), name)
        (folder / f"ended-{deployment}").touch()
        ended += 1
        sys.stdout.write(f"{deployment}\n")
        sys.stdout.flush()


def deploy(store: GitStateStore, name: str) -> str:
    """One deploy; its id."""
    owner = Owner(actor=name, **this_process()._asdict())
    while True:
        deployment = time_ordered_id(CLOCK.now_ms())
        try:
            begun = _begin(store, owner, deployment)
            if begun is not None:
                _end(store, begun, name)
                return deployment
        except (LeaseHeld, StalePlan):
            pass
        CLOCK.sleep(0.05)


def _begin(store: GitStateStore, owner: Owner, deployment: str) -> Recorded | None:
    """The target in our hands; None while somebody lives who has it."""
    recorded = store.read()
    intent = recorded.deployment.intent if recorded.deployment is not None else None
    if intent is not None:
        if state(intent, CLOCK.now_ms(), host_facts(intent)) != DEAD:
            return None
        note = Note("recover", intent.deployment, "was killed")
        recorded = steps.recover(store, recorded, owner, note, now_ms=CLOCK.now_ms(), clock=CLOCK)
    opened = suite.intent(deployment, by=owner)
    return steps.begin(
        store,
        recorded,
        opened,
        Note("apply-begin", deployment, "1 to update"),
        bundle=suite.BUNDLE,
        target=suite.TARGET,
        backend=suite.BACKEND,
        lineage=suite.LINEAGE,
        clock=CLOCK,
    )


def _end(store: GitStateStore, begun: Recorded, name: str) -> None:
    before = begun.deployment
    assert before is not None and before.intent is not None
    counters = dict(entry.split("=") for entry in before.debt)
    counters[name] = str(int(counters.get(name, 0)) + 1)
    head = Deployed(
        deployment=before.intent.deployment,
        commit=None,
        tree=None,
        dirty=False,
        snapshot=None,
        code_tree=None,
        config_digest="sha256:" + "2" * 64,
    )
    new = replace(before, deployed=head, debt=tuple(sorted(f"{key}={value}" for key, value in counters.items())))
    manifest = {"id": before.intent.deployment, "serial": before.serial + 1, "actor": {"name": name}}
    steps.end(store, begun, new, Note("apply-end", before.intent.deployment, name), {}, manifest, clock=CLOCK)


def main(words: list[str]) -> int:
    """Does what the first word says. 7: an expected error, told."""
    actions: dict[str, Callable[..., None]] = {
        "bomb": lambda step, url, folder: bomb(int(step), url, Path(folder)),
        "update": lambda url, folder: update(Client(Path(folder), url, os.environ, form="ref").store(), "after"),
        "pipeline": lambda name, count, url, folder: pipeline(name, int(count), url, Path(folder)),
    }
    try:
        actions[words[0]](*words[1:])
    except (RepositoryError, StateError) as error:
        sys.stderr.write(f"{error.code} {error.summary} {error.detail}\n")
        return 7
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
