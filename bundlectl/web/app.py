"""The engine's API as an ASGI application: checks who asks, turns bytes into documents and answers into bytes.

Made by server. What a request means is the business of engine.api; nothing is decided here but what HTTP needs.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bundlectl.engine.api.errors import ApiError
from bundlectl.engine.api.request import Content
from bundlectl.engine.api.routes import find
from bundlectl.engine.service import Engine
from bundlectl.web.bodies import body_of, query_of
from bundlectl.web.security import Guard, Refusal

_AT_ONCE = 16  # requests that the engine answers at the same time
_SEND_S = 120.0  # for a client to take an answer
_RETRY_S = "1"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_PASSED_ON = ("idempotency-key", "if-fence")
_OPEN = ("/healthz", "/.well-known/databricks-config")


_Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Facts(NamedTuple):
    """What the application is made of."""

    engine: Engine
    guard: Guard
    address: str  # scheme, host and port that clients use
    report: Callable[[str, BaseException], None]  # request id, fault: said to whoever runs the server
    stopping: Callable[[], bool]


def application(facts: Facts) -> _Application:
    """The whole server as one ASGI callable."""
    api = _Api(facts)

    async def healthz(request: Request) -> Response:
        why = "stopping" if facts.stopping() else facts.engine.paused
        return JSONResponse({"status": "ok"} if why is None else {"status": why}, status_code=503 if why else 200)

    async def discovery(request: Request) -> Response:
        return JSONResponse({"oidc_endpoint": f"{facts.address}/oidc", "workspace_id": "1"})

    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/.well-known/databricks-config", discovery, methods=["GET"]),
    ]
    pages = Starlette(routes=routes)
    return _Outer({route.path: pages for route in routes}, api, facts)


class _Outer:
    """What holds for every path: host, token, origin, and the headers of every answer."""

    def __init__(self, pages: Mapping[str, _Application], api: _Application, facts: Facts) -> None:
        self._pages = pages
        self._api = api
        self._facts = facts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _close(scope, receive, send)
            return
        scope["request_id"] = id = secrets.token_hex(8)
        headers = scope["headers_by_name"] = _headers(scope)
        common = [
            (b"x-request-id", id.encode()),
            (b"x-databricks-org-id", b"1"),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        ]

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *common]}
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refused(refusal)(scope, receive, sending)
            return
        await self._pages.get(scope["path"], self._api)(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Refusal | None:
        guard = self._facts.guard
        refused = guard.host(headers)
        if refused is not None:
            return refused
        if scope["method"] == "OPTIONS":
            return Refusal(403, "PERMISSION_DENIED", "Other origins may not ask here.")
        if scope["path"] not in _OPEN:
            client = scope.get("client")
            refused = guard.token(headers, client[0] if client else "")
            if refused is not None:
                return refused
        return guard.origin(headers) if scope["method"] in _WRITES else None


class _Api:
    """Requests to the engine's handler."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except ConnectionAbortedError:
            return  # the client has gone
        except ApiError as error:
            response = _error(error)
        except Exception as fault:  # a fault of ours: the client learns its number, whoever runs the server the rest
            self._facts.report(scope["request_id"], fault)
            text = f"A fault of the server; its log has request {scope['request_id']}."
            response = _error(ApiError(500, "INTERNAL_ERROR", text))
        try:
            async with asyncio.timeout(_SEND_S):
                await response(scope, receive, send)
        except TimeoutError:
            return  # it does not read; uvicorn closes what is not complete

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        method, path = scope["method"], _collapsed(scope["path"])
        headers: Mapping[str, str] = scope["headers_by_name"]
        route, _ = find(method, path)
        query = query_of(scope["query_string"])
        sends = method not in ("GET", "HEAD") or "content-length" in headers or "transfer-encoding" in headers
        document = await body_of(route, headers, receive) if sends else None
        passed = {name: headers[name] for name in _PASSED_ON if name in headers}
        engine = self._facts.engine
        loop = asyncio.get_running_loop()
        status, answer = await loop.run_in_executor(
            self._threads, engine.handle, route.method, path, query, document, passed
        )
        if isinstance(answer, Content):
            written = {"last-modified": formatdate(answer.modified / 1000, usegmt=True)}
            return Response(answer, status, headers=written, media_type="application/octet-stream")
        if isinstance(answer, str):
            return Response(answer, status, media_type="text/plain")
        if status == 204:
            return Response(status_code=204)
        waits = {"retry-after": _RETRY_S} if status in (429, 503) else None
        return Response(_dumped(answer), status, headers=waits, media_type="application/json")


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name in lower case; one that comes twice counts as wrong, not as one of the two."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = name.decode("latin-1")
        found[text] = f"{found[text]}, {value.decode('latin-1')}" if text in found else value.decode("latin-1")
    return found


def _collapsed(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _dumped(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _error(error: ApiError) -> Response:
    headers = {"allow": ", ".join(sorted(error.allow))} if error.allow else {}
    if error.status in (429, 503):
        headers["retry-after"] = _RETRY_S
    if error.status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is not read
    return Response(_dumped(error.document()), error.status, headers=headers, media_type="application/json")


def _refused(refusal: Refusal) -> Response:
    error = ApiError(refusal.status, refusal.code, refusal.message)
    response = _error(error)
    if refusal.wait_s is not None:
        response.headers["retry-after"] = str(refusal.wait_s)
    if refusal.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _close(scope: Scope, receive: Receive, send: Send) -> None:
    """There are no web sockets here."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
