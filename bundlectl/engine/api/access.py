"""Who asks, who may do what, and what clients ask for that a single engine has none of.

Reached from routes. Permissions are stored and given back; the owner of a job is its creator until they say otherwise.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from bundlectl.engine import jobs
from bundlectl.engine.api.errors import ApiError, invalid, missing
from bundlectl.engine.api.request import Request

OWNER: Final = "IS_OWNER"
LEVELS: Final[Mapping[str, str]] = {
    "CAN_VIEW": "Can view",
    "CAN_MANAGE_RUN": "Can manage run",
    "CAN_MANAGE": "Can manage",
    OWNER: "Is owner",
}
_PRINCIPALS: Final = ("user_name", "group_name", "service_principal_name")


def me(request: Request) -> dict[str, Any]:
    name = request.services.user
    emails = [{"value": name, "primary": True}] if "@" in name else []
    return {"id": "1", "userName": name, "displayName": name.partition("@")[0], "emails": emails, "groups": []}


# Permissions -------------------------------------------------------------------------------------------------------


def get_permissions(request: Request) -> dict[str, Any]:
    id = _job_id(request)
    with request.services.store.read() as connection:
        job = _job(connection, id)
        return _document(id, _entries(connection, job))


def set_permissions(request: Request) -> dict[str, Any]:
    return _write(request, replace=True)


def update_permissions(request: Request) -> dict[str, Any]:
    return _write(request, replace=False)


def permission_levels(request: Request) -> dict[str, Any]:
    _job_id(request)
    levels = [{"permission_level": level, "description": text} for level, text in LEVELS.items()]
    return {"permission_levels": levels}


def _write(request: Request, *, replace: bool) -> dict[str, Any]:
    id = _job_id(request)
    given = checked_entries(request.body().get("access_control_list"))
    services = request.services
    if not services.store.exists:
        raise missing("Job", id)
    with services.store.open().write() as connection:
        job = _job(connection, id)
        entries = given if replace else _merged(_entries(connection, job), given)
        check_owner(entries)
        keep_entries(connection, id, entries)
    return _document(id, entries)


def checked_entries(value: Any) -> list[dict[str, str]]:
    """An access_control_list of a request. Raises ApiError."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise invalid('"access_control_list" must be a list of objects.')
    found: dict[tuple[str, str], dict[str, str]] = {}
    for entry in value:
        names = [(kind, entry[kind]) for kind in _PRINCIPALS if entry.get(kind) is not None]
        if len(names) != 1 or not isinstance(names[0][1], str) or not names[0][1]:
            raise invalid(f"Every entry of 'access_control_list' needs one of {', '.join(_PRINCIPALS)}.")
        level = entry.get("permission_level")
        if level not in LEVELS:
            raise invalid(f"'permission_level' must be one of {', '.join(LEVELS)}, not '{str(level)[:80]}'.")
        kind, name = names[0]
        if level == OWNER and kind == "group_name":
            raise invalid("A group cannot be the owner of a job.")
        found[kind, name] = {kind: name, "permission_level": level}
    return list(found.values())


def check_owner(entries: list[dict[str, str]]) -> None:
    """Raises ApiError unless exactly one entry owns the job."""
    if sum(entry["permission_level"] == OWNER for entry in entries) != 1:
        raise invalid("The job must have exactly one owner.")


def keep_entries(connection: Any, id: int, entries: list[dict[str, str]]) -> None:
    """Stores the permissions of a job."""
    connection.execute("INSERT OR REPLACE INTO access VALUES (?, ?)", (f"jobs/{id}", json.dumps(entries)))


def forget_entries(connection: Any, id: int) -> None:
    """The permissions of a job are those of its settings again."""
    connection.execute("DELETE FROM access WHERE object = ?", (f"jobs/{id}",))


def _entries(connection: Any, job: jobs.Job) -> list[dict[str, str]]:
    row = connection.execute("SELECT entries FROM access WHERE object = ?", (f"jobs/{job.id}",)).fetchone()
    if row is not None:
        entries: list[dict[str, str]] = json.loads(row[0])
        return entries
    given = job.settings.get("access_control_list")
    try:
        entries = checked_entries(given)
    except ApiError:
        entries = []  # of a job from before permissions were checked
    if any(entry["permission_level"] == OWNER for entry in entries):
        return entries
    return [{"user_name": job.creator, "permission_level": OWNER}, *entries]


def _merged(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    """One entry for each principal, the new one where there is one. A new owner takes the place of the old one."""
    if any(entry["permission_level"] == OWNER for entry in new):
        old = [entry for entry in old if entry["permission_level"] != OWNER]
    entries = {_principal(entry): entry for entry in [*old, *new]}
    return list(entries.values())


def _principal(entry: Mapping[str, str]) -> tuple[str, str]:
    return next((kind, entry[kind]) for kind in _PRINCIPALS if kind in entry)


def _document(id: int, entries: list[dict[str, str]]) -> dict[str, Any]:
    listed = []
    for entry in entries:
        kind, name = _principal(entry)
        shown = {kind: name} if kind == "group_name" else {kind: name, "display_name": name.partition("@")[0]}
        listed.append({**shown, "all_permissions": [_level(entry["permission_level"])]})
    inherited = {**_level("CAN_MANAGE"), "inherited": True, "inherited_from_object": ["/jobs/"]}
    listed.append({"group_name": "admins", "all_permissions": [inherited]})
    return {"object_id": f"/jobs/{id}", "object_type": "job", "access_control_list": listed}


def _level(level: str) -> dict[str, Any]:
    return {"permission_level": level, "inherited": False}


def set_folder_permissions(request: Request) -> dict[str, Any]:
    """Stored and given back; nothing here depends on them."""
    id = request.path_id()
    value = request.body().get("access_control_list") or []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise invalid('"access_control_list" must be a list of objects.')
    with request.services.store.open().write() as connection:
        if connection.execute("SELECT 1 FROM workspace WHERE id = ?", (id,)).fetchone() is None:
            raise missing("Directory", id)
        connection.execute("INSERT OR REPLACE INTO access VALUES (?, ?)", (f"directories/{id}", json.dumps(value)))
    listed = [
        {
            **{kind: entry[kind] for kind in _PRINCIPALS if kind in entry},
            "all_permissions": [{"permission_level": entry.get("permission_level"), "inherited": False}],
        }
        for entry in value
    ]
    return {"object_id": f"/directories/{id}", "object_type": "directory", "access_control_list": listed}


def _job_id(request: Request) -> int:
    return request.path_id()


def _job(connection: Any, id: int) -> jobs.Job:
    job = jobs.get(connection, id)
    if job is None:
        raise missing("Job", id)
    return job


# What there is none of ---------------------------------------------------------------------------------------------


def compliant(request: Request) -> dict[str, Any]:
    return {"is_compliant": True}


def list_compliance(request: Request) -> dict[str, Any]:
    return {"jobs": []}


def enforce_compliance(request: Request) -> dict[str, Any]:
    return {"has_changes": False}


def no_repos(request: Request) -> dict[str, Any]:
    return {"repos": []}


def no_clusters(request: Request) -> dict[str, Any]:
    return {"clusters": []}


def no_policies(request: Request) -> dict[str, Any]:
    return {"policies": []}


def no_warehouses(request: Request) -> dict[str, Any]:
    return {"warehouses": []}


def metastore(request: Request) -> dict[str, Any]:
    return {"metastore_id": "local", "workspace_id": 1}


def telemetry(request: Request) -> dict[str, Any]:
    """Dropped."""
    return {"errors": [], "numProtoSuccess": 1}


def unprovided(request: Request) -> dict[str, Any]:
    """Functions of the platform that an engine does not have."""
    raise ApiError(501, "NOT_IMPLEMENTED", f"'{request.arguments[0]}' is not provided by the embedded engine.")
