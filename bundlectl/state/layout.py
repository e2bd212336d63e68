"""Deployment <-> files of one state commit, format 1 (safety 1.2). Pure.

Called by git_store. Everything read is taken for hostile: exact members, exact forms, size caps, canonical bytes.
"""

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from json.encoder import encode_basestring
from typing import Any

from bundlectl.base.digest import sha256_hex
from bundlectl.git.chain import encode_name
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.codec import DocumentError, Members, load_canonical, load_json, stored
from bundlectl.model.deployment import Deployed, DeployedJob, Deployment, Intent
from bundlectl.state.intents import decode_intent

FORMAT = 1
META, INDEX, APPLY = "meta.json", "index.json", "apply.json"

MAX_JOBS = 50_000
MAX_INDEX = MAX_APPLY = 16 << 20
MAX_DOCUMENT = MAX_META = 4 << 20

_INDEX_HEAD, _INDEX_TAIL = '{"format":1,"jobs":{', "}}\n"

# Lines of index.json in canonical form: one pass over all of them, several times quicker than decoding each and
# proving that it was canonical. A line that does not match (a key with an escape, or a fault) sends the whole index
# through the slower way, which also says what is wrong.
_DIGEST = r"(sha256:[0-9a-f]{64})"
_NAME = r'[^"\\\x00-\x1f]'
_LINES = re.compile(
    rf'^"({_NAME}+)":\{{"deployment":"([0-9A-Za-z-]{{1,64}})","id":"({_NAME}{{1,256}})",(?:"own":"(b1-[0-9a-f]{{40}})",)?'
    rf'"sent":"{_DIGEST}","snapshot":(?:null|"{_DIGEST}"),"spec":"{_DIGEST}"(?:,"tombstone":(\{{[^{{}}\n]*\}}))?\}}(?:,\n|\Z)',
    re.MULTILINE,
)
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_OWN = re.compile(r"b1-[0-9a-f]{40}")
_DEPLOYMENT = re.compile(r"[0-9A-Za-z-]{1,64}")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIME_ORDERED = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class NewerFormat(Exception):
    """The state was written by a tool that this one does not understand."""

    def __init__(self, found: int, tool_version: str | None) -> None:
        super().__init__(f"format {found}")
        self.found = found
        self.tool_version = tool_version


class NewerApply(DocumentError):
    """An open apply that is not understood, in a state that this tool wrote."""

    def __init__(self, problem: DocumentError, tool_version: str) -> None:
        super().__init__(problem.path, problem.problem)
        self.tool_version = tool_version


def document_path(key: str) -> str:
    """Where the document of a job is kept."""
    return f"jobs/{sha256_hex(key.encode('utf-8'))[:2]}/{encode_name(key)}.json"


def manifest_path(deployment: str) -> str:
    """Where the manifest of a deployment is kept: below the month that its id says. Raises ValueError."""
    match = _TIME_ORDERED.fullmatch(deployment)
    if match is None:
        raise ValueError(f"{deployment!r} is no time-ordered id")
    month = datetime.fromtimestamp(int(match[1] + match[2], 16) / 1000, UTC).strftime("%Y-%m")
    return f"deployments/{month}/{deployment}.json"


def encode_meta(deployment: Deployment, tool_version: str) -> bytes:
    """meta.json."""
    return stored(meta_document(deployment, tool_version))


def meta_document(deployment: Deployment, tool_version: str) -> dict[str, Any]:
    """meta.json as a value."""
    deployed, backend = deployment.deployed, deployment.backend
    document: dict[str, Any] = {
        "format": FORMAT,
        "tool_version": tool_version,
        "lineage": deployment.lineage,
        "serial": deployment.serial,
        "fence": deployment.fence,
        "bundle": deployment.bundle,
        "target": deployment.target,
        "backend": vars(backend) if backend else None,
        "deployed": vars(deployed) if deployed else None,
        "hold": deployment.hold,
        "protection": deployment.protection,
        "snoozes": deployment.snoozes,
        "debt": list(deployment.debt),
    }
    if deployment.previous is not None:
        document["previous"] = deployment.previous
    return document


def decode(meta: bytes, index: bytes, apply: bytes | None) -> Deployment:
    """The deployment in the files of a commit. Raises DocumentError, whose path begins with the file; NewerFormat.

    What is wrong with the open apply is a NewerApply, which says who wrote it.
    """
    document = _file(META, meta, MAX_META)
    _refuse_newer(document)
    try:
        jobs = decode_index(index)
    except DocumentError as error:
        raise DocumentError(INDEX, str(error)) from None
    try:
        closed = _decode_meta(document, jobs)
    except DocumentError as error:
        raise DocumentError(META, str(error)) from None
    if apply is None:
        return closed
    try:
        return replace(closed, intent=_decode_apply(_file(APPLY, apply, MAX_APPLY)))
    except DocumentError as error:
        raise NewerApply(error, str(document["tool_version"])) from None


def encode_index(jobs: Mapping[str, DeployedJob]) -> bytes:
    """index.json: one entry per line, sorted by key, so that git and people see which jobs a commit touched."""
    lines = ",\n".join(f"{encode_basestring(key)}:{_entry_text(jobs[key])}" for key in sorted(jobs))
    body = f"\n{lines}\n" if lines else ""
    return f"{_INDEX_HEAD}{body}{_INDEX_TAIL}".encode()


def decode_index(data: bytes) -> dict[str, DeployedJob]:
    """Entries by key, in order. Raises DocumentError."""
    if len(data) > MAX_INDEX:
        raise DocumentError("", f"larger than {MAX_INDEX} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError("", f"not UTF-8 at byte {error.start}") from None
    if not text.startswith(_INDEX_HEAD) or not text.endswith(_INDEX_TAIL):
        load_json(data, max_bytes=MAX_INDEX)  # says where it is no JSON at all
        raise DocumentError("", "not in canonical form")
    body = text[len(_INDEX_HEAD) : -len(_INDEX_TAIL)]
    if not body:
        return {}
    if body[0] != "\n" or body[-1] != "\n" or len(body) < 3:
        raise DocumentError("", "not in canonical form")
    count = body.count("\n") - 1
    if count > MAX_JOBS:
        raise DocumentError("jobs", f"{count} jobs, at most {MAX_JOBS}")
    with _uncollected():
        jobs = _all_entries(body[1:-1], count)
    jobs = jobs or dict(_entry(line, at) for at, line in enumerate(body[1:-1].split(",\n"), 2))
    keys = list(jobs)
    if len(keys) != count or keys != sorted(keys):
        raise DocumentError("jobs", "keys are not in order, or given twice")
    return jobs


@contextmanager
def _uncollected() -> Iterator[None]:
    """Thousands of new tuples set the garbage collector off again and again, for nothing: none is part of a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _all_entries(body: str, count: int) -> dict[str, DeployedJob] | None:
    """Entries of an index in which each line has the usual form; None when one has not."""
    rows = _LINES.findall(body)
    if len(rows) != count:
        return None
    # Columns, not rows: the loops over thousands of jobs stay inside the interpreter. What is absent is "" here.
    keys, deployments, ids, owns, sents, snapshots, specs, tombstones = zip(*rows, strict=True)
    own = [one or None for one in owns] if any(owns) else repeat(None)
    snapshot = [one or None for one in snapshots] if "" in snapshots else snapshots
    tombstone = [_tombstone(one) for one in tombstones] if any(tombstones) else repeat(None)
    fields = zip(ids, specs, sents, snapshot, deployments, own, tombstone, strict=False)
    return dict(zip(keys, map(tuple.__new__, repeat(DeployedJob), fields), strict=False))


def _tombstone(text: str) -> Mapping[str, str] | None:
    if not text:
        return None
    value = load_json(text.encode("utf-8"), max_bytes=MAX_DOCUMENT)
    with Members({"tombstone": value}) as entry:
        tombstone = entry.text_map("tombstone")
    if _map_text(tombstone) != text:
        raise DocumentError("jobs", "a tombstone is not in canonical form")
    return tombstone


def _entry(line: str, number: int) -> tuple[str, DeployedJob]:
    """One line, decoded as JSON. Raises DocumentError for what is wrong with it."""
    where = f"line {number}"
    try:
        value = load_json(b"{" + line.encode("utf-8") + b"}", max_bytes=MAX_DOCUMENT)
    except DocumentError as error:
        raise DocumentError(where, error.problem) from None
    if not isinstance(value, dict) or len(value) != 1:
        raise DocumentError(where, "expected one entry")
    (key,) = value
    with Members(value[key], f'{where}, job "{key[:64]}"') as entry:
        job = DeployedJob(
            id=_short(entry, "id", 256),
            spec=formed(entry, "spec", _SHA256),
            sent=formed(entry, "sent", _SHA256),
            snapshot=formed_or_none(entry, "snapshot", _SHA256),
            deployment=formed(entry, "deployment", _DEPLOYMENT),
            own=formed(entry, "own", _OWN) if entry.has("own") else None,
            tombstone=entry.text_map("tombstone") if entry.has("tombstone") else None,
        )
    if not key or f"{encode_basestring(key)}:{_entry_text(job)}" != line:
        raise DocumentError(where, "not in canonical form")
    return key, job


def _entry_text(job: DeployedJob) -> str:
    own = f'"own":{encode_basestring(job.own)},' if job.own is not None else ""
    snapshot = "null" if job.snapshot is None else f'"{job.snapshot}"'
    tombstone = f',"tombstone":{_map_text(job.tombstone)}' if job.tombstone is not None else ""
    return (
        f'{{"deployment":"{job.deployment}","id":{encode_basestring(job.id)},{own}"sent":"{job.sent}",'
        f'"snapshot":{snapshot},"spec":"{job.spec}"{tombstone}}}'
    )


def _decode_meta(document: Any, jobs: Mapping[str, DeployedJob]) -> Deployment:
    with Members(document) as meta:
        meta.integer("format")
        meta.text("tool_version", at_most=64)
        return Deployment(
            lineage=_short(meta, "lineage", 64),
            serial=meta.integer("serial"),
            fence=meta.integer("fence"),
            bundle=_short(meta, "bundle", 1024),
            target=_short(meta, "target", 1024),
            backend=_backend(meta.members("backend")) if meta.any("backend") is not None else None,
            deployed=_deployed(meta.members("deployed")) if meta.any("deployed") is not None else None,
            jobs=jobs,
            protection={name: _protection(name, value) for name, value in meta.map("protection").items()},
            hold=meta.map("hold") if meta.any("hold") is not None else None,
            debt=meta.texts("debt"),
            snoozes=meta.map("snoozes"),
            previous=formed(meta, "previous", _OBJECT_ID) if meta.has("previous") else None,
        )


def _backend(members: Members) -> BackendIdentity:
    with members as backend:
        return BackendIdentity(
            kind=_short(backend, "kind", 64),
            host=backend.text_or_none("host", at_most=2048),
            workspace_id=backend.text_or_none("workspace_id", at_most=256),
        )


def _deployed(members: Members) -> Deployed:
    with members as deployed:
        return Deployed(
            deployment=formed(deployed, "deployment", _DEPLOYMENT),
            commit=formed_or_none(deployed, "commit", _OBJECT_ID),
            tree=formed_or_none(deployed, "tree", _OBJECT_ID),
            dirty=deployed.boolean("dirty"),
            snapshot=formed_or_none(deployed, "snapshot", _SHA256),
            code_tree=formed_or_none(deployed, "code_tree", _OBJECT_ID),
            config_digest=formed(deployed, "config_digest", _SHA256),
        )


def _protection(name: str, value: Any) -> Mapping[str, str]:
    with Members({"value": value}, f"protection.{name}") as members:
        return members.text_map("value")


def _decode_apply(document: Any) -> Intent:
    try:
        return decode_intent(document)
    except DocumentError as error:
        raise DocumentError(APPLY, str(error)) from None


def _refuse_newer(document: Any) -> None:
    if not isinstance(document, dict):
        raise DocumentError(META, "expected a map")
    found = document.get("format")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise DocumentError(f"{META}.format", "not a format number")
    if found > FORMAT:
        version = document.get("tool_version")
        raise NewerFormat(found, version if isinstance(version, str) and len(version) <= 64 else None)


def _file(name: str, data: bytes, max_bytes: int) -> Any:
    try:
        return load_canonical(data, max_bytes=max_bytes)
    except DocumentError as error:
        raise DocumentError(name, str(error)) from None


def formed(members: Members, name: str, form: re.Pattern[str]) -> str:
    """A text of a fixed form. Raises DocumentError."""
    value = members.text(name, at_most=1024)
    if form.fullmatch(value) is None:
        raise DocumentError(members.path(name), f'"{value[:64]}" does not have the form it must have')
    return value


def formed_or_none(members: Members, name: str, form: re.Pattern[str]) -> str | None:
    """The same, or null."""
    return None if members.any(name) is None else formed(members, name, form)


def _short(members: Members, name: str, at_most: int) -> str:
    value = members.text(name, at_most=at_most)
    if not value:
        raise DocumentError(members.path(name), "empty")
    return value


def _map_text(value: Mapping[str, str]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
