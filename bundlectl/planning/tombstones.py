"""Deleted jobs that are kept for a while: until when, and which of them have been kept long enough. Pure.

Called by planning.planner and by operations that bring such jobs back or let them go.
"""

from collections.abc import Mapping

from bundlectl.base.clock import parse_rfc3339, rfc3339
from bundlectl.model.deployment import DeployedJob

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
# The last moment that RFC 3339 can say.
_LAST_MS = 253_402_300_799_000


def kept_until(now_ms: int, retention: str) -> str:
    """When a job that is deleted now may go for good, RFC 3339. `retention`: as in the bundle, `30d`."""
    return rfc3339(min(now_ms + int(retention[:-1]) * _UNIT_MS[retention[-1]], _LAST_MS))


def kept_jobs(jobs: Mapping[str, DeployedJob]) -> dict[str, DeployedJob]:
    """The deleted ones among recorded jobs, by key."""
    return {key: job for key, job in sorted(jobs.items()) if job.tombstone is not None}


def is_over(job: DeployedJob, now_ms: int) -> bool:
    """Whether a deleted job has been kept long enough. What cannot be read is kept."""
    try:
        return parse_rfc3339((job.tombstone or {}).get("until", "")) <= now_ms
    except ValueError:
        return False
