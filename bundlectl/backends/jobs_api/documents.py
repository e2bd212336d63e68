"""Job documents: the bundle's neutral form to what the Jobs API is sent, and back. Pure.

Called by backend. Sent documents differ from neutral ones in four ways: code paths point into a snapshot,
`permissions` is called `access_control_list`, `deployment` carries the ownership path, and `bundlectl` says whose job
it is. `neutral(compose(x)) == x` for every document without null members.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bundlectl.backends.base import Composed, Holding, Ownership
from bundlectl.backends.jobs_api.hiding import hidden, shown
from bundlectl.base.digest import digest_document, without_nulls
from bundlectl.model.deployment import ownership_id
from bundlectl.model.errors import BackendError
from bundlectl.model.source import SNAPSHOT_FOLDER, snapshot_path, split_snapshot_path

# What may stand before a path inside one text: a requirements file or an editable install in a dependency list.
_FLAGS = ("-r ", "-e ")
# Members that this module writes; a bundle that has them would be read back as something else.
_OURS = ("access_control_list", "bundlectl")


class Places(NamedTuple):
    """The two workspace paths of a bundle that decide where code is."""

    root_path: str
    file_path: str


class Owner(NamedTuple):
    """Whose job a document is."""

    lineage: str
    target: str
    key: str
    own: str

    @classmethod
    def derived(cls, lineage: str, target: str, key: str, own: str | None) -> "Owner":
        """With the id that follows from the triple, unless another was recorded."""
        return cls(lineage, target, key, own or ownership_id(lineage, target, key))


class Hiding(NamedTuple):
    """Whether a document is that of a deleted job that is kept, and how that shows."""

    kept: bool = False
    in_name: bool = False  # the backend cannot hide it


SHOWN = Hiding()


def lineages(jobs: Iterable[Mapping[str, Any]], places: Places, target: str) -> dict[str, int]:
    """How many of the listed jobs each lineage of this bundle and target has, by the path that every job carries."""
    start = f"{places.root_path}/.bundlectl/"
    found: dict[str, int] = {}
    for job in jobs:
        deployment = (job.get("settings") or {}).get("deployment")
        path = deployment.get("metadata_file_path") if isinstance(deployment, dict) else None
        if isinstance(path, str) and path.startswith(start):
            lineage, _, rest = path.removeprefix(start).partition("/")
            if rest.startswith(f"{target}/"):
                found[lineage] = found.get(lineage, 0) + 1
    return found


def compose(
    spec: Mapping[str, Any], places: Places, owner: Owner, snapshot: str | None, hiding: Hiding = SHOWN
) -> Composed:
    """The document to send. Raises BackendError when the bundle sets a member that belongs to us."""
    for name in _OURS:
        if name in spec:
            raise BackendError(
                f'job "{owner.key}" sets "{name}", which bundlectl writes itself',
                code="BND218",
                hint='write "permissions"' if name == "access_control_list" else f'remove "{name}"',
            )
    given = spec.get("deployment")
    document = {name: value for name, value in spec.items() if name not in ("deployment", "permissions")}
    if snapshot is not None:
        target = snapshot_path(places.root_path, snapshot)
        document = _Repoint(places.file_path, target, guarded=owner.key).apply(document)
    else:
        document = without_nulls(document)
    if "permissions" in spec:
        document["access_control_list"] = _renamed(spec["permissions"], "level", "permission_level")
    document["deployment"] = {
        **(given if isinstance(given, dict) else {}),
        "kind": "BUNDLE",
        "metadata_file_path": (f"{places.root_path}/.bundlectl/{owner.lineage}/{owner.target}/{owner.key}.json"),
    }
    mark: dict[str, Any] = {"own": owner.own, "lineage": owner.lineage, "target": owner.target, "key": owner.key}
    if hiding.kept:
        document, mark["hidden"] = hidden(document, in_name=hiding.in_name)
    if snapshot is not None:
        mark["snapshot"] = snapshot
    if given is not None:
        mark["deployment"] = without_nulls(given)
    document["bundlectl"] = mark
    return Composed(document, digest_document(document), owner.own, owner.key)


def neutral(settings: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """A document as the backend holds it, in the form of JobSpec.document, without null members.

    A document that lost our mark (a client that drops unknown members wrote it) is turned back as far as its paths
    show: the rest is for the plan to report.
    """
    mark = settings.get("bundlectl")
    mark = mark if isinstance(mark, dict) else None
    document = {name: value for name, value in settings.items() if name not in (*_OURS, "deployment")}
    if mark is not None and "hidden" in mark:
        document = shown(document, mark["hidden"])
    snapshot = _snapshot_of(document, places) if mark is None else mark.get("snapshot")
    if isinstance(snapshot, str):
        document = _Repoint(snapshot_path(places.root_path, snapshot), places.file_path).apply(document)
    else:
        document = without_nulls(document)
    if settings.get("access_control_list") is not None:
        document["permissions"] = _renamed(settings["access_control_list"], "permission_level", "level")
    deployment = _foreign(settings.get("deployment"), places) if mark is None else mark.get("deployment")
    if deployment is not None:
        document["deployment"] = without_nulls(deployment)
    return document


def holding_of(settings: Mapping[str, Any], places: Places) -> Holding:
    """Whose job a document says it is, and the snapshot of this bundle that it runs."""
    mark = settings.get("bundlectl")
    mark = mark if isinstance(mark, dict) else {}
    texts = [value for value in (mark.get(name) for name in Ownership._fields) if isinstance(value, str)]
    owner = Ownership(*texts) if len(texts) == len(Ownership._fields) else None
    snapshot = mark.get("snapshot")
    return Holding(owner, snapshot if isinstance(snapshot, str) else _snapshot_of(settings, places))


def disowned(settings: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """The document without a word about whose job it is; everything else stays, the place of its code included."""
    mark = settings.get("bundlectl")
    document = {name: value for name, value in settings.items() if name not in ("bundlectl", "deployment")}
    if isinstance(mark, dict) and "hidden" in mark:
        document = shown(document, mark["hidden"])
    given = mark.get("deployment") if isinstance(mark, dict) else _foreign(settings.get("deployment"), places)
    if isinstance(mark, dict) and isinstance(mark.get("snapshot"), str):
        # Which code it runs stays known, for whoever takes the job over.
        document["bundlectl"] = {name: mark[name] for name in ("snapshot", "deployment") if name in mark}
    return document if given is None else {**document, "deployment": given}


class _Repoint:
    """Replaces a folder at the start of texts. `guarded`: key of a job whose own texts may not be below `new` yet."""

    def __init__(self, old: str, new: str, guarded: str | None = None) -> None:
        self._old = old
        self._below = old + "/"
        self._new = new
        # Below the old folder as well: such a text moves like every other one, so nothing can be confused.
        self._guarded = None if new.startswith(self._below) else guarded

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        return {name: self._value(value) for name, value in document.items() if value is not None}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {name: self._value(item) for name, item in value.items() if item is not None}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        flag = text[:3] if text.startswith(_FLAGS) else ""
        path = text[len(flag) :]
        if path == self._old or path.startswith(self._below):
            return flag + self._new + path[len(self._old) :]
        if self._guarded is not None and (path == self._new or path.startswith(self._new + "/")):
            raise BackendError(
                f'job "{self._guarded}" names a path inside the folder of published code: "{text}"',
                code="BND278",
                hint='name the file relative to the bundle, or below "${workspace.file_path}"',
            )
        return text


def _renamed(entries: Any, old: str, new: str) -> Any:
    """A list of permissions with one member of each entry renamed."""
    if not isinstance(entries, list):
        return without_nulls(entries)
    return [
        {(new if name == old else name): without_nulls(value) for name, value in entry.items() if value is not None}
        if isinstance(entry, dict)
        else entry
        for entry in entries
    ]


def _snapshot_of(value: Any, places: Places) -> str | None:
    """The first snapshot of this bundle that a text in the document points into."""
    if isinstance(value, str):
        parts = split_snapshot_path(value[3:] if value.startswith(_FLAGS) else value)
        return parts.digest if parts is not None and parts.root_path == places.root_path else None
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for found in (_snapshot_of(item, places) for item in items) if found is not None), None)


def _foreign(deployment: Any, places: Places) -> Any:
    """`deployment` unless it is the one that compose writes."""
    path = deployment.get("metadata_file_path") if isinstance(deployment, dict) else None
    folder = SNAPSHOT_FOLDER.partition("/")[0]
    ours = isinstance(path, str) and path.startswith(f"{places.root_path}/{folder}/")
    return None if ours else deployment
