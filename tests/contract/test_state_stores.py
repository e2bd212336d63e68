"""The state suite on the store in git and on a model of it; and what only a store in git can go through."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bundlectl.base.clock import FrozenClock
from bundlectl.base.identifiers import random_id
from bundlectl.git.repository import Repository, discover
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import BundlectlError, Refused, RepositoryError, StateError
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.store import Note, Recorded
from tests.builders import RepositoryBuilder
from tests.contract.model_store import ModelStore
from tests.contract.state_suite import (
    BUNDLE,
    LINEAGE,
    TARGET,
    Place,
    StateStoreSuite,
    begin,
    deploy,
    deployment_id,
    end,
    intent,
    job,
)
from tests.git_server import bare_repository, serve
from tests.remotes import Client


class TestModelStore(StateStoreSuite):
    @pytest.fixture
    def place(self) -> Place:
        versions: list[tuple[Recorded, Note, dict[str, Any], Any]] = []
        return Place(lambda: ModelStore(versions), lambda: None)


class TestGitStateStore(StateStoreSuite):
    @pytest.fixture(params=["sha1", "sha256", "bare"])
    def place(
        self, request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
    ) -> Place:
        kind = "sha256" if request.param == "sha256" else "sha1"
        repository = RepositoryBuilder(tmp_path / "r", {**environment, "GIT_DEFAULT_HASH": kind})
        repository.commit("first", {"x": "x"})
        folder = repository.folder
        if request.param == "bare":
            folder = tmp_path / "bare.git"
            repository.git("clone", "--quiet", "--bare", str(repository.folder), str(folder))
        at = discover(folder, environment)

        def check() -> None:
            at.git.run(["fsck", "--full", "--strict"])

        return Place(lambda: GitStateStore(at, BUNDLE, TARGET, clock=clock), check)


class TestStateOnARemote(StateStoreSuite):
    """Every process has a clone, a cache and a memory of its own, as runners have."""

    @pytest.fixture(params=["file", "http", "branch", "sha256"])
    def place(
        self, request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
    ) -> Iterator[Place]:
        algorithm = "sha256" if request.param == "sha256" else "sha1"
        variables = {**environment, "GIT_DEFAULT_HASH": algorithm}
        remote = bare_repository(tmp_path / "remotes" / "state.git", variables, algorithm=algorithm)
        numbers = count()

        def check() -> None:
            discover(remote, environment).git.run(["fsck", "--full", "--strict"])

        with serve(remote.parent, environment) as server:
            url = server.url(remote.name) if request.param == "http" else str(remote)
            form = "branch" if request.param == "branch" else "auto"

            def client() -> Client:
                return Client(tmp_path / f"client-{next(numbers)}", url, variables, form=form, clock=clock)

            yield Place(lambda: client().store(), check)


@pytest.fixture
def at(repository: RepositoryBuilder) -> Repository:
    repository.commit("first", {"x": "x"})
    return discover(repository.folder, repository.environment)


def opened(at: Repository, clock: FrozenClock | None = None) -> GitStateStore:
    return GitStateStore(at, BUNDLE, TARGET, clock=clock)


def test_only_what_changed_is_written(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    store = opened(at, clock)
    documents = {f"job_{number}": {"n": number} for number in range(600)}
    deploy(store, 1, documents, clock)
    before = {path: blob for _, _, blob, path in entries(repository, store.ref)}
    deploy(store, 2, {**documents, "job_7": {"n": "changed"}}, clock)
    after = {path: blob for _, _, blob, path in entries(repository, store.ref)}
    changed = {path for path in after if before.get(path) != after[path]}
    assert {path for path in changed if path.startswith("jobs/") and path.endswith(".json")} == {
        path for path in changed if path.endswith("job_7.json")
    }
    shards = {path for path in changed if path.count("/") == 1 and path.startswith("jobs/")}
    assert len(shards) == 1
    assert len(after) > 600


def entries(repository: RepositoryBuilder, ref: str) -> list[list[str]]:
    lines = repository.git("ls-tree", "-r", "-t", ref).split("\n")
    return [[*line.split("\t")[0].split(" "), line.split("\t")[1]] for line in lines]


def test_the_layout_is_the_documented_one(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    store = opened(at, clock)
    begin(store, store.read(), intent(deployment_id(1)), clock)
    names = repository.git("ls-tree", "-r", "--name-only", store.ref).split()
    assert names == ["apply.json", "index.json", "meta.json"]
    end(store, store.read(), {"etl": {"name": "etl"}}, clock)
    names = repository.git("ls-tree", "-r", "--name-only", store.ref).split()
    assert [name for name in names if "/" not in name] == ["index.json", "meta.json"]
    assert f"deployments/2026-11/{deployment_id(1)}.json" in names
    assert any(name.startswith("jobs/") and name.endswith("/etl.json") for name in names)
    meta = json.loads(repository.git("show", f"{store.ref}:meta.json"))
    assert (meta["format"], meta["lineage"], meta["serial"], meta["fence"]) == (1, LINEAGE, 1, 1)
    message = repository.git("log", "-1", "--format=%B", store.ref)
    assert message.startswith(f"apply-end {deployment_id(1)}: 1 created\n\nBundlectl-Format: 1\nBundlectl-Serial: 1\n")


# Refused states, each with its own code.


def forge(repository: RepositoryBuilder, ref: str, changes: Mapping[str, str | None]) -> str:
    """A commit on top of the state whose files were replaced, as an attacker with push access would make it."""
    repository.git("read-tree", ref)
    for name, text in changes.items():
        if text is None:
            repository.git("update-index", "--force-remove", name)
            continue
        blob = repository.git("hash-object", "-w", "--stdin", stdin=text)
        repository.git("update-index", "--add", "--cacheinfo", "100644", blob, name)
    commit = repository.git("commit-tree", "-p", ref, "-m", "forged", repository.git("write-tree"))
    repository.git("update-ref", ref, commit)
    return commit


def meta_with(repository: RepositoryBuilder, ref: str, **members: Any) -> str:
    meta = json.loads(repository.git("show", f"{ref}:meta.json"))
    return json.dumps({**meta, **members}, sort_keys=True, separators=(",", ":")) + "\n"


Forgery = Callable[[RepositoryBuilder, str], Mapping[str, str | None]]
FORGERIES: dict[str, tuple[Forgery, str, int, str]] = {
    "newer": (
        lambda r, ref: {"meta.json": meta_with(r, ref, format=2, tool_version="0.9.0"), "index.json": "v2!"},
        "BND411", 1, "state needs bundlectl >= 0.9.0",
    ),
    "another bundle": (lambda r, ref: {"meta.json": meta_with(r, ref, bundle="Sales")}, "BND414", 6, 'bundle "Sales"'),
    "another target": (lambda r, ref: {"meta.json": meta_with(r, ref, target="dev")}, "BND414", 6, 'target "dev"'),
    "no meta": (lambda r, ref: {"meta.json": None}, "BND410", 1, "meta.json is missing"),
    "no index": (lambda r, ref: {"index.json": None}, "BND410", 1, "index.json is missing"),
    "not json": (lambda r, ref: {"meta.json": "{"}, "BND410", 1, "meta.json: not JSON at line 1"),
    "not canonical": (
        lambda r, ref: {"meta.json": json.dumps(json.loads(meta_with(r, ref)), indent=1)}, "BND410", 1,
        "meta.json: not in canonical form",
    ),
    "unknown member": (lambda r, ref: {"meta.json": meta_with(r, ref, x=1)}, "BND410", 1, "x: unknown member"),
    "deep": (lambda r, ref: {"meta.json": "[" * 90_000}, "BND410", 1, "meta.json: nesting deeper than 64"),
    "apply": (lambda r, ref: {"apply.json": "{}\n"}, "BND410", 1, "apply.json: ops: missing"),
    "apply of a newer tool": (
        lambda r, ref: {"meta.json": meta_with(r, ref, tool_version="0.10.2"), "apply.json": '{"v":2}\n'},
        "BND404", 1, "finish it with bundlectl >= 0.10.2",
    ),
    "index": (lambda r, ref: {"index.json": '{"format":1,"jobs":{\nx\n}}\n'}, "BND410", 1, "index.json: line 2"),
    "oversized": (lambda r, ref: {"index.json": "x" * 17_000_000}, "BND410", 1, "larger than 16777216 bytes"),
    "huge": (lambda r, ref: {"apply.json": "x" * 70_000_000}, "BND410", 1, "larger than"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_state_is_refused_with_its_code(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock, name: str
) -> None:
    make, code, exit_code, message = FORGERIES[name]
    store = opened(at, clock)
    deploy(store, 1, {"a": {"n": 1}}, clock)
    commit = forge(repository, store.ref, make(repository, store.ref))
    with pytest.raises(BundlectlError) as caught:
        opened(at, clock).read()
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code), caught.value.summary
    assert message in caught.value.summary
    assert caught.value.hint
    if code == "BND410":
        assert f"state commit {commit}" in caught.value.summary or "refs/bundlectl" in caught.value.summary


def test_a_forged_document_is_refused(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    store = opened(at, clock)
    deploy(store, 1, {"a": {"n": 1}}, clock)
    path = next(path for *_, path in entries(repository, store.ref) if path.endswith("/a.json"))
    for text, message in [
        ('{"n":2}\n', "not the one that the index names"),
        ('{"n": 1}\n', "canonical"),
        (None, "missing"),
    ]:
        forge(repository, store.ref, {path: text})
        again = opened(at, clock)
        with pytest.raises(StateError, match=message) as caught:
            again.documents(again.read().version, ["a"])
        assert caught.value.code == "BND410"
    with pytest.raises(StateError, match="form of a state commit"):
        list(store.history())


def test_names_that_differ_by_case_only_are_not_mixed(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    """As on a file system where `Sales` and `sales` are one file."""
    store = opened(at, clock)
    deploy(store, 1, {"a": {"n": 1}}, clock)
    other = GitStateStore(at, "Sales", TARGET)
    repository.git("update-ref", other.ref, store.ref)
    with pytest.raises(Refused, match='holds the state of bundle "sales"'):
        other.read()


def test_a_ref_that_leads_to_no_commit(at: Repository, repository: RepositoryBuilder) -> None:
    store = opened(at)
    repository.git("update-ref", store.ref, repository.git("rev-parse", "HEAD:x"))
    with pytest.raises(StateError, match="it is a blob, not a commit"):
        store.read()
    (repository.folder / ".git" / store.ref).write_text("1" * 40 + "\n")
    with pytest.raises(RepositoryError, match="is damaged"):
        store.read()


def test_reading_takes_one_process_and_no_lock(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    store = opened(at, clock)
    deploy(store, 1, {"a": {"n": 1}}, clock)
    calls: list[Any] = []
    attempt = at.git.attempt

    def counted(args: Sequence[str], **rest: Any) -> Any:
        calls.append(args)
        return attempt(args, **rest)

    (repository.folder / ".git" / f"{store.ref}.lock").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at.git, "attempt", counted)
        assert opened(at, clock).read().version is not None
    assert len(calls) == 1


# Several processes.

WRITER = """
import sys, pathlib, os
sys.path.insert(0, sys.argv[1])
from bundlectl.base.clock import SystemClock
from bundlectl.git.repository import discover
from bundlectl.model.errors import LeaseHeld, StalePlan
from bundlectl.state.git_store import GitStateStore
from tests.contract import state_suite as suite

at = discover(pathlib.Path(sys.argv[2]), os.environ)
name, updates = sys.argv[3], int(sys.argv[4])
clock = SystemClock()
print("ready", flush=True)
sys.stdin.readline()
done = conflicts = 0
while done < updates:
    store = GitStateStore(at, suite.BUNDLE, suite.TARGET)
    try:
        suite.count_up(store, name, done)
    except (LeaseHeld, StalePlan):
        conflicts += 1
        clock.sleep(0.01 * (1 + conflicts % 5))
        continue
    done += 1
    print("done", done, flush=True)
"""


def start_writer(repository: RepositoryBuilder, name: str, updates: int) -> "subprocess.Popen[str]":
    top = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, top, str(repository.folder), name, str(updates)],
        env={**repository.environment, "PYTHONPATH": top},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def start_all(writers: Sequence["subprocess.Popen[str]"]) -> None:
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize(("writers", "updates"), [(1, 10), (2, 10), (4, 10)])
def test_no_update_is_lost(at: Repository, repository: RepositoryBuilder, writers: int, updates: int) -> None:
    processes = [start_writer(repository, f"w{number}", updates) for number in range(writers)]
    start_all(processes)
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    found = opened(at).read().deployment
    assert found is not None
    assert found.debt == tuple(f"w{number}={updates}" for number in range(writers))
    assert found.serial == writers * updates
    assert len(repository.git("rev-list", opened(at).ref).split()) == writers * updates
    assert len(list(opened(at).history())) == writers * updates
    repository.git("fsck", "--full", "--strict")


@pytest.mark.slow
def test_exactly_one_of_many_first_writers_wins(at: Repository, repository: RepositoryBuilder) -> None:
    processes = [start_writer(repository, f"w{number}", 1) for number in range(4)]
    start_all(processes)
    for process in processes:
        process.communicate()
    roots = repository.git("rev-list", "--max-parents=0", opened(at).ref).split()
    assert len(roots) == 1
    found = opened(at).read().deployment
    assert found is not None and found.serial == 4


# Against the model.


class Stores(RuleBasedStateMachine):
    """Two views on the store in git, and one on the model: whatever is done, they agree."""

    at: Repository

    @initialize()
    def open(self) -> None:
        self.target = random_id()  # not drawn: the same example may be played twice in one repository
        self.views = [GitStateStore(self.at, BUNDLE, self.target) for _ in range(2)]
        self.model = ModelStore([])
        self.seen = [(Recorded(None, None), Recorded(None, None))] * 2
        self.documents: dict[str, dict[str, Any]] = {}

    @rule(view=st.integers(0, 1))
    def read(self, view: int) -> None:
        ours, theirs = self.views[view].read(), self.model.read()
        assert ours.deployment == theirs.deployment
        self.seen[view] = (ours, theirs)

    @rule(
        view=st.integers(0, 1),
        documents=st.dictionaries(st.sampled_from(["a", "b/c", "%"]), st.builds(dict, n=st.integers(0, 3)), max_size=3),
    )
    def write(self, view: int, documents: dict[str, dict[str, Any]]) -> None:
        ours, theirs = self.seen[view]
        before = ours.deployment or Deployment(lineage=LINEAGE, serial=0, fence=0, bundle=BUNDLE, target=self.target)
        jobs = {key: job(document, deployment_id(1)) for key, document in documents.items()}
        new = replace(before, serial=before.serial + 1, jobs=jobs)
        note = Note("hold", deployment_id(1), "x")
        one = self.views[view].cas(ours, new, note, documents=documents)
        other = self.model.cas(theirs, new, note, documents=documents)
        assert type(one) is type(other)

    @invariant()
    def agree(self) -> None:
        ours, theirs = self.views[0].read(), self.model.read()
        assert ours.deployment == theirs.deployment
        keys = ["a", "b/c", "%"]
        assert self.views[1].documents(ours.version, keys) == self.model.documents(theirs.version, keys)


@pytest.mark.slow
def test_any_sequence_agrees_with_the_model(at: Repository) -> None:
    machine = type("Machine", (Stores,), {"at": at})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=12, deadline=None))


def test_the_environment_decides_nothing(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    """A store opened with another index, object folder or repository in the environment is the same store."""
    deploy(opened(at, clock), 1, {"a": {"n": 1}}, clock)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_NAMESPACE"):
            patch.setenv(name, str(repository.folder / "elsewhere"))
        found = GitStateStore(discover(repository.folder, os.environ), BUNDLE, TARGET).read()
    assert found == opened(at, clock).read()
