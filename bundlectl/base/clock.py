"""Clock protocol, the system clock and a frozen one: the only place that reads the time.

Passed to whatever needs the time. Zones other than UTC appear only in base.quartz and in rendering.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

# Linux counts suspend only in CLOCK_BOOTTIME; elsewhere the monotonic clock is the nearest there is.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What a part that needs the time is given."""

    def now_ms(self) -> int:
        """Wall clock: milliseconds since 1970-01-01 UTC."""
        ...

    def boot_s(self) -> float:
        """Seconds on a clock that never steps and runs through suspend: for leases and durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_s(self) -> float:
        return time.clock_gettime(_BOOT_CLOCK)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FrozenClock:
    """A clock for tests: stands still until it is moved or somebody sleeps."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        self._now_ms = now_ms
        self._boot_s = 1_000.0

    def now_ms(self) -> int:
        return self._now_ms

    def boot_s(self) -> float:
        return self._boot_s

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves both clocks forward."""
        self._now_ms += round(seconds * 1000)
        self._boot_s += seconds


def rfc3339(ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC, to the second: 2026-11-23T10:02:00Z."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_ms(ms: int) -> str:
    """The same with milliseconds: 2026-11-23T10:02:00.123Z."""
    return f"{rfc3339(ms)[:-1]}.{ms % 1000:03d}Z"


def parse_rfc3339(text: str) -> int:
    """RFC 3339 -> epoch milliseconds. Raises ValueError for anything else, also for a time without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no zone in {text!r}")
    return round(moment.timestamp() * 1000)
