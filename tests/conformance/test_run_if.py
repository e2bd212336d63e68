"""The table of jobs.md 6.1, both orders of the parents, and what holds for any number of parents."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.engine.dag import RUN, RUN_IF, Cls, Decision, decide
from bundlectl.model.run import Result

_COLUMNS = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")
_TABLE = """
S, S | run | run | run | run | EX | EX
S, F | UF | run | UF | run | run | EX
S, C | UC | run | UC | run | run | EX
S, X | run | run | run | run | EX | EX
S, D | DI | run | run | run | DI | DI
F, F | UF | UF | UF | run | run | run
F, C | UF | UF | UF | run | run | run
F, X | UF | run | UF | run | run | EX
F, D | UF | UF | UF | run | run | DI
C, C | UC | UC | UC | run | run | run
C, X | UC | run | UC | run | run | EX
C, D | UC | UC | UC | run | run | DI
X, X | EX | EX | EX | EX | EX | EX
X, D | DI | DI | DI | run | DI | DI
D, D | DI | DI | DI | run | DI | DI
"""
_SHORT: dict[str, Decision] = {
    "run": RUN,
    "UF": Result.UPSTREAM_FAILED,
    "UC": Result.UPSTREAM_CANCELED,
    "EX": Result.EXCLUDED,
    "DI": Result.DISABLED,
}


def _rows() -> list[tuple[tuple[Cls, ...], str, Decision]]:
    rows = []
    for line in _TABLE.strip().splitlines():
        head, *cells = (cell.strip() for cell in line.split("|"))
        left, right = head.split(", ")
        for column, cell in zip(_COLUMNS, cells, strict=True):
            for pair in ((left, right), (right, left)):
                rows.append((pair, column, _SHORT[cell]))
    return rows  # type: ignore[return-value]


@pytest.mark.parametrize(("classes", "run_if", "expected"), _rows())
def test_two_parents(classes: tuple[Cls, ...], run_if: str, expected: Decision) -> None:
    assert decide(run_if, classes) == expected


def test_the_table_has_every_pair_once() -> None:
    pairs = {frozenset(classes) for classes, _, _ in _rows()}
    assert pairs == {frozenset(pair) for pair in itertools.combinations_with_replacement("SFCXD", 2)}
    assert len(_rows()) == 180


@pytest.mark.parametrize("run_if", sorted(RUN_IF))
def test_a_task_without_dependencies_runs(run_if: str) -> None:
    assert decide(run_if, ()) == RUN


classes = st.lists(st.sampled_from(["S", "F", "C", "X", "D"]), min_size=1, max_size=8)
conditions = st.sampled_from(sorted(RUN_IF))


@given(conditions, classes, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(run_if: str, parents: list[Cls], random: object) -> None:
    doubled = [*parents, *parents]
    random.shuffle(doubled)  # type: ignore[attr-defined]
    assert decide(run_if, doubled) == decide(run_if, parents)


@given(conditions, classes)
def test_only_excluded_parents_exclude_under_any_condition(run_if: str, parents: list[Cls]) -> None:
    excluded = decide(run_if, parents) == Result.EXCLUDED
    if set(parents) == {"X"}:
        assert excluded
    elif run_if not in ("AT_LEAST_ONE_FAILED", "ALL_FAILED"):
        assert not excluded


@given(conditions, classes)
def test_upstream_canceled_needs_every_failed_parent_cancelled(run_if: str, parents: list[Cls]) -> None:
    decision = decide(run_if, parents)
    if decision == Result.UPSTREAM_CANCELED:
        assert "F" not in parents and "C" in parents
    if decision == Result.UPSTREAM_FAILED:
        assert "F" in parents
