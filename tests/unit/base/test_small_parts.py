"""Suggestions, cycles, clocks, identifiers, files and processes."""

import os
import stat
import sys
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock, SystemClock, parse_rfc3339, rfc3339, rfc3339_ms
from bundlectl.base.dag import batches, find_cycle, topological
from bundlectl.base.files import locked, make_private_folder, try_lock, write_atomic
from bundlectl.base.host import process_start, this_process
from bundlectl.base.identifiers import time_ordered_id
from bundlectl.base.process import ProcessTimeout, run
from bundlectl.base.suggest import nearest


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("max_retry", ["max_retries", "min_retry_interval_millis"], "max_retries"),
        ("depoly", ["deploy", "destroy"], "deploy"),
        ("prd", ["prod", "dev"], "prod"),
        ("x", ["production"], None),
        ("load", ["load"], None),
        ("ab", ["ba", "aa"], "aa"),
    ],
)
def test_nearest(name: str, known: list[str], expected: str | None) -> None:
    assert nearest(name, known) == expected


def test_a_cycle_starts_at_its_smallest_node_and_follows_dependencies() -> None:
    assert find_cycle({"c": ["a"], "a": ["b"], "b": ["c"], "z": ["a"]}) == ["a", "b", "c", "a"]
    assert find_cycle({"a": ["a"]}) == ["a", "a"]
    assert find_cycle({"a": ["b"], "b": []}) is None


def test_order_has_dependencies_first_and_names_break_ties() -> None:
    edges = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}
    assert batches(edges) == [["a"], ["b", "c"], ["d"]]
    assert topological(edges) == ["a", "b", "c", "d"]


def test_times_are_utc() -> None:
    assert rfc3339(1_767_225_600_999) == "2026-01-01T00:00:00Z"
    assert rfc3339_ms(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
    assert parse_rfc3339("2026-01-01T01:00:00+01:00") == 1_767_225_600_000
    with pytest.raises(ValueError):
        parse_rfc3339("2026-01-01T00:00:00")


def test_a_frozen_clock_moves_only_when_somebody_sleeps() -> None:
    clock = FrozenClock()
    before = clock.now_ms(), clock.boot_s()
    clock.sleep(1.5)
    assert (clock.now_ms(), clock.boot_s()) == (before[0] + 1500, before[1] + 1.5)
    assert SystemClock().now_ms() > 1_700_000_000_000


def test_time_ordered_ids_sort_by_time_and_are_version_7() -> None:
    early, late = time_ordered_id(1_000), time_ordered_id(1_001)
    assert early < late
    assert early[14] == "7"
    assert early[19] in "89ab"


def test_an_atomic_write_is_private_and_leaves_nothing_beside(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        target = tmp_path / "plan.json"
        write_atomic(target, b"one")
        write_atomic(target, b"two")
    finally:
        os.umask(old)
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_private_folder_is_private_also_when_it_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True, mode=0o755)
    make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_lock_is_exclusive_until_it_is_closed(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    os.close(held)
    with locked(tmp_path / "lock"):
        assert try_lock(tmp_path / "lock") is None


def test_a_process_is_told_apart_from_a_later_one_with_its_pid() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    if sys.platform == "linux":
        assert me.pid_start == process_start(os.getpid()) is not None
        assert process_start(2**22 + 1) is None


def test_a_child_gets_only_the_given_environment_and_its_output_is_captured() -> None:
    done = run([sys.executable, "-c", "import os,sys; print(sorted(os.environ)); sys.exit(3)"], environment={"A": "1"})
    assert done.code == 3
    assert b"'A'" in done.stdout
    assert b"HOME" not in done.stdout


def test_a_child_that_does_not_end_is_killed_with_its_group() -> None:
    with pytest.raises(ProcessTimeout):
        run(["/bin/sh", "-c", "sleep 60 & wait"], environment={"PATH": "/usr/bin:/bin"}, timeout_s=0.2)
