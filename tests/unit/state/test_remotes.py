"""State on a remote: where it is kept and under which name, what an unchanged tip costs, and what is refused."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.git.chain import Committed, Unknown
from bundlectl.git.repository import discover
from bundlectl.git.snapshot import read_code_tree
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import LeaseHeld, NotAuthenticated, Refused, RepositoryError, StateError
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.remotes import find_remote
from bundlectl.state.store import Note, Recorded
from tests.builders import RepositoryBuilder
from tests.contract.state_suite import BUNDLE, LINEAGE, TARGET, begin, deploy, deployment_id, intent
from tests.git_server import GitServer, bare_repository, serve
from tests.remotes import Client

REF = f"refs/bundlectl/state/{BUNDLE}/{TARGET}"
BRANCH = f"refs/heads/bundlectl-state/{BUNDLE}/{TARGET}"


@pytest.fixture
def far(tmp_path: Path, environment: dict[str, str]) -> Path:
    return bare_repository(tmp_path / "far" / "state.git", environment)


@pytest.fixture
def server(far: Path, environment: dict[str, str]) -> Iterator[GitServer]:
    with serve(far.parent, environment) as running:
        yield running


@pytest.fixture
def client(far: Path, tmp_path: Path, environment: dict[str, str], clock: FrozenClock) -> Client:
    return Client(tmp_path / "one", str(far), environment, clock=clock)


def git(far: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(far), *words], check=True, capture_output=True, text=True).stdout.strip()


def refs(far: Path) -> dict[str, str]:
    lines = git(far, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in lines)


# Which remote.


def test_which_remote_it_is(tmp_path: Path, environment: dict[str, str]) -> None:
    builder = RepositoryBuilder(tmp_path / "r", environment)
    builder.commit("first")
    at = discover(builder.folder, environment)
    assert find_remote(at, None) is None  # no origin: the repository itself
    builder.git("remote", "add", "origin", "../far.git")
    builder.git("remote", "add", "up.stream", "https://git.example.com/a.git")
    builder.git("remote", "set-url", "--push", "up.stream", "git@git.example.com:a.git")
    found = find_remote(at, None)
    assert found is not None and found.by_invoker
    assert found.address.url == str(tmp_path / "far.git")
    named = find_remote(at, "up.stream")
    assert named is not None
    assert (named.address.protocol, named.push_address.protocol) == ("https", "ssh")
    assert find_remote(at, ".") is None
    given = find_remote(at, "https://git.example.com/state.git")
    assert given is not None and not given.by_invoker
    for wrong, message in [("upxstream", 'no remote "upxstream" is configured'), ("../far.git", "is not allowed")]:
        with pytest.raises(RepositoryError, match=message) as caught:
            find_remote(at, wrong)
        assert caught.value.code == "BND614"


def test_a_token_goes_to_no_host_that_only_the_bundle_names(
    tmp_path: Path, environment: dict[str, str], server: GitServer, far: Path
) -> None:
    variables = {**environment, "BUNDLECTL_GIT_TOKEN": "s3cret"}
    theirs = Client(tmp_path / "theirs", "https://git.example.com/code.git", variables)
    theirs.remote = server.url("state.git")
    theirs.store().read()
    assert server.headers and not any("Authorization" in headers for headers in server.headers)
    server.headers.clear()
    ours = Client(tmp_path / "ours", server.url("state.git"), variables)
    ours.store().read()
    assert all("Authorization" in headers for headers in server.headers)


def test_what_ci_wrote_into_the_clone_is_sent_along(
    tmp_path: Path, environment: dict[str, str], server: GitServer
) -> None:
    """As actions/checkout does."""
    server.password = "t0ken"
    client = Client(tmp_path / "ci", server.url("state.git"), environment)
    with pytest.raises(NotAuthenticated):
        client.store().read()
    subprocess.run(
        ["git", "-C", str(client.clone), "config", f"http.{server.url('')}.extraheader", "Authorization: basic t0ken"],
        check=True,
    )
    assert client.store().read().version is None


# What it costs.


def test_an_unchanged_tip_costs_one_exchange(
    tmp_path: Path, environment: dict[str, str], server: GitServer, clock: FrozenClock
) -> None:
    client = Client(tmp_path / "one", server.url("state.git"), environment, clock=clock)
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    server.requests.clear()
    store = client.store()
    recorded = store.read()
    store.documents(recorded.version, ["a"])
    assert store.last_deployer() == "ann@example.com"
    # One look: the capabilities, and the refs with the wanted names.
    assert server.requests == [("GET", "git-upload-pack"), ("POST", "git-upload-pack")]


def test_only_the_newest_commit_is_fetched_and_older_ones_on_demand(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    for number in range(1, 6):
        deploy(client.store(), number, {"a": {"n": number}}, clock)
    fresh = Client(tmp_path / "two", str(far), environment, clock=clock)
    opened = fresh.open()
    store = opened.store()
    store.read()
    (cache,) = (tmp_path / "two" / "cache" / "remotes").iterdir()
    assert len((cache / "shallow").read_text().split()) == 1
    entries = list(store.history())
    assert [entry.serial for entry in entries if entry.manifest is not None] == [5, 4, 3, 2, 1]
    assert [entry.version for entry in entries] == git(far, "rev-list", REF).split()


def test_a_child_of_a_shallow_tip_is_a_child_for_everybody(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    for number in range(1, 4):
        deploy(client.store(), number, {"a": {"n": number}}, clock)
    for number in range(4, 7):
        fresh = Client(tmp_path / f"runner-{number}", str(far), environment, clock=clock)
        deploy(fresh.store(), number, {"a": {"n": number}}, clock)
    assert len(git(far, "rev-list", REF).split()) == 12
    git(far, "fsck", "--full", "--strict")


def test_a_shallow_clone_is_enough(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    subprocess.run(["git", "-C", str(client.clone), "push", "-q", "origin", "main"], env=environment, check=True)
    RepositoryBuilder(client.clone, environment).commit("second", {"x": "y"})
    subprocess.run(["git", "-C", str(client.clone), "push", "-q", "origin", "main"], env=environment, check=True)
    place = tmp_path / "ci"
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", "--branch=main", f"file://{far}", str(place / "clone")],
        env=environment,
        check=True,
    )
    runner = Client(place, f"file://{far}", environment, clock=clock)
    deploy(runner.store(), 1, {"a": {"n": 1}}, clock)
    tree = runner.repository.head_tree
    assert tree is not None
    runner.store().code.keep(tree, "sha256:" + "0" * 64)
    assert client.store().read().version == refs(far)[REF]
    git(far, "fsck", "--full", "--strict")


# Code and runs.


def test_code_is_kept_with_the_state_and_read_anywhere(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    kept = []
    for text in ("one", "two"):
        RepositoryBuilder(client.clone, environment).commit(text, {"src/code.py": text})
        tree = client.repository.head_tree
        assert tree is not None
        client.store().code.keep(tree, "sha256:" + "0" * 64)
        client.store().code.keep(tree, "sha256:" + "0" * 64)
        kept.append(tree)
    chain = git(far, "rev-list", "--reverse", "--format=%T", f"refs/bundlectl/code/{BUNDLE}/{TARGET}").splitlines()[
        1::2
    ]
    assert chain == kept
    fresh = Client(tmp_path / "two", str(far), environment)
    for tree in kept:
        holder = fresh.store().code.holder(tree)
        assert holder.git_dir != fresh.repository.git_dir
        assert "src/code.py" in read_code_tree(holder, tree)
    assert client.store().code.holder(kept[0]).git_dir == client.repository.git_dir
    with pytest.raises(RepositoryError, match="neither in this clone nor"):
        fresh.store().code.holder("1" * 40)


def test_runs_are_kept_on_the_remote(far: Path, tmp_path: Path, environment: dict[str, str], client: Client) -> None:
    client.open().runs().append({"7": {"run": 7, "queued": "2026-11-23T10:00:00Z"}}, "run 7 begins")
    other = Client(tmp_path / "two", str(far), environment)
    other.open().runs().append({"8": {"run": 8, "queued": "2026-11-23T10:00:00Z"}}, "run 8 begins")
    client.open().runs().append({"7": {"run": 7, "outcome": {}, "queued": "2026-11-23T10:00:00Z"}}, "run 7 ended")
    assert [found["run"] for found in other.open().runs().list()] == [8, 7]
    assert other.open().runs().read("7") == {"run": 7, "outcome": {}, "queued": "2026-11-23T10:00:00Z"}
    assert f"refs/bundlectl/runs/{BUNDLE}/{TARGET}" in refs(far)


# Form.


def test_the_first_write_probes_and_says_what_it_took(far: Path, client: Client, clock: FrozenClock) -> None:
    client.store().read()
    assert client.told == [] and refs(far) == {}  # looking probes nothing
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    assert list(refs(far)) == [REF]
    assert client.told == [f'state on remote "{far}": {REF}; the remote takes it']
    deploy(client.store(), 2, {"a": {"n": 2}}, clock)
    assert len(client.told) == 1


def test_a_host_that_takes_branches_only(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    git(far, "config", "receive.hideRefs", "refs/bundlectl")
    opened = client.open()
    deploy(opened.store(), 1, {"a": {"n": 1}}, clock)
    opened.runs().append({"7": {"run": 7}}, "run 7")
    tree = client.repository.head_tree
    assert tree is not None
    opened.store().code.keep(tree, "sha256:" + "0" * 64)
    assert sorted(refs(far)) == [f"refs/heads/bundlectl-{kind}/{BUNDLE}/{TARGET}" for kind in ("code", "runs", "state")]
    assert "hidden ref" in client.told[0]
    assert "[skip ci]" in git(far, "log", "-1", "--format=%B", BRANCH)
    other = Client(tmp_path / "two", str(far), environment, clock=clock)
    deploy(other.store(), 2, {"a": {"n": 2}}, clock)
    assert other.told == []
    assert other.open().runs().read("7") == {"run": 7}


def test_a_hook_that_refuses_the_name_is_a_host_that_takes_branches_only(
    far: Path, client: Client, clock: FrozenClock
) -> None:
    hook = far / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        '#!/bin/sh\nread old new ref\ncase $ref in refs/heads/*) ;; *) echo "branches only"; exit 1;; esac\n'
    )
    hook.chmod(0o755)
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    assert list(refs(far)) == [BRANCH]


@pytest.mark.parametrize(("status", "error"), [("403", Exception), ("500", Exception)])
def test_no_other_refusal_founds_a_second_state(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], clock: FrozenClock,
    status: str, error: type[Exception],
) -> None:  # fmt: skip
    client = Client(tmp_path / "one", server.url("state.git"), environment, clock=clock)
    server.fault = lambda method, service: status if service == "git-receive-pack" else None
    with pytest.raises(error) as caught:
        deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    assert getattr(caught.value, "code", None) in ("BND611", "BND612")
    assert refs(far) == {}


def test_two_states_are_refused(far: Path, client: Client, clock: FrozenClock) -> None:
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    git(far, "update-ref", BRANCH, REF)
    with pytest.raises(Refused, match="there are two states") as caught:
        client.store().read()
    assert (caught.value.code, caught.value.exit_code) == ("BND413", 6)


@pytest.mark.parametrize(("form", "there"), [("ref", BRANCH), ("branch", REF)])
def test_a_state_under_the_other_name_is_refused(
    far: Path, client: Client, clock: FrozenClock, form: str, there: str
) -> None:
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    tip = refs(far)[REF]
    git(far, "update-ref", "-d", REF)
    git(far, "update-ref", there, tip)
    client.form = form
    with pytest.raises(Refused, match=r"and bundlectl\.state\.form says"):
        client.store().read()
    client.form = "auto"
    assert client.store().read().version == tip


# A history that was rewritten.


def rewound(far: Path) -> None:
    git(far, "update-ref", REF, f"{REF}~2")


def deleted(far: Path) -> None:
    git(far, "update-ref", "-d", REF)


def forged(far: Path) -> None:
    """Another root with the same content: a squashed history."""
    tree = git(far, "rev-parse", f"{REF}^{{tree}}")
    message = git(far, "log", "-1", "--format=%B", REF)
    environment = {
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@x",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x",
    }
    made = subprocess.run(
        ["git", "-C", str(far), "commit-tree", "-m", message, tree], env=environment, check=True, capture_output=True
    )
    git(far, "update-ref", REF, made.stdout.decode().strip())


@pytest.mark.parametrize("cache", ["cache", "lost"])
@pytest.mark.parametrize("rewrite", [rewound, deleted, forged])
def test_a_rewritten_history_is_refused_until_it_is_accepted(
    far: Path, client: Client, clock: FrozenClock, rewrite: Callable[[Path], None], cache: str
) -> None:
    for number in (1, 2):
        deploy(client.store(), number, {"a": {"n": number}}, clock)
    tip = refs(far)[REF]
    rewrite(far)
    if cache == "lost":
        shutil.rmtree(client.folder / "cache")
    for _ in range(2):
        with pytest.raises(
            Refused, match=f"state history was rewritten: expected a descendant of {tip[:12]}"
        ) as caught:
            client.store().read()
        assert (caught.value.code, caught.value.exit_code) == ("BND413", 6)
        assert caught.value.hint is not None and "bundlectl state accept-rewrite" in caught.value.hint
    store = client.store()
    now = store.newest()
    store.accept(now.version)
    assert client.store().read() == now


@pytest.mark.parametrize("where", ["remote", "here"])
def test_a_compacted_chain_grows_out_of_the_one_it_names(
    far: Path, client: Client, repository: RepositoryBuilder, clock: FrozenClock, where: str
) -> None:
    """A new root that names the tip before it (safety 1.9): no command makes one, and every reader takes it."""
    if where == "here":
        repository.commit("first", {"x": "x"})
        far = repository.folder / ".git"

    def opened() -> GitStateStore:
        at = discover(repository.folder, client.environment) if where == "here" else None
        return GitStateStore(at, BUNDLE, TARGET, clock=clock) if at is not None else client.store()

    def compacted(previous: str) -> str:
        tree = git(far, "rev-parse", f"{REF}^{{tree}}")
        entries = git(far, "ls-tree", tree).splitlines()
        meta = json.loads(git(far, "show", f"{REF}:meta.json"))
        text = json.dumps({**meta, "previous": previous}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        blob = fed(far, f"{text}\n", "hash-object", "-w", "--stdin")
        listing = [line for line in entries if not line.endswith("\tmeta.json")] + [f"100644 blob {blob}\tmeta.json"]
        root = fed(far, "\n".join(listing) + "\n", "mktree")
        message = git(far, "log", "-1", "--format=%B", REF).replace("apply-end", "compact")
        return git(far, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", message, root)

    for number in (1, 2):
        deploy(opened(), number, {"a": {"n": number}}, clock)
    tip = git(far, "rev-parse", REF)
    root = compacted(tip)
    git(far, "update-ref", "refs/bundlectl/archive/1", tip)
    git(far, "update-ref", REF, root)
    found = opened().read()
    assert (found.version, found.deployment and found.deployment.previous) == (root, tip)
    assert [entry.verb for entry in opened().history()] == ["compact"]
    deploy(opened(), 3, {"a": {"n": 3}}, clock)
    assert [entry.verb for entry in opened().history()] == ["apply-end", "apply-begin", "compact"]
    git(far, "update-ref", REF, compacted("1" * 40))
    with pytest.raises(Refused, match="state history was rewritten"):
        opened().read()


def fed(far: Path, text: str, *words: str) -> str:
    command = ["git", "-C", str(far), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.strip()


def test_another_lineage_on_top_is_refused(far: Path, client: Client, clock: FrozenClock) -> None:
    store = client.store()
    done = deploy(store, 1, {"a": {"n": 1}}, clock)
    assert done.deployment is not None
    foreign = replace(done.deployment, lineage="2f5c0000-0000-4000-8000-000000000009")
    other = Client(client.folder / "other", str(far), client.environment, clock=clock)
    assert isinstance(other.store().cas(done, foreign, Note("hold", deployment_id(2), "x")), Committed)
    with pytest.raises(Refused, match="rewritten"):
        client.store().read()


def test_who_has_no_memory_cannot_tell(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    for number in (1, 2):
        deploy(client.store(), number, {"a": {"n": number}}, clock)
    rewound(far)
    assert Client(tmp_path / "two", str(far), environment, clock=clock).store().read().version is not None


def test_what_others_write_is_no_rewrite(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    other = Client(tmp_path / "two", str(far), environment, clock=clock)
    for number in range(1, 7):
        deploy((client, other)[number % 2].store(), number, {"a": {"n": number}}, clock)
    shutil.rmtree(client.folder / "cache")
    found = client.store().read().deployment
    assert found is not None and found.serial == 6


# Writes that meet trouble.


def test_a_lost_report_is_found_out(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
) -> None:
    client = Client(tmp_path / "one", server.url("state.git"), environment, form="ref", clock=clock)
    faults = iter(["lost report"])
    server.fault = lambda method, service: (
        next(faults, None) if (method, service) == ("POST", "git-receive-pack") else None
    )
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    assert len(git(far, "rev-list", REF).split()) == 2


def test_a_write_that_did_not_arrive_is_made_again(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
) -> None:
    client = Client(tmp_path / "one", server.url("state.git"), environment, form="ref", clock=clock)
    faults = iter(["reset", None, "reset"])
    server.fault = lambda method, service: (
        next(faults, None) if (method, service) == ("POST", "git-receive-pack") else None
    )
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    assert len(git(far, "rev-list", REF).split()) == 2


def test_an_outcome_that_cannot_be_found_out_is_said(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
) -> None:
    client = Client(tmp_path / "one", server.url("state.git"), environment, form="ref", clock=clock)
    store = client.store()
    recorded = store.read()
    server.fault = lambda method, service: "reset" if method == "POST" else None
    with pytest.raises(StateError, match="is unknown") as caught:
        begin(store, recorded, intent(deployment_id(1)), clock)
    assert (caught.value.code, caught.value.exit_code) == ("BND408", 1)


def test_somebody_else_was_faster_behind_a_lost_report(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], clock: FrozenClock
) -> None:
    client = Client(tmp_path / "one", server.url("state.git"), environment, form="ref", clock=clock)
    store = client.store()
    recorded = store.read()
    server.fault = lambda method, service: "reset" if (method, service) == ("POST", "git-receive-pack") else None
    done = store.cas(recorded, _empty(), Note("hold", deployment_id(1), "x"))
    assert isinstance(done, Unknown)
    server.fault = lambda method, service: None
    other = Client(tmp_path / "two", str(far), environment, clock=clock)
    deploy(other.store(), 2, {"a": {"n": 1}}, clock)
    assert store.resolve(done) != done
    assert not isinstance(store.resolve(done), Committed | Unknown)


def _empty() -> Deployment:
    return Deployment(lineage=LINEAGE, serial=0, fence=0, bundle=BUNDLE, target=TARGET)


def test_a_lock_that_a_killed_writer_left_goes_by_itself(far: Path, client: Client, clock: FrozenClock) -> None:
    deploy(client.store(), 1, {"a": {"n": 1}}, clock)
    lock = far / f"{REF}.lock"
    lock.write_text("")
    os.utime(lock, (clock.now_ms() / 1000,) * 2)
    store = client.store()
    recorded = store.read()
    store.newest()
    with pytest.raises(LeaseHeld, match="is locked on the remote"):
        _held_by_lock(store, recorded, clock, lock)
    os.utime(lock, (clock.now_ms() / 1000 - 120,) * 2)
    deploy(client.store(), 2, {"a": {"n": 2}}, clock)
    assert any(f'removed "{lock}"' in text for text in client.told)


def _held_by_lock(store: object, recorded: object, clock: FrozenClock, lock: Path) -> None:
    """The clock stands still while the writer waits, so that the lock stays young."""
    assert isinstance(store, GitStateStore) and isinstance(recorded, Recorded)
    sleep = clock.sleep

    def standing(seconds: float) -> None:
        sleep(seconds)
        with suppress(OSError):
            os.utime(lock, (clock.now_ms() / 1000,) * 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "sleep", standing)
        begin(store, recorded, intent(deployment_id(2)), clock)
