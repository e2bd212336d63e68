"""Stages 7 and 8: who the bundle is for, what git says, and the workspace folders (config language 9, 16).

Called by config.loader. Asks nobody: identity comes with the request, git facts with the tree.
"""

import re
import unicodedata

from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import error, warning
from bundlectl.config.interpolation import references
from bundlectl.config.node import Node, set_at
from bundlectl.config.reading import members
from bundlectl.model.location import SourceSpan

PATHS = ("root_path", "file_path", "resource_path", "artifact_path", "state_path")
_BELOW_ROOT = {"file_path": "files", "resource_path": "resources", "artifact_path": "artifacts", "state_path": "state"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IMMUTABLE = "${workspace.snapshot_path}/files"
_DOUBLE = re.compile(r"/Workspace/?(\$\{workspace\.(?:root|file|artifact|state|resource)_path\})")


def identity(node: Node, facts: Facts) -> Outcome:
    """`workspace.current_user`."""
    user = facts.request.user
    place = SourceSpan(facts.root_file, 1, 1)
    short = short_name(user)
    values = {
        "domain_friendly_name": domain_friendly(short),
        "id": facts.request.user_id,
        "short_name": short,
        "userName": user,
    }
    member = Node({name: Node(value, place) for name, value in values.items() if value}, place)
    found: Findings = []
    if facts.request.user_guessed:
        hint = "set BUNDLECTL_USER, or git config user.email"
        found.append(warning("BND274", f'user "{user}" is the login name of this machine', hint=hint))
    return set_at(node, ("workspace", "current_user"), member), found


def is_service_principal(user: str) -> bool:
    """A user whose name is a UUID."""
    return _UUID.fullmatch(user) is not None


def short_name(user: str) -> str:
    """The part before `@`, lower case, runs of other signs as `_`."""
    local = user.partition("@")[0].lower()
    mapped = "".join(sign if unicodedata.category(sign)[0] in "LN" else "_" for sign in local)
    return re.sub(r"_+", "_", mapped).strip("_")


def without_accents(text: str) -> str:
    """Letters without their accents: e with an acute becomes e."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(sign for sign in parts if unicodedata.category(sign) != "Mn"))


def domain_friendly(short: str) -> str:
    """A short name as a part of a host name."""
    return re.sub(r"[^a-z0-9]", "-", without_accents(short))


def git(node: Node, facts: Facts) -> Outcome:
    """`bundle.git`: what the tree says, where the file says nothing."""
    revision = facts.revision
    place = SourceSpan(facts.root_file, 0, 0)  # line 0: no file says so
    given = members(node, "bundle", "git")
    values = {
        "actual_branch": revision.branch,
        "branch": revision.branch,
        "commit": revision.commit,
        "origin_url": revision.remote,
        "bundle_root_path": facts.root or ".",
    }
    for name in ("branch", "origin_url"):
        own = given.get(name)
        if own is not None and own.value:
            values.pop(name)
    for name, value in values.items():
        if value:
            node = set_at(node, ("bundle", "git", name), Node(value, place))
    return node, []


def host(node: Node, facts: Facts) -> Outcome:
    """`?o=<workspace id>` of the host is taken apart; a host is a name, not a page."""
    found: Findings = []
    workspace = node.get("workspace")
    given = workspace.get("host") if workspace is not None else None
    if workspace is None or given is None or not isinstance(given.value, str) or not given.value:
        return node, found
    text, _, query = given.value.partition("?")
    path = ("workspace", "host")
    if any(sign.isspace() for sign in text):
        summary = "host contains a space"
        found.append(error("BND712", summary, given.span, path=path, hint="give the address of the workspace"))
        return node, found
    bare = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    if "/" in bare:
        summary = f'host has a path: "/{bare.partition("/")[2]}"'
        hint = "give the address of the workspace alone"
        found.append(error("BND712", summary, given.span, path=path, hint=hint))
        return node, found
    match = re.search(r"(?:^|&)o=([0-9]+)", query)
    if query:
        workspace = workspace.with_member("host", given.with_value(text.rstrip("/")))
        if match is not None and workspace.get("workspace_id") is None:
            workspace = workspace.with_member("workspace_id", given.with_value(match[1]))
    return node.with_member("workspace", workspace), found


def folders(node: Node, facts: Facts) -> Outcome:
    """The five folders (9.2, steps 1 to 4)."""
    place = SourceSpan(facts.root_file, 1, 1)
    given_workspace = node.get("workspace")
    workspace = given_workspace if given_workspace is not None and given_workspace.is_map else Node({}, place)
    bundle = members(node, "bundle")
    name = bundle["name"].value if "name" in bundle else ""
    values = dict(workspace.value)
    root = values.get("root_path")
    if root is None or not root.value:
        root = Node(f"~/.bundle/{name}/{facts.target}", place)
    if isinstance(root.value, str) and root.value.startswith("~/"):
        root = root.with_value(f"/Workspace/Users/{facts.request.user}/{root.value[2:]}")
    values["root_path"] = _prefixed(root)
    for field, folder in _BELOW_ROOT.items():
        own = values.get(field)
        given = own if own is not None and own.value else Node(f"{values['root_path'].value}/{folder}", root.span)
        values[field] = _prefixed(given)
    return node.with_member("workspace", workspace.with_value(values)), []


def code_folder(node: Node) -> str:
    """What paths of code begin with: workspace.file_path, or the word for it with experimental.immutable_folder."""
    immutable = members(node, "experimental").get("immutable_folder")
    if immutable is not None and immutable.value is True:
        return _IMMUTABLE
    folder: str = members(node, "workspace")["file_path"].value
    return folder


def _prefixed(node: Node) -> Node:
    text = node.value
    kept = ("/Workspace/", "/Workspace${workspace.", "/Volumes/")
    if isinstance(text, str) and text.startswith("/") and not text.startswith(kept):
        return node.with_value(text if text == "/Workspace" else "/Workspace" + text)
    return node


def doubled_prefix(node: Node, facts: Facts) -> Outcome:
    """`/Workspace${workspace.root_path}` in any text is the reference alone (9.2, step 5)."""
    found: Findings = []
    if not any(source.doubles_prefix for source in facts.sources):
        return node, found
    return _without_doubles(node, (), found), found


def _without_doubles(node: Node, path: tuple[str | int, ...], found: Findings) -> Node:
    value = node.value
    if isinstance(value, str):
        if "/Workspace" in value and "${workspace." in value and _DOUBLE.search(value):
            summary = "/Workspace is part of the path already"
            text = _DOUBLE.sub(r"\1", value)
            found.append(warning("BND278", summary, node.span, path=path, hint=f'write "{text}"'))
            return node.with_value(text)
        return node
    if isinstance(value, dict):
        edits = {}
        for key, child in value.items():
            inner = child.value
            if inner.__class__ is str:
                if "/Workspace" not in inner:
                    continue
            elif inner.__class__ is not dict and inner.__class__ is not list:
                continue
            kept = _without_doubles(child, (*path, key), found)
            if kept is not child:
                edits[key] = kept
        return node.with_value({**value, **edits}) if edits else node
    if isinstance(value, list):
        items = [_without_doubles(child, (*path, index), found) for index, child in enumerate(value)]
        if any(kept is not child for kept, child in zip(items, value, strict=True)):
            return node.with_value(items)
    return node


def resolved_folders(node: Node, facts: Facts) -> Outcome:
    """After resolution: prefixes of folders that were references, and none but artifacts in /Volumes (step 6)."""
    found: Findings = []
    workspace = node.get("workspace")
    if workspace is None:
        return node, found
    root = workspace.get("root_path")
    for field in PATHS:
        child = workspace.get(field)
        if child is None or not isinstance(child.value, str):
            continue
        if root is not None and child is not root and child.span == root.span:
            continue  # made of root_path, which is judged itself
        if child.value.startswith("/Volumes/") and field != "artifact_path":
            summary = f"workspace.{field} is in /Volumes: only artifact_path may be there"
            found.append(error("BND278", summary, child.span, path=("workspace", field)))
        if not references(child.value) and "\n" in child.value:
            found.append(error("BND278", f"workspace.{field} is no path", child.span, path=("workspace", field)))
    return node, found
