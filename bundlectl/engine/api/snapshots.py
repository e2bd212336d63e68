"""Routes of the engine's own: its identity, code snapshots, the environment that a job would find.

Reached from routes.
"""

from typing import Any

from bundlectl.engine import files, jobs
from bundlectl.engine.api.errors import ApiError, invalid, missing
from bundlectl.engine.api.request import Request


def identity(request: Request) -> dict[str, Any]:
    """The engine's UUID; None while there is no engine."""
    with request.services.store.read() as connection:
        row = connection.execute("SELECT id FROM engine").fetchone()
    return {"id": None if row is None else row[0], "version": request.services.version}


def stage(request: Request) -> dict[str, Any]:
    content = request.document
    if not isinstance(content, bytes):
        raise ApiError(415, "MALFORMED_REQUEST", "The body must be the bytes of the file.")
    path = request.query.get("path")
    if path is None:
        raise invalid('"path" is missing.')
    services = request.services
    services.store.open()
    try:
        files.stage(services.folder, request.arguments[0], path, request.query.get("mode", "100644"), content)
    except files.BadSnapshot as error:
        raise invalid(f"{error}.") from error
    return {}


def seal(request: Request) -> dict[str, Any]:
    services = request.services
    services.store.open()
    try:
        files.seal(services.folder, request.arguments[0])
    except files.BadSnapshot as error:
        raise invalid(f"{error}.") from error
    return {}


def state(request: Request) -> dict[str, Any]:
    digest = request.arguments[0]
    try:
        found = files.state(request.services.folder, digest)
    except files.BadSnapshot as error:
        raise invalid(f"{error}.") from error
    if found is None:
        raise missing("Snapshot", digest)
    return {"sealed": found.sealed, "files": list(found.files)}


def environment(request: Request) -> dict[str, Any]:
    """The `inputs.environment` entries of a run of a job, were it started now."""
    id = request.query_id("job_id")
    services = request.services
    with services.store.read() as connection:
        job = jobs.get(connection, id)
    if job is None:
        raise missing("Job", id)
    return {"environment": services.describe(job.settings)}
