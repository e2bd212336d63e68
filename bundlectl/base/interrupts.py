"""Holds SIGINT and SIGTERM back while something must not be left half done.

Called around an apply: the call in hand is finished, the rest is not begun. A second signal is not held back.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether a signal came, and which."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def received(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What a process that ends because of it returns: 130 or 143."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def held() -> Iterator[Interrupt]:
    """While this lasts, a first signal is only noted. Works in the main thread, as all handling of signals does."""
    interrupt = Interrupt()

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.received:
            raise KeyboardInterrupt
        interrupt.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
