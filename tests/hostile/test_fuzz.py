"""The fuzzer of the YAML reader and of interpolation, in a child process; briefly always, for long in `make soak`."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT
from tests.hostile.fuzz import corpus, make


def fuzz(seed: int, count: int) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.hostile.fuzz", "--seed", str(seed), "--count", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stdout[-20_000:] + child.stderr[-5_000:]


def test_a_few_inputs() -> None:
    fuzz(seed=20, count=400)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 25))
def test_many_inputs(seed: int) -> None:
    fuzz(seed, count=4_000)


def test_an_input_can_be_made_again() -> None:
    texts = corpus()
    assert len(texts) > 500
    assert [make(3, number, texts) for number in range(50)] == [make(3, number, texts) for number in range(50)]
    assert make(3, 1, texts) != make(4, 1, texts)
