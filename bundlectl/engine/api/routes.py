"""ROUTES, and the one function that answers: method, path, query, document -> status, document.

Called by service. Every refusal has the same body. A path that exists for another method is 405, any other 404.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from bundlectl.engine.api import jobs, requests, runs, snapshots
from bundlectl.engine.api.errors import ApiError
from bundlectl.engine.api.request import Request, Services
from bundlectl.engine.api.route import SETTINGS, UPLOAD, Route, jobs_route, own_route

ROUTES: tuple[Route, ...] = (
    jobs_route("POST", "create", jobs.create, SETTINGS),
    jobs_route("POST", "reset", jobs.reset, SETTINGS),
    jobs_route("POST", "update", jobs.update, SETTINGS),
    jobs_route("POST", "delete", jobs.delete),
    jobs_route("GET", "get", jobs.get),
    jobs_route("GET", "list", jobs.list_jobs),
    jobs_route("POST", "run-now", requests.run_now),
    jobs_route("POST", "runs/submit", requests.submit, SETTINGS),
    jobs_route("GET", "runs/get", runs.get),
    jobs_route("GET", "runs/list", runs.list_runs),
    jobs_route("GET", "runs/get-output", runs.get_output),
    jobs_route("POST", "runs/cancel", requests.cancel),
    jobs_route("POST", "runs/cancel-all", requests.cancel_all),
    jobs_route("POST", "runs/repair", requests.repair),
    jobs_route("POST", "runs/delete", requests.delete),
    own_route("GET", "identity", snapshots.identity),
    own_route("GET", "jobs", jobs.owned),
    own_route("GET", "runs/([^/]+)/log", runs.log),
    own_route("GET", "runs/([^/]+)/manifest", runs.manifest),
    own_route("GET", "environment", snapshots.environment),
    own_route("GET", "snapshots/([^/]+)", snapshots.state),
    own_route("POST", "snapshots/([^/]+)/files", snapshots.stage)._replace(takes="bytes", limit=UPLOAD),
    own_route("POST", "snapshots/([^/]+)/seal", snapshots.seal),
)


def handle(
    services: Services,
    method: str,
    path: str,
    query: Mapping[str, str],
    document: Any,
    headers: Mapping[str, str],
) -> tuple[int, Any]:
    """One answer. Raises only what is a fault of ours, or an engine that cannot be opened (StateError)."""
    try:
        route, match = find(method, path)
        groups = match.groupdict()
        request = Request(
            services=services,
            query=query,
            document=document,
            headers={name.lower(): value for name, value in headers.items()},
            arguments=() if groups else tuple(each or "" for each in match.groups()),
            queue_by_default=groups.get("version") == "2.2",
        )
        return route.status, route.answer(request)
    except ApiError as error:
        return error.status, error.document()
    except sqlite3.OperationalError as error:
        refused = ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The engine's database cannot be written: {error}.")
        return refused.status, refused.document()
    except OSError as error:
        refused = ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The engine's folder cannot be used: {error}.")
        return refused.status, refused.document()


def find(method: str, path: str) -> tuple[Route, re.Match[str]]:
    """The route of a call, and what its path says. Raises ApiError."""
    allowed = []
    for route in _each():
        match = route.path.fullmatch(path)
        if match is not None and route.method == method:
            return route, match
        if match is not None:
            allowed.append(route.method)
    if method == "HEAD" and "GET" in allowed:
        return find("GET", path)
    if allowed:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"'{path}' does not take {method}.", allow=tuple(allowed))
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")


def _each() -> Iterator[Route]:
    """Every route; those of a workspace are loaded once nothing else fits."""
    yield from ROUTES
    from bundlectl.engine.api.workspace_routes import WORKSPACE_ROUTES

    yield from WORKSPACE_ROUTES


def every_route() -> tuple[Route, ...]:
    """The whole table."""
    return tuple(_each())
