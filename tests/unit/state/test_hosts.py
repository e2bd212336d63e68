"""State in every kind of clone that people and CI have, and on remotes as hosts set them up (safety 1.8)."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.git.repository import discover
from bundlectl.model.errors import Refused, RepositoryError
from bundlectl.state.git_store import GitStateStore
from tests.builders import RepositoryBuilder
from tests.contract.state_suite import BUNDLE, TARGET, deploy
from tests.git_server import bare_repository
from tests.remotes import Client

REF = f"refs/bundlectl/state/{BUNDLE}/{TARGET}"
BRANCH = f"refs/heads/bundlectl-state/{BUNDLE}/{TARGET}"
DOCUMENTS = {"etl": {"name": "etl"}}


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def origin(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> RepositoryBuilder:
    """What is cloned: two commits on a branch."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, environment[name])
    builder = RepositoryBuilder(tmp_path / "origin", environment)
    builder.commit("first", {"a": "1"})
    builder.commit("second", {"a": "2"})
    builder.git("config", "uploadpack.allowFilter", "true")
    return builder


def _plain(origin: RepositoryBuilder, at: Path, *options: str) -> Path:
    git(origin.folder, "clone", "--quiet", *options, f"file://{origin.folder}", str(at))
    return at


def _detached(origin: RepositoryBuilder, at: Path) -> Path:
    git(_plain(origin, at), "checkout", "--quiet", "--detach", "HEAD~1")
    return at


def _linked(origin: RepositoryBuilder, at: Path) -> Path:
    git(_plain(origin, at.with_name("main")), "worktree", "add", "--quiet", "--detach", str(at))
    return at


def _submodule(origin: RepositoryBuilder, at: Path) -> Path:
    outer = RepositoryBuilder(at.with_name("outer"), origin.environment)
    outer.commit("outer", {"b": "1"})
    git(outer.folder, "submodule", "--quiet", "add", f"file://{origin.folder}", "inner")
    return outer.folder / "inner"


def _borrowing(origin: RepositoryBuilder, at: Path) -> Path:
    git(origin.folder, "clone", "--quiet", "--shared", str(origin.folder), str(at))
    assert (at / ".git/objects/info/alternates").is_file()
    return at


def _packed(origin: RepositoryBuilder, at: Path) -> Path:
    git(_plain(origin, at), "gc", "--quiet", "--prune=now")
    return at


def _mirror(origin: RepositoryBuilder, at: Path) -> Path:
    return _plain(origin, at, "--bare")


CLONES: dict[str, Callable[[RepositoryBuilder, Path], Path]] = {
    "shallow": lambda origin, at: _plain(origin, at, "--depth=1"),
    "without blobs": lambda origin, at: _plain(origin, at, "--filter=blob:none"),
    "single branch": lambda origin, at: _plain(origin, at, "--single-branch", "--no-tags"),
    "detached": _detached,
    "linked working tree": _linked,
    "submodule": _submodule,
    "borrowed objects": _borrowing,
    "packed": _packed,
    "bare": _mirror,
}


@pytest.mark.parametrize("kind", CLONES)
def test_state_in_any_kind_of_clone(
    origin: RepositoryBuilder, tmp_path: Path, environment: dict[str, str], clock: FrozenClock, kind: str
) -> None:
    at = CLONES[kind](origin, tmp_path / "clone")

    def opened() -> GitStateStore:
        return GitStateStore(discover(at, environment), BUNDLE, TARGET, clock=clock)

    deploy(opened(), 1, DOCUMENTS, clock)
    git(at, "pack-refs", "--all")
    deploy(opened(), 2, {"etl": {"name": "changed"}}, clock)
    git(at, "gc", "--quiet", "--prune=now")  # what is on our refs stays
    found = opened().read()
    assert found.deployment is not None and found.deployment.serial == 2
    assert opened().documents(found.version, ["etl"]) == {"etl": {"name": "changed"}}
    assert [entry.verb for entry in opened().history()] == ["apply-end", "apply-begin"] * 2
    git(at, "fsck", "--strict", "--connectivity-only")


@pytest.mark.parametrize("kind", CLONES)
def test_state_on_the_origin_of_any_kind_of_clone(
    origin: RepositoryBuilder, tmp_path: Path, environment: dict[str, str], clock: FrozenClock, kind: str
) -> None:
    at = CLONES[kind](origin, tmp_path / "clone")
    before = git(at, "for-each-ref")
    client = Client(tmp_path / "one", str(origin.folder), environment, clock=clock)
    client.clone = at
    deploy(client.store(), 1, DOCUMENTS, clock)
    code = client.store().code
    tree = git(at, "rev-parse", "HEAD^{tree}")
    if kind != "without blobs":
        code.keep(tree, "sha256:" + "0" * 64)
    deploy(client.store(), 2, {"etl": {"name": "changed"}}, clock)
    found = Client(tmp_path / "two", str(origin.folder), environment, clock=clock).store().read()
    assert found.deployment is not None and found.deployment.serial == 2
    assert git(at, "for-each-ref") == before  # the clone itself took no part
    origin.git("fsck", "--full", "--strict")


@pytest.fixture
def far(tmp_path: Path, environment: dict[str, str]) -> Path:
    return bare_repository(tmp_path / "far.git", environment)


@pytest.fixture
def client(far: Path, tmp_path: Path, environment: dict[str, str], clock: FrozenClock) -> Client:
    return Client(tmp_path / "one", str(far), environment, clock=clock)


def hook(far: Path, name: str, script: str) -> None:
    path = far / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def refs(far: Path) -> list[str]:
    return git(far, "for-each-ref", "--format=%(refname)").split()


def test_a_remote_that_takes_no_force_and_no_deletion(far: Path, client: Client, clock: FrozenClock) -> None:
    git(far, "config", "receive.denyNonFastForwards", "true")
    git(far, "config", "receive.denyDeletes", "true")  # of branches; a host may mean every ref
    hook(far, "update", 'case $3 in *[1-9a-f]*) ;; *) echo "nothing is deleted here"; exit 1;; esac')
    for number in (1, 2):
        deploy(client.store(), number, {"etl": {"n": number}}, clock)
    left = [name for name in refs(far) if name.startswith("refs/bundlectl/probe/")]
    assert sorted(refs(far)) == sorted([REF, *left])
    assert client.told[0] == f"{left[0]} was made to try the remote out and could not be deleted; delete it by hand"
    assert len(left) == 1


def test_a_remote_with_a_working_tree(tmp_path: Path, environment: dict[str, str], clock: FrozenClock) -> None:
    builder = RepositoryBuilder(tmp_path / "desk", environment)
    builder.commit("first", {"x": "x"})
    client = Client(tmp_path / "one", str(builder.folder), environment, clock=clock)
    for number in (1, 2):
        deploy(client.store(), number, {"etl": {"n": number}}, clock)
    assert builder.git("status", "--porcelain") == ""
    assert (builder.folder / ".git/bundlectl/state.flock").is_file()


def test_a_remote_that_takes_nothing_founds_no_state(far: Path, client: Client, clock: FrozenClock) -> None:
    hook(far, "pre-receive", "echo 'frozen until Monday'; exit 1")
    with pytest.raises(Refused) as no:
        deploy(client.store(), 1, DOCUMENTS, clock)
    assert (no.value.code, no.value.exit_code) == ("BND613", 6)
    assert no.value.summary == f"remote refuses {BRANCH}: pre-receive hook declined: frozen until Monday"
    assert refs(far) == []


def test_a_protected_ref_is_a_refusal_and_no_reason_for_another_form(
    far: Path, client: Client, clock: FrozenClock
) -> None:
    deploy(client.store(), 1, DOCUMENTS, clock)
    hook(far, "update", 'case $1 in refs/bundlectl/state/*) echo "ask the release team"; exit 1;; esac')
    with pytest.raises(Refused) as no:
        deploy(client.store(), 2, {}, clock)
    assert no.value.code == "BND613"
    assert no.value.summary == f"remote refuses {REF}: hook declined: ask the release team"
    assert "let this identity push to it" in (no.value.hint or "")
    assert refs(far) == [REF]


@pytest.mark.parametrize("form", ["auto", "ref"])
def test_a_remote_that_hides_what_it_took(
    far: Path, tmp_path: Path, environment: dict[str, str], clock: FrozenClock, form: str
) -> None:
    git(far, "config", "uploadpack.hideRefs", "refs/bundlectl")
    client = Client(tmp_path / "one", str(far), environment, form=form, clock=clock)
    with pytest.raises((RepositoryError, Refused)) as no:
        for number in (1, 2):
            deploy(client.store(), number, DOCUMENTS, clock)
    if form == "auto":
        assert no.value.code == "BND613"
        assert "takes refs/bundlectl/* and does not show them again" in no.value.summary
        assert "bundlectl.state.form: branch" in (no.value.hint or "")
        assert REF not in refs(far)
        assert "could not be deleted; delete it by hand" in client.told[-1]
        branch = Client(tmp_path / "two", str(far), environment, form="branch", clock=clock)
        for number in (1, 2):
            deploy(branch.store(), number, DOCUMENTS, clock)
        assert BRANCH in refs(far)
    else:  # named by the bundle, so nothing is tried out: what was seen before is missed
        assert (no.value.code, no.value.exit_code) == ("BND413", 6)


def test_a_remote_that_packs_and_cleans_between_writes(
    far: Path, tmp_path: Path, environment: dict[str, str], client: Client, clock: FrozenClock
) -> None:
    other = Client(tmp_path / "two", str(far), environment, clock=clock)
    for number in range(1, 6):
        deploy((client if number % 2 else other).store(), number, {"etl": {"n": number}}, clock)
        git(far, "pack-refs", "--all", "--prune")
        git(far, "gc", "--quiet", "--prune=now")
        for cache in (tmp_path / "one/cache/remotes").iterdir():
            git(cache, "pack-refs", "--all", "--prune")
    found = client.store().read()
    assert found.deployment is not None and found.deployment.serial == 5
    assert len(git(far, "rev-list", REF).split()) == 10
    git(far, "fsck", "--full", "--strict")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_remote_on_this_machine_that_belongs_to_another_user(far: Path, client: Client) -> None:
    os.chown(far, 12345, 12345)
    with pytest.raises(RepositoryError) as no:
        client.store().read()
    assert (no.value.code, no.value.exit_code) == ("BND610", 1)
    assert no.value.summary == f'the repository at "{far}" belongs to another user'
    assert "safe.directory" in (no.value.hint or "")


def test_a_remote_on_this_machine_that_is_gone_is_not_made(far: Path, client: Client, clock: FrozenClock) -> None:
    """Such as a network drive that is not mounted."""
    store = client.store()
    recorded = deploy(store, 1, DOCUMENTS, clock)
    far.rename(far.with_name("away.git"))
    with pytest.raises(RepositoryError, match="cannot reach remote"):
        client.store().read()
    assert recorded.deployment is not None
    with pytest.raises(Exception, match="is unknown"):
        deploy(_seeing(store), 2, DOCUMENTS, clock)
    assert not far.exists()


def _seeing(store: GitStateStore) -> GitStateStore:
    """A store that looks once, before the remote goes."""
    newest = store._newest
    setattr(store, "read", lambda: newest)  # noqa: B010  # the look happened before
    return store


def test_a_flock_that_this_user_may_not_open_is_no_obstacle(far: Path, client: Client, clock: FrozenClock) -> None:
    (far / "bundlectl" / "state.flock").mkdir(parents=True)  # cannot be opened, whoever asks
    for number in (1, 2):
        deploy(client.store(), number, DOCUMENTS, clock)
    assert len(git(far, "rev-list", REF).split()) == 4


@pytest.mark.parametrize("gone", ["folder", "file in the way"])
def test_a_repository_that_takes_no_lock_file_is_said(
    repository: RepositoryBuilder, clock: FrozenClock, gone: str
) -> None:
    repository.commit("first", {"x": "x"})
    place = repository.folder / ".git" / "bundlectl"
    if gone == "folder":
        (place / "state.flock").mkdir(parents=True)
    else:
        place.write_text("")
    store = GitStateStore(discover(repository.folder, repository.environment), BUNDLE, TARGET, clock=clock)
    with pytest.raises(RepositoryError) as no:
        deploy(store, 1, DOCUMENTS, clock)
    assert no.value.code == "BND623"
    assert no.value.summary.startswith(f'cannot write to the repository "{repository.folder / ".git"}": ')
