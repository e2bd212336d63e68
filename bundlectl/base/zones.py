"""Time zones by the names that a schedule may give: regions, and fixed offsets as GMT+05:30.

Called by config's checks of schedules, and by whoever computes fires. Reads the time zone database of the machine.
"""

import functools
import re
from datetime import timedelta, timezone, tzinfo

FIXED_OFFSET = r"GMT([+-])([01]?[0-9]|2[0-3])(?::?([0-5][0-9]))?"


@functools.lru_cache(maxsize=256)
def find_zone(name: str) -> tzinfo | None:
    """The zone of a name; None when there is no such zone, or none that can be read."""
    fixed = re.fullmatch(FIXED_OFFSET, name)
    if fixed is not None:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3] or 0))
        return timezone(-offset if fixed[1] == "-" else offset, name)
    import zoneinfo  # a plan without changes reads no schedule

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def known_zones() -> set[str]:
    """Names of all regions; empty on a machine without the database."""
    import zoneinfo

    return zoneinfo.available_timezones()
