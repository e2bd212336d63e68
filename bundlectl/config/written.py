"""The places where a field is written: in each file, for the bundle and for the chosen target, and behind references.

Called by config.origins. Follows the rules of merging (config language 5, 6, 7.2) without merging anything, so that
each piece keeps its own place.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bundlectl.config.interpolation import ROUNDS, Reference, TooLarge, references
from bundlectl.config.lookups import ORIGIN
from bundlectl.config.node import Node, lookup, walk_scalars
from bundlectl.config.resolution import PREFIXES, Resolver
from bundlectl.config.sections import CONNECTION_FIELDS
from bundlectl.config.targets import FULL_FORMS, MERGED
from bundlectl.config.trace import Trace
from bundlectl.model.explanation import Role
from bundlectl.model.location import FieldPath, Keyed, Step

_CHAINED = 64  # references that lead to each other; a bundle that loads has no circles


class Passage(NamedTuple):
    """A reference on the way to a value: the text that holds it, and what it names."""

    node: Node
    role: str
    path: FieldPath


class Piece(NamedTuple):
    """One place that gives the field, or a part of it."""

    node: Node
    role: str
    path: FieldPath  # the field that is written there: another one behind a reference
    through: tuple[Passage, ...] = ()


class Written(NamedTuple):
    """All places of a field, older first. Those of `replaced` no longer count at all."""

    pieces: tuple[Piece, ...]
    replaced: tuple[Piece, ...] = ()


class _Recorder(Resolver):
    """Takes note of the references of one text; not of those that a value behind them holds."""

    def __init__(self, root: Node, trace: Trace) -> None:
        super().__init__(root, trace.facts.request.limits)
        self.met: list[Reference] = []

    def look_up(self, reference: Reference) -> Node | None:
        if not self._chain and reference.steps[0] in PREFIXES:
            self.met.append(reference)
        return super().look_up(reference)


class Resolution(NamedTuple):
    """A text with its references replaced, and which ones they were."""

    node: Node
    references: tuple[Reference, ...]


class Places:
    """Finds the pieces of fields in one watched load."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        target = trace.facts.target
        nodes = [source.node for source in trace.facts.sources if source.node is not None]
        self._base = [Piece(node, Role.BASE, ()) for node in nodes]
        self._target = [
            Piece(child, Role.OVERRIDE, ())
            for node in nodes
            for name in ("targets", "environments")
            if (child := lookup(node, (name, target))) is not None
        ]

    def written(self, path: FieldPath) -> Written:
        """Where a field is written."""
        head = path[0]
        if head == "variables" and len(path) > 1:
            return self._variable(path)
        if head == "run_as":
            mine = self._walk(self._target, path)
            whole = [piece for piece in self._walk(self._target, path[:1]) if piece.node.value is not None]
            base = self._walk(self._base, path)
            return Written(tuple(mine), tuple(base)) if whole else Written(tuple(base))
        if head == "include":
            return Written(tuple(_placed(self._walk(self._base[:1], path[:1]), path)) if len(path) == 1 else ())
        pieces = self._walk([*self._base, *(self._target if head in MERGED else ())], path)
        if path == ("bundle", "cluster_id") and not pieces:
            pieces = _placed(self._walk(self._base, ("bundle", "compute_id")), path)
        return Written((*pieces, *self._moved(path)))

    def _moved(self, path: FieldPath) -> list[Piece]:
        """What a target sets under another name."""
        names: tuple[tuple[FieldPath, tuple[FieldPath, ...]], ...] = (
            (("bundle", "mode"), (("mode",),)),
            (("bundle", "cluster_id"), (("compute_id",), ("cluster_id",))),
        )
        for field, sources in names:
            if path == field:
                found = [piece for source in sources for piece in self._walk(self._target, source)]
                return _placed(found, path)
        if path[:2] == ("bundle", "git") and len(path) > 2:
            return _placed(self._walk(self._target, path[1:]), path)
        return []

    def _variable(self, path: FieldPath) -> Written:
        """The definition of a variable, and the value that counts."""
        name = path[1]
        field = path[2] if len(path) > 2 else "value"
        definition = path[:2]
        if field not in ("value", "default"):
            form = self._form(name)
            over = self._walk(self._target, path) if form is not None and field in form else []
            gone = form is not None and field == "lookup" and "lookup" not in form
            base = self._walk(self._base, path)
            return Written(tuple(over), tuple(base)) if gone or over else Written(tuple(base))
        rest = path[3:]
        base = _placed(self._walk(self._base, (*definition, "default", *rest)), path)
        groups = [base]
        form = self._form(name)
        if form is not None and "lookup" not in form:
            at: FieldPath = (*definition, "default", *rest) if "default" in form else (*definition, *rest)
            groups.append(_placed(self._walk(self._target, at), path))
        value = lookup(self._trace.after("lookups.answer"), (*definition, "value"))
        if field == "value" and value is not None and value.origin is not None:
            role = Role.LOOKUP if value.origin.startswith(ORIGIN) else Role.INVOKER
            groups.append(_placed(self._walk([Piece(value, role, ())], rest), path))
        replaced = [piece for group in groups[:-1] for piece in group]
        return Written(tuple(groups[-1]), tuple(replaced))

    def _form(self, name: Step) -> frozenset[str] | None:
        """Which fields of a variable the target sets: `default` alone for a mere value; None when it sets none."""
        given = lookup(self._trace.facts.target_node, ("variables", name)) if self._trace.facts.target_node else None
        if given is None:
            return None
        if given.is_map and set(given.value) in FULL_FORMS:
            return frozenset(given.value)
        return frozenset()

    def _walk(self, pieces: Iterable[Piece], path: FieldPath) -> list[Piece]:
        found = list(pieces)
        for step in path:
            found = self._into(self._opened(found), step)
        return found

    def _opened(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Pieces that hold something: in place of a reference, what it leads to."""
        found: list[Piece] = []
        for piece in pieces:
            if isinstance(piece.node.value, str):
                found += self._behind(piece)
            elif piece.node.value is not None:
                found.append(piece)
        return found

    def _behind(self, piece: Piece) -> list[Piece]:
        node = piece.node
        if len(piece.through) > _CHAINED:
            return []
        for _ in range(ROUNDS):
            found = references(node.value) if isinstance(node.value, str) else ()
            if not found or found[0].steps[0] not in PREFIXES:
                return []
            if found[0].pure:
                path = path_of(found[0])
                passage = Passage(piece.node, piece.role, piece.path)
                inner = self.written(path).pieces
                if not inner:
                    made = lookup(self._trace.node, path)
                    inner = (Piece(made, Role.TOOL, path),) if made is not None else ()
                return [one._replace(through=(*piece.through, passage, *one.through)) for one in self._opened(inner)]
            node = self.resolved(node, piece.path).node
        return []

    def _into(self, pieces: Sequence[Piece], step: Step) -> list[Piece]:
        if isinstance(step, int):
            elements = [
                piece._replace(node=child, path=(*piece.path, index))
                for piece in pieces
                if piece.node.is_list
                for index, child in enumerate(piece.node.value)
            ]
            return elements[step : step + 1]
        if isinstance(step, Keyed):
            return [
                piece._replace(node=child, path=(*piece.path, step))
                for piece in pieces
                if piece.node.is_list
                for child in piece.node.value
                if self._is(child, step)
            ]
        return [
            piece._replace(node=child, path=(*piece.path, step))
            for piece in pieces
            if (child := piece.node.get(step)) is not None
        ]

    def _is(self, element: Node, step: Keyed) -> bool:
        if not element.is_map:
            return any(self._is(piece.node, step) for piece in self._opened([Piece(element, "", ())]))
        member = element.get(step.field)
        if member is None or member.value is None:
            return step.value == ""
        text = self.resolved(member, ()).node.value if isinstance(member.value, str) else member.value
        return str(text) == step.value

    def resolved(self, node: Node, path: FieldPath) -> Resolution:
        """A value with its references replaced, as a load does it: in rounds, from the tree of that stage."""
        if _stays(path):
            return Resolution(node, ())
        root = self._trace.before("resolution.resolve_resources" if _in_resources(path) else "resolution.resolve_frame")
        recorder = _Recorder(root, self._trace)
        for _ in range(ROUNDS):
            if not any(isinstance(item.value, str) and references(item.value) for _, item in walk_scalars(node)):
                break
            try:
                after = recorder.text_or_tree(node, path)
            except TooLarge:
                break
            if after is node:
                break
            node = after
        return Resolution(node, tuple(dict.fromkeys(recorder.met)))


def path_of(reference: Reference) -> FieldPath:
    """The field that a reference names."""
    steps = reference.steps
    return ("variables", steps[1], "value", *steps[2:]) if steps[0] == "var" and len(steps) > 1 else steps


def _stays(path: FieldPath) -> bool:
    """Whether references in a field are left as they are."""
    if path[:1] == ("scripts",):
        return path[2:3] != ("env",)
    return path[:1] == ("include",) or (path[:1] == ("workspace",) and len(path) > 1 and path[1] in CONNECTION_FIELDS)


def _in_resources(path: FieldPath) -> bool:
    return not path or path[0] == "resources"


def _placed(pieces: Sequence[Piece], path: FieldPath) -> list[Piece]:
    """Pieces that are written under another name than that of the field they give."""
    return [piece._replace(path=path) if not piece.through else piece for piece in pieces]
