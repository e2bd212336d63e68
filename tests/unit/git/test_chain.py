"""A chain grows by compare-and-swap and by nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.base.clock import FrozenClock
from bundlectl.base.files import try_lock
from bundlectl.git.chain import STALE_LOCK_S, Chain, Committed, Conflict, Unknown, encode_name
from bundlectl.git.command import GitTimeout
from bundlectl.git.objects import edit_tree
from bundlectl.git.repository import Repository, discover
from bundlectl.model.errors import LeaseHeld, RepositoryError
from tests.builders import RepositoryBuilder

REF = "refs/bundlectl/state/sales/prod"


@pytest.fixture
def at(repository: RepositoryBuilder) -> Repository:
    repository.commit("first")
    return discover(repository.folder, repository.environment)


def grow(chain: Chain, at: Repository, expected: str | None, text: str) -> Committed | Conflict | Unknown:
    tree, items = edit_tree(at.git, expected, {"file": text.encode()}, at.algorithm)
    return chain.append(expected, tree, f"say {text}\n", items=items)


def grown(chain: Chain, at: Repository, expected: str | None, text: str) -> str:
    done = grow(chain, at, expected, text)
    assert isinstance(done, Committed)
    return done.version


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("sales", "sales"),
        ("Sales_data-1", "Sales_data-1"),
        ("-x", "%2Dx"),
        ("a.b", "a%2Eb"),
        ("x.lock", "x%2Elock"),
        ("a b/c", "a%20b%2Fc"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("100%", "100%25"),
        ("", ""),
    ],
)
def test_names_as_components(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded


def test_long_names_keep_their_beginning_and_differ() -> None:
    one, other = encode_name("x" * 201), encode_name("x" * 202)
    assert one != other
    assert len(one) == 150 + 41
    assert encode_name("x" * 200) == "x" * 200


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_encoded_names_are_safe_and_distinct(one: str, other: str) -> None:
    try:
        first, second = encode_name(one), encode_name(other)
    except UnicodeEncodeError:
        return  # half a surrogate pair is no text
    assert (first == second) == (one == other)
    assert len(first) <= 200
    assert all(char.isascii() and (char.isalnum() or char in "_-%") for char in first)
    assert not first.startswith("-")


def test_a_chain_grows_only_from_its_tip(at: Repository, repository: RepositoryBuilder) -> None:
    chain = Chain(at, REF)
    assert chain.tip() is None
    assert list(chain.walk()) == []
    first = grown(chain, at, None, "one")
    assert grow(chain, at, None, "late") == Conflict(first)
    second = grown(chain, at, first, "two")
    assert grow(chain, at, first, "late") == Conflict(second)
    assert chain.tip() == second
    links = list(chain.walk())
    assert [(link.version, link.parents, link.message) for link in links] == [
        (second, (first,), "say two\n"), (first, (), "say one\n"),
    ]  # fmt: skip
    assert [link.version for link in chain.walk(1)] == [second]
    assert links[0].tree == repository.git("rev-parse", f"{REF}^{{tree}}")
    repository.git("fsck", "--full", "--strict")


def test_a_withheld_report_is_found_out(at: Repository) -> None:
    chain = Chain(at, REF)
    first = grown(chain, at, None, "one")
    second = grown(chain, at, first, "two")
    assert chain.resolve(Unknown(second, first)) == Committed(second)
    third = grown(chain, at, second, "three")
    assert chain.resolve(Unknown(second, first)) == Committed(second)
    lost = grow(Chain(at, "refs/bundlectl/other/x"), at, None, "elsewhere")
    assert isinstance(lost, Committed)
    assert chain.resolve(Unknown(lost.version, second)) == Conflict(third)


def test_an_attempt_that_did_not_land_is_made_again(at: Repository) -> None:
    chain = Chain(at, REF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "_update_ref", lambda _: (_ for _ in ()).throw(GitTimeout("no report")))
        attempt = grow(chain, at, None, "one")
    assert isinstance(attempt, Unknown)
    assert chain.tip() is None
    assert chain.resolve(attempt) == Committed(attempt.version)
    assert chain.tip() == attempt.version


def lock(repository: RepositoryBuilder, clock: FrozenClock, age_s: float) -> Path:
    path = repository.folder / ".git" / f"{REF}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    moment = clock.now_ms() / 1000 - age_s
    os.utime(path, (moment, moment))
    return path


def test_the_lock_of_a_dead_writer_is_removed_and_told(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    told: list[str] = []
    path = lock(repository, clock, STALE_LOCK_S + 5)
    chain = Chain(at, REF, clock=clock, notify=told.append)
    assert isinstance(grow(chain, at, None, "one"), Committed)
    assert not path.exists()
    assert str(path) in told[0]


def test_a_young_or_open_lock_stays(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    path = lock(repository, clock, STALE_LOCK_S - 5)
    chain = Chain(at, REF, clock=clock)
    with pytest.raises(LeaseHeld) as caught:
        grow(chain, at, None, "one")
    assert str(path) in caught.value.summary
    assert (caught.value.exit_code, path.exists()) == (5, True)
    path = lock(repository, clock, STALE_LOCK_S + 5)
    with path.open(), pytest.raises(LeaseHeld):
        grow(chain, at, None, "one")
    assert path.exists()


def test_a_lock_that_goes_in_a_moment_is_waited_for(
    at: Repository, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    path = lock(repository, clock, 0)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            path.unlink()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "sleep", sleep)
        assert isinstance(grow(Chain(at, REF, clock=clock), at, None, "one"), Committed)
    assert len(waited) == 2


def test_locks_of_other_refs_are_not_touched(at: Repository, repository: RepositoryBuilder, clock: FrozenClock) -> None:
    other = repository.folder / ".git/refs/heads/main.lock"
    other.write_text("")
    os.utime(other, (0, 0))
    assert isinstance(grow(Chain(at, REF, clock=clock), at, None, "one"), Committed)
    assert other.exists()


def test_a_damaged_ref_is_no_fresh_start(at: Repository, repository: RepositoryBuilder) -> None:
    path = repository.folder / ".git" / REF
    path.parent.mkdir(parents=True)
    for content in ("1" * 40 + "\n", "garbage\n", ""):
        path.write_text(content)
        with pytest.raises(RepositoryError, match="is damaged"):
            Chain(at, REF).tip()
        with pytest.raises(RepositoryError):
            list(Chain(at, REF).walk())


def test_a_symbolic_ref_is_replaced_and_not_followed(at: Repository, repository: RepositoryBuilder) -> None:
    repository.git("symbolic-ref", REF, "refs/heads/main")
    main = repository.git("rev-parse", "refs/heads/main")
    chain = Chain(at, REF)
    version = grown(chain, at, main, "one")
    assert repository.git("rev-parse", "refs/heads/main") == main
    assert chain.tip() == version


def test_a_folder_that_cannot_be_written_is_said(at: Repository, repository: RepositoryBuilder) -> None:
    (repository.folder / ".git/bundlectl").write_text("a file in the way")
    with pytest.raises(RepositoryError, match="cannot write to the repository") as caught:
        grow(Chain(at, REF), at, None, "one")
    assert caught.value.code == "BND623"


def test_the_flock_is_released_by_a_kill(at: Repository, repository: RepositoryBuilder) -> None:
    chain = Chain(at, REF)
    first = grown(chain, at, None, "one")
    flock = repository.folder / ".git/bundlectl/state.flock"
    code = (
        "import fcntl, sys, time\n"
        "file = open(sys.argv[1])\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(flock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert try_lock(flock) is None
        holder.kill()
    assert grown(chain, at, first, "two") == chain.tip()
    assert oct(flock.parent.stat().st_mode & 0o777) == "0o700"
