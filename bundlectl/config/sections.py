"""Stage 5 and the small sections: bundle name, versions, connection, scripts, python, other kinds.

Called by config.loader. Each check is one function; what this version does not do is said here, never passed over.
"""

import re

from bundlectl import __version__
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, note, warning
from bundlectl.config.interpolation import references
from bundlectl.config.node import Node
from bundlectl.config.reading import members, resource_keys
from bundlectl.config.targets import bad_name
from bundlectl.model.location import FieldPath, SourceSpan

CONNECTION_FIELDS = frozenset(
    {
        "host",
        "profile",
        "auth_type",
        "client_id",
        "google_service_account",
        "azure_workspace_resource_id",
        "azure_use_msi",
        "azure_client_id",
        "azure_tenant_id",
        "azure_environment",
        "azure_login_app_id",
        "account_id",
        "workspace_id",
        "experimental_is_unified_host",
    }
)
_CONSTRAINT = re.compile(r"(?:>=|<=|>|<|=|!=|~>|~|\^)?\s*v?[0-9]+(?:\.[0-9x*]+){0,2}(?:-[0-9A-Za-z.-]+)?")
_REQUIREMENT = re.compile(r"(>=|<=|==|!=|~=|>|<)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?")
_LONGEST_CONSTRAINT = 200
NEVER_RUN = ("preinit", "postinit")
DEPLOY_HOOKS = ("prebuild", "postbuild", "predeploy", "postdeploy")


def keys(node: Node, facts: Facts) -> Outcome:
    """Keys of resources (3.8)."""
    return node, resource_keys(node)


def bundle_name(node: Node, facts: Facts) -> Outcome:
    """`bundle.name` is there and can be a name."""
    found: Findings = []
    bundle = node.get("bundle")
    name = bundle.get("name") if bundle is not None else None
    path: FieldPath = ("bundle", "name")
    if name is None or not isinstance(name.value, str) or not name.value:
        written = bundle is not None and node.keys is not None and "bundle" in node.keys
        span = node.key_span("bundle") if written else SourceSpan(facts.root_file, 1, 1)
        found.append(error("BND212", "bundle.name is required", span, path=path, hint="bundle: {name: my_bundle}"))
    elif references(name.value):
        found.append(warning("BND214", "bundle.name holds a reference; a fixed name is safer", name.span, path=path))
    elif (reason := bad_name(name.value, "bundle name")) is not None:
        found.append(error("BND213", reason, name.span, path=path))
    return node, found


def resolved_name(node: Node, facts: Facts) -> Outcome:
    """A name that held a reference must still be a name."""
    name = members(node, "bundle").get("name")
    reason = bad_name(name.value, "bundle name") if name is not None and isinstance(name.value, str) else None
    if name is None or reason is None:
        return node, []
    return node, [error("BND213", reason, name.span, path=("bundle", "name"))]


def versions(node: Node, facts: Facts) -> Outcome:
    """`bundlectl.requires` fits this version; the constraint for the other tool is only read."""
    found: Findings = []
    other = members(node, "bundle").get("databricks_cli_version")
    if other is not None and isinstance(other.value, str) and not references(other.value):
        parts = re.split(r"\s*,\s*", other.value.strip()) if len(other.value) <= _LONGEST_CONSTRAINT else [""]
        if not all(_CONSTRAINT.fullmatch(part) for part in parts):
            summary = f'"{other.value[:60]}" is no version constraint'
            path = ("bundle", "databricks_cli_version")
            found.append(error("BND216", summary, other.span, path=path, hint='for example ">= 0.229.0, < 2.0.0"'))
    requires = members(node, "bundlectl").get("requires")
    if requires is not None and isinstance(requires.value, str):
        found.extend(_requires(requires))
    return node, found


def _requires(requires: Node) -> Findings:
    text = requires.value
    path = ("bundlectl", "requires")
    parts = [part.strip() for part in text.split(",")] if len(text) <= _LONGEST_CONSTRAINT else [""]
    matches = [_REQUIREMENT.fullmatch(part) for part in parts]
    if not all(matches):
        summary = f'"{text[:60]}" is no version specifier'
        return [error("BND216", summary, requires.span, path=path, hint='for example ">=0.4,<2"')]
    if all(match is not None and _holds(match[1], match[2], match[3] is not None) for match in matches):
        return []
    summary = f"this bundle needs bundlectl {text}, this is {__version__}"
    return [error("BND216", summary, requires.span, path=path)]


def _holds(sign: str, wanted: str, prefix: bool) -> bool:
    ours = _numbers(__version__)
    theirs = _numbers(wanted)
    if sign == "~=":
        return _padded(ours, theirs) >= _padded(theirs, ours) and ours[: len(theirs) - 1] == theirs[:-1]
    if prefix:
        same = _padded(ours, theirs)[: len(theirs)] == theirs
        return same if sign == "==" else not same
    left, right = _padded(ours, theirs), _padded(theirs, ours)
    return {
        ">=": left >= right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
        ">": left > right,
        "<": left < right,
    }[sign]


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part[:9]) for part in match[0].split(".")) if match else (0,)


def _padded(version: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return version + (0,) * (len(other) - len(version))


def connection(node: Node, facts: Facts) -> Outcome:
    """References in fields that say how to connect stay as they are."""
    found: Findings = []
    for name, child in members(node, "workspace").items():
        if name in CONNECTION_FIELDS and isinstance(child.value, str) and references(child.value):
            path = ("workspace", name)
            if name == "host":
                hint = "write the address, or leave it out and set DATABRICKS_HOST"
                found.append(
                    error("BND215", "workspace.host may not hold a reference", child.span, path=path, hint=hint)
                )
            else:
                hint = f"set the environment variable DATABRICKS_{name.upper()}"
                summary = f"a reference in workspace.{name} is not resolved"
                found.append(warning("BND215", summary, child.span, path=path, hint=hint))
    return node, found


def scripts(node: Node, facts: Facts) -> Outcome:
    """Scripts have content without references, and an environment of values that are known; hooks may run or not."""
    found: Findings = []
    for name, script in members(node, "scripts").items():
        path = ("scripts", name)
        content = script.get("content")
        if content is None or content.value in (None, ""):
            summary = f'script "{name}" has no content'
            found.append(error("BND298", summary, node.value["scripts"].key_span(name), path=path))
        elif isinstance(content.value, str) and references(content.value):
            hint = "use env: {NAME: ${...}} and $NAME in the content"
            summary = f'references are not resolved in the content of script "{name}"'
            found.append(error("BND247", summary, content.span, path=(*path, "content"), hint=hint))
        for variable, value in members(script, "env").items():
            for reference in references(value.value) if isinstance(value.value, str) else ():
                if reference.steps[0] not in ("bundle", "workspace", "var", "variables"):
                    summary = f"{reference.text} is not allowed here"
                    hint = "env may use bundle, workspace and var"
                    found.append(error("BND247", summary, value.span, path=(*path, "env", variable), hint=hint))
    return node, [*found, *_hooks(node, facts)]


def _hooks(node: Node, facts: Facts) -> Findings:
    """Hooks that are not run: two never are, the others only when the invoker allows it."""
    found: Findings = []
    holder = members(node, "experimental").get("scripts")
    for hook, child in members(holder).items():
        if holder is None or child.value in (None, ""):
            continue
        path = ("experimental", "scripts", hook)
        if hook in NEVER_RUN:
            summary = f"hook {hook} is never run: reading a bundle runs nothing"
            hint = f"make it a script and run it by name, or rename it to {DEPLOY_HOOKS[0]}, which runs during a deploy"
            found.append(warning("BND299", summary, holder.key_span(hook), path=path, hint=hint))
        elif hook in DEPLOY_HOOKS and not facts.request.hooks_allowed:
            summary = f"hook {hook} is not run: it is code of the tree, and nobody allowed it"
            hint = "--allow scripts runs it during a deploy; give it for a tree that you trust"
            found.append(warning("BND299", summary, holder.key_span(hook), path=path, hint=hint))
    return found


def deploy_hooks(node: Node) -> dict[str, str]:
    """The commands to run around a deploy, by hook, in the order in which they run."""
    given = members(node, "experimental", "scripts")
    return {name: given[name].value for name in DEPLOY_HOOKS if name in given and given[name].value}


def experimental(node: Node, facts: Facts) -> Outcome:
    """Switches of the other tool that change nothing here, and one that only changes how paths are printed."""
    found: Findings = []
    holder = node.get("experimental")
    for name, child in members(holder).items():
        if isinstance(child.value, bool) and child.value and holder is not None:
            path = ("experimental", name)
            if name == "immutable_folder":
                own = members(node, "workspace").get("file_path")
                if own is not None and own.value:
                    summary = "workspace.file_path cannot be set with experimental.immutable_folder"
                    hint = "remove one of them: code is deployed as immutable snapshots anyway"
                    found.append(error("BND278", summary, own.span, path=("workspace", "file_path"), hint=hint))
            else:
                found.append(note("BND299", f"experimental.{name} has no effect", holder.key_span(name), path=path))
    return node, found


def other_kinds(node: Node, facts: Facts) -> Outcome:
    """Resources that are left alone."""
    found: Findings = []
    for kind, child in members(node, "resources").items():
        if kind != "jobs" and child.is_map:
            for key in child.value:
                path = ("resources", kind, key)
                found.append(
                    note("BND229", f"{kind}.{key} is not managed by bundlectl", child.key_span(key), path=path)
                )
    return node, found
