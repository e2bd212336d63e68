"""How the loading steps are spoken of by explain: the role of each, what it does, and the field it takes values from.

Read by config.origins. Tables, so that a new step needs a row and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bundlectl.config.node import Node
from bundlectl.model.explanation import Role
from bundlectl.model.location import FieldPath, Keyed

# Steps whose effect on a value is told by the places where it is written, or that only put the tree in order.
KEYING = "jobs.merge_keyed"
TOLD = frozenset(
    {
        "targets.old_names",
        "targets.apply",
        "variables.assign",
        "lookups.answer",
        KEYING,
    }
)
RESOLVING = frozenset({"resolution.resolve_frame", "resolution.resolve_resources"})
BY_NOBODY = (Role.DEFAULT, Role.ANNOTATION, Role.IDENTITY, Role.GIT)  # no file says it
SHAPING = "loader._shape_resolved"

Cause = Callable[[FieldPath, Node], FieldPath | None]


class Said(NamedTuple):
    """How a step is spoken of: its role, what it did, and the field that it took the value from."""

    role: str
    note: str
    cause: Cause = lambda path, node: None
    taken: str = "taken away"  # what is said when the field is gone


def _preset(path: FieldPath, node: Node) -> FieldPath | None:
    rest = path[3:]
    if rest[:1] == ("tags",):
        return ("presets", *rest)
    names = {"name": "name_prefix", "max_concurrent_runs": "jobs_max_concurrent_runs"}
    if len(rest) == 1 and rest[0] in names:
        return ("presets", names[str(rest[0])])
    return ("presets", "trigger_pause_status") if rest and rest[-1] == "pause_status" else None


def _run_as(path: FieldPath, node: Node) -> FieldPath | None:
    return ("run_as", *path[4:])


def _compute(path: FieldPath, node: Node) -> FieldPath | None:
    return ("bundle", "cluster_id") if path[:1] == ("resources",) else None


def _permission(path: FieldPath, node: Node) -> FieldPath | None:
    """The entry of the bundle's permissions for the same principal."""
    step = path[4] if len(path) > 4 else None
    entries = node.get("permissions")
    if not isinstance(step, Keyed) or entries is None or not entries.is_list:
        return None
    for index, entry in enumerate(entries.value):
        member = entry.get(step.field)
        if member is not None and str(member.value) == step.value:
            return ("permissions", index, *path[5:])
    return None


def _state_path(path: FieldPath, node: Node) -> FieldPath | None:
    return ("workspace", "state_path") if path[-1:] == ("metadata_file_path",) else None


def _root_path(path: FieldPath, node: Node) -> FieldPath | None:
    return ("workspace", "root_path") if path[-1] != "root_path" else None


STEPS_SAID: Mapping[str, Said] = {
    "sync.rewrite": Said(Role.PATH, "as seen from the sync root"),
    "workspace.host": Said(Role.TOOL, "the workspace id is taken off the host"),
    "workspace.identity": Said(Role.IDENTITY, "who the bundle is resolved for"),
    "workspace.git": Said(Role.GIT, "read from the repository"),
    "workspace.folders": Said(Role.DEFAULT, "defaulted by the tool", _root_path),
    "workspace.doubled_prefix": Said(Role.PATH, "/Workspace is part of the reference"),
    "modes.complete_presets": Said(Role.MODE, "filled in by mode: development"),
    "translate.to_bundle_root": Said(Role.PATH, "as seen from the bundle root"),
    KEYING: Said(Role.TOOL, "an element without a key has an empty one"),
    "jobs.fix_clusters": Said(
        Role.TOOL, "fixed up", taken="taken away: it does not go with where the machines are from"
    ),
    "permissions.run_as": Said(Role.RUN_AS, "run_as of the bundle", _run_as),
    "jobs.override_compute": Said(
        Role.COMPUTE, "replaced by bundle.cluster_id", _compute, taken="taken away: bundle.cluster_id replaces it"
    ),
    "jobs.apply_presets": Said(Role.PRESET, "presets", _preset),
    "jobs.defaults": Said(Role.DEFAULT, "default of the language"),
    "permissions.permissions": Said(Role.PERMISSIONS, "permissions of the bundle", _permission),
    "python_code.python": Said(Role.PYTHON, "made by the bundle's Python"),
    "clean.drop_empty": Said(Role.TOOL, "", taken="taken away: empty text means not set"),
    "translate.translate": Said(Role.PATH, "below workspace.file_path"),
    "artifacts.prepare": Said(Role.DEFAULT, "defaulted by the tool"),
    "jobs.annotate": Said(Role.ANNOTATION, "annotated by the tool", _state_path),
}


# Steps that look and change nothing.
_LOOKING = frozenset(
    {
        "artifacts.null_artifacts",
        "loader._job_rules",
        "modes.check",
        "sections.bundle_name",
        "sections.connection",
        "sections.experimental",
        "sections.keys",
        "sections.other_kinds",
        "sections.resolved_name",
        "sections.scripts",
        "sections.versions",
        "settings.check",
        "targets.other_targets",
        "workspace.resolved_folders",
    }
)


def said_nothing(steps: Sequence[str]) -> list[str]:
    """Steps that no table here knows; for the test that keeps them whole."""
    known = STEPS_SAID.keys() | TOLD | RESOLVING | _LOOKING | {SHAPING}
    return [name for name in steps if name not in known]
