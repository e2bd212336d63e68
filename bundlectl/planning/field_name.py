"""The name of a job's field as people type it: `jobs.etl.tasks[load].timeout_seconds`. Pure.

Called by operations for flags and arguments that name fields. Whether there is such a field is not asked here.
"""

from bundlectl.model.errors import UsageError
from bundlectl.model.location import FieldPath, parse_path


def job_field(text: str) -> tuple[str, FieldPath]:
    """Key and field path of a name; no path for a whole job. Raises UsageError."""
    try:
        path = parse_path(text)
    except ValueError:
        path = ()
    steps = path[1:] if path[:1] == ("resources",) else path
    if steps[:1] != ("jobs",) or len(steps) < 2 or not isinstance(steps[1], str):
        raise UsageError(f'"{text}" is no field of a job', hint="for example jobs.etl.max_concurrent_runs")
    return steps[1], steps[2:]
