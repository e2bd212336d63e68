"""How many requests are under way at once: as many as are allowed, fewer for a while after the other side throttled.

Used by http around each exchange. Halves on every refusal, and grows by one after as many good answers as it is wide.
"""

import threading


class Gate:
    """A context manager for threads; `most` is the widest it gets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._width = most
        self._inside = 0
        self._good = 0
        self._changed = threading.Condition()

    @property
    def width(self) -> int:
        return self._width

    def __enter__(self) -> None:
        with self._changed:
            while self._inside >= self._width:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def narrow(self) -> None:
        """The other side said that it is too much."""
        with self._changed:
            self._width = max(1, self._width // 2)
            self._good = 0

    def widen(self) -> None:
        """The other side answered."""
        if self._width == self._most:
            return  # as nearly always; a race here costs one count
        with self._changed:
            self._good += 1
            if self._good >= self._width:
                self._good = 0
                self._width = min(self._most, self._width + 1)
                self._changed.notify()
