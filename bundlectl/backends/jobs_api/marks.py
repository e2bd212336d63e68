"""Whose job it is, on a workspace that keeps known members only: the mark travels in `deployment.metadata_file_path`.

Called by databricks. `marked(unmarked(x))` is `x` as far as a workspace keeps it. Pure. What a workspace fills in is
left out of digests, so that a job that nobody touched has the digest it was sent with.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from bundlectl.backends.base import Composed
from bundlectl.backends.jobs_api.documents import Places
from bundlectl.base.digest import digest_document
from bundlectl.model.deployment import ownership_id
from bundlectl.model.source import SNAPSHOT_FOLDER

_FOLDER: Final = SNAPSHOT_FOLDER.partition("/")[0]
_ENDING: Final = ".json"
_LONGEST: Final = 16_384
_OWNER: Final = "IS_OWNER"
# Members of the mark that the path says already.
_IN_PATH: Final = ("lineage", "target", "key", "own")
_JOB_FILLED: Final[Mapping[str, Any]] = {
    "name": "Untitled",
    "format": "MULTI_TASK",
    "email_notifications": {},
    "webhook_notifications": {},
    "timeout_seconds": 0,
    "max_concurrent_runs": 1,
}
_TASK_FILLED: Final[Mapping[str, Any]] = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {}}
_SOURCED: Final = ("notebook_task", "spark_python_task", "dbt_task")


class Sent(NamedTuple):
    """What a workspace is sent for a job."""

    settings: dict[str, Any]
    permissions: list[dict[str, Any]] | None  # access_control_list; None when the bundle says nothing


def unmarked(document: Mapping[str, Any], places: Places) -> Sent:
    """The settings with the mark in the path, and the permissions apart."""
    settings = {name: value for name, value in document.items() if name not in ("bundlectl", "access_control_list")}
    permissions = document.get("access_control_list")
    permissions = permissions if isinstance(permissions, list) else None
    mark = document.get("bundlectl")
    if not isinstance(mark, dict) or "own" not in mark:
        return Sent(settings, permissions)
    rest = {name: value for name, value in mark.items() if name not in _IN_PATH}
    if mark["own"] != ownership_id(mark["lineage"], mark["target"], mark["key"]):
        rest["own"] = mark["own"]
    if permissions is not None:
        rest["access"] = "owner" if any(entry.get("permission_level") == _OWNER for entry in permissions) else "shared"
    folder = f"{places.root_path}/{_FOLDER}/{mark['lineage']}/{mark['target']}/{mark['key']}"
    deployment = settings.get("deployment")
    deployment = deployment if isinstance(deployment, dict) else {}
    path = f"{folder}/{_packed(rest)}{_ENDING}" if rest else f"{folder}{_ENDING}"
    settings["deployment"] = {**deployment, "kind": "BUNDLE", "metadata_file_path": path}
    return Sent(settings, permissions)


def mark_of(settings: Mapping[str, Any], places: Places) -> dict[str, Any] | None:
    """The mark that a job of this bundle carries; None for any other job, also for one whose path was changed."""
    deployment = settings.get("deployment")
    path = deployment.get("metadata_file_path") if isinstance(deployment, dict) else None
    start = f"{places.root_path}/{_FOLDER}/"
    if not isinstance(path, str) or not path.startswith(start) or not path.endswith(_ENDING) or len(path) > _LONGEST:
        return None
    parts = path[len(start) : -len(_ENDING)].split("/")
    if len(parts) not in (3, 4):
        return None
    lineage, target, key = parts[:3]
    rest = _unpacked(parts[3]) if len(parts) == 4 else {}
    if rest is None:
        return None
    mark = {"own": ownership_id(lineage, target, key), "lineage": lineage, "target": target, "key": key}
    return {**mark, **rest}


def marked(settings: Mapping[str, Any], places: Places, permissions: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Settings of a workspace in the form that documents reads: with the mark, and permissions if they are ours."""
    document = {name: value for name, value in settings.items() if name != "access_control_list"}
    mark = mark_of(settings, places)
    if mark is None:
        return document
    access = mark.pop("access", None)
    if access is not None and permissions is not None:
        document["access_control_list"] = [
            entry for entry in permissions if access == "owner" or entry["permission_level"] != _OWNER
        ]
    document["bundlectl"] = mark
    document["deployment"] = {
        **document["deployment"],
        "metadata_file_path": f"{places.root_path}/{_FOLDER}/{mark['lineage']}/{mark['target']}/{mark['key']}{_ENDING}",
    }
    return document


def has_permissions(settings: Mapping[str, Any], places: Places) -> bool:
    """Whether the bundle gave the job permissions, so that they have to be read."""
    mark = mark_of(settings, places)
    return mark is not None and "access" in mark


def direct_entries(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An answer of the permissions API as an access_control_list, without what is inherited."""
    found = []
    for entry in document.get("access_control_list") or ():
        names = {name: entry[name] for name in ("user_name", "group_name", "service_principal_name") if name in entry}
        found += [
            {**names, "permission_level": each.get("permission_level")}
            for each in entry.get("all_permissions") or ()
            if not each.get("inherited")
        ]
    return found


def with_digest(composed: Composed) -> Composed:
    """The composed document with the digest that a workspace's copy of it has."""
    return composed._replace(digest=digest_of(composed.document))


def digest_of(document: Mapping[str, Any]) -> str:
    """sha256:<hex> of a marked document without what a workspace fills in by itself."""
    plain = {name: value for name, value in document.items() if name not in _JOB_FILLED or value != _JOB_FILLED[name]}
    source = "GIT" if document.get("git_source") else "WORKSPACE"
    if isinstance(document.get("tasks"), list):
        plain["tasks"] = sorted((_plain_task(task, source) for task in document["tasks"]), key=_task_key)
    if isinstance(document.get("access_control_list"), list):
        plain["access_control_list"] = sorted(
            document["access_control_list"], key=lambda entry: json.dumps(entry, sort_keys=True)
        )
    for name in ("job_clusters", "environments", "parameters"):
        if plain.get(name) == []:
            del plain[name]
    return digest_document(plain)


def _plain_task(task: Any, source: str) -> Any:
    if not isinstance(task, dict):
        return task
    plain = {name: value for name, value in task.items() if name not in _TASK_FILLED or value != _TASK_FILLED[name]}
    if isinstance(plain.get("depends_on"), list):
        plain["depends_on"] = sorted(plain["depends_on"], key=lambda edge: json.dumps(edge, sort_keys=True))
    for name in _SOURCED:
        body = plain.get(name)
        if isinstance(body, dict) and body.get("source") == source:
            plain[name] = {member: value for member, value in body.items() if member != "source"}
    sql = plain.get("sql_task")
    if isinstance(sql, dict) and isinstance(sql.get("file"), dict) and sql["file"].get("source") == source:
        file = {member: value for member, value in sql["file"].items() if member != "source"}
        plain["sql_task"] = {**sql, "file": file}
    return plain


def _task_key(task: Any) -> str:
    return str(task.get("task_key")) if isinstance(task, dict) else ""


def _packed(rest: Mapping[str, Any]) -> str:
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return found if isinstance(found, dict) else None
