"""workspace/*, workspace-files/import-file and fs/*: files that clients keep here by name.

Reached from routes. Uploads arrive as bytes, or as a form whose fields are a document with bytes in `content`.
"""

import base64
import binascii
import posixpath
from typing import Any, Final

from bundlectl.engine import workspace
from bundlectl.engine.api.errors import ApiError, invalid
from bundlectl.engine.api.request import Content, Request
from bundlectl.engine.workspace import DIRECTORY, FILE, NOTEBOOK, BadPath, Entry

_LISTED = 10_000
_FORMATS: Final = ("AUTO", "SOURCE", "RAW", "JUPYTER")
_LANGUAGES: Final = {language: ending for ending, (language, _) in workspace.SOURCES.items()}
_VOLUMES: Final = "/Volumes/"


def get_status(request: Request) -> dict[str, Any]:
    path, name = _asked(request)
    with request.services.store.read() as connection:
        entry = _existing(connection, path, name)
    return _document(entry, path)


def list_folder(request: Request) -> dict[str, Any]:
    path, name = _asked(request)
    with request.services.store.read() as connection:
        entry = _existing(connection, path, name)
        found = workspace.children(connection, name)[:_LISTED] if entry.kind == DIRECTORY else [entry]
    objects = [_document(each, _beside(path, name, each)) for each in found]
    return {"objects": objects} if objects else {}


def mkdirs(request: Request) -> dict[str, Any]:
    path = _text(request.body(), "path")
    _make_folder(request, _normal(path), path)
    return {}


def delete(request: Request) -> dict[str, Any]:
    body = request.body()
    path = _text(body, "path")
    recursive = body.get("recursive", False)
    if not isinstance(recursive, bool):
        raise invalid('"recursive" must be true or false.')
    _delete(request, path, recursive=recursive)
    return {}


def import_file(request: Request) -> dict[str, Any]:
    """The body is the file."""
    path = "/" + request.arguments[0].lstrip("/")
    _store(request, path, _bytes(request), "AUTO", None, overwrite=request.flag("overwrite"))
    return {}


def import_object(request: Request) -> dict[str, Any]:
    """Path, format, language, overwrite, and content as base64 or, from a form, as bytes."""
    body = request.body()
    path, format = _text(body, "path"), body.get("format") or "SOURCE"
    if format not in _FORMATS:
        raise invalid(f'"format" must be one of {", ".join(_FORMATS)}, not "{str(format)[:80]}".')
    language = body.get("language") or None
    if language is not None and language not in _LANGUAGES:
        raise invalid(f'"language" must be one of {", ".join(_LANGUAGES)}, not "{str(language)[:80]}".')
    overwrite = body.get("overwrite", False)
    overwrite = overwrite == "true" if isinstance(overwrite, str) else overwrite is True
    given = body.get("content", b"")
    try:
        content = given if isinstance(given, bytes) else base64.b64decode(given, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise invalid('"content" must be base64.') from None
    _store(request, path, content, format, language, overwrite=overwrite)
    return {}


def export(request: Request) -> Any:
    path, name = _asked(request)
    with request.services.store.read() as connection:
        entry = _existing(connection, path, name)
    content = _content(request, entry, path)
    if request.flag("direct_download"):
        return content
    return {"content": base64.b64encode(content).decode(), "file_type": entry.ending.lstrip(".") or "file"}


# Files of volumes --------------------------------------------------------------------------------------------------


def fs_put(request: Request) -> dict[str, Any]:
    path = _volume_path(request)
    _make_folder(request, posixpath.dirname(path), path)
    _store(request, path, _bytes(request), "RAW", None, overwrite=request.flag("overwrite"))
    return {}


def fs_get(request: Request) -> Any:
    path = _volume_path(request)
    with request.services.store.read() as connection:
        entry = _existing(connection, path, path)
    return _content(request, entry, path)


def fs_delete(request: Request) -> dict[str, Any]:
    path = _volume_path(request)
    with request.services.store.read() as connection:
        if _existing(connection, path, path).kind == DIRECTORY:
            raise invalid(f"Path ({path}) is a directory.")
    _delete(request, path, recursive=False)
    return {}


def fs_put_folder(request: Request) -> dict[str, Any]:
    path = _volume_path(request)
    _make_folder(request, path, path)
    return {}


def fs_delete_folder(request: Request) -> dict[str, Any]:
    _delete(request, _volume_path(request), recursive=False)
    return {}


def fs_list_folder(request: Request) -> dict[str, Any]:
    path = _volume_path(request)
    with request.services.store.read() as connection:
        if _existing(connection, path, path).kind != DIRECTORY:
            raise invalid(f"Path ({path}) is not a directory.")
        found = workspace.children(connection, path)[:_LISTED]
    contents = [
        {
            "path": each.path,
            "name": posixpath.basename(each.path),
            "is_directory": each.kind == DIRECTORY,
            "last_modified": each.modified,
            **({} if each.kind == DIRECTORY else {"file_size": each.size}),
        }
        for each in found
    ]
    return {"contents": contents}


def fs_has_folder(request: Request) -> Any:
    path = _volume_path(request)
    with request.services.store.read() as connection:
        if _existing(connection, path, path).kind != DIRECTORY:
            raise _missing(path)
    return Content(b"")


def _volume_path(request: Request) -> str:
    name = _normal("/" + request.arguments[0].lstrip("/"))
    if not name.startswith(_VOLUMES):
        raise invalid(f"Path ({name[:200]}) must be below '/Volumes/'.")
    return name


# What they share ---------------------------------------------------------------------------------------------------


def _store(request: Request, path: str, content: bytes, format: str, language: str | None, *, overwrite: bool) -> None:
    name, kind, language, ending, content = _as_object(_normal(path), content, format, language)
    services = request.services
    services.store.open()
    stored = workspace.Content(kind, language, ending, workspace.keep(services.folder, content), len(content))
    with services.store.open().write() as connection:
        parent = posixpath.dirname(name)
        above = workspace.find(connection, parent)
        if above is None or above.kind != DIRECTORY:
            text = f"The parent folder ({posixpath.dirname(path) or '/'}) does not exist."
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", text)
        there = workspace.find(connection, name)
        if there is not None and there.kind == DIRECTORY:
            raise invalid(f"Path ({path}) is a directory.")
        if there is not None and not overwrite:
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
        workspace.put(connection, name, stored, services.clock.now_ms())


def _as_object(name: str, content: bytes, format: str, language: str | None) -> tuple[str, str, str | None, str, bytes]:
    """Name, kind, language, ending and content of what is imported: a file, or a notebook without its ending."""
    if name == "/":
        raise invalid("Path (/) is a directory.")
    stem, ending = posixpath.splitext(name)
    ending = ending.lower()
    if format == "RAW":
        return name, FILE, None, "", content
    if ending == ".ipynb" or format == "JUPYTER":
        return (stem if ending == ".ipynb" else name), NOTEBOOK, "PYTHON", ".ipynb", content
    if format == "SOURCE" and language is not None:
        shown = _LANGUAGES[language]
        header = workspace.SOURCES[shown][1]
        body = content if _first_line(content) == header else header + b"\n" + content
        return (stem if ending == shown else name), NOTEBOOK, language, shown, body
    known = workspace.SOURCES.get(ending)
    if known is not None and _first_line(content) == known[1]:
        return stem, NOTEBOOK, known[0], ending, content
    return name, FILE, None, "", content


def _first_line(content: bytes) -> bytes:
    return content[:200].partition(b"\n")[0].lstrip(b"\xef\xbb\xbf").rstrip()


def _make_folder(request: Request, name: str, path: str) -> None:
    services = request.services
    with services.store.open().write() as connection:
        inside = workspace.make_folder(connection, name, services.clock.now_ms())
    if inside is not None:
        raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) cannot be made: ({inside.path}) is a file.")


def _delete(request: Request, path: str, *, recursive: bool) -> None:
    name = _normal(path)
    if name == "/":
        raise invalid("The root cannot be deleted.")
    services = request.services
    if not services.store.exists:
        raise _missing(path)
    with services.store.open().write() as connection:
        entry = _existing(connection, path, name)
        if entry.kind == DIRECTORY and not recursive and workspace.beneath(connection, entry.path, 1):
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty; set recursive to delete it.")
        workspace.remove(connection, entry.path)


def _content(request: Request, entry: Entry, path: str) -> Content:
    if entry.sha256 is None:
        raise invalid(f"Path ({path}) is a directory.")
    place = workspace.object_path(request.services.folder, entry.sha256)
    return Content(place.read_bytes(), entry.modified)


def _asked(request: Request) -> tuple[str, str]:
    """The path of a query as it is, and as a name."""
    path = request.query.get("path")
    if not path:
        raise invalid('"path" is missing.')
    return path, _normal(path)


def _normal(path: str) -> str:
    try:
        return workspace.normal(path)
    except BadPath as error:
        raise invalid(str(error)) from None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f'"{name}" must be a text.')
    return value


def _bytes(request: Request) -> bytes:
    if not isinstance(request.document, bytes):
        raise ApiError(415, "MALFORMED_REQUEST", "The body must be the bytes of the file.")
    return request.document


def _existing(connection: Any, path: str, name: str) -> Entry:
    entry = workspace.find(connection, name)
    if entry is None:
        raise _missing(path)
    return entry


def _missing(path: str) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path[:1000]}) doesn't exist.")


def _beside(path: str, name: str, entry: Entry) -> str:
    """The path of what lies in a folder, in the form that the folder was asked for."""
    if entry.path == name:
        return path
    alias = path.startswith(workspace.ALIAS + "/") or path == workspace.ALIAS
    return (workspace.ALIAS if alias else "") + entry.path


def _document(entry: Entry, path: str) -> dict[str, Any]:
    shown = path.rstrip("/") or "/"
    if entry.kind == NOTEBOOK and shown.lower().endswith(entry.ending) and not entry.path.endswith(entry.ending):
        shown = shown[: -len(entry.ending)]
    document: dict[str, Any] = {"path": shown, "object_type": entry.kind, "object_id": entry.id}
    if entry.kind == NOTEBOOK:
        document["language"] = entry.language
    if entry.kind == FILE:
        document["size"] = entry.size
    if entry.id:
        document |= {"created_at": entry.created, "modified_at": entry.modified}
    return document
