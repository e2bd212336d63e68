"""What is resolved when: strings outside `resources` first, then those of jobs (config language 8.2 to 8.5).

Called by config.loader at stages 9 and 11. Reports cycles, missing names, and `${` that will stay as text.
"""

from collections.abc import Iterable

from bundlectl.base.suggest import nearest
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import did_you_mean, error, warning
from bundlectl.config.interpolation import (
    ROUNDS,
    Reference,
    Substitution,
    TooLarge,
    Unresolved,
    loose_dollars,
    place_in,
    references,
    step_text,
)
from bundlectl.config.node import Node
from bundlectl.config.request import Limits
from bundlectl.config.sections import CONNECTION_FIELDS
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import FieldPath, path_text

_MOST_IN_ONE_TEXT = 5  # findings about the same text
_MOST_NAMED = 10  # references in one finding
PREFIXES = frozenset({"bundle", "workspace", "variables", "var"})
_LATER = frozenset({"resources", "artifacts"})
_TOP_LEVEL = frozenset(
    {"targets", "sync", "presets", "permissions", "run_as", "include", "scripts", "python", "experimental", "bundlectl"}
)
# Fields that exist and may be unset: such a reference is empty, not unknown.
_EMPTY: dict[tuple[str, ...], object] = {
    **{("bundle", name): "" for name in ("name", "uuid", "cluster_id", "mode", "engine", "databricks_cli_version")},
    **{("bundle", "git", name): "" for name in ("branch", "commit", "origin_url", "actual_branch", "bundle_root_path")},
    ("bundle", "deployment", "fail_on_active_runs"): False,
    **{("workspace", name): "" for name in ("host", "profile", "auth_type", "client_id", "account_id", "workspace_id")},
    **{("workspace", f"{name}_path"): "" for name in ("root", "file", "artifact", "state", "resource")},
    **{("workspace", "current_user", name): "" for name in ("id", "userName", "short_name", "domain_friendly_name")},
    **{("workspace", name): "" for name in CONNECTION_FIELDS},
}


class Resolver(Substitution):
    """Lookups in one tree, chains followed, circles and faults collected."""

    def __init__(self, root: Node, limits: Limits) -> None:
        super().__init__(limits)
        self.found: Findings = []  # references that do not hold
        self.remarks: Findings = []  # what is odd and holds
        self._root = root
        self._memo: dict[tuple[str | int, ...], Node | None] = {}
        self._chain: list[tuple[Reference, Node]] = []
        self._start: FieldPath = ()
        self._start_node: Node | None = None
        self._cycles: dict[frozenset[str], tuple[str, str, tuple[Node, ...]]] = {}
        self._seen: set[tuple[str, str, object]] = set()

    @property
    def start(self) -> tuple[FieldPath, Node]:
        """The text that was last begun with, and its place."""
        return self._start, self._start_node if self._start_node is not None else self._root

    def text_or_tree(self, node: Node, path: FieldPath) -> Node:
        """A tree with its references replaced. Raises TooLarge."""
        value = node.value
        if isinstance(value, str):
            self._start, self._start_node = path, node
            return self.text(node, path)
        if isinstance(value, dict):
            edits = {
                key: kept
                for key, child in value.items()
                if (kept := self.text_or_tree(child, (*path, key))) is not child
            }
            return node.with_value({**value, **edits}) if edits else node
        if isinstance(value, list):
            items = [self.text_or_tree(child, (*path, index)) for index, child in enumerate(value)]
            if any(kept is not child for kept, child in zip(items, value, strict=True)):
                return node.with_value(items)
        return node

    def cycles(self) -> Iterable[Diagnostic]:
        """One finding for each circle, from its smallest start."""
        for start, text, nodes in sorted(self._cycles.values(), key=lambda cycle: cycle[0]):
            spans = list(dict.fromkeys(node.span for node in nodes))
            yield error("BND241", f"cycle: {start} -> {text}", *spans, hint="give one of them a value of its own")

    def look_up(self, reference: Reference) -> Node | None:
        steps = reference.steps
        if steps[0] not in PREFIXES:
            return None
        path = ("variables", steps[1], "value", *steps[2:]) if steps[0] == "var" and len(steps) > 1 else steps
        if path in self._memo:
            return self._memo[path]
        ring = [place for place, (other, _) in enumerate(self._chain) if other.steps == steps]
        if ring:
            raise self._cycle(ring[0], reference)
        node = self._walk(path, reference)
        self._memo[path] = node
        return node

    def _cycle(self, first: int, reference: Reference) -> Unresolved:
        chain = [step_text(other.steps) for other, _ in self._chain]
        ring = frozenset(chain[first:])
        start = path_text(self._start)
        text = " -> ".join((*chain, step_text(reference.steps)))
        nodes = tuple(node for _, node in self._chain)
        known = self._cycles.get(ring)
        if known is None or start.encode() < known[0].encode():
            self._cycles[ring] = (start, text, nodes)
        return Unresolved("BND241", f"cycle: {text}")

    def _walk(self, path: tuple[str | int, ...], reference: Reference) -> Node | None:
        node = self._root
        for count, step in enumerate(path):
            if isinstance(node.value, str) and "${" in node.value:
                kept = self._followed(node, reference, path[:count])
                if isinstance(kept.value, str) and references(kept.value):
                    return None  # what it waits for is not known yet
                node = kept
            child = self._step(node, step, path, count, reference)
            if child is None:
                return self._missing(path, count, node, reference)
            node = child
        if isinstance(node.value, str) and "${" in node.value:
            return self._followed(node, reference, path)
        return node

    def _followed(self, node: Node, reference: Reference, path: FieldPath) -> Node:
        if not references(node.value):
            return node
        self._chain.append((reference, node))
        try:
            return self.text(node, path)
        finally:
            self._chain.pop()

    def _step(
        self, node: Node, step: str | int, path: tuple[str | int, ...], count: int, reference: Reference
    ) -> Node | None:
        value = node.value
        if isinstance(step, int):
            if not isinstance(value, list):
                raise Unresolved("BND244", f"an index needs a list: {reference.text}")
            if step >= len(value):
                summary = f"index {step} is out of range ({len(value)} elements): {reference.text}"
                raise Unresolved("BND244", summary)
            element: Node = value[step]
            return element
        if isinstance(value, list):
            raise Unresolved("BND244", f'a list has no "{step}": {reference.text}', hint="use an index: [0]")
        return value.get(step) if isinstance(value, dict) else None

    def _missing(self, path: tuple[str | int, ...], count: int, node: Node, reference: Reference) -> Node | None:
        if path in _EMPTY:
            return Node(_EMPTY[path], self._root.span)  # type: ignore[index]  # only text steps are in the table
        if path[0] == "variables" and count == 2 and path[2] == "value":
            return None  # a lookup that is not answered; a missing value is said elsewhere
        if path[0] == "variables" and len(path) == 3 and path[2] in ("default", "description", "type"):
            return Node("", self._root.span)
        names = [name for name in node.value if isinstance(name, str)] if isinstance(node.value, dict) else []
        names += [str(known[count]) for known in _EMPTY if len(known) > count and known[:count] == path[:count]]
        near = nearest(str(path[count]), names, limit=2)
        detail = None
        if near is not None:
            place = count - (1 if reference.steps[0] == "var" and count > 2 else 0)
            steps = [near if index == place else step for index, step in enumerate(reference.steps)]
            detail = f"did you mean ${{{step_text(steps)}}}?"
        raise Unresolved("BND240", f"reference does not exist: {reference.text}", detail=detail)

    def fail(self, fault: Unresolved, reference: Reference, node: Node, path: FieldPath) -> None:
        if fault.code == "BND241":
            if self._chain:
                raise fault  # the circle is reported for the text where the chain started
            return
        span = place_in(node, reference.start, reference.end - reference.start)
        key = (fault.code, fault.summary, span)
        if key not in self._seen:
            self._seen.add(key)
            self.found.append(error(fault.code, fault.summary, span, path=path, detail=fault.detail, hint=fault.hint))

    def respelled(self, text: str, reference: Reference, node: Node, path: FieldPath) -> None:
        span = place_in(node, reference.start, reference.end - reference.start)
        summary = f'this number becomes the text "{text}": {reference.text}'
        hint = "quote the value of the variable to keep it as it is written"
        key = ("BND207", summary, span)
        if key not in self._seen:
            self._seen.add(key)
            self.remarks.append(warning("BND207", summary, span, path=path, hint=hint))


def resolve_frame(node: Node, facts: Facts) -> Outcome:
    """References outside `resources`, in rounds until nothing changes."""
    found: Findings = []
    remarks: Findings = []
    resolver = Resolver(node, facts.request.limits)
    for number in range(1, ROUNDS + 1):
        resolver = Resolver(node, facts.request.limits)
        try:
            value = {key: _frame_part(resolver, key, child) for key, child in node.value.items()}
        except TooLarge as fault:
            return node, [*found, _too_large(fault, number, resolver, *resolver.start)]
        found.extend(resolver.found)
        found.extend(resolver.cycles())
        if found:
            return node, found
        remarks += resolver.remarks  # a text is put together in one round only
        if not resolver.changed:
            return node, remarks
        node = node.with_value(value)
    return node, [*found, _too_large(TooLarge(deep=True), ROUNDS, resolver, *resolver.start)]


def _too_large(fault: TooLarge, rounds: int, resolver: Resolver, path: FieldPath, at: Node) -> Diagnostic:
    """What grows without end: text that doubles, or maps that hold each other."""
    if not fault.deep:
        hint = "a variable refers to others that double each time"
        return error("BND242", "the resolved bundle is too large", at.span, path=path, hint=hint)
    names = ", ".join(list(dict.fromkeys(reference.text for reference in resolver.changed))[:_MOST_NAMED])
    summary = f"references too deep after {rounds} rounds: {names}"
    return error("BND242", summary, at.span, path=path, hint="variables hold each other: give one a value of its own")


def _frame_part(resolver: Resolver, key: str, child: Node) -> Node:
    """One top-level section; what is not resolved there stays."""
    if key in ("resources", "include", "targets"):
        return child
    if key == "workspace" and child.is_map:
        kept = {
            name: item if name in CONNECTION_FIELDS else resolver.text_or_tree(item, (key, name))
            for name, item in child.value.items()
        }
        return child.with_value(kept)
    if key == "scripts" and child.is_map:
        scripts = {}
        for name, script in child.value.items():
            env = script.get("env")
            scripts[name] = (
                script.with_member("env", resolver.text_or_tree(env, (key, name, "env"))) if env is not None else script
            )
        return child.with_value(scripts)
    return resolver.text_or_tree(child, (key,))


def resolve_resources(node: Node, facts: Facts) -> Outcome:
    """References inside `resources`; the rest of the tree has none left."""
    found: Findings = []
    resources = node.get("resources")
    if resources is None or not resources.is_map:
        return node, found
    resolver = Resolver(node, facts.request.limits)
    kinds = {}
    for kind, child in resources.value.items():
        path = ("resources", kind)
        if not child.is_map:
            kinds[kind] = child
            continue
        items = {}
        for key, item in child.value.items():
            try:
                items[key] = _item(resolver, item, (*path, key), found)
            except TooLarge as fault:
                return node, [*found, _too_large(fault, ROUNDS, resolver, (*path, key), item)]
        kinds[kind] = child.with_value(items)
    found.extend(resolver.found)
    found.extend(resolver.cycles())
    found.extend(resolver.remarks)
    return node.with_member("resources", resources.with_value(kinds)), found


def _item(resolver: Resolver, item: Node, path: FieldPath, found: Findings) -> Node:
    """One resource, in rounds while what is put in has references of its own. Raises TooLarge."""
    for _ in range(ROUNDS):
        resolver.open = False
        resolver.literal.clear()
        before = item
        item = resolver.tree(item, path)
        if item is before or not resolver.open:
            break
    else:
        found.append(_too_large(TooLarge(deep=True), ROUNDS, resolver, path, item))
    if path[1] == "jobs":
        for at, text in resolver.literal:
            found.extend(_literal_in(text, at))
    return item


def _literal_in(node: Node, path: FieldPath) -> Iterable[Diagnostic]:
    for offset in loose_dollars(node.value)[:_MOST_IN_ONE_TEXT]:
        dots = node.value.startswith("..", node.value.find(".", offset))
        hint = "write one dot" if dots and ".." in node.value[offset:] else "it is kept as text"
        span = place_in(node, offset, 2)
        yield warning("BND245", '"${" starts no reference', span, path=path, hint=hint)
    for reference in references(node.value)[:_MOST_IN_ONE_TEXT]:
        first = str(reference.steps[0])
        if first in PREFIXES or first in _LATER:
            continue
        near = nearest(first, PREFIXES | _LATER, limit=2)
        if near is not None or first in _TOP_LEVEL:
            span = place_in(node, reference.start, reference.end - reference.start)
            detail = did_you_mean(near) if near else f"it stays as text: {reference.text}"
            yield warning("BND246", f'"{first}" is not resolved; stays as text', span, path=path, detail=detail)
