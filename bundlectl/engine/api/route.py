"""Route: one call of the API, and short ways to write one down.

Used by routes and workspace_routes.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from bundlectl.engine.api.request import Request

SMALL, SETTINGS, UPLOAD = 1 << 20, 10_000_000, 200_000_000  # bytes of a body: rest-api.md 1.1


class Route(NamedTuple):
    """One call. Groups of the path become arguments; `version` is no argument."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[Request], Any]
    takes: str = "json"  # what a body is: json, bytes, form (or json), any (not read)
    limit: int = SMALL  # bytes of the body
    status: int = 200  # of a good answer


def jobs_route(method: str, path: str, answer: Callable[[Request], Any], limit: int = SMALL) -> Route:
    return Route(method, re.compile(rf"/api/(?P<version>2\.[012])/jobs/{path}"), answer, limit=limit)


def own_route(method: str, path: str, answer: Callable[[Request], Any]) -> Route:
    return Route(method, re.compile(rf"/api/bundlectl/1/{path}"), answer)


def api_route(method: str, path: str, answer: Callable[[Request], Any], **more: Any) -> Route:
    return Route(method, re.compile(rf"/api/2\.[012]/{path}"), answer, **more)
