"""Exchanges with a real remote: what is asked, what is sent along, and what a refusal becomes."""

import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundlectl.git.chain import commit_item
from bundlectl.git.pack import tree_item, write_items
from bundlectl.git.remote import Remote, bearing
from bundlectl.git.remote_cache import caches, open_cache, packed
from bundlectl.git.urls import admit
from bundlectl.model.errors import BundlectlError, NotAuthenticated, NotPermitted, Refused, RepositoryError
from tests.git_server import GitServer, bare_repository, serve

REF = "refs/bundlectl/state/sales/prod"


@pytest.fixture
def far(tmp_path: Path, environment: dict[str, str]) -> Path:
    return bare_repository(tmp_path / "far" / "state.git", environment)


@pytest.fixture
def server(far: Path, environment: dict[str, str]) -> Iterator[GitServer]:
    with serve(far.parent, environment) as running:
        yield running


def remote_at(
    url: str, folder: Path, environment: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Remote:
    address = admit(url, by_invoker=True)
    warnings: list[str] = []
    cache = open_cache(folder / "cache", address.url, environment, "sha1", warnings.append)
    assert warnings == []
    return Remote(address, cache, environment, headers=headers)


def new_commit(remote: Remote, parent: str | None = None, text: str = "one") -> str:
    tree = tree_item((), "sha1")
    commit = commit_item(parent, tree.id, f"{text}\n", 1_795_428_000_000, "sha1")
    write_items(remote.cache.git, [tree, commit], "sha1")
    return commit.id


def far_git(far: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(far), *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("transport", ["file", "http"])
def test_a_push_is_a_compare_and_swap(
    far: Path, server: GitServer, tmp_path: Path, environment: dict[str, str], transport: str
) -> None:
    remote = remote_at(str(far) if transport == "file" else server.url("state.git"), tmp_path, environment)
    assert remote.tips([REF]) == {}
    first = new_commit(remote)
    second = new_commit(remote, first, "two")
    assert remote.push(REF, first, None).outcome == "done"
    assert remote.push(REF, first, None).outcome == "done"  # what is there already is not a failure
    assert remote.tips([REF, "refs/heads/x"]) == {REF: first}
    assert remote.push(REF, second, second).outcome == "conflict"
    assert remote.push(REF, second, None).outcome == "conflict"
    assert remote.push(REF, second, first).outcome == "done"
    other = new_commit(remote, None, "other")
    assert remote.push(REF, other, first).outcome == "conflict"
    assert remote.tips([REF]) == {REF: second}
    assert remote.push(REF, None, first).outcome == "conflict"
    assert remote.push(REF, None, second).outcome == "done"
    assert remote.tips([REF]) == {}
    far_git(far, "fsck", "--strict")


def test_only_exact_names_count(far: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    remote = remote_at(str(far), tmp_path, environment)
    commit = new_commit(remote)
    remote.push(f"refs/heads/{REF}", commit, None)
    assert remote.tips([REF]) == {}


@pytest.mark.parametrize("fault", ["lost report", "reset"])
def test_no_report_is_no_failure(server: GitServer, tmp_path: Path, environment: dict[str, str], fault: str) -> None:
    remote = remote_at(server.url("state.git"), tmp_path, environment)
    commit = new_commit(remote)
    server.fault = lambda method, service: fault if (method, service) == ("POST", "git-receive-pack") else None
    assert remote.push(REF, commit, None).outcome == "unknown"
    server.fault = lambda method, service: None
    assert remote.tips([REF]) == ({REF: commit} if fault == "lost report" else {})


def test_what_cannot_be_reached(tmp_path: Path, environment: dict[str, str], server: GitServer) -> None:
    for url in ("http://127.0.0.1:9/x.git", server.url("nothing.git"), str(tmp_path / "nowhere")):
        with pytest.raises(RepositoryError, match="cannot reach remote") as caught:
            remote_at(url, tmp_path, environment).tips([REF])
        assert (caught.value.code, caught.value.exit_code) == ("BND611", 1)
        assert caught.value.hint


@pytest.mark.parametrize(("status", "kind"), [("401", NotAuthenticated), ("403", NotPermitted)])
def test_refused_credentials(
    tmp_path: Path, environment: dict[str, str], server: GitServer, status: str, kind: type[BundlectlError]
) -> None:
    remote = remote_at(server.url("state.git"), tmp_path, environment)
    server.fault = lambda method, service: status
    with pytest.raises(kind) as caught:
        remote.tips([REF])
    assert (caught.value.code, caught.value.exit_code) == ("BND612", 4)
    pushed = remote.push(REF, new_commit(remote), None)
    assert pushed.outcome == "refused"
    assert isinstance(pushed.refusal, kind) and pushed.refusal.code == "BND612"
    if status == "403":
        assert pushed.refusal.hint is not None and "contents: write" in pushed.refusal.hint


def test_a_token_is_a_header_for_its_host_and_no_argument(
    tmp_path: Path, environment: dict[str, str], server: GitServer
) -> None:
    server.password = b64encode(b"x-access-token:s3cret").decode()
    url = server.url("state.git")
    with pytest.raises(NotAuthenticated):
        remote_at(url, tmp_path, environment).tips([REF])
    remote = remote_at(url, tmp_path, environment, {url: bearing("s3cret")})
    assert remote.tips([REF]) == {}
    assert remote.push(REF, new_commit(remote), None).outcome == "done"
    config = (remote.cache.git_dir / "config").read_text()
    assert "s3cret" not in config and server.password not in config


def test_a_redirect_is_not_followed(tmp_path: Path, environment: dict[str, str], server: GitServer) -> None:
    remote = remote_at(server.url("state.git"), tmp_path, environment)
    server.fault = lambda method, service: "302"
    with pytest.raises(RepositoryError) as caught:
        remote.tips([REF])
    assert caught.value.code == "BND611"


def test_a_name_that_is_not_taken_is_told_from_a_ref_that_is_protected(
    far: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    remote = remote_at(str(far), tmp_path, environment)
    commit = new_commit(remote)
    far_git(far, "config", "receive.hideRefs", "refs/bundlectl")
    pushed = remote.push(REF, commit, None)
    assert (pushed.outcome, pushed.name_refused) == ("refused", True)
    assert isinstance(pushed.refusal, RepositoryError) and pushed.refusal.code == "BND613"
    assert "does not accept refs/bundlectl/*" in pushed.refusal.summary
    assert pushed.refusal.hint is not None and "bundlectl.state.form: branch" in pushed.refusal.hint
    far_git(far, "config", "--unset", "receive.hideRefs")
    hook = far / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "only the release team" >&2\nexit 1\n')
    hook.chmod(0o755)
    pushed = remote.push(REF, commit, None)
    assert (pushed.outcome, pushed.name_refused) == ("refused", False)
    assert isinstance(pushed.refusal, Refused) and pushed.refusal.exit_code == 6
    assert "hook declined: only the release team" in pushed.refusal.summary


def test_objects_are_checked_on_the_way_in(far: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    bad = subprocess.run(
        ["git", "-C", str(far), "hash-object", "-w", "-t", "commit", "--stdin", "--literally"],
        input=f"tree {'4b825dc642cb6eb9a060e54bf8d69288fbee4904'}\nauthor nobody\n\nx\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    subprocess.run(["git", "-C", str(far), "mktree"], input="", check=True, capture_output=True, text=True)
    path = far / REF
    path.parent.mkdir(parents=True)
    path.write_text(f"{bad}\n")
    remote = remote_at(str(far), tmp_path, environment)
    with pytest.raises(RepositoryError, match="was not taken") as caught:
        remote.fetch(REF)
    assert caught.value.code == "BND602"


def test_a_fetch_has_a_limit(far: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    work = tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", str(work)], env=environment, check=True)
    (work / "big").write_bytes(bytes(range(256)) * 4096 + b"x")
    (work / "noise").write_bytes(__import__("random").Random(1).randbytes(3_000_000))
    for words in (["add", "."], ["commit", "-qm", "x"], ["push", "-q", str(far), f"HEAD:{REF}"]):
        subprocess.run(["git", "-C", str(work), *words], env=environment, check=True, capture_output=True)
    remote = remote_at(str(far), tmp_path, environment)
    with pytest.raises(RepositoryError) as caught:
        remote.fetch(REF, max_bytes=1_000_000)
    assert caught.value.code in ("BND602", "BND611")
    remote.fetch(REF)
    assert remote.cache.has_commit(remote.tips([REF])[REF])


def test_a_cache_is_private_packs_and_may_be_deleted(far: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    remote = remote_at(str(far), tmp_path, environment)
    tip = None
    for number in range(30):
        tip, before = new_commit(remote, tip, str(number)), tip
        assert remote.push(REF, tip, before).outcome == "done"
    remote.fetch(REF)
    (cache,) = caches(tmp_path / "cache", environment)
    assert cache.git_dir.stat().st_mode & 0o077 == 0
    before_bytes, after_bytes = packed(cache)
    assert after_bytes < before_bytes
    assert cache.has_commit(str(tip))
    cache.git.run(["fsck", "--strict"])


def test_a_cache_that_cannot_be_kept_is_said_and_does_without(
    far: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    told: list[str] = []
    cache = open_cache(tmp_path / "cache", str(far), environment, "sha1", told.append)
    assert told and told[0].startswith("no cache: ")
    remote = Remote(admit(str(far), by_invoker=True), cache, environment)
    assert remote.push(REF, new_commit(remote), None).outcome == "done"
