"""The end of an apply that could not be written, kept in a file until it can (safety 2.2).

Called by operations.recover. Nothing rests on this file: without it the next deploy finds out from the backend what was
made. With it the record is the one that the deploy itself would have left, with its manifest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bundlectl import __version__
from bundlectl.base.files import make_private_folder, write_atomic
from bundlectl.model.codec import DocumentError, Members, load_canonical, stored
from bundlectl.model.deployment import Deployment
from bundlectl.state.layout import MAX_INDEX, NewerFormat, decode, encode_index, meta_document
from bundlectl.state.store import Note

FORMAT = 1
_MAX_FILE = 200 << 20


class Ending(NamedTuple):
    """What the closing commit of an apply would have said. It holds for the apply of this id and fence only."""

    deployment: str
    fence: int
    new: Deployment
    note: Note
    documents: Mapping[str, Mapping[str, Any]]
    manifest: Mapping[str, Any]


def recovery_file(folder: Path, deployment: str) -> Path:
    """Where the end of this apply is kept, below the user's state folder."""
    return folder / f"bundlectl-recovery-{deployment}.json"


def keep(folder: Path, ending: Ending) -> Path:
    """Writes the file, for this user alone. Raises OSError."""
    document = {
        "format": FORMAT,
        "deployment": ending.deployment,
        "fence": ending.fence,
        "note": ending.note._asdict(),
        "meta": meta_document(ending.new, __version__),
        "index": encode_index(ending.new.jobs).decode("utf-8"),
        "documents": {key: dict(value) for key, value in ending.documents.items()},
        "manifest": dict(ending.manifest),
    }
    make_private_folder(folder)
    path = recovery_file(folder, ending.deployment)
    write_atomic(path, stored(document))
    return path


def find(folder: Path, deployment: str) -> Ending | None:
    """What is kept of this apply. Raises OSError, and DocumentError for a file that is not what `keep` writes."""
    try:
        data = recovery_file(folder, deployment).read_bytes()
    except FileNotFoundError:
        return None
    with Members(load_canonical(data, max_bytes=_MAX_FILE)) as document:
        if document.integer("format") != FORMAT:
            raise DocumentError("format", "written by another version of bundlectl")
        found = Ending(
            deployment=document.text("deployment"),
            fence=document.integer("fence"),
            new=_deployment(document.map("meta"), document.text("index", at_most=MAX_INDEX)),
            note=_note(document.members("note")),
            documents=document.map("documents"),
            manifest=document.map("manifest"),
        )
    if found.deployment != deployment:
        raise DocumentError("deployment", f'it is of "{found.deployment[:64]}"')
    return found


def forget(folder: Path, deployment: str) -> None:
    """Removes the file, if it is there."""
    try:
        recovery_file(folder, deployment).unlink(missing_ok=True)
    except OSError:
        return  # found out of date by the next one who looks


def _deployment(meta: Mapping[str, Any], index: str) -> Deployment:
    try:
        return decode(stored(dict(meta)), index.encode("utf-8"), None)
    except NewerFormat as newer:
        raise DocumentError("meta", f"format {newer.found}") from None


def _note(members: Members) -> Note:
    with members as note:
        return Note(
            verb=note.text("verb"),
            deployment=note.text("deployment"),
            summary=note.text("summary"),
            commit=note.text_or_none("commit"),
            actor=note.text_or_none("actor"),
            run_url=note.text_or_none("run_url"),
        )
