"""Waiting in tests for what another process does in its own time."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0  # long: a machine may be busy with other tests


def until(holds: Callable[[], bool]) -> None:
    """Returns as soon as `holds()`; AssertionError when it never does."""
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)
