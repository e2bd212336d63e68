"""jobs/update: new settings laid over old ones (rest-api.md 3.1). Pure.

Called by api.jobs; the result is checked there as a whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bundlectl.model.job import NATURAL_KEYS

# Lists whose entries are merged by their key; every other member is replaced as a whole.
_MERGED: Final[Mapping[str, str]] = {
    name: NATURAL_KEYS[(name,)] for name in ("tasks", "job_clusters", "environments", "parameters")
}
# Members of job settings that may be named although the job does not have them.
_KNOWN: Final = frozenset(
    [
        "access_control_list",
        "budget_policy_id",
        "continuous",
        "deployment",
        "description",
        "duration_target",
        "edit_mode",
        "email_notifications",
        "environment_variables",
        "environments",
        "format",
        "git_source",
        "health",
        "job_clusters",
        "max_concurrent_runs",
        "name",
        "notification_settings",
        "parameters",
        "parent_path",
        "performance_target",
        "queue",
        "run_as",
        "schedule",
        "tags",
        "tasks",
        "timeout_seconds",
        "trigger",
        "triggers",
        "usage_policy_id",
        "webhook_notifications",
    ]
)


class BadUpdate(Exception):
    """What is to be removed is nothing that a job has."""


def merged(old: Mapping[str, Any], new: Mapping[str, Any], remove: Sequence[str]) -> dict[str, Any]:
    """The settings afterwards: fields are removed first, then the new ones laid over. Raises BadUpdate."""
    settings = dict(old)
    for name in remove:
        _remove(settings, name)
    for name, value in new.items():
        entries = settings.get(name)
        if name in _MERGED and isinstance(value, list) and isinstance(entries, list):
            settings[name] = _merged_list(entries, value, _MERGED[name])
        else:
            settings[name] = value
    return settings


def _remove(settings: dict[str, Any], name: str) -> None:
    field, slash, key = name.partition("/")
    if not slash:
        if field not in settings and field not in _KNOWN:
            raise BadUpdate(f"fields_to_remove names '{name}', which is no field of a job.")
        settings.pop(field, None)
        return
    entries = settings.get(field)
    member = _MERGED.get(field)
    kept = [entry for entry in entries if entry.get(member) != key] if isinstance(entries, list) and member else None
    if kept is None or len(kept) == len(entries or ()):
        raise BadUpdate(f"fields_to_remove names '{name}', which the job does not have.")
    settings[field] = kept


def _merged_list(old: list[Any], new: list[Any], member: str) -> list[Any]:
    """Entries of the same key are replaced where they are, new ones come at the end."""
    fresh = {entry[member]: entry for entry in new if isinstance(entry, dict) and isinstance(entry.get(member), str)}
    if len(fresh) < len(new):
        return new  # entries without a key, or one key twice: what is wrong with them is told by the checks
    replaced = [fresh.pop(entry.get(member), entry) for entry in old]
    return [*replaced, *fresh.values()]
