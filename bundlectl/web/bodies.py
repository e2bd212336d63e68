"""Bytes of a request to what the engine's handler takes: within limits of size and time, JSON or bytes.

Used by app. Refusals are the ApiErrors of the engine, so they look like every other one.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from bundlectl.engine.api.errors import ApiError, invalid
from bundlectl.engine.api.route import Route

_PART_S = 20.0  # between two parts of a body
_WHOLE_S = 60.0  # for a whole body of JSON
_UPLOAD_S = 900.0
_FIELDS = 50  # parameters of a query
_DRAINED = 4 << 20  # bytes beyond a limit that are read: a client that is still sending would not see the refusal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


def query_of(text: bytes) -> dict[str, str]:
    """Parameters of a query; each at most once. Raises ApiError."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise ApiError(400, "MALFORMED_REQUEST", "The query is not well-formed.") from None
    query = dict(pairs)
    if len(query) < len(pairs):
        twice = next(name for name, _ in pairs if [each for each, _ in pairs].count(name) > 1)
        raise invalid(f'"{twice[:80]}" is given twice.')
    return query


async def body_of(route: Route, headers: Mapping[str, str], receive: Receive) -> Any:
    """The decoded body; None for an empty one. Raises ApiError 400, 408, 413, 415."""
    if route.takes == "any":
        return None
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > route.limit + _DRAINED:
        raise too_large(route.limit)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if route.takes == "form" and kind == "multipart/form-data":
        return await _form(receive, headers, route.limit)
    whole = await _read(receive, route.limit, _WHOLE_S if route.takes == "json" else _UPLOAD_S)
    if not whole:
        return b"" if route.takes == "bytes" and route.method in ("POST", "PUT") else None
    if route.takes != "bytes":
        if kind != "application/json":
            raise _wrong_kind("application/json")
        return _json(whole)
    if kind != "application/octet-stream":
        raise _wrong_kind("application/octet-stream")
    return whole


async def _read(receive: Receive, limit: int, seconds: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                async with asyncio.timeout(_PART_S):
                    message = await receive()
                if message["type"] != "http.request":
                    raise ConnectionAbortedError
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    parts.clear()
                elif part:
                    parts.append(part)
                ends = not message.get("more_body")
                if size > limit and (ends or size > limit + _DRAINED):
                    raise too_large(limit)
                if ends:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        if size > limit:
            raise too_large(limit) from None
        raise ApiError(408, "REQUEST_TIMEOUT", "The body did not arrive in time.") from None


async def _form(receive: Receive, headers: Mapping[str, str], limit: int) -> dict[str, Any]:
    """The fields of a form; a file as bytes. Large files wait on disk until the form is whole."""
    scope = {"type": "http", "headers": [(b"content-type", headers["content-type"].encode("latin-1"))]}
    size = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal size
        async with asyncio.timeout(_PART_S):
            message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise too_large(limit)
        return message

    try:
        async with asyncio.timeout(_UPLOAD_S), HttpRequest(scope, counted).form(max_files=2, max_fields=10) as form:
            fields: dict[str, Any] = {}
            for name, value in form.multi_items():
                fields[name] = value if isinstance(value, str) else await value.read()
    except TimeoutError:
        raise ApiError(408, "REQUEST_TIMEOUT", "The body did not arrive in time.") from None
    except ClientDisconnect:
        raise ConnectionAbortedError from None
    except HTTPException as error:
        raise ApiError(400, "MALFORMED_REQUEST", f"The form cannot be read: {error.detail}") from None
    if isinstance(fields.get("content"), str):
        fields["content"] = fields["content"].encode()
    return fields


def _json(whole: bytes) -> Any:
    try:
        document = json.loads(whole, parse_constant=_no_constant, parse_float=_finite)
        if b"\\ud" in whole or b"\\uD" in whole:
            json.dumps(document, ensure_ascii=False).encode()  # half a character cannot be stored
        return document
    except json.JSONDecodeError as error:
        text = f"The body is no JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        raise ApiError(400, "MALFORMED_REQUEST", text) from None
    except RecursionError:
        raise ApiError(400, "MALFORMED_REQUEST", "The body is nested too deeply.") from None
    except ValueError as error:
        text = "a number is too large" if "digits" in str(error) else "its text is not UTF-8, or a number is not finite"
        raise ApiError(400, "MALFORMED_REQUEST", f"The body is no JSON: {text}.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text[:20])
    return value


def too_large(limit: int) -> ApiError:
    """A body above its limit."""
    return ApiError(413, "REQUEST_TOO_LARGE", f"The body may have at most {limit} bytes.")


def _wrong_kind(wanted: str) -> ApiError:
    return ApiError(415, "MALFORMED_REQUEST", f"The body must be {wanted}.")
