"""ROUTES, and the one function that answers: method, path, query, document -> status, document.

Called by service. Every refusal has the same body. A path that exists for another method is 405, any other 404.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bundlectl.engine.api import jobs, requests, runs, snapshots
from bundlectl.engine.api.errors import ApiError
from bundlectl.engine.api.request import Request, Services


class Route(NamedTuple):
    """One call. Groups of the path become arguments."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[Request], dict[str, Any]]


def _jobs(method: str, path: str, answer: Callable[[Request], dict[str, Any]]) -> Route:
    return Route(method, re.compile(rf"/api/(?P<version>2\.[012])/jobs/{path}"), answer)


def _ours(method: str, path: str, answer: Callable[[Request], dict[str, Any]]) -> Route:
    return Route(method, re.compile(rf"/api/bundlectl/1/{path}"), answer)


ROUTES: tuple[Route, ...] = (
    _jobs("POST", "create", jobs.create),
    _jobs("POST", "reset", jobs.reset),
    _jobs("POST", "update", jobs.update),
    _jobs("POST", "delete", jobs.delete),
    _jobs("GET", "get", jobs.get),
    _jobs("GET", "list", jobs.list_jobs),
    _jobs("POST", "run-now", requests.run_now),
    _jobs("POST", "runs/submit", requests.submit),
    _jobs("GET", "runs/get", runs.get),
    _jobs("GET", "runs/list", runs.list_runs),
    _jobs("GET", "runs/get-output", runs.get_output),
    _jobs("POST", "runs/cancel", requests.cancel),
    _jobs("POST", "runs/cancel-all", requests.cancel_all),
    _jobs("POST", "runs/repair", requests.repair),
    _jobs("POST", "runs/delete", requests.delete),
    _ours("GET", "identity", snapshots.identity),
    _ours("GET", "jobs", jobs.owned),
    _ours("GET", "runs/([^/]+)/log", runs.log),
    _ours("GET", "runs/([^/]+)/manifest", runs.manifest),
    _ours("GET", "environment", snapshots.environment),
    _ours("GET", "snapshots/([^/]+)", snapshots.state),
    _ours("POST", "snapshots/([^/]+)/files", snapshots.stage),
    _ours("POST", "snapshots/([^/]+)/seal", snapshots.seal),
)


def handle(
    services: Services,
    method: str,
    path: str,
    query: Mapping[str, str],
    document: Any,
    headers: Mapping[str, str],
) -> tuple[int, dict[str, Any]]:
    """One answer. Raises only what is a fault of ours, or an engine that cannot be opened (StateError)."""
    try:
        route, match = _find(method, path)
        groups = match.groupdict()
        request = Request(
            services=services,
            query=query,
            document=document,
            headers={name.lower(): value for name, value in headers.items()},
            arguments=() if groups else match.groups(),
            queue_by_default=groups.get("version") == "2.2",
        )
        return 200, route.answer(request)
    except ApiError as error:
        return error.status, error.document()
    except sqlite3.OperationalError as error:
        refused = ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The engine's database cannot be written: {error}.")
        return refused.status, refused.document()
    except OSError as error:
        refused = ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The engine's folder cannot be used: {error}.")
        return refused.status, refused.document()


def _find(method: str, path: str) -> tuple[Route, re.Match[str]]:
    other = False
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match is not None and route.method == method:
            return route, match
        other = other or match is not None
    if other:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"'{path}' does not take {method}.")
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")
