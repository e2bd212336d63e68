"""Stages 10 and 17: what `mode` fills into the presets, and what it demands (config language 10.2).

Called by config.loader.
"""

import re

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, note, warning
from bundlectl.config.node import Node, lookup, set_at
from bundlectl.config.reading import members
from bundlectl.config.workspace import PATHS, is_service_principal, without_accents
from bundlectl.model.location import SourceSpan

DEVELOPMENT, PRODUCTION = "development", "production"
# Characters that a tag value keeps, by cloud: AWS, else Azure and Google.
_TAG_AWS = re.compile(r"[^\u0030-\u0039\u0041-\u005a\u0061-\u007a\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff +\-=.:/@_]")
_TAG_AZURE = re.compile(r"[<>*&%;\\/+?\x00-\x1f\x7f]")
_TAG_GCP = re.compile(r"[^a-z0-9_-]")


def mode_of(node: Node) -> str | None:
    """The mode of the chosen target."""
    mode = members(node, "bundle").get("mode")
    return mode.value if mode is not None and isinstance(mode.value, str) else None


def complete_presets(node: Node, facts: Facts) -> Outcome:
    """Presets that a development target has when the bundle sets none."""
    found: Findings = []
    linked = lookup(node, ("presets", "source_linked_deployment"))
    if linked is not None and linked.value is True:
        summary = "presets.source_linked_deployment is not supported; deploys are snapshots"
        found.append(warning("BND277", summary, linked.span, path=("presets", "source_linked_deployment")))
        node = set_at(node, ("presets", "source_linked_deployment"), linked.with_value(False))
    if mode_of(node) != DEVELOPMENT:
        return node, found
    mode = node.value["bundle"].value["mode"]
    user = members(node, "workspace", "current_user")
    short = user["short_name"].value if "short_name" in user else ""
    filled: tuple[tuple[tuple[str, ...], object], ...] = (
        (("bundle", "deployment", "lock", "enabled"), False),
        (("presets", "name_prefix"), f"[dev {short}] "),
        (("presets", "jobs_max_concurrent_runs"), 4),
        (("presets", "trigger_pause_status"), "PAUSED"),
        (("presets", "pipelines_development"), True),
        (("presets", "tags", "dev"), _tag(short, members(node, "workspace").get("host"))),
    )
    for path, value in filled:
        given = lookup(node, path)
        if given is None or given.value is None or given.value == "":
            node = set_at(node, path, Node(value, mode.span))
    return node, found


def _tag(short: str, host: Node | None) -> str:
    address = host.value if host is not None and isinstance(host.value, str) else ""
    text = without_accents(short)
    if ".azuredatabricks." in address:
        return _TAG_AZURE.sub("_", text)[:256]
    if ".gcp.databricks." in address:
        return _TAG_GCP.sub("_", text.lower())[:63]
    return _TAG_AWS.sub("_", text)[:255]


def check(node: Node, facts: Facts) -> Outcome:
    """What a development or production target must keep."""
    mode = mode_of(node)
    if mode == DEVELOPMENT:
        return node, _development(node)
    if mode == PRODUCTION:
        return node, _production(node, facts)
    return node, []


def _development(node: Node) -> Findings:
    found: Findings = []
    presets = members(node, "presets")
    user = members(node, "workspace", "current_user")
    names = [user[name].value for name in ("userName", "short_name", "domain_friendly_name") if name in user]
    pause = presets.get("trigger_pause_status")
    if pause is not None and pause.value == "UNPAUSED":
        summary = "a development target may not unpause every trigger; a job can set its own pause_status"
        found.append(error("BND275", summary, pause.span, path=("presets", "trigger_pause_status")))
    for field in PATHS:
        path = members(node, "workspace").get(field)
        if path is not None and isinstance(path.value, str) and not any(name in path.value for name in names[:2]):
            summary = f"workspace.{field} must contain the user name in a development target"
            hint = "use ~/ or ${workspace.current_user.userName} in it"
            found.append(error("BND275", summary, path.span, path=("workspace", field), hint=hint))
            break
    prefix = presets.get("name_prefix")
    if prefix is not None and isinstance(prefix.value, str) and not any(name in prefix.value for name in names):
        summary = "name_prefix must contain the user name"
        hint = 'for example "[dev ${workspace.current_user.short_name}] "'
        found.append(error("BND275", summary, prefix.span, path=("presets", "name_prefix"), hint=hint))
    return found


def _production(node: Node, facts: Facts) -> Findings:
    found: Findings = []
    target = facts.target_node
    root_path = lookup(target, ("workspace", "root_path")) if target is not None else None
    if root_path is None or not root_path.value:
        summary = f"set targets.{facts.target}.workspace.root_path, so that only one copy is deployed"
        place = facts.target_span if facts.target_span is not None else SourceSpan(facts.root_file, 1, 1)
        jobs = members(node, "resources", "jobs")
        all_run_as = all(job.get("run_as") is not None for job in jobs.values()) and not facts.others.without_run_as
        path = ("targets", facts.target, "workspace", "root_path")
        if is_service_principal(facts.request.user) or ((jobs or facts.others.keys) and all_run_as):
            found.append(note("BND276", summary, place, path=path))
        else:
            user = facts.request.user
            hint = f"for example /Workspace/Users/{user}/.bundle/${{bundle.name}}/${{bundle.target}}"
            found.append(error("BND276", summary, place, path=path, hint=hint))
    for key, pipeline in members(node, "resources", "pipelines").items():
        flag = pipeline.get("development")
        if flag is not None and flag.value is True:
            summary = f'pipeline "{key}" has development: true in a production target'
            found.append(error("BND276", summary, flag.span, path=("resources", "pipelines", key, "development")))
    return found
