"""Fixtures that every kind of test may use: a frozen clock, git repositories, an environment that is nobody's own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from bundlectl.base.clock import FrozenClock
from tests.builders import RepositoryBuilder, isolated_environment

# A gate gives one answer for one commit, however busy the machine: examples are drawn from the test's own text, and no
# example has a time limit. `--hypothesis-profile=random` draws others each time, as `make soak` does.
_RANDOM = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("random", _RANDOM)
hypothesis.settings.register_profile("gate", _RANDOM, derandomize=True, database=None)
hypothesis.settings.load_profile("gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the expected output of acceptance cases anew")


@pytest.fixture(scope="session", autouse=True)
def nobodys_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees, or changes, the home folder and the settings of whoever runs it."""
    isolated = isolated_environment(tmp_path_factory.mktemp("nobody"), os.environ)
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(isolated):
            patch.delenv(name)
        for name, value in isolated.items():
            patch.setenv(name, value)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does that to what it starts with "&"
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still until it is moved."""
    return FrozenClock()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables for processes of one test: engine, cache, state and home of its own."""
    return isolated_environment(tmp_path / "user", os.environ)


@pytest.fixture
def new_repository(tmp_path: Path, environment: dict[str, str]) -> Callable[[str], RepositoryBuilder]:
    """Makes empty git repositories, by folder name."""
    return lambda name: RepositoryBuilder(tmp_path / name, environment)


@pytest.fixture
def repository(new_repository: Callable[[str], RepositoryBuilder]) -> RepositoryBuilder:
    """One empty git repository."""
    return new_repository("repository")
