"""jobs/create, reset, update, get, list and delete, and the listing by owner and digest that plans read.

Reached from routes. Requests are checked as a whole before anything is written; checks are loaded only then.
"""

from typing import Any

from bundlectl.engine import jobs, runs
from bundlectl.engine.api.documents import filled_settings
from bundlectl.engine.api.errors import ApiError, invalid, missing
from bundlectl.engine.api.request import MAX_ID, Request, make_token

_PAGE = 100  # elements of each array that jobs/get gives at once
_PAGED = ("tasks", "job_clusters", "environments", "parameters")


def create(request: Request) -> dict[str, Any]:
    settings = _checked(request, request.body())
    own = jobs.owner_of(settings).own
    key = request.headers.get("idempotency-key")
    if key is not None and own is not None and key != own:
        raise invalid(f'"Idempotency-Key" is "{key}", but the settings say "{own}".')
    own = own or key
    services = request.services
    with services.store.open().write() as connection:
        _fence(connection, request, settings)
        known = None if own is None else jobs.find_owned(connection, own)
        if known is not None:
            return {"job_id": known}
        id = jobs.create(connection, settings, own, services.clock.now_ms(), services.user)
    return {"job_id": id}


def reset(request: Request) -> dict[str, Any]:
    id = request.body_id("job_id")
    new = request.body().get("new_settings")
    if not isinstance(new, dict):
        raise invalid('"new_settings" must be an object.')
    settings = _checked(request, new)
    with request.services.store.open().write() as connection:
        _replace(connection, request, _existing(connection, id), settings)
    request.services.notify()
    return {}


def update(request: Request) -> dict[str, Any]:
    from bundlectl.engine.api.merging import BadUpdate, merged

    id = request.body_id("job_id")
    body = request.body()
    new, remove = body.get("new_settings") or {}, body.get("fields_to_remove") or []
    if not isinstance(new, dict):
        raise invalid('"new_settings" must be an object.')
    if not isinstance(remove, list) or not all(isinstance(name, str) for name in remove):
        raise invalid('"fields_to_remove" must be a list of texts.')
    with request.services.store.open().write() as connection:
        old = _existing(connection, id)
        try:
            settings = _checked(request, merged(old.settings, new, remove))
        except BadUpdate as error:
            raise invalid(str(error)) from None
        _replace(connection, request, old, settings)
    request.services.notify()
    return {}


def _replace(connection: Any, request: Request, old: jobs.Job, settings: dict[str, Any]) -> None:
    """New settings for a job: they hold for runs that start from now on, the time limit for active ones too."""
    now = request.services.clock.now_ms()
    _fence(connection, request, old.settings, settings)
    try:
        jobs.replace(connection, old.id, settings)
    except jobs.OwnerTaken as error:
        raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Job {error.job_id} carries this ownership id.") from error
    if "access_control_list" in settings:
        from bundlectl.engine.api import access

        access.forget_entries(connection, old.id)
    if jobs.is_hidden(settings):
        runs.drop_queued(connection, old.id, now)
    runs.set_timeout(connection, old.id, settings.get("timeout_seconds") or 0)
    runs.admit(connection, old.id, now)


def delete(request: Request) -> dict[str, Any]:
    id = request.body_id("job_id")
    services = request.services
    with services.store.open().write() as connection:
        old = _existing(connection, id)
        _fence(connection, request, old.settings)
        runs.drop_queued(connection, id, services.clock.now_ms())
        jobs.delete(connection, id)
        connection.execute("DELETE FROM access WHERE object = ?", (f"jobs/{id}",))
    services.notify()
    return {}


def get(request: Request) -> dict[str, Any]:
    id = request.query_id("job_id")
    with request.services.store.read() as connection:
        job = _existing(connection, id)
    settings = filled_settings(job.settings)
    token = request.page_token("job")
    skip = token[0] if token else 0
    more = any(len(settings.get(name) or ()) > skip + _PAGE for name in _PAGED)
    page = {
        name: value[skip : skip + _PAGE] if name in _PAGED and isinstance(value, list) else value
        for name, value in settings.items()
        if not skip or name in _PAGED  # later pages hold the rest of the arrays, and nothing else
    }
    document = {**_head(job), "settings": page}
    if more:
        document["next_page_token"] = make_token("job", skip + _PAGE)
    return document


def list_jobs(request: Request) -> dict[str, Any]:
    limit = request.number("limit", 20, 1, 100)
    expand = request.flag("expand_tasks")
    token = request.page_token("jobs")
    below = token[0] if token else MAX_ID
    skip = request.number("offset", 0, 0, 1_000_000)
    with request.services.store.read() as connection:
        found = jobs.page(connection, limit + 1, below=below, skip=skip, name=request.query.get("name"))
    documents = []
    for job in found[:limit]:
        settings = filled_settings(job.settings)
        if not expand:
            settings = {name: value for name, value in settings.items() if name not in ("tasks", "job_clusters")}
        document = {**_head(job), "settings": settings}
        if any(len(job.settings.get(name) or ()) > _PAGE for name in _PAGED):
            document["has_more"] = True
        documents.append(document)
    answer: dict[str, Any] = {"has_more": len(found) > limit}
    if documents:
        answer["jobs"] = documents
    if len(found) > limit:
        answer["next_page_token"] = make_token("jobs", found[limit - 1].id)
    return answer


def owned(request: Request) -> dict[str, Any]:
    """Every job of a lineage and target: id, ownership id, digest of the settings as received."""
    lineage, target = request.query.get("lineage"), request.query.get("target")
    if lineage is None or target is None:
        raise invalid('"lineage" and "target" are needed.')
    with request.services.store.read() as connection:
        rows = jobs.owned(connection, lineage, target)
    return {"jobs": [{"job_id": id, "own": own, "digest": digest} for id, own, digest in rows]}


def _head(job: jobs.Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "creator_user_name": job.creator,
        "run_as_user_name": job.run_as,
        "created_time": job.created,
    }


def _existing(connection: Any, id: int) -> jobs.Job:
    job = jobs.get(connection, id)
    if job is None:
        raise missing("Job", id)
    return job


def _checked(request: Request, settings: dict[str, Any]) -> dict[str, Any]:
    from bundlectl.engine.api.checks import MAX_TASKS, problems

    found = problems(settings, MAX_TASKS if request.queue_by_default else 100)
    if found:
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise invalid(found[0] + more)
    if settings.get("access_control_list") is not None:
        from bundlectl.engine.api.access import checked_entries

        checked_entries(settings["access_control_list"])
    return settings


def _fence(connection: Any, request: Request, *settings: dict[str, Any]) -> None:
    """Refuses a writer that was overtaken in any of the owners that the write touches."""
    text = request.headers.get("if-fence")
    if text is None:
        return
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        raise invalid(f'"If-Fence" must be a number, not "{text}".')
    for each in settings:
        try:
            jobs.raise_fence(connection, jobs.owner_of(each), int(text))
        except jobs.Overtaken as error:
            text = f"A later deployment (fence {error.seen}) has taken over this target; this one has fence {text}."
            raise ApiError(409, "RESOURCE_CONFLICT", text) from error
