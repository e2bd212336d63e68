"""The lock flag of commands that write state: how long a target that somebody else holds is waited for."""

import re
from typing import Annotated

import typer

from bundlectl.model.errors import UsageError

DEFAULT = "10m"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"([0-9]{1,6})([smh]?)")
_MOST_S = 7 * 24 * 3600

LockTimeoutOption = Annotated[
    str,
    typer.Option(
        "--lock-timeout", metavar="TIME", help="Wait so long while somebody else deploys, as 90s or 10m; 0: not at all."
    ),
]


def lock_seconds(text: str) -> float:
    """Seconds of `90`, `90s`, `10m`, `1h30m`. Raises UsageError."""
    parts = _PART.findall(text)
    if not text or "".join(number + unit for number, unit in parts) != text or any(not unit for _, unit in parts[:-1]):
        raise UsageError(f'--lock-timeout needs a time such as 90s or 10m, got "{text[:40]}"')
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _MOST_S:
        raise UsageError(f'--lock-timeout is at most 7 days, got "{text[:40]}"')
    return float(seconds)
