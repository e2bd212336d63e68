"""Which files go with the jobs: sync rules made relative to the sync root (config language 12.4).

Called by config.loader at stage 6, and when the files are listed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from bundlectl.config.code_files import CodeFiles, SyncRules
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, warning
from bundlectl.config.ignore import Patterns
from bundlectl.config.node import Node
from bundlectl.config.reading import members
from bundlectl.config.tree_view import SUBMODULE, below, folder_of, join, leaves, relative_to
from bundlectl.config.unmatched import no_match
from bundlectl.model.location import SourceSpan

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)


def learn_root(node: Node, facts: Facts) -> tuple[Facts, Findings]:
    """The deepest folder that holds the bundle root and everything in sync.paths."""
    found: Findings = []
    root = facts.root
    for path, entry in _paths(node, facts, found):
        while not below(path, root):
            root = folder_of(root)
        del entry
    return replace(facts, sync_root=root), found


def _paths(node: Node, facts: Facts, found: Findings) -> list[tuple[str, Node]]:
    sync = node.get("sync")
    paths = sync.get("paths") if sync is not None else None
    if paths is None:
        return [(facts.root, Node(".", _place(node, facts)))]
    kept = []
    for index, entry in enumerate(paths.value if isinstance(paths.value, list) else ()):
        if not isinstance(entry.value, str):
            continue
        at = ("sync", "paths", index)
        path = join(_base(entry, facts), entry.value)
        if leaves(path):
            summary = f'"{entry.value}" is outside the repository'
            found.append(error("BND289", summary, entry.span, path=at))
        else:
            kept.append((path, entry))
    return kept


def _place(node: Node, facts: Facts) -> SourceSpan:
    return node.key_span("sync") if node.get("sync") is not None else SourceSpan(facts.root_file, 1, 1)


def _base(entry: Node, facts: Facts) -> str:
    """The folder of the file that an entry is written in."""
    return folder_of(entry.span.file) if entry.span.file else facts.root


def rewrite(node: Node, facts: Facts) -> Outcome:
    """Paths and patterns as seen from the sync root."""
    sync = node.get("sync")
    holder = sync if sync is not None and sync.is_map else Node({}, _place(node, facts))
    paths = [
        Node(relative_to(path, facts.sync_root), entry.span, None, entry.more)
        for path, entry in _paths(node, facts, [])
    ]
    given = holder.get("paths")
    value = dict(holder.value)
    value["paths"] = given.with_value(paths) if given is not None else Node(paths, holder.span)
    for name in ("include", "exclude"):
        patterns = holder.get(name)
        if patterns is not None and isinstance(patterns.value, list):
            rewritten = [
                entry.with_value(_pattern(entry, facts)) if isinstance(entry.value, str) else entry
                for entry in patterns.value
            ]
            value[name] = patterns.with_value(rewritten)
    return node.with_member("sync", holder.with_value(value)), []


def _pattern(entry: Node, facts: Facts) -> str:
    text: str = entry.value
    sign = "!" if text.startswith("!") else ""
    body = text[len(sign) :]
    if not body:
        return text
    anchored = body.startswith("/")
    joined = join(_base(entry, facts), body.lstrip("/") or ".")
    if joined == facts.sync_root:
        return sign + "/**" if joined else sign + "**"
    path = relative_to(joined, facts.sync_root)
    if body.endswith("/"):
        path += "/"
    if anchored and "/" not in path.rstrip("/"):
        path = "/" + path
    return sign + path


def rules(node: Node, sync_root: str) -> SyncRules:
    """The rules of a tree that went through `rewrite`."""
    return SyncRules(sync_root, *(_texts(node, name) for name in ("paths", "include", "exclude")))


def _texts(node: Node, name: str) -> tuple[str, ...]:
    entries = members(node, "sync").get(name)
    listed: Sequence[Node] = entries.value if entries is not None and isinstance(entries.value, list) else ()
    return tuple(entry.value for entry in listed if isinstance(entry.value, str))


def _given(node: Node) -> bool:
    """Whether a file says what is to be synced."""
    sync = node.get("sync")
    return sync is not None and bool(sync.keys)


def check(node: Node, facts: Facts, code: CodeFiles) -> Findings:
    """Patterns that match nothing, nothing to sync, names that another system cannot have."""
    found: Findings = []
    view, sync_rules = facts.view, rules(node, facts.sync_root)
    prefix = sync_rules.root + "/" if sync_rules.root else ""
    for name in ("include", "exclude"):
        entries = members(node, "sync").get(name)
        for index, entry in enumerate(entries.value if entries is not None and isinstance(entries.value, list) else ()):
            if not isinstance(entry.value, str) or entry.value.startswith("!"):
                continue
            single = Patterns([entry.value])
            if not any(path.startswith(prefix) and single.takes(path[len(prefix) :]) for path in view.entries):
                found.append(no_match(entry.value, entry.span, ("sync", name, index)))
    if not code.files and sync_rules.paths and _given(node):
        found.append(warning("BND289", "no files to sync", _place(node, facts), path=("sync",)))
    for path in code.files:
        if not path.isprintable() and _CONTROL.search(path):
            found.append(warning("BND289", f"file name {path!r} contains a control character"))
        if is_device_name(path):
            found.append(warning("BND289", f'"{path}" is a Windows device name'))
    for path, entry in view.entries.items():
        if entry.mode == SUBMODULE and any(
            below(path, folder) for folder in (join(sync_rules.root, at) for at in sync_rules.paths)
        ):
            found.append(warning("BND289", f'submodule "{path}" is not synced: submodules are not read'))
    return found


def is_device_name(path: str) -> bool:
    """Whether a part of a path is a device on Windows, with or without extension."""
    return any(
        part.partition(".")[0].lower() in DEVICE_NAMES
        for part in path.split("/")
        if len(part.partition(".")[0]) in (3, 4)
    )
