"""Bundle files -> one tree: read, shaped, merged in order; resource keys checked (config language 2, 3.8, 5).

Called by config.loader. Which files there are is decided in config.discovery.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from bundlectl.config.discovery import single_resource
from bundlectl.config.facts import SourceFile
from bundlectl.config.findings import error, warning
from bundlectl.config.interpolation import is_segment
from bundlectl.config.merge import merge
from bundlectl.config.node import Node
from bundlectl.config.request import Limits
from bundlectl.config.structure import shape
from bundlectl.config.tree_view import TreeView
from bundlectl.config.yaml_reader import read_yaml, top_level_map
from bundlectl.config.yaml_text import size_text
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import SourceSpan

_BAD_KEY = re.compile(r"[\x00-\x1f\x7f/\\'\[\]{}$]")


def read_files(
    view: TreeView, paths: Sequence[str], limits: Limits, *, root_file: str, allow_unknown: bool
) -> list[SourceFile]:
    """The given files, read and shaped. Findings are in the results."""
    view.prefetch(view.find(path).path for path in paths)
    files = []
    total = 0
    for path in paths:
        real = view.find(path).path
        data = view.read(real)
        total += len(data)
        blob = view.entries[real].blob
        if total > limits.bundle_bytes:
            summary = f"bundle files are larger than {size_text(limits.bundle_bytes)} in all"
            files.append(SourceFile(path, blob, None, (error("BND121", summary, SourceSpan(path, 1, 1)),)))
            break
        if view.is_lfs_pointer(real):
            hint = "Git LFS content is not fetched when a file is read"
            found = [error("BND288", f'"{path}" is a Git LFS pointer', SourceSpan(path, 1, 1), hint=hint)]
            files.append(SourceFile(path, blob, None, tuple(found)))
            continue
        files.append(read_text(data, path, blob, limits, root=path == root_file, allow_unknown=allow_unknown))
    return files


def read_text(
    data: bytes, path: str, blob: str, limits: Limits, *, root: bool = False, allow_unknown: bool
) -> SourceFile:
    """The text of a bundle file, or of a piece of one, read and shaped. `root`: it is the root file."""
    node, found = top_level_map(read_yaml(data, path, limits), path, root=root)
    if node is not None:
        node, more = shape(node, part="file", allow_unknown_fields=allow_unknown)
        found = [*found, *more]
        if not root:
            node, more = _as_included(path, node)
            found.extend(more)
    uses_git = b"bundle.git" in data or b"bundle.$" in data
    doubles = b"/Workspace${workspace." in data or b"/Workspace/${workspace." in data
    return SourceFile(path, blob, node, tuple(found), uses_git, doubles)


def _as_included(path: str, node: Node) -> tuple[Node, list[Diagnostic]]:
    found = []
    if "include" in node.value:
        span = node.key_span("include")
        found.append(warning("BND135", "include works only in the root file", span, path=("include",)))
        node = node.without("include")
    recommendation = single_resource(path, node)
    if recommendation is not None:
        found.append(recommendation)
    return node, found


def merge_files(files: Iterable[SourceFile]) -> tuple[Node, list[Diagnostic]]:
    """One tree of all files that could be read, and what stands against merging them."""
    nodes = [file.node for file in files if file.node is not None]
    found = defined_once(nodes)
    merged = merge(nodes, (), found) if nodes else Node({}, SourceSpan("", 0, 0))
    # A resource in two files is one finding, not one for each field on which the two differ.
    twice = {finding.path for finding in found if finding.code == "BND225"}
    kept = [
        finding
        for finding in found
        if finding.code != "BND224" or not any(_inside(finding.path, path) for path in twice)
    ]
    return merged, kept


def _inside(path: str | None, holder: str | None) -> bool:
    return path is not None and holder is not None and (path == holder or path.startswith((holder + ".", holder + "[")))


def defined_once(nodes: Sequence[Node]) -> list[Diagnostic]:
    """Keys of resources and scripts are unique over all kinds and files."""
    places: dict[str, list[tuple[tuple[str, ...], SourceSpan]]] = {}
    for node in nodes:
        resources = members(node, "resources")
        for kind, child in resources.items():
            for key in child.value if isinstance(child.value, dict) else ():
                places.setdefault(key, []).append((("resources", kind, key), child.key_span(key)))
        scripts = node.get("scripts")
        if scripts is not None and isinstance(scripts.value, dict):
            for key in scripts.value:
                places.setdefault(key, []).append((("scripts", key), scripts.key_span(key)))
    found = []
    for key, defined in places.items():
        if len(defined) > 1:
            spans = [span for _, span in defined]
            summary = f'"{key}" is defined more than once'
            found.append(error("BND225", summary, *spans, path=defined[0][0], hint="rename one of them"))
    return found


def resource_keys(node: Node) -> list[Diagnostic]:
    """Resource keys that may not be, or that nobody can refer to."""
    found = []
    for kind, child in members(node, "resources").items():
        for key, resource in child.value.items() if isinstance(child.value, dict) else ():
            span = child.key_span(key)
            path = ("resources", kind, key)
            bad = _BAD_KEY.search(key)
            if "${" in key:
                found.append(
                    error("BND247", f'a reference is not resolved in a resource key: "{key}"', span, path=path)
                )
            elif not key or bad is not None:
                what = "be empty" if bad is None else f"contain '{_shown(bad[0])}'"
                found.append(error("BND226", f"resource key may not {what}", span, path=path))
            elif not is_segment(key):
                summary = f'"{key}" cannot be referenced as ${{resources.{kind}...}}'
                found.append(warning("BND227", summary, span, path=path))
            if resource.value is None and kind == "jobs":
                found.append(error("BND219", f'job "{key}" is not defined', span, path=path, hint="give it fields"))
            elif resource.value is None:
                found.append(error("BND219", f'"{kind}.{key}" is not defined', span, path=path))
    return found


def _shown(sign: str) -> str:
    return sign if sign.isprintable() else f"U+{ord(sign):04X}"


def members(node: Node | None, *path: str) -> Mapping[str, Node]:
    """Members of the map at a path; nothing when there is no map."""
    for step in path:
        node = node.get(step) if node is not None else None
    return node.value if node is not None and isinstance(node.value, dict) else {}


def has_errors(found: Iterable[Diagnostic]) -> bool:
    """Whether a finding stops the next stage."""
    return any(finding.severity is Severity.ERROR for finding in found)
