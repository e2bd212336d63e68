"""Stage 16: artifacts as the document shows them. Nothing is built here (config language 13).

Called by config.loader. Paths in the tree are relative to its top; config.decode makes them absolute for the document.
"""

from bundlectl.config import job_paths
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error
from bundlectl.config.job_paths import DEPENDENCY, LIBRARY, PathUse, map_paths
from bundlectl.config.node import Node, lookup
from bundlectl.config.reading import members
from bundlectl.config.tree_view import Pattern, folder_of, join, leaves
from bundlectl.model.artifact import WHEEL_BUILD, ArtifactPattern, ArtifactSpec
from bundlectl.model.location import SourceSpan

_IMPLIED = "python_artifact"


def null_artifacts(node: Node, facts: Facts) -> Outcome:
    """An artifact without anything."""
    holder = node.get("artifacts")
    found: Findings = [
        error("BND290", f'artifact "{name}" is empty', holder.key_span(name), path=("artifacts", name))
        for name, artifact in members(node, "artifacts").items()
        if artifact.value is None and holder is not None
    ]
    return node, found


def prepare(node: Node, facts: Facts) -> Outcome:
    """Paths, builds and files filled in."""
    found: Findings = []
    node = _implied(node, facts)
    holder = node.get("artifacts")
    if holder is None or not holder.is_map:
        return node, found
    versioned = lookup(node, ("presets", "artifacts_dynamic_version"))
    artifacts = {}
    for name, artifact in holder.value.items():
        kept = _artifact(name, artifact, facts, found)
        if (
            versioned is not None
            and versioned.value is True
            and _is_wheel(kept)
            and kept.get("dynamic_version") is None
        ):
            kept = kept.with_member("dynamic_version", Node(True, versioned.span))
        artifacts[name] = kept
    return node.with_member("artifacts", holder.with_value(artifacts)), found


def declared(node: Node) -> tuple[ArtifactSpec, ...]:
    """The artifacts of a tree that went through `prepare`."""
    return tuple(_declared(name, artifact) for name, artifact in members(node, "artifacts").items() if artifact.is_map)


def _declared(name: str, artifact: Node) -> ArtifactSpec:
    def text(field: str) -> str | None:
        child = artifact.get(field)
        return child.value if child is not None and isinstance(child.value, str) and child.value else None

    listed = artifact.get("files")
    entries = listed.value if listed is not None and listed.is_list else []
    sources = [source for entry in entries if (source := entry.get("source")) is not None]
    dynamic = artifact.get("dynamic_version")
    folder = text("path")
    return ArtifactSpec(
        name=name,
        kind=text("type"),
        folder="" if folder in (None, ".") else str(folder),
        build=text("build"),
        executable=text("executable"),
        files=tuple(ArtifactPattern(item.value, item.span) for item in sources if isinstance(item.value, str)),
        dynamic_version=dynamic is not None and dynamic.value is True and _is_wheel(artifact),
        span=artifact.span,
    )


def _is_wheel(artifact: Node) -> bool:
    kind = artifact.get("type")
    return kind is not None and kind.value == "whl"


def _implied(node: Node, facts: Facts) -> Node:
    """A wheel of the bundle root, when a job uses a library of the bundle and nothing says how it is made."""
    if members(node, "artifacts"):
        return node
    entries = facts.view.entries
    setup, project = join(facts.root, "setup.py"), join(facts.root, "pyproject.toml")
    if setup not in entries and not (project in entries and b"[build-system]" in facts.view.read(project)):
        return node
    if not (facts.others.local_library or uses_local_library(node)):
        return node
    place = SourceSpan(facts.root_file, 1, 1)
    fields = {"type": Node("whl", place), "path": Node(".", place)}
    return node.with_member("artifacts", Node({_IMPLIED: Node(fields, place)}, place))


def uses_local_library(node: Node) -> bool:
    """Whether a job names a wheel, jar or dependency of the bundle."""
    local = False

    def visit(use: PathUse) -> Node:
        nonlocal local
        text = use.node.value
        library = use.kind == LIBRARY and not job_paths.is_remote(text)
        if library or (use.kind == DEPENDENCY and job_paths.is_local_library(text)):
            local = True
        return use.node

    for job in members(node, "resources", "jobs").values():
        if job.is_map:
            map_paths(job, (), visit)
    return local


def _artifact(name: str, artifact: Node, facts: Facts, found: Findings) -> Node:
    path = ("artifacts", name)
    base = folder_of(artifact.span.file)
    given = artifact.get("path")
    if given is None or not given.value:
        folder, place = facts.root, artifact.span
    else:
        folder, place = join(folder_of(given.span.file), given.value), given.span
        if facts.view.find(folder).kind != "directory":
            found.append(error("BND280", f'directory "{folder}" not found', place, path=(*path, "path")))
    artifact = artifact.with_member("path", Node(folder or ".", place))
    build, files = artifact.get("build"), artifact.get("files")
    has_files = files is not None and isinstance(files.value, list) and bool(files.value)
    if _is_wheel(artifact) and (build is None or not build.value) and not has_files:
        build = Node(WHEEL_BUILD, artifact.span)
        artifact = artifact.with_member("build", build)
    if _is_wheel(artifact) and not has_files:
        source = Node(join(folder, "dist/*.whl"), artifact.span)
        listed = Node([Node({"source": source}, artifact.span)], artifact.span)
        return artifact.with_member("files", listed)
    has_build = build is not None and bool(build.value)
    if not has_build and not has_files:
        found.append(error("BND290", f"artifact \"{name}\": give 'build' or 'files'", artifact.span, path=path))
        return artifact
    if files is None or not has_files:
        return artifact
    sources = [_absolute(entry, base) for entry in files.value]
    if not has_build:
        sources = _expanded(sources, facts, path, found)
    return artifact.with_member("files", files.with_value(sources))


def _absolute(entry: Node, base: str) -> Node:
    source = entry.get("source")
    if source is None or not isinstance(source.value, str) or source.value.startswith("/"):
        return entry
    return entry.with_member("source", source.with_value(join(base, source.value)))


def _expanded(entries: list[Node], facts: Facts, path: tuple[str, str], found: Findings) -> list[Node]:
    expanded: list[Node] = []
    failed = False
    for index, entry in enumerate(entries):
        source = entry.get("source")
        if source is None or not isinstance(source.value, str):
            continue
        if leaves(source.value):
            matches: list[str] = []
        else:
            matches = Pattern(source.value).select(facts.view.entries)
        if not matches:
            failed = True
            summary = f"{source.value}: no matching files"
            found.append(error("BND291", summary, source.span, path=(*path, "files", index, "source")))
        expanded.extend(entry.with_member("source", source.with_value(match)) for match in matches)
    return entries if failed else expanded
